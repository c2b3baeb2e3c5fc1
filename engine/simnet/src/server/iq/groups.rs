//! `w:g2`: everything clients ask and change of groups and communities. This reads the request and
//! writes the answer; the rules are in [`crate::server::group`].

use super::Request;
use crate::server::group::act::{self, Act, New, Outcome};
use crate::server::group::describe::{self, Detail};
use crate::server::group::join::{self, Joined};
use crate::server::group::refusal::Refusal;
use crate::server::group::settings::{self, Setting};
use crate::server::group::state::{Place, Settings, Text};
use crate::server::group::{self, id_of, message};
use crate::server::{node, route};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

/// Groups in one answer to a batch.
const BATCH: usize = 10_000;

pub(super) fn answer(request: &Request<'_>, kind: &str, tag: &str) -> Node {
    let to = node::jid(request.iq, "to");
    let id = to.as_ref().and_then(id_of);
    let answered = match (id, kind) {
        (None, "get") => ask_all(request, tag),
        (None, _) => do_all(request, tag),
        (Some(id), "get") => ask(request, id, tag),
        (Some(id), _) => change(request, id, tag),
    };
    match answered {
        Ok(children) => node::result(request.iq).children(children).build(),
        Err(refusal) => node::error(request.iq, refusal.code(), refusal.text()),
    }
}

type Answer = Result<Vec<Node>, Refusal>;

/// What is asked of groups in general.
fn ask_all(request: &Request<'_>, tag: &str) -> Answer {
    let child = node::first(request.iq).ok_or(Refusal::Malformed)?;
    match tag {
        "participating" => {
            let detail = Detail {
                participants: child.get_optional_child("participants").is_some(),
                description: child.get_optional_child("description").is_some(),
            };
            let own = request.net.groups.of(&request.account.phone);
            let nodes = own.iter().map(|group| describe::group(request.net, group, detail));
            Ok(vec![NodeBuilder::new("groups").children(nodes).build()])
        }
        "query" => {
            let nodes = route::children(child).iter().take(BATCH).filter_map(|asked| one_of_batch(request, asked));
            Ok(vec![NodeBuilder::new("groups").children(nodes).build()])
        }
        "invite" => {
            let code = node::attr(child, "code").ok_or(Refusal::Malformed)?;
            let id = request.net.groups.by_code(&code)?;
            let found = request.net.groups.read(&id, |group| {
                if group.invite == code {
                    Ok(describe::group(request.net, group, Detail::OUTSIDE))
                } else {
                    Err(Refusal::InviteReset)
                }
            })?;
            Ok(vec![found])
        }
        "pictures" => {
            let nodes = route::children(child).iter().take(BATCH).filter_map(|asked| picture_of_batch(request, asked));
            Ok(vec![NodeBuilder::new("pictures").children(nodes).build()])
        }
        _ => unknown(request, tag),
    }
}

fn one_of_batch(request: &Request<'_>, asked: &Node) -> Option<Node> {
    let jid = node::jid(asked, "jid")?;
    match settings::look(request.net, request.account, id_of(&jid)?) {
        Ok(node) => Some(node),
        Err(refusal) => Some(NodeBuilder::new("group").attr("id", jid).attr("error", refusal.code()).build()),
    }
}

fn picture_of_batch(request: &Request<'_>, asked: &Node) -> Option<Node> {
    let jid = node::jid(asked, "jid")?;
    let id = id_of(&jid)?.to_owned();
    let picture = request.net.groups.read(&id, |group| Ok(group.picture.clone())).ok().flatten();
    let node = NodeBuilder::new("picture").attr("jid", jid);
    let Some(picture) = picture else { return Some(node.build()) };
    Some(super::picture::described(node, request.net, &id, &picture).build())
}

/// What is done with groups in general.
fn do_all(request: &Request<'_>, tag: &str) -> Answer {
    let child = node::first(request.iq).ok_or(Refusal::Malformed)?;
    match tag {
        "create" => create(request, child),
        "leave" => {
            let groups = route::children(child).iter().take(BATCH).filter_map(|group| {
                let jid = node::jid(group, "id").or_else(|| node::attr(group, "id").map(|id| group::jid(&id)))?;
                let node = NodeBuilder::new("group").attr("id", jid.clone());
                match act::leave(request.net, request.account, id_of(&jid)?) {
                    Ok(()) => Some(Ok(node.build())),
                    Err(refusal) => Some(Err(refusal)),
                }
            });
            let groups: Vec<Node> = groups.collect::<Result<_, _>>()?;
            Ok(vec![NodeBuilder::new("leave").children(groups).build()])
        }
        "invite" => {
            let code = node::attr(child, "code").ok_or(Refusal::Malformed)?;
            let (id, joined) = join::by_code(request.net, request.account, &code)?;
            Ok(vec![joined_node(&id, joined)])
        }
        _ => unknown(request, tag),
    }
}

