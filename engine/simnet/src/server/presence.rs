//! Who is there. An account is available while one of its devices says so. Companions hear of it
//! when they have subscribed, phones of everybody they talk with; the privacy of the account
//! decides what they hear.

use super::socket::Connection;
use crate::account::{Account, lock};
use crate::chance::{now, now_millis};
use crate::network::Network;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, Weak};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

/// Subscriptions to one account at most.
const WATCHERS: usize = 4_096;

/// A companion that wants to hear of an account.
struct Watcher {
    phone: Arc<str>,
    connection: Weak<Connection>,
    /// The JID it subscribed to, under which it hears.
    asked: Jid,
}

/// Whether an account is there, and who wants to know.
#[derive(Default)]
pub(crate) struct Presence(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    available: BTreeSet<u16>,
    watchers: Vec<Watcher>,
}

/// What somebody hears of an account.
struct Heard {
    state: &'static str,
    last: Option<String>,
}

/// A device of an account comes or goes.
pub(crate) fn set(net: &Network, account: &Account, device: u16, available: bool) {
    let watchers: Vec<(Arc<str>, Arc<Connection>, Jid)> = {
        let mut inner = lock(&account.presence.0);
        let before = !inner.available.is_empty();
        if available {
            inner.available.insert(device);
        } else {
            inner.available.remove(&device);
        }
        if before != inner.available.is_empty() {
            // It was there and still is, or it was not and still is not.
            return;
        }
        inner.watchers.retain(|watcher| watcher.connection.strong_count() > 0);
        let live = inner.watchers.iter();
        live.filter_map(|one| Some((one.phone.clone(), one.connection.upgrade()?, one.asked.clone()))).collect()
    };
    if !available {
        lock(&account.person).last_seen = now();
        net.touch();
    }
    net.stats.count("presences.relayed");
    for (phone, connection, asked) in watchers {
        if let Some(heard) = net.account(&phone).and_then(|viewer| heard(account, &viewer)) {
            connection.offer(stanza(&asked, heard));
        }
    }
    for peer in account.peers().iter().filter_map(|phone| net.account(phone)) {
        if let Some(heard) = heard(account, &peer) {
            peer.primary.inbox.presence(&account.phone, heard.state, now_millis());
        }
    }
}

/// A companion wants to hear of an account, and hears how it is now.
pub(crate) fn subscribe(account: &Account, viewer: &Account, connection: &Arc<Connection>, asked: Jid) {
    {
        let mut inner = lock(&account.presence.0);
        inner.watchers.retain(|one| one.connection.strong_count() > 0 && !is(one, connection));
        if inner.watchers.len() >= WATCHERS {
            return;
        }
        let connection = Arc::downgrade(connection);
        inner.watchers.push(Watcher { phone: viewer.phone.clone(), connection, asked: asked.clone() });
    }
    if let Some(heard) = heard(account, viewer) {
        connection.offer(stanza(&asked, heard));
    }
}

/// A companion does not want to hear of an account any longer.
pub(crate) fn unsubscribe(account: &Account, connection: &Arc<Connection>) {
    lock(&account.presence.0).watchers.retain(|one| !is(one, connection));
}

fn is(watcher: &Watcher, connection: &Arc<Connection>) -> bool {
    std::ptr::eq(watcher.connection.as_ptr(), Arc::as_ptr(connection))
}

/// What an account lets another one hear of it now; `None` for nothing.
fn heard(account: &Account, viewer: &Account) -> Option<Heard> {
    if account.blocks(viewer) || viewer.blocks(account) {
        return None;
    }
    let sees_last = account.allows("last", viewer);
    if lock(&account.person).privacy("online") == "match_last_seen" && !sees_last {
        return None;
    }
    if !lock(&account.presence.0).available.is_empty() {
        return Some(Heard { state: "available", last: None });
    }
    let last = match lock(&account.person).last_seen {
        _ if !sees_last => "deny".to_owned(),
        0 => "none".to_owned(),
        seen => seen.to_string(),
    };
    Some(Heard { state: "unavailable", last: Some(last) })
}

fn stanza(from: &Jid, heard: Heard) -> Node {
    let node = NodeBuilder::new("presence").attr("from", from.clone()).attr("type", heard.state);
    match heard.last {
        Some(last) => node.attr("last", last).build(),
        None => node.build(),
    }
}
