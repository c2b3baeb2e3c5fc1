//! `usync`: who is on WhatsApp, under which LID, with which devices, and what they let others see.

use super::{Request, picture, profile};
use crate::account::{Account, lock};
use crate::server::{devices, node, route};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

/// Users in one query at most.
const USERS: usize = 2_000;

pub(super) fn answer(request: &Request<'_>) -> Node {
    let Some(usync) = node::first(request.iq) else {
        return node::error(request.iq, 400, "bad-request");
    };
    let protocols: Vec<String> = usync
        .get_optional_child("query")
        .map(|query| route::children(query).iter().map(|child| child.tag.to_string()).collect())
        .unwrap_or_default();
    let asked = usync.get_optional_child("list").map(route::children).unwrap_or_default();
    let users: Vec<Node> = asked.iter().take(USERS).filter_map(|user| describe(request, user, &protocols)).collect();
    let states = protocols.iter().map(|name| NodeBuilder::new_dynamic(name.clone()).build());
    let mut answer = NodeBuilder::new("usync");
    for key in ["sid", "mode", "context"] {
        if let Some(value) = usync.attrs.get(key) {
            answer = answer.attr(key, value.clone());
        }
    }
    let answer = answer
        .attr("index", "0")
        .attr("last", "true")
        .children([
            NodeBuilder::new("result").children(states).build(),
            NodeBuilder::new("list").children(users).build(),
        ])
        .build();
    node::result(request.iq).children([answer]).build()
}

fn describe(request: &Request<'_>, user: &Node, protocols: &[String]) -> Option<Node> {
    let contact = user.get_optional_child("contact").map(devices::digits);
    let jid = match (node::jid(user, "jid"), &contact) {
        (Some(jid), _) => jid.into_non_ad(),
        (None, Some(digits)) => Jid::pn(digits.as_str()),
        (None, None) => return None,
    };
    // Who hides is found only by those who have talked with the account.
    let account = request
        .net
        .account_of(&jid)
        .filter(|account| lock(&account.person).listed || account.has_met(&request.account.phone));
    let asks_contact = protocols.iter().any(|name| name == "contact");
    if account.is_none() && !asks_contact {
        return None;
    }
    let children: Vec<Node> = protocols
        .iter()
        .filter_map(|name| match account.as_deref() {
            Some(account) => known(request, account, name, contact.as_deref()),
            None if name == "contact" => Some(contact_node("out", contact.as_deref())),
            None => None,
        })
        .collect();
    let mut entry = NodeBuilder::new("user").attr("jid", jid.clone());
    if let Some(account) = account.filter(|_| jid.is_lid()) {
        entry = entry.attr("pn_jid", account.pn_jid());
    }
    Some(entry.children(children).build())
}

fn known(request: &Request<'_>, account: &Account, protocol: &str, contact: Option<&str>) -> Option<Node> {
    Some(match protocol {
        "devices" => devices::list(request.net, account),
        "contact" => contact_node("in", contact),
        "lid" => NodeBuilder::new("lid").attr("val", account.lid_jid()).build(),
        "status" => profile::status(account, request.account),
        "picture" => picture_of(request, account)?,
        "business" => profile::verified_name(account)?,
        "disappearing_mode" => {
            let (duration, since) = lock(&account.person).disappearing;
            NodeBuilder::new("disappearing_mode").attr("duration", duration).attr("t", since).build()
        }
        _ => return None,
    })
}

/// The id of an account's picture, for those who may see it.
fn picture_of(request: &Request<'_>, account: &Account) -> Option<Node> {
    let id = lock(&account.person).picture.as_ref().map(|picture| picture.id.clone())?;
    picture::visible(account, request.account).then(|| NodeBuilder::new("picture").attr("id", id).build())
}

fn contact_node(kind: &'static str, contact: Option<&str>) -> Node {
    let node = NodeBuilder::new("contact").attr("type", kind);
    match contact {
        Some(digits) => node.string_content(format!("+{digits}")).build(),
        None => node.build(),
    }
}
