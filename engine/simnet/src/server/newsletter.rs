//! Newsletters (channels): one side posts, many follow. They are not end-to-end encrypted, so the
//! server keeps what is posted, hands it out, counts reactions and tells followers.

use crate::account::{Account, lock};
use crate::chance::{Chance, now};
use crate::network::Network;
use crate::server::node;
use crate::state::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, Server};

/// Newsletters in one network.
const NEWSLETTERS: usize = 1_000;
/// Posts kept per newsletter; the oldest fall off.
const POSTS: usize = 1_000;
/// Followers of one newsletter.
const FOLLOWERS: usize = 10_000;
/// The first server id; clients take none below 99.
const FIRST: u64 = 100;

/// One post.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Post {
    pub(crate) server_id: u64,
    pub(crate) id: String,
    pub(crate) at: u64,
    pub(crate) kind: String,
    pub(crate) by: String,
    /// The message as protobuf; empty once it is revoked.
    pub(crate) body: Bytes,
    /// Who reacted, and with what.
    pub(crate) reactions: BTreeMap<String, String>,
}

/// One newsletter.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Newsletter {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) owner: String,
    pub(crate) created: u64,
    pub(crate) invite: String,
    pub(crate) followers: BTreeSet<String>,
    pub(crate) posts: Vec<Post>,
    pub(crate) next: u64,
}

impl Newsletter {
    /// What an account is to it, in the words of the wire.
    pub(crate) fn role(&self, phone: &str) -> &'static str {
        match phone {
            _ if self.owner == phone => "owner",
            _ if self.followers.contains(phone) => "subscriber",
            _ => "guest",
        }
    }
}

/// All newsletters of the network, by id.
#[derive(Default)]
pub(crate) struct Newsletters(Mutex<BTreeMap<String, Newsletter>>);

impl Newsletters {
    /// Adds one; `None` when there are too many.
    pub(crate) fn create(&self, chance: &Chance, owner: &Account, name: &str, description: &str) -> Option<Newsletter> {
        let newsletter = Newsletter {
            id: super::group::fresh_id(chance),
            name: name.to_owned(),
            description: description.to_owned(),
            owner: owner.phone.to_string(),
            created: now(),
            invite: super::group::fresh_code(chance),
            followers: BTreeSet::new(),
            posts: Vec::new(),
            next: FIRST,
        };
        self.insert(newsletter.clone()).then_some(newsletter)
    }

    /// Adds one of an earlier run. False when there are too many.
    pub(crate) fn insert(&self, newsletter: Newsletter) -> bool {
        let mut all = lock(&self.0);
        let room = all.len() < NEWSLETTERS;
        if room {
            all.insert(newsletter.id.clone(), newsletter);
        }
        room
    }

    /// Looks at or changes one.
    pub(crate) fn with<T>(&self, id: &str, act: impl FnOnce(&mut Newsletter) -> T) -> Option<T> {
        lock(&self.0).get_mut(id).map(act)
    }

