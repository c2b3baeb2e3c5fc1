//! Events: the immutable facts of the log.

use crate::clock::Millis;
use crate::history::Change;
use crate::id::{EventId, SessionId};
use crate::jid::Jid;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// What kind of fact an event is. The names are the wire names of the webhook
/// contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A session became something: `connecting`, `qr`, `open`, …
    SessionStatus,
    /// A message came in.
    MessageReceived,
    /// A reaction was put on a message or taken off.
    MessageReaction,
    /// A message that came in is a command of the session's book.
    MessageCommand,
    /// A message says something else now.
    MessageEdited,
    /// A message was taken back for everybody.
    MessageRevoked,
    /// People were added to a group, removed, promoted or demoted.
    GroupParticipants,
    /// Somebody is new in a group; this account, or by a link, or by request.
    GroupJoin,
    /// Somebody left a group, this account included.
    GroupLeave,
    /// A group's subject, description, picture or settings changed.
    GroupUpdate,
    /// A contact's presence changed.
    PresenceUpdate,
    /// The session's credentials changed; the payload has none of them.
    CredsUpdate,
    /// A call came in, was answered elsewhere, missed or ended.
    Call,
    /// A message of this account was taken by the server, whoever wrote it.
    MessageSent,
    /// A message of this account was delivered, read or played.
    MessageStatus,
    /// Somebody voted in a poll.
    PollVote,
    /// Something about a chat or a message changed on another device: archive, pin, mute,
    /// read, star, deletion.
    ChatUpdate,
    /// A label was made, changed, removed, or put on something.
    LabelUpdate,
    /// What is known of a contact changed: name, about, picture, business.
    ContactUpdate,
    /// A part of the phone's history has arrived.
    HistorySync,
    /// A webhook target became something that a person should know of:
    /// `stopped`, `gone`, `resumed`. Never owed to that target.
    WebhookStatus,
    /// Not a fact: the input of a script that a client runs by hand. Never in
    /// the log, and nobody can subscribe to it.
    Adhoc,
}

impl EventKind {
    /// Every kind of fact, in the order of the contract's catalogue.
    pub const ALL: [Self; 21] = [
        Self::SessionStatus,
        Self::MessageReceived,
        Self::MessageReaction,
        Self::MessageCommand,
        Self::MessageEdited,
        Self::MessageRevoked,
        Self::GroupParticipants,
        Self::GroupJoin,
        Self::GroupLeave,
        Self::GroupUpdate,
        Self::PresenceUpdate,
        Self::CredsUpdate,
        Self::Call,
        Self::MessageSent,
        Self::MessageStatus,
        Self::PollVote,
        Self::ChatUpdate,
        Self::LabelUpdate,
        Self::ContactUpdate,
        Self::HistorySync,
        Self::WebhookStatus,
    ];

    /// What a target that names no events is owed: the contract's catalogue.
    /// The rest is asked for by name, for there is much of it.
    pub fn is_default(self) -> bool {
        !matches!(
            self,
            Self::MessageSent
                | Self::MessageStatus
                | Self::PollVote
                | Self::ChatUpdate
                | Self::LabelUpdate
                | Self::ContactUpdate
                | Self::HistorySync
                | Self::Adhoc
        )
    }

    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SessionStatus => "session_status",
            Self::MessageReceived => "message_received",
            Self::MessageReaction => "message_reaction",
            Self::MessageCommand => "message_command",
            Self::MessageEdited => "message_edited",
            Self::MessageRevoked => "message_revoked",
            Self::GroupParticipants => "group_participants",
            Self::GroupJoin => "group_join",
            Self::GroupLeave => "group_leave",
            Self::GroupUpdate => "group_update",
            Self::PresenceUpdate => "presence_update",
            Self::CredsUpdate => "creds_update",
            Self::Call => "call",
            Self::MessageSent => "message_sent",
            Self::MessageStatus => "message_status",
            Self::PollVote => "poll_vote",
            Self::ChatUpdate => "chat_update",
            Self::LabelUpdate => "label_update",
            Self::ContactUpdate => "contact_update",
            Self::HistorySync => "history_sync",
            Self::WebhookStatus => "webhook_status",
            Self::Adhoc => "adhoc",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that no event has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an event; use one of {names}", names = EventKind::ALL.map(EventKind::as_str).join(", "))]
pub struct UnknownEvent(String);

impl FromStr for EventKind {
    type Err = UnknownEvent;
    fn from_str(text: &str) -> Result<Self, UnknownEvent> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownEvent(text.chars().take(64).collect()))
    }
}

/// An immutable fact about one session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// `evt_`+ULID, one per fact.
    pub id: EventId,
    /// The session that saw it.
    pub session: SessionId,
    /// What kind of fact.
    pub kind: EventKind,
    /// The chat it happened in, if in one; events of one chat keep their order.
    pub chat: Option<Jid>,
    /// When it was recorded.
    pub ts_ms: Millis,
    /// The payload (`data` of the webhook body): an object.
    pub data: Value,
}

impl Event {
    /// The chat that an answer goes to unless it names one: that of the event. What
    /// answers a status post goes to its author, and is no post itself.
    pub fn answered_in(&self) -> Option<Jid> {
        let is_status = self.chat.as_ref().is_some_and(|chat| chat.as_str() == "status@broadcast");
        let author = || Jid::try_from(self.data["sender"].as_str()?.to_owned()).ok();
        if is_status { author() } else { self.chat.clone() }
    }
}

/// What makes the redelivery of a message recognisable within its session. The
/// names are those of the stanza: they are the same on every delivery.
pub fn message_dedup(chat: &str, sender: &str, message_id: &str) -> String {
    format!("{chat}|{sender}|{message_id}")
}

/// What the link saw, before it has an identity in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// What kind of fact.
    pub kind: EventKind,
    /// The chat it happened in.
    pub chat: Option<Jid>,
    /// What makes a redelivery recognisable: chat, sender and message id. `None`
    /// for facts that are never redelivered.
    pub dedup: Option<String>,
    /// The payload, without `eventId` and `sessionId`, which the log adds.
    pub data: Value,
    /// What it changes in the history.
    pub changes: Vec<Change>,
}

impl Observation {
    /// An observation that is never redelivered and changes nothing else.
    pub fn new(kind: EventKind, chat: Option<Jid>, data: Value) -> Self {
        Self { kind, chat, dedup: None, data, changes: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_status_post_is_answered_to_its_author() {
        let event = |chat: &str| Event {
            id: EventId::new(1),
            session: "shop".parse().unwrap(),
            kind: EventKind::MessageReceived,
            chat: Some(Jid::parse(chat, "62").unwrap()),
            ts_ms: 1,
            data: json!({"sender": "62811111@s.whatsapp.net"}),
        };
        for (chat, answered) in [("status@broadcast", "62811111@s.whatsapp.net"), ("120363@g.us", "120363@g.us")] {
            assert_eq!(event(chat).answered_in().unwrap().as_str(), answered);
        }
    }
}
