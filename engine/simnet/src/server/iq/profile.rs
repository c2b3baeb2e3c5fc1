//! What an account sets for itself and reads of others: about (`status`), privacy (`privacy`),
//! blocked accounts (`blocklist`), the default for disappearing messages, business profiles
//! (`w:biz`).

use super::Request;
use crate::account::{Account, lock};
use crate::chance::now;
use crate::person::PRIVACY;
use crate::server::{node, people, route};
use sha2::{Digest as _, Sha256};
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::buffa::Message as _;
use waproto::whatsapp as wa;

/// Business profiles in one answer.
const PROFILES: usize = 100;
/// Entries of a disallowed list that are read.
const DISALLOWED: usize = 1_000;

/// `status`: sets the own about, or reads those of others.
pub(super) fn about(request: &Request<'_>, kind: &str) -> Node {
    let iq = request.iq;
    if kind == "set" {
        let text = iq.get_optional_child("status").and_then(|node| node.content_as_string()).unwrap_or_default();
        if people::set_about(request.net, request.account, Some(request.device.id), &text) {
            return node::result(iq).build();
        }
        return node::error(iq, 406, "not-acceptable");
    }
    let asked = node::first(iq).map(route::children).unwrap_or_default();
    let users = asked.iter().take(PROFILES).filter_map(|user| {
        let jid = node::jid(user, "jid")?;
        let account = request.net.reachable(&jid)?;
        let about = status(&account, request.account);
        Some(NodeBuilder::new("user").attr("jid", jid).children([about]).build())
    });
    node::result(iq).children([NodeBuilder::new("status").children(users).build()]).build()
}

/// `<status>`: an account's about as another one sees it.
pub(super) fn status(account: &Account, viewer: &Account) -> Node {
    let hidden = account.phone != viewer.phone && (!account.allows("status", viewer) || account.blocks(viewer));
    if hidden {
        return NodeBuilder::new("status").attr("code", "401").build();
    }
    let about = lock(&account.person).about.clone();
    NodeBuilder::new("status").attr("t", about.at).bytes(about.text.into_bytes()).build()
}

/// `privacy`, reading.
pub(super) fn privacy(request: &Request<'_>) -> Node {
    let person = lock(&request.account.person);
    let categories = PRIVACY
        .iter()
        .map(|(name, _)| NodeBuilder::new("category").attr("name", *name).attr("value", person.privacy(name)).build());
    let privacy = NodeBuilder::new("privacy").children(categories).build();
    node::result(request.iq).children([privacy]).build()
}

/// `privacy`, setting: all categories or none.
pub(super) fn set_privacy(request: &Request<'_>) -> Node {
    let iq = request.iq;
    let asked = node::first(iq).map(route::children).unwrap_or_default();
    let mut answered = Vec::new();
    {
        let mut person = lock(&request.account.person);
        let mut changed = person.clone();
        for category in asked.iter().filter(|child| child.tag == "category") {
            let name = node::attr(category, "name").unwrap_or_default();
            let value = node::attr(category, "value").unwrap_or_default();
            if !changed.set_privacy(&name, &value) {
                return node::error(iq, 400, "bad-request");
            }
            answered.push(answered_category(category, name, value));
        }
        *person = changed;
    }
    people::tell_privacy(request.net, request.account, Some(request.device.id));
    node::result(iq).children([NodeBuilder::new("privacy").children(answered).build()]).build()
}

/// A category as it was set, with the hash of the list it came with.
fn answered_category(category: &Node, name: String, value: String) -> Node {
    let mut answer = NodeBuilder::new("category").attr("name", name).attr("value", value);
    let users = route::children(category);
    if !users.is_empty() {
        let mut hash = Sha256::new();
        for jid in users.iter().take(DISALLOWED).filter_map(|user| node::attr(user, "jid")) {
            hash.update(jid.as_bytes());
        }
        answer = answer.attr("dhash", hex::encode(&hash.finalize()[..8]));
    }
    answer.build()
}

/// `blocklist`: reads it, or blocks and unblocks.
pub(super) fn blocklist(request: &Request<'_>, kind: &str) -> Node {
    let (iq, net) = (request.iq, request.net);
    if kind == "set" {
        let item = node::first(iq);
        let other = item.and_then(|item| node::jid(item, "jid")).and_then(|jid| net.account_of(&jid));
        let action = item.and_then(|item| node::attr(item, "action"));
        let (Some(other), Some(action)) = (other, action) else { return node::error(iq, 404, "item-not-found") };
        if other.phone == request.account.phone {
            return node::error(iq, 406, "not-acceptable");
        }
        people::set_blocked(net, request.account, Some(request.device.id), &other, action == "block");
    }
    let blocked: Vec<String> = lock(&request.account.person).blocked.iter().cloned().collect();
    let items = blocked
        .iter()
        .filter_map(|phone| net.account(phone))
        .map(|other| NodeBuilder::new("item").attr("jid", other.lid_jid()).attr("pn_jid", other.pn_jid()).build());
    let list = NodeBuilder::new("list").attr("addressing_mode", "lid").children(items).build();
    node::result(iq).children([list]).build()
}

/// `disappearing_mode`: the default for new chats.
pub(super) fn disappearing(request: &Request<'_>) -> Node {
    let duration = node::first(request.iq).and_then(|child| node::attr(child, "duration")?.parse().ok());
    let Some(duration) = duration else { return node::error(request.iq, 400, "bad-request") };
    lock(&request.account.person).disappearing = (duration, now());
    request.net.touch();
    node::result(request.iq).build()
}

/// `w:biz`: business profiles.
pub(super) fn business(request: &Request<'_>) -> Node {
    let asked = node::first(request.iq).map(route::children).unwrap_or_default();
    let profiles = asked.iter().take(PROFILES).filter_map(|asked| {
        let jid = node::jid(asked, "jid")?;
        let account = request.net.reachable(&jid)?;
        let business = lock(&account.person).business.clone()?;
        let text = |tag: &'static str, text: &str| NodeBuilder::new(tag).bytes(text.as_bytes().to_vec()).build();
        let mut children = vec![text("description", &business.description)];
        for (tag, value) in [("address", &business.address), ("email", &business.email)] {
            if !value.is_empty() {
                children.push(text(tag, value));
            }
        }
        children.extend(business.websites.iter().map(|website| text("website", website)));
        let categories =
            business.categories.iter().enumerate().map(|(n, name)| {
                NodeBuilder::new("category").attr("id", n + 1).bytes(name.as_bytes().to_vec()).build()
            });
        children.push(NodeBuilder::new("categories").children(categories).build());
        Some(NodeBuilder::new("profile").attr("jid", jid).children(children).build())
    });
    let profiles = NodeBuilder::new("business_profile").attr("v", "244").children(profiles).build();
    node::result(request.iq).children([profiles]).build()
}

/// `<business>` of usync: the verified name of a business; `None` for others.
pub(super) fn verified_name(account: &Account) -> Option<Node> {
    let business = lock(&account.person).business.clone()?;
    let serial = u64::from(account.raw_id);
    let details = wa::verified_name_certificate::Details {
        serial: Some(serial),
        issuer: Some("smb:wa".into()),
        verified_name: Some(business.name.clone()),
        ..Default::default()
    };
    let certificate =
        wa::VerifiedNameCertificate { details: Some(details.encode_to_vec()), ..Default::default() }.encode_to_vec();
    let name = NodeBuilder::new("verified_name")
        .attr("v", "1")
        .attr("name", business.name)
        .attr("serial", serial)
        .bytes(certificate)
        .build();
    Some(NodeBuilder::new("business").children([name]).build())
}
