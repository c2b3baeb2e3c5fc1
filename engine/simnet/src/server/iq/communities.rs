//! What clients ask and change of a community in `w:g2`: linked groups and the community's end.

use super::Request;
use super::groups::unknown;
use crate::server::group::community::{deactivate, link, linked, look, unlink};
use crate::server::group::describe;
use crate::server::group::join;
use crate::server::group::refusal::Refusal;
use crate::server::group::{id_of, jid};
use crate::server::{node, route};
use std::collections::BTreeMap;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

type Answer = Result<Vec<Node>, Refusal>;

/// What is asked.
pub(super) fn ask(request: &Request<'_>, id: &str, tag: &str, child: &Node) -> Answer {
    match tag {
        "query_linked" => {
            let wanted = node::jid(child, "jid").ok_or(Refusal::Malformed)?;
            Ok(vec![linked_group(look(request.net, request.account, id, &wanted)?)])
        }
        "linked_groups_participants" => {
            let members: BTreeMap<String, _> =
                own_linked(request, id)?.into_iter().flat_map(|group| group.members).collect();
            let nodes = members.keys().filter_map(|phone| describe::participant(request.net, phone, None));
            Ok(vec![NodeBuilder::new("linked_groups_participants").children(nodes).build()])
        }
        "sub_groups" => {
            let nodes = own_linked(request, id)?.into_iter().map(|group| {
                let mut node = NodeBuilder::new("group")
                    .attr("id", jid(&group.id))
                    .attr("subject", group.subject.text.as_str())
                    .attr("creation", group.created)
                    .attr("size", group.members.len());
                if let Some((lid, pn)) = describe::jids(request.net, &group.creator) {
                    node = node.attr("creator", lid).attr("creator_pn", pn);
                }
                let place = group.place.announcements.then(|| NodeBuilder::new("default_sub_group").build());
                node.children(place).build()
            });
            Ok(vec![NodeBuilder::new("sub_groups").children(nodes).build()])
        }
        _ => unknown(request, tag),
    }
}

fn own_linked(request: &Request<'_>, id: &str) -> Result<Vec<crate::server::group::state::Group>, Refusal> {
    request.net.groups.read(id, |group| group.rank(&request.account.phone).map(drop).ok_or(Refusal::NotMember))?;
    Ok(request.net.groups.with(|groups| linked(groups, id)))
}

fn linked_group(group: Node) -> Node {
    NodeBuilder::new("linked_group").children([group]).build()
}

/// What is changed.
pub(super) fn change(request: &Request<'_>, id: &str, tag: &str, child: &Node) -> Answer {
    let (net, actor) = (request.net, request.account);
    match tag {
        "links" => {
            let wanted = node::first(child).map(named).unwrap_or_default();
            let results = link(net, actor, id, wanted)?;
            let inner = results_node("link", "link_type", results);
            Ok(vec![NodeBuilder::new("links").children([inner]).build()])
        }
        "unlink" => Ok(vec![results_node("unlink", "unlink_type", unlink(net, actor, id, named(child))?)]),
        "delete_parent" => deactivate(net, actor, id).map(|()| Vec::new()),
        "join_linked_group" => {
            let wanted = node::jid(child, "jid").ok_or(Refusal::Malformed)?;
            look(net, actor, id, &wanted)?;
            join::linked(net, actor, id_of(&wanted).ok_or(Refusal::UnknownGroup)?)?;
            Ok(vec![linked_group(look(net, actor, id, &wanted)?)])
        }
        _ => unknown(request, tag),
    }
}

fn named(node: &Node) -> Vec<Jid> {
    route::children(node).iter().filter_map(|group| node::jid(group, "jid")).collect()
}

fn results_node(tag: &'static str, kind: &'static str, results: Vec<(Jid, Option<u16>)>) -> Node {
    let groups = results.into_iter().map(|(jid, error)| {
        let node = NodeBuilder::new("group").attr("jid", jid);
        match error {
            Some(error) => node.attr("error", error).build(),
            None => node.build(),
        }
    });
    NodeBuilder::new(tag).attr(kind, "sub_group").children(groups).build()
}