    /// The id that an invite code leads to.
    pub(crate) fn by_invite(&self, code: &str) -> Option<String> {
        lock(&self.0).values().find(|one| one.invite == code).map(|one| one.id.clone())
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Newsletter> {
        lock(&self.0).values().cloned().collect()
    }

    /// An account follows one, or stops. `None` when there is no such newsletter, or no room.
    pub(crate) fn follow(&self, id: &str, phone: &str, follow: bool) -> Option<Newsletter> {
        self.with(id, |one| {
            if !follow {
                one.followers.remove(phone);
            } else if one.owner != phone {
                if one.followers.len() >= FOLLOWERS {
                    return None;
                }
                one.followers.insert(phone.to_owned());
            }
            Some(one.clone())
        })?
    }
}

/// A newsletter's JID.
pub(crate) fn jid(id: &str) -> Jid {
    Jid::new(id, Server::Newsletter)
}

/// Posts a message and hands it to the followers' companions. Returns its server id; `None` when
/// the account is not the owner or there is no such newsletter.
pub(crate) fn post(
    net: &Arc<Network>,
    author: &Account,
    by: Option<u16>,
    id: &str,
    message_id: &str,
    kind: &str,
    body: &[u8],
) -> Option<u64> {
    let (post, audience) = net.newsletters.with(id, |one| {
        if *one.owner != *author.phone {
            return None;
        }
        let post = Post {
            server_id: one.next,
            id: message_id.to_owned(),
            at: now(),
            kind: kind.to_owned(),
            by: author.phone.to_string(),
            body: Bytes(body.to_vec()),
            reactions: BTreeMap::new(),
        };
        one.next += 1;
        if one.posts.len() >= POSTS {
            one.posts.remove(0);
        }
        one.posts.push(post.clone());
        Some((post, audience(one)))
    })??;
    let stanza = NodeBuilder::new("message")
        .attr("from", jid(id))
        .attr("id", post.id.as_str())
        .attr("server_id", post.server_id)
        .attr("t", post.at)
        .attr("type", post.kind.as_str())
        .children([NodeBuilder::new("plaintext").bytes(body.to_vec()).build()])
        .build();
    push(net, &audience, author, by, &stanza);
    Some(post.server_id)
}

/// Everybody who hears of a newsletter.
fn audience(one: &Newsletter) -> Vec<String> {
    one.followers.iter().cloned().chain([one.owner.clone()]).collect()
}

fn push(net: &Network, phones: &[String], author: &Account, by: Option<u16>, stanza: &Node) {
    for account in phones.iter().filter_map(|phone| net.account(phone)) {
        let own = account.phone == author.phone;
        for device in account.devices().iter().filter(|device| device.id != 0 && !(own && Some(device.id) == by)) {
            device.queue.push(stanza.clone());
        }
    }
    net.touch();
}

/// What a companion sends to a newsletter: a post, an edit, a revocation, a reaction. The code of
/// what is against it otherwise; a post's server id when it is one.
pub(crate) fn receive(
    net: &Arc<Network>,
    account: &Account,
    device: u16,
    id: &str,
    stanza: &Node,
) -> Result<Option<u64>, u16> {
    let message_id = node::attr(stanza, "id").ok_or(400u16)?;
    let kind = node::attr(stanza, "type").unwrap_or_else(|| "text".into());
    if let Some(reaction) = stanza.get_optional_child("reaction") {
        let server_id = node::attr(stanza, "server_id").and_then(|id| id.parse().ok()).ok_or(400u16)?;
        let code = node::attr(reaction, "code").unwrap_or_default();
        return react(net, account, id, server_id, &code).map(|()| None);
    }
    let body = stanza.get_optional_child("plaintext").and_then(node::bytes).unwrap_or_default();
    if node::attr(stanza, "edit").is_some() {
        return edit(net, account, id, &message_id, body).map(|()| None);
    }
    let posted = post(net, account, Some(device), id, &message_id, &kind, body);
    posted.map(Some).ok_or(if net.newsletters.with(id, |_| ()).is_some() { 403 } else { 404 })
}

/// Replaces a post's text; nothing revokes it.
fn edit(net: &Arc<Network>, account: &Account, id: &str, message_id: &str, body: &[u8]) -> Result<(), u16> {
    net.newsletters
        .with(id, |one| -> Result<(), u16> {
            if *one.owner != *account.phone {
                return Err(403);
            }
            let post = one.posts.iter_mut().find(|post| post.id == message_id).ok_or(404u16)?;
            post.body = Bytes(body.to_vec());
            if body.is_empty() {
                post.kind = "revoke".into();
            }
            Ok(())
        })
        .ok_or(404u16)??;
    net.touch();
    Ok(())
}

/// Reacts to a post; nothing takes the reaction back. Followers hear of the new counts.
pub(crate) fn react(net: &Arc<Network>, account: &Account, id: &str, server_id: u64, code: &str) -> Result<(), u16> {
    let (post, audience) = net
        .newsletters
        .with(id, |one| {
            let audience = audience(one);
            let post = one.posts.iter_mut().find(|post| post.server_id == server_id).ok_or(404u16)?;
            if code.is_empty() {
                post.reactions.remove(&*account.phone);
            } else if code.len() <= 64 {
                post.reactions.insert(account.phone.to_string(), code.to_owned());
            }
            Ok::<_, u16>((post.clone(), audience))
        })
        .ok_or(404u16)??;
    let message = NodeBuilder::new("message").attr("server_id", server_id).children([reactions(&post)]).build();
    let messages = NodeBuilder::new("messages").attr("jid", jid(id)).attr("t", now()).children([message]).build();
    let notification = NodeBuilder::new("notification")
        .attr("from", jid(id))
        .attr("type", "newsletter")
        .attr("id", net.chance.stanza_id())
        .attr("t", now())
        .children([NodeBuilder::new("live_updates").children([messages]).build()])
        .build();
    push(net, &audience, account, None, &notification);
    Ok(())
}

/// `<reactions>`: how often each was given.
pub(crate) fn reactions(post: &Post) -> Node {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for code in post.reactions.values() {
        *counts.entry(code).or_default() += 1;
    }
    let nodes = counts
        .into_iter()
        .map(|(code, count)| NodeBuilder::new("reaction").attr("code", code).attr("count", count).build());
    NodeBuilder::new("reactions").children(nodes).build()
}
