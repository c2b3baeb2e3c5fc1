//! Send jobs: outgoing stanzas waiting in a session's queue, and the bulks that
//! some of them belong to.

use crate::clock::Millis;
use crate::fault::Fault;
use crate::id::{BulkId, JobId, RunId, SessionId};
use crate::jid::Jid;
use crate::plan::{Effect, Path, message_id};
use serde::{Deserialize, Serialize};

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It takes its place in line when it falls due.
    Scheduled,
    /// It waits until the queue has room for more of its bulk.
    Waiting,
    /// It waits in line.
    Queued,
    /// It was tried as often as it may be, and waits for a person.
    Wedged,
    /// The server took it.
    Sent,
    /// It will not be sent.
    Failed,
    /// A person took it back.
    Cancelled,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 7] =
        [Self::Scheduled, Self::Waiting, Self::Queued, Self::Wedged, Self::Sent, Self::Failed, Self::Cancelled];

    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Wedged => "wedged",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state with this wire name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether it stays as it is for good.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Sent | Self::Failed | Self::Cancelled)
    }
}

/// How far a sent message has come, as the recipient's receipts say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipts {
    /// When it reached a device of the recipient.
    pub delivered_ms: Option<Millis>,
    /// When it was read.
    pub read_ms: Option<Millis>,
    /// When it was played.
    pub played_ms: Option<Millis>,
}

/// Which receipt it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReceiptKind {
    /// It reached a device.
    Delivered,
    /// It was read.
    Read,
    /// It was played.
    Played,
    /// It reached a device that cannot read it and asks for it again.
    Unreadable,
}

/// A recipient's word on one message of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The message.
    pub message_id: String,
    /// What became of it.
    pub kind: ReceiptKind,
    /// When.
    pub at_ms: Millis,
    /// The chat, if the receipt names it.
    pub chat: Option<Jid>,
    /// Whose device said so, by phone number where known.
    pub by: Option<Jid>,
    /// The same person's LID, if known.
    pub by_lid: Option<Jid>,
}

impl Receipt {
    /// A word on a message of which nothing else is known.
    pub fn new(message_id: impl Into<String>, kind: ReceiptKind, at_ms: Millis) -> Self {
        Self { message_id: message_id.into(), kind, at_ms, chat: None, by: None, by_lid: None }
    }
}

/// One outgoing stanza.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SendJob {
    /// `job_`+ULID.
    pub id: JobId,
    /// Position in the queue, given by the store: jobs of one chat are sent in
    /// this order. A job that takes its place in line later gets another.
    pub seq: i64,
    /// The session that sends it.
    pub session: SessionId,
    /// The chat whose order it keeps; none for the account's own presence.
    pub chat: Option<Jid>,
    /// What is sent.
    pub effect: Effect,
    /// The message id it carries on every attempt.
    pub message_id: String,
    /// The step that waits for it, unless REST sent it directly.
    pub step: Option<(RunId, Path)>,
    /// The bulk it belongs to, if any. What belongs to one lets others go first.
    pub bulk: Option<BulkId>,
    /// Where it is.
    pub state: JobState,
    /// How often it was tried.
    pub attempts: u32,
    /// Not before this moment.
    pub due_ms: Millis,
    /// Why the last attempt failed.
    pub fault: Option<Fault>,
    /// What the recipient's devices said.
    pub receipts: Receipts,
    /// When it was queued.
    pub created_ms: Millis,
    /// When it ended.
    pub ended_ms: Option<Millis>,
}

impl SendJob {
    /// A job that REST sends: in line at once, with a message id that follows
    /// from its own.
    pub fn new(id: JobId, session: SessionId, effect: Effect, now_ms: Millis) -> Self {
        Self {
            message_id: message_id(id.as_str(), ""),
            seq: 0,
            session,
            chat: effect.chat().cloned(),
            effect,
            step: None,
            bulk: None,
            state: JobState::Queued,
            attempts: 0,
            due_ms: now_ms,
            fault: None,
            receipts: Receipts::default(),
            created_ms: now_ms,
            ended_ms: None,
            id,
        }
    }

    /// A job that a step of a run waits for, with the message id of the step.
    pub fn of_step(id: JobId, session: SessionId, effect: Effect, run: &RunId, path: &Path, now_ms: Millis) -> Self {
        Self {
            message_id: message_id(run.as_str(), path.as_str()),
            step: Some((run.clone(), path.clone())),
            ..Self::new(id, session, effect, now_ms)
        }
    }

    /// The lane whose order it keeps: its chat, or empty.
    pub fn lane(&self) -> String {
        self.chat.as_ref().map_or_else(String::new, Jid::to_string)
    }
}

/// Many messages, stored at once and sent as the queue has room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bulk {
    /// `blk_`+ULID.
    pub id: BulkId,
    /// The session that sends it.
    pub session: SessionId,
    /// How many messages it has.
    pub total: u32,
    /// When it was stored.
    pub created_ms: Millis,
    /// When a person took back what was left of it.
    pub cancelled_ms: Option<Millis>,
}

/// How long a session does not send, because WhatsApp said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// When it began: nothing went out since.
    pub since_ms: Millis,
    /// When one message is tried again.
    pub until_ms: Millis,
    /// How long the present wait is.
    pub wait_ms: Millis,
}
