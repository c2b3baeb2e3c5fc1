//! Plans: what a reactor decided should be done, as a tree.
//!
//! A plan performs nothing. Its leaves are [`Effect`]s (one outgoing stanza
//! each), waits and no-ops; its branches say in which order, how often and
//! under which condition. Every node has a [`Path`] that never changes, which
//! is how the journal, the message ids and the API name it.

use crate::content::{ChatChange, Content};
use crate::fault::Fault;
use crate::jid::Jid;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// Names one message, as the WhatsApp protocol does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageKey {
    /// The chat.
    pub remote_jid: Jid,
    /// Whether this account wrote it.
    #[serde(default)]
    pub from_me: bool,
    /// The message id.
    pub id: String,
    /// Who wrote it, in a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant: Option<Jid>,
}

/// What a contact sees of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PresenceState {
    /// Online.
    Available,
    /// Offline.
    Unavailable,
    /// Typing in a chat.
    Composing,
    /// Recording in a chat.
    Recording,
    /// No longer typing or recording.
    Paused,
}

/// One outgoing stanza.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Effect {
    /// A message.
    Message {
        /// The chat.
        to: Jid,
        /// What it says.
        content: Content,
        /// People named in it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mentions: Vec<Jid>,
        /// The message it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quoted: Option<MessageKey>,
        /// Whether it is shown as forwarded.
        #[serde(default)]
        forwarded: bool,
    },
    /// A reaction; an empty emoji takes it off.
    React {
        /// The chat.
        to: Jid,
        /// The message.
        key: MessageKey,
        /// The emoji.
        emoji: String,
    },
    /// Read receipts.
    Read {
        /// The messages, all of one chat.
        keys: Vec<MessageKey>,
    },
    /// Presence, of the account or in one chat.
    Presence {
        /// The state shown.
        state: PresenceState,
        /// The chat; the whole account if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Jid>,
    },
    /// A star on a message, or off it, on the account's devices.
    Star {
        /// The message.
        key: MessageKey,
        /// On or off.
        on: bool,
    },
    /// A message goes from the account's devices; others keep it.
    Delete {
        /// The message.
        key: MessageKey,
        /// Whether its file goes too.
        with_media: bool,
    },
    /// A message goes from everybody's devices.
    Revoke {
        /// The message.
        key: MessageKey,
    },
    /// A message says something else from now on.
    Edit {
        /// The message.
        key: MessageKey,
        /// What it says now: a text, a caption (as a text), or a raw message.
        content: Content,
    },
    /// A message stays at the top of its chat for everybody, or no longer.
    Pin {
        /// The message.
        key: MessageKey,
        /// For how long, in seconds; `None` takes it down.
        seconds: Option<u32>,
    },
    /// Something about a chat, on the account's devices.
    Chat {
        /// The chat.
        chat: Jid,
        /// What.
        change: ChatChange,
    },
}

impl Effect {
    /// A message without mentions, quote or forwarding mark.
    pub fn message(to: Jid, content: Content) -> Self {
        Self::Message { to, content, mentions: Vec::new(), quoted: None, forwarded: false }
    }

    /// A plain text.
    pub fn text(to: Jid, text: impl Into<String>) -> Self {
        Self::message(to, Content::text(text))
    }

    /// The chat whose order it belongs to; none for the account's own presence.
    pub fn chat(&self) -> Option<&Jid> {
        match self {
            Self::Message { to, .. } | Self::React { to, .. } => Some(to),
            Self::Read { keys } => keys.first().map(|key| &key.remote_jid),
            Self::Presence { to, .. } => to.as_ref(),
            Self::Star { key, .. }
            | Self::Delete { key, .. }
            | Self::Revoke { key }
            | Self::Edit { key, .. }
            | Self::Pin { key, .. } => Some(&key.remote_jid),
            Self::Chat { chat, .. } => Some(chat),
        }
    }

    /// Whether it is a stanza that carries a message id of its own, which the
    /// server acknowledges.
    pub fn is_message(&self) -> bool {
        match self {
            Self::Message { .. } | Self::React { .. } | Self::Revoke { .. } | Self::Edit { .. } | Self::Pin { .. } => {
                true
            }
            Self::Read { .. } | Self::Presence { .. } | Self::Star { .. } | Self::Delete { .. } | Self::Chat { .. } => {
                false
            }
        }
    }

    /// What a person is shown as a new message; guards count these.
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::Message { content, .. } => Some(content),
            _ => None,
        }
    }

    /// The name of the action it came from.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Message { content, .. } => content.name(),
            Self::React { .. } => "react",
            Self::Read { .. } => "read",
            Self::Presence { .. } => "presence",
            Self::Star { on: true, .. } => "star",
            Self::Star { on: false, .. } => "unstar",
            Self::Delete { .. } => "delete",
            Self::Revoke { .. } => "revoke",
            Self::Edit { .. } => "edit",
            Self::Pin { .. } => "pin",
            Self::Chat { change, .. } => change.name(),
        }
    }
}

