//! `w:mex`: the GraphQL operations that clients use for newsletters, communities and a few settings
//! of groups. Operations are named by the ids of the client library; others are refused as unknown
//! and counted.

use super::Request;
use crate::server::group::community::linked;
use crate::server::group::settings::{self, Setting};
use crate::server::group::state::Group;
use crate::server::group::{self, describe, id_in};
use crate::server::newsletter::{self, Newsletter};
use crate::server::node;
use serde_json::{Value, json};
use wacore::iq::mex_operations as op;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

/// The longest name of a newsletter, and the longest description, in characters.
const NAME: usize = 100;
const DESCRIPTION: usize = 2_048;

/// Why an operation failed: a code and what the client reads.
type Failed = (u16, &'static str);

pub(super) fn answer(request: &Request<'_>) -> Node {
    let query = request.iq.get_optional_child("query");
    let id = query.and_then(|query| node::attr(query, "query_id")).unwrap_or_default();
    let asked = query.and_then(node::bytes).and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    let variables = asked.map(|mut asked| asked["variables"].take()).unwrap_or_default();
    let body = match perform(request, &id, &variables) {
        Ok(data) => json!({ "data": data }),
        Err((code, message)) => json!({
            "data": null,
            "errors": [{
                "message": message,
                "extensions": { "error_code": code, "is_summary": true, "is_retryable": false, "severity": "WARNING" },
            }],
        }),
    };
    let result = NodeBuilder::new("result").bytes(body.to_string().into_bytes()).build();
    node::result(request.iq).children([result]).build()
}

fn perform(request: &Request<'_>, id: &str, v: &Value) -> Result<Value, Failed> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match id {
        op::fetch_all_newsletters_metadata::DOC_ID => {
            let all = request.net.newsletters.all();
            let own = all.iter().filter(|one| one.role(&request.account.phone) != "guest");
            let own: Vec<Value> = own.map(|one| metadata(request, one)).collect();
            Ok(json!({ "xwa2_newsletter_subscribed": own }))
        }
        op::fetch_newsletter::DOC_ID => {
            let key = text(&v["input"]["key"]);
            let id = match v["input"]["type"].as_str() {
                Some("INVITE") => request.net.newsletters.by_invite(&key),
                _ => Some(newsletter_id(&key).to_owned()),
            };
            Ok(json!({ "xwa2_newsletter": one(request, &id.unwrap_or_default()) }))
        }
        op::create_newsletter::DOC_ID => {
            let (name, description) = (text(&v["input"]["name"]), text(&v["input"]["description"]));
            check(&name, &description)?;
            let made = request.net.newsletters.create(&request.net.chance, request.account, &name, &description);
            request.net.touch();
            let made = made.ok_or((406, "too many newsletters"))?;
            Ok(json!({ "xwa2_newsletter_create": metadata(request, &made) }))
        }
        op::join_newsletter::DOC_ID => follow(request, v, true, "xwa2_newsletter_join_v2"),
        op::leave_newsletter::DOC_ID => follow(request, v, false, "xwa2_newsletter_leave_v2"),
        op::update_newsletter::DOC_ID => update(request, v),
        op::update_newsletter_user_setting::DOC_ID => {
            let id = text(&v["input"]["newsletter_id"]);
            let found = one(request, newsletter_id(&id));
            Ok(json!({ "xwa2_newsletter_update_user_setting": found }))
        }
        op::fetch_all_subgroups::DOC_ID => subgroups(request, &text(&v["group_id"])),
        op::query_subgroup_participant_count::DOC_ID => subgroups(request, &text(&v["input"]["group_jid"])),
        op::update_group_property::DOC_ID => group_property(request, v),
        op::fetch_reachout_timelock::DOC_ID => {
            Ok(json!({ "xwa2_fetch_account_reachout_timelock": { "is_active": false } }))
        }
        _ => {
            request.net.stats.unknown_iq("w:mex", id);
            Err((400, "unknown query"))
        }
    }
}

fn check(name: &str, description: &str) -> Result<(), Failed> {
    if name.is_empty() || name.chars().count() > NAME || description.chars().count() > DESCRIPTION {
        return Err((406, "name or description too long or missing"));
    }
    Ok(())
}

fn newsletter_id(name: &str) -> &str {
    name.strip_suffix("@newsletter").unwrap_or(name)
}

