//! What a message has become: the facts that arrived about it, taken together. Nothing is changed
//! in the inbox; an edit, a revoke, a reaction, a vote or a pin is an entry of its own there.

use super::describe;
use super::inbox::{Inbox, ShownMessage};
use crate::network::Network;
use crate::server::group::id_in;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A message as it stands now.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageState {
    /// As it arrived.
    pub message: ShownMessage,
    /// Its text or caption after the last edit; empty once revoked.
    pub text: String,
    /// How often it was edited.
    pub edits: usize,
    /// Whether it was taken back.
    pub revoked: bool,
    /// The last emoji of each number that reacts to it.
    pub reactions: BTreeMap<String, String>,
    /// A poll's options in order, each with the numbers that chose it.
    pub votes: Vec<VotedOption>,
    /// Whether it is pinned in its chat.
    pub pinned: bool,
}

/// One option of a poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VotedOption {
    /// Its name.
    pub name: String,
    /// Who chose it last.
    pub voters: Vec<String>,
}

/// The state of the newest message with this id.
pub(crate) fn state(inbox: &Inbox, id: &str) -> Option<MessageState> {
    let message = inbox.find(id)?;
    let mut state = MessageState {
        text: message.text.clone(),
        edits: 0,
        revoked: false,
        reactions: BTreeMap::new(),
        votes: Vec::new(),
        pinned: false,
        message,
    };
    let mut votes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for fact in inbox.about(id) {
        let author = fact.from == state.message.from;
        match fact.kind.as_str() {
            // Only who wrote it may change it.
            "edit" if author && !state.revoked => {
                state.text = fact.text;
                state.edits += 1;
            }
            "revoke" => {
                state.revoked = true;
                state.text.clear();
            }
            "reaction" if fact.text.is_empty() => {
                state.reactions.remove(&fact.from);
            }
            "reaction" => {
                state.reactions.insert(fact.from, fact.text);
            }
            "vote" => {
                votes.insert(fact.from, fact.options);
            }
            "pin" => state.pinned = true,
            "unpin" => state.pinned = false,
            _ => {}
        }
    }
    let decoded = state.message.decoded();
    let poll = decoded.as_ref().and_then(|message| describe::poll(describe::unwrap(message).message));
    state.votes = poll.map(describe::options).unwrap_or_default().into_iter().map(|name| tally(name, &votes)).collect();
    Some(state)
}

/// Whether an account may take a message of a chat back: who wrote it, and in a group its admins.
/// Of what is not on show nobody knows who wrote it.
pub(crate) fn may_revoke(net: &Network, inbox: &Inbox, by: &str, chat: &str, id: &str) -> bool {
    let Some(author) = inbox.author(chat, id) else { return true };
    let is_admin = || net.groups.read(id_in(chat), |group| Ok(group.is_admin(by))).unwrap_or(false);
    author == by || (chat.ends_with("@g.us") && is_admin())
}

fn tally(name: String, votes: &BTreeMap<String, Vec<String>>) -> VotedOption {
    let voters = votes.iter().filter(|(_, chosen)| chosen.contains(&name)).map(|(voter, _)| voter.clone()).collect();
    VotedOption { name, voters }
}
