//! Status posts. They travel as messages of a group do, under one address for everybody; who gets
//! one, the sender says: a companion lists the recipients, a phone writes to all whom it knows.

use super::group;
use super::node;
use super::route;
use crate::account::{Account, Device};
use crate::network::Network;
use std::collections::BTreeSet;
use std::sync::Arc;
use wacore_binary::{Jid, JidExt as _, Node};

/// The address, which also stands where a group has its id.
pub(crate) const ID: &str = "status@broadcast";

/// What names a chat whose messages all devices get alike: a group's id, or [`ID`].
pub(crate) fn shared_id(jid: &Jid) -> Option<&str> {
    if jid.is_status_broadcast() { Some(ID) } else { group::id_of(jid) }
}

/// The JID of such a chat.
pub(crate) fn shared_jid(id: &str) -> Jid {
    if id == ID { Jid::status_broadcast() } else { group::jid(id) }
}

/// The devices that get what a phone posts: those of everybody it knows, and its companions.
pub(crate) fn audience(net: &Network, sender: &Device) -> Vec<Arc<Device>> {
    let Some(account) = net.account(&sender.phone) else { return Vec::new() };
    let others = account.peers().into_iter().filter_map(|phone| net.account(&phone));
    let others = others.filter(|other| !other.blocks(&account)).flat_map(|other| other.devices());
    others.chain(account.devices()).filter(|device| !same(device, sender)).collect()
}

/// The devices of those whom a companion lists, and its account's others.
pub(crate) fn listed(net: &Network, account: &Account, sender: &Device, stanza: &Node) -> Vec<Arc<Device>> {
    let copies = stanza.get_optional_child("participants").map(route::children).unwrap_or_default();
    let mut phones: BTreeSet<Arc<str>> = copies
        .iter()
        .filter_map(|copy| net.account_of(&node::jid(copy, "jid")?))
        .filter(|other| !other.blocks(account))
        .map(|other| other.phone.clone())
        .collect();
    phones.insert(account.phone.clone());
    let accounts = phones.iter().filter_map(|phone| net.account(phone));
    accounts.flat_map(|account| account.devices()).filter(|device| !same(device, sender)).collect()
}

fn same(one: &Device, other: &Device) -> bool {
    one.phone == other.phone && one.id == other.id
}