/// A node of a plan.
// Most nodes are effects: boxing them would cost more than it saves.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "node", rename_all = "snake_case")]
pub enum Node {
    /// One outgoing stanza.
    Effect {
        /// The stanza.
        effect: Effect,
    },
    /// Waits.
    Delay {
        /// For this long, in milliseconds.
        ms: u64,
    },
    /// Does nothing.
    Noop,
    /// Its items in order; stops at the first that fails.
    Queue {
        /// The items.
        items: Vec<Node>,
        /// Waits this long between items, in milliseconds.
        #[serde(default)]
        delay_ms: u64,
    },
    /// Its items at once; fails if one of them failed, after all have ended.
    Parallel {
        /// The items.
        items: Vec<Node>,
    },
    /// One of two branches. Conditions are decided with the plan, so that a
    /// repeat takes the same branch.
    When {
        /// Which branch.
        cond: bool,
        /// Taken when true.
        then: Vec<Node>,
        /// Taken when false.
        otherwise: Vec<Node>,
    },
    /// Its item until it succeeds; what succeeded within it is not repeated.
    Retry {
        /// The item.
        item: Box<Node>,
        /// Most attempts in all.
        attempts: u32,
        /// Waits this long between attempts, in milliseconds.
        delay_ms: u64,
        /// Done when the attempts are used up; the retry then counts as handled.
        on_fail: Vec<Node>,
    },
}

/// One write to the reactor's state of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateWrite {
    /// The key.
    pub key: String,
    /// The new value; `None` removes the key.
    pub value: Option<String>,
}

/// What a reactor decided.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Done in order; one that fails does not stop the next.
    pub nodes: Vec<Node>,
    /// Waited after each top-level or nested send, in milliseconds.
    #[serde(default)]
    pub pause_ms: u64,
    /// Saved together with the plan.
    #[serde(default)]
    pub state: Vec<StateWrite>,
}

impl Plan {
    /// Whether there is nothing to perform.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Refuses a plan that is too large or too deep.
    pub fn check(&self) -> Result<(), Fault> {
        let mut count = 0;
        check_nodes(&self.nodes, 1, &mut count)
    }
}

fn check_nodes(nodes: &[Node], depth: usize, count: &mut usize) -> Result<(), Fault> {
    use crate::limits::{PLAN_DEPTH, PLAN_NODES};
    if depth > PLAN_DEPTH {
        return Err(Fault::fail(
            "plan_too_deep",
            format!("a plan may nest {PLAN_DEPTH} levels; flatten its queues and branches"),
        ));
    }
    for node in nodes {
        *count += 1;
        if *count > PLAN_NODES {
            return Err(Fault::fail(
                "plan_too_large",
                format!("a plan may have at most {PLAN_NODES} nodes; split the work over several events"),
            ));
        }
        match node {
            Node::Effect { .. } | Node::Delay { .. } | Node::Noop => {}
            Node::Queue { items, .. } | Node::Parallel { items } => {
                check_nodes(items, depth + 1, count)?;
            }
            Node::When { then, otherwise, .. } => {
                check_nodes(then, depth + 1, count)?;
                check_nodes(otherwise, depth + 1, count)?;
            }
            Node::Retry { item, on_fail, .. } => {
                check_nodes(std::slice::from_ref(item), depth + 1, count)?;
                check_nodes(on_fail, depth + 1, count)?;
            }
        }
    }
    Ok(())
}

/// The stable name of a node: indices and branch names joined by dots, such as
/// `0.then.1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Path(String);

impl Path {
    /// A path read back from a row.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The path of the `index`-th root node.
    pub fn root(index: usize) -> Self {
        Self(index.to_string())
    }

    /// The path of a child: an index, or a branch name.
    pub fn child(&self, part: impl fmt::Display) -> Self {
        Self(format!("{}.{part}", self.0))
    }

    /// Whether `self` is `ancestor` or lies below it.
    pub fn is_within(&self, ancestor: &Self) -> bool {
        self.0.strip_prefix(&ancestor.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The WhatsApp message id of a step: the same for every repeat of the same
/// step, so that a recipient shows it once. It has the shape of the ids that
/// WhatsApp's own web client makes.
pub fn message_id(run: &str, path: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"warest message id\0");
    hash.update(run.as_bytes());
    hash.update([0]);
    hash.update(path.as_bytes());
    format!("3EB0{}", hex::encode_upper(&hash.finalize()[..9]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn message_ids_are_stable_and_distinct() {
        assert_eq!(message_id("run_1", "0"), message_id("run_1", "0"));
        assert_ne!(message_id("run_1", "0"), message_id("run_1", "1"));
        assert_ne!(message_id("run_1", "0"), message_id("run_10", ""));
        assert_eq!(message_id("run_1", "0").len(), 22);
    }

    #[test]
    fn paths_know_their_ancestors() {
        let one = Path::root(1);
        assert!(one.child("then").child(0).is_within(&one));
        assert!(!Path::root(10).is_within(&one));
    }

    #[test]
    fn a_plan_past_its_bounds_is_refused() {
        let wide = Plan { nodes: vec![Node::Noop; 1_001], ..Plan::default() };
        assert_eq!(wide.check().unwrap_err().code, "plan_too_large");
        let mut node = Node::Noop;
        for _ in 0..40 {
            node = Node::Parallel { items: vec![node] };
        }
        let deep = Plan { nodes: vec![node], ..Plan::default() };
        assert_eq!(deep.check().unwrap_err().code, "plan_too_deep");
    }
}