fn joined_node(id: &str, joined: Joined) -> Node {
    let tag = match joined {
        Joined::In => "group",
        Joined::Asked => "membership_approval_request",
    };
    NodeBuilder::new(tag).attr("jid", group::jid(id)).build()
}

fn create(request: &Request<'_>, wanted: &Node) -> Answer {
    let child = |tag: &str| wanted.get_optional_child(tag);
    let description = child("description").and_then(|node| {
        let text = body(node)?;
        let id = node::attr(node, "id").unwrap_or_else(|| request.net.chance.stanza_id());
        Some(Text { id, text, by: request.account.phone.to_string(), at: crate::chance::now() })
    });
    let parent = child("parent");
    let linked = child("linked_parent").and_then(|node| node::jid(node, "jid"));
    let place = Place {
        parent: parent.is_some() && linked.is_none(),
        closed: parent.is_some_and(|node| node.attrs.contains_key("default_membership_approval_mode")),
        open_creation: child("allow_non_admin_sub_group_creation").is_some(),
        linked: linked.as_ref().and_then(id_of).map(str::to_owned),
        ..Place::default()
    };
    let settings = Settings {
        locked: child("locked").is_some(),
        announcement: child("announcement").is_some(),
        ephemeral: child("ephemeral").and_then(expiration).unwrap_or(0),
        approval: child("membership_approval_mode").is_some_and(approval),
        admin_add: child("member_add_mode").and_then(text).as_deref() == Some("admin_add"),
        open_link: child("member_link_mode").and_then(text).as_deref() == Some("all_member_link"),
        ..Settings::default()
    };
    let new = New {
        subject: node::attr(wanted, "subject").unwrap_or_default(),
        description,
        participants: participants(wanted),
        settings,
        place,
        key: node::attr(wanted, "key"),
    };
    let general = child("create_general_chat").is_some();
    let (group, outcomes) = crate::server::group::community::create(request.net, request.account, new, general)?;
    let mut node = describe::group(request.net, &group, Detail::ALL);
    // Those who could not be added stand among the participants, with the reason.
    if let Some(wacore_binary::NodeContent::Nodes(children)) = &mut node.content {
        children.extend(outcomes.iter().filter(|outcome| outcome.error.is_some()).map(Outcome::node));
    }
    Ok(vec![node])
}

/// What is asked of one group.
fn ask(request: &Request<'_>, id: &str, tag: &str) -> Answer {
    let child = node::first(request.iq).ok_or(Refusal::Malformed)?;
    match tag {
        "query" => {
            let known = node::attr(child, "phash");
            let same = known.is_some()
                && request.net.groups.read(id, |group| Ok(message::members_hash(request.net, group)))? == known;
            let found = settings::look(request.net, request.account, id)?;
            Ok(if same { Vec::new() } else { vec![found] })
        }
        "invite" => {
            let code = settings::invite(request.net, request.account, id)?;
            Ok(vec![NodeBuilder::new("invite").attr("code", code).build()])
        }
        "membership_approval_requests" => {
            let requests = join::requests(request.net, request.account, id)?;
            let nodes = requests.into_iter().filter_map(|(phone, asked)| {
                let (lid, pn) = describe::jids(request.net, &phone)?;
                let node = NodeBuilder::new("membership_approval_request")
                    .attr("jid", lid.clone())
                    .attr("phone_number", pn)
                    .attr("requestor", lid)
                    .attr("request_method", asked.method)
                    .attr("request_time", asked.at);
                Some(node.build())
            });
            Ok(vec![NodeBuilder::new("membership_approval_requests").children(nodes).build()])
        }
        _ => super::communities::ask(request, id, tag, child),
    }
}

