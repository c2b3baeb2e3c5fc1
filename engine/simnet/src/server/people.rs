//! What is told of a change that an account makes to itself: those who talk with it hear of a new
//! picture, about or name, its own other companions of what it blocked or set.

use crate::account::{Account, Device, lock};
use crate::chance::now;
use crate::network::Network;
use crate::person::{About, Picture};
use std::sync::Arc;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

/// The longest about, in characters.
const ABOUT: usize = 139;
/// The longest name, in bytes.
const NAME: usize = 200;

/// Sets an account's picture, or takes it away. `by` is the device that did it, which hears
/// nothing. Returns the new one's id.
pub(crate) fn set_picture(
    net: &Arc<Network>,
    account: &Account,
    by: Option<u16>,
    picture: Option<Picture>,
) -> Option<String> {
    let id = picture.as_ref().map(|picture| picture.id.clone());
    lock(&account.person).picture = picture;
    let change = match &id {
        Some(id) => NodeBuilder::new("set").attr("jid", account.lid_jid()).attr("id", id.as_str()),
        None => NodeBuilder::new("delete").attr("jid", account.lid_jid()),
    };
    let change = change.attr("author", account.lid_jid()).build();
    tell(net, account, by, "picture", &change, |peer| account.allows("profile", peer));
    id
}

/// Sets an account's about. False when it is too long.
pub(crate) fn set_about(net: &Arc<Network>, account: &Account, by: Option<u16>, text: &str) -> bool {
    if text.chars().count() > ABOUT {
        return false;
    }
    lock(&account.person).about = About { text: text.to_owned(), at: now() };
    let change = NodeBuilder::new("set").bytes(text.as_bytes().to_vec()).build();
    tell(net, account, by, "status", &change, |peer| account.allows("status", peer));
    true
}

/// Sets an account's name. False when it is empty or too long.
pub(crate) fn set_name(net: &Network, account: &Account, name: &str) -> bool {
    if name.is_empty() || name.len() > NAME {
        return false;
    }
    account.rename(name);
    net.touch();
    true
}

/// Blocks or unblocks an account. Returns whether that changed anything.
pub(crate) fn set_blocked(net: &Network, account: &Account, by: Option<u16>, other: &Account, block: bool) -> bool {
    let changed = {
        let mut person = lock(&account.person);
        let phone = other.phone.to_string();
        if block {
            person.blocked.len() < crate::person::BLOCKED && person.blocked.insert(phone)
        } else {
            person.blocked.remove(&phone)
        }
    };
    if changed {
        let item = NodeBuilder::new("item")
            .attr("jid", other.lid_jid())
            .attr("pn_jid", other.pn_jid())
            .attr("action", if block { "block" } else { "unblock" });
        let item = item.build();
        push(
            net,
            others(account, by),
            account,
            "account_sync",
            &NodeBuilder::new("blocklist").children([item]).build(),
        );
    }
    changed
}

/// Tells the account's own other companions of a privacy setting.
pub(crate) fn tell_privacy(net: &Network, account: &Account, by: Option<u16>) {
    push(net, others(account, by), account, "account_sync", &NodeBuilder::new("privacy").build());
}

/// Tells own other companions and those who talk with the account.
fn tell(
    net: &Arc<Network>,
    account: &Account,
    by: Option<u16>,
    kind: &'static str,
    change: &Node,
    may_know: impl Fn(&Account) -> bool,
) {
    push(net, others(account, by), account, kind, change);
    let peers = account.peers();
    let peers = peers.iter().filter_map(|phone| net.account(phone));
    let devices = peers.filter(|peer| !account.blocks(peer) && may_know(peer)).flat_map(|peer| peer.devices());
    push(net, devices.filter(|device| device.id != 0), account, kind, change);
}

fn others(account: &Account, by: Option<u16>) -> impl Iterator<Item = Arc<Device>> {
    account.devices().into_iter().filter(move |device| device.id != 0 && Some(device.id) != by)
}

fn push(
    net: &Network,
    devices: impl Iterator<Item = Arc<Device>>,
    account: &Account,
    kind: &'static str,
    change: &Node,
) {
    let from = if kind == "account_sync" { account.pn_jid() } else { account.lid_jid() };
    let notification = NodeBuilder::new("notification")
        .attr("from", from)
        .attr("type", kind)
        .attr("id", net.chance.stanza_id())
        .attr("notify", account.name())
        .attr("t", now())
        .children([change.clone()])
        .build();
    for device in devices {
        device.queue.push(notification.clone());
    }
    net.touch();
}
