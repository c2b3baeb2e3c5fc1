//! Device lists: what usync says of an account's devices, and the notification that tells others
//! when one is added or removed.

use super::{node, presence};
use crate::account::{Account, Device, lock};
use crate::chance::now;
use crate::network::Network;
use crate::phone::pair;
use std::collections::BTreeSet;
use std::sync::Arc;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

/// What happened to a device.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Add,
    Remove,
}

/// `<devices>` of an account: its list and the signed key indexes.
pub(crate) fn list(net: &Network, account: &Account) -> Node {
    let devices = account.devices().into_iter().map(|device| {
        let entry = NodeBuilder::new("device").attr("id", device.id);
        let entry = if device.id == 0 { entry } else { entry.attr("key-index", device.key_index) };
        entry.build()
    });
    let mut children = vec![NodeBuilder::new("device-list").children(devices).build()];
    children.extend(key_index_list(net, account));
    NodeBuilder::new("devices").children(children).build()
}

fn key_index_list(net: &Network, account: &Account) -> Option<Node> {
    let (timestamp, signed) = pair::key_index_list(account, &net.chance)?;
    Some(NodeBuilder::new("key-index-list").attr("ts", timestamp).bytes(signed).build())
}

/// Tells the account's other companions, those it talks with and those it shares a group with of a
/// change.
pub(crate) fn announce(net: &Arc<Network>, account: &Account, changed: &Device, change: Change) {
    let tag = if change == Change::Add { "add" } else { "remove" };
    let mut device = NodeBuilder::new("device").attr("jid", changed.pn_jid()).attr("lid", changed.lid_jid());
    if change == Change::Add {
        device = device.attr("key-index", changed.key_index);
    }
    let mut children = vec![device.build()];
    children.extend(key_index_list(net, account));
    let operation = NodeBuilder::new(tag).children(children).build();
    let mut peers: BTreeSet<Arc<str>> = account.peers().into_iter().collect();
    for group in net.groups.of(&account.phone) {
        peers.extend(group.members.into_keys().filter(|phone| **phone != *account.phone).map(Arc::from));
    }
    let others = peers.iter().filter_map(|phone| net.account(phone));
    let companions = account
        .devices()
        .into_iter()
        .chain(others.flat_map(|other| other.devices()))
        .filter(|device| device.id != 0 && !(device.phone == changed.phone && device.id == changed.id));
    for companion in companions {
        companion.queue.push(
            NodeBuilder::new("notification")
                .attr("from", account.pn_jid())
                .attr("lid", account.lid_jid())
                .attr("id", net.chance.stanza_id())
                .attr("type", "devices")
                .attr("t", now())
                .children([operation.clone()])
                .build(),
        );
    }
    net.touch();
}

/// Takes a companion off its account and closes its stream, as after a logout.
pub(crate) fn unlink(net: &Arc<Network>, account: &Account, id: u16) -> bool {
    if id == 0 {
        return false;
    }
    let Some(device) = account.remove_device(id) else { return false };
    net.stats.count("logouts");
    announce(net, account, &device, Change::Remove);
    if let Some(connection) = lock(&device.connection).take() {
        let conflict = NodeBuilder::new("conflict").attr("type", "device_removed").build();
        connection.close_with(NodeBuilder::new("stream:error").attr("code", "401").children([conflict]).build());
    }
    presence::set(net, account, id, false);
    net.touch();
    true
}

/// The content of a usync contact query: the digits in it.
pub(crate) fn digits(node: &Node) -> String {
    let text = node::bytes(node).map(String::from_utf8_lossy).unwrap_or_default();
    text.chars().filter(char::is_ascii_digit).collect()
}