/// What is changed in one group.
fn change(request: &Request<'_>, id: &str, tag: &str) -> Answer {
    let child = node::first(request.iq).ok_or(Refusal::Malformed)?;
    let (net, actor) = (request.net, request.account);
    if let Some(setting) = setting(child) {
        settings::set(net, actor, id, setting)?;
        return Ok(Vec::new());
    }
    match tag {
        "add" | "promote" | "demote" => members(request, id, tag, child),
        "remove" if child.attrs.contains_key("linked_groups") => {
            let outcomes = crate::server::group::community::remove_everywhere(net, actor, id, participants(child))?;
            Ok(vec![listed("remove", &outcomes)])
        }
        "remove" => members(request, id, tag, child),
        "subject" => settings::subject(net, actor, id, &text(child).unwrap_or_default()).map(|()| Vec::new()),
        "description" => {
            let delete = child.attrs.contains_key("delete");
            let wanted = body(child)
                .filter(|_| !delete)
                .map(|text| (node::attr(child, "id").unwrap_or_else(|| net.chance.stanza_id()), text));
            let previous = node::attr(child, "prev");
            settings::description(net, actor, id, wanted, previous.as_deref()).map(|()| Vec::new())
        }
        "invite" => {
            let code = settings::reset_invite(net, actor, id)?;
            Ok(vec![NodeBuilder::new("invite").attr("code", code).build()])
        }
        "accept" => {
            let code = node::attr(child, "code").unwrap_or_default();
            join::by_invitation(net, actor, id, &code)?;
            Ok(vec![joined_node(id, Joined::In)])
        }
        "revoke" => Ok(vec![listed("revoke", &join::uninvite(net, actor, id, participants(child))?)]),
        "membership_requests_action" => {
            let inner = node::first(child).ok_or(Refusal::Malformed)?;
            let approve = inner.tag == "approve";
            let outcomes = join::decide(net, actor, id, approve, participants(inner))?;
            let inner = listed(if approve { "approve" } else { "reject" }, &outcomes);
            Ok(vec![NodeBuilder::new("membership_requests_action").children([inner]).build()])
        }
        "cancel_membership_requests" => {
            join::cancel(net, actor, id)?;
            let own = act::done(net, actor.lid_jid());
            Ok(vec![listed("cancel_membership_requests", &[own])])
        }
        "ack" => Ok(Vec::new()),
        "delete" => act::delete(net, actor, id).map(|()| Vec::new()),
        _ => super::communities::change(request, id, tag, child),
    }
}

fn members(request: &Request<'_>, id: &str, tag: &str, child: &Node) -> Answer {
    let act = match tag {
        "add" => Act::Add,
        "promote" => Act::Promote,
        "demote" => Act::Demote,
        _ => Act::Remove,
    };
    let outcomes = act::change(request.net, request.account, id, act, participants(child))?;
    Ok(vec![listed(act.tag(), &outcomes)])
}

/// The switch that a request turns, if it is one.
fn setting(child: &Node) -> Option<Setting> {
    Some(match &*child.tag {
        "locked" => Setting::Locked(true),
        "unlocked" => Setting::Locked(false),
        "announcement" => Setting::Announcement(true),
        "not_announcement" => Setting::Announcement(false),
        "ephemeral" => Setting::Ephemeral(expiration(child)?),
        "not_ephemeral" => Setting::Ephemeral(0),
        "membership_approval_mode" => Setting::Approval(approval(child)),
        "member_add_mode" => Setting::AdminAdd(text(child).as_deref() == Some("admin_add")),
        "no_frequently_forwarded" => Setting::NoFrequentlyForwarded(true),
        "frequently_forwarded_ok" => Setting::NoFrequentlyForwarded(false),
        "allow_admin_reports" => Setting::AdminReports(true),
        "not_allow_admin_reports" => Setting::AdminReports(false),
        "group_history" => Setting::History(true),
        "no_group_history" => Setting::History(false),
        _ => return None,
    })
}

/// A node with the outcome for each account.
pub(super) fn listed(tag: &'static str, outcomes: &[Outcome]) -> Node {
    NodeBuilder::new(tag).children(outcomes.iter().map(Outcome::node)).build()
}

/// The accounts that a node lists.
pub(super) fn participants(node: &Node) -> Vec<Jid> {
    node.get_children_by_tag("participant").filter_map(|child| node::jid(child, "jid")).collect()
}

/// A request that simnet does not know: answered emptily and counted.
pub(super) fn unknown(request: &Request<'_>, tag: &str) -> Answer {
    request.net.stats.unknown_iq("w:g2", tag);
    Ok(Vec::new())
}

fn text(node: &Node) -> Option<String> {
    node.content_as_string().map(|text| text.to_string())
}

fn body(node: &Node) -> Option<String> {
    text(node.get_optional_child("body")?)
}

fn expiration(node: &Node) -> Option<u32> {
    node::attr(node, "expiration")?.parse().ok()
}

fn approval(node: &Node) -> bool {
    node.get_optional_child("group_join").is_some_and(|join| node::attr(join, "state").as_deref() == Some("on"))
}