fn one(request: &Request<'_>, id: &str) -> Value {
    let found = request.net.newsletters.with(id, |one| one.clone());
    found.map_or(Value::Null, |one| metadata(request, &one))
}

fn follow(request: &Request<'_>, v: &Value, follow: bool, field: &str) -> Result<Value, Failed> {
    let id = newsletter_id(v["newsletter_id"].as_str().unwrap_or_default());
    let found = request.net.newsletters.follow(id, &request.account.phone, follow);
    request.net.touch();
    let found = found.ok_or((404, "no such newsletter"))?;
    Ok(json!({ field: metadata(request, &found) }))
}

fn update(request: &Request<'_>, v: &Value) -> Result<Value, Failed> {
    let id = newsletter_id(v["newsletter_id"].as_str().unwrap_or_default());
    let changed = request.net.newsletters.with(id, |one| -> Result<Newsletter, Failed> {
        if *one.owner != *request.account.phone {
            return Err((403, "only the owner may do this"));
        }
        let name = v["updates"]["name"].as_str().unwrap_or(&one.name).to_owned();
        let description = v["updates"]["description"].as_str().unwrap_or(&one.description).to_owned();
        check(&name, &description)?;
        (one.name, one.description) = (name, description);
        Ok(one.clone())
    });
    request.net.touch();
    let changed = changed.ok_or((404, "no such newsletter"))??;
    Ok(json!({ "xwa2_newsletter_update": metadata(request, &changed) }))
}

/// A newsletter as clients read it.
fn metadata(request: &Request<'_>, one: &Newsletter) -> Value {
    let text =
        |text: &str| json!({ "id": one.created.to_string(), "text": text, "update_time": one.created.to_string() });
    json!({
        "id": newsletter::jid(&one.id).to_string(),
        "state": { "type": "active" },
        "thread_metadata": {
            "creation_time": one.created.to_string(),
            "name": text(&one.name),
            "description": text(&one.description),
            "invite": one.invite,
            "subscribers_count": one.followers.len().to_string(),
            "verification": "UNVERIFIED",
        },
        "viewer_metadata": { "role": one.role(&request.account.phone), "mute": "OFF" },
    })
}

fn subgroups(request: &Request<'_>, community: &str) -> Result<Value, Failed> {
    let id = id_in(community);
    let inside = request.net.groups.read(id, |group| Ok(group.rank(&request.account.phone).is_some()));
    match inside {
        Err(_) => return Err((404, "no such group")),
        Ok(false) => return Err((403, "not in the community")),
        Ok(true) => {}
    }
    let linked = request.net.groups.with(|groups| linked(groups, id));
    let node = |group: &Group| {
        let creator = describe::jids(request.net, &group.creator).map(|(lid, _)| lid.to_string());
        json!({
            "id": group::jid(&group.id).to_string(),
            "subject": { "value": group.subject.text, "creation_time": group.created },
            "creation_time": group.created,
            "creator": creator,
            "total_participants_count": group.members.len(),
            "properties": { "general_chat": group.place.general },
        })
    };
    let default = linked.iter().find(|group| group.place.announcements).map(node);
    let edges: Vec<Value> =
        linked.iter().filter(|group| !group.place.announcements).map(|group| json!({ "node": node(group) })).collect();
    Ok(json!({
        "xwa2_group_query_by_id": {
            "id": group::jid(id).to_string(),
            "default_sub_group": default,
            "sub_groups": { "edges": edges },
        },
    }))
}

fn group_property(request: &Request<'_>, v: &Value) -> Result<Value, Failed> {
    let id = id_in(v["group_id"].as_str().unwrap_or_default());
    let update = &v["update"];
    let setting = if let Some(mode) = update["member_link_mode"].as_str() {
        Setting::OpenLink(mode == "ALL_MEMBER_LINK")
    } else if let Some(mode) = update["member_share_group_history_mode"].as_str() {
        Setting::OpenHistory(mode == "ALL_MEMBER_SHARE")
    } else if let Some(on) = update["limit_sharing"]["limit_sharing_enabled"].as_bool() {
        Setting::LimitSharing(on)
    } else {
        return Err((400, "unknown property"));
    };
    settings::set(request.net, request.account, id, setting).map_err(|refusal| (refusal.code(), refusal.text()))?;
    Ok(json!({ "xwa2_group_update_property": { "id": group::jid(id).to_string(), "state": "ACTIVE" } }))
}
