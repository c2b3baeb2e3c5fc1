//! Send jobs: outgoing stanzas waiting in a session's queue.

use crate::clock::Millis;
use crate::fault::Fault;
use crate::id::{JobId, RunId, SessionId};
use crate::jid::Jid;
use crate::plan::{Effect, Path};
use serde::{Deserialize, Serialize};

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It waits for its turn.
    Queued,
    /// The server took it.
    Sent,
    /// It will not be sent.
    Failed,
}

impl JobState {
    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }
}

/// One outgoing stanza.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendJob {
    /// `job_`+ULID.
    pub id: JobId,
    /// Position in the queue, given by the store: jobs of one chat are sent in
    /// this order.
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
    /// Where it is.
    pub state: JobState,
    /// How often it was tried.
    pub attempts: u32,
    /// Not before this moment.
    pub due_ms: Millis,
    /// Why the last attempt failed.
    pub fault: Option<Fault>,
    /// When it was queued.
    pub created_ms: Millis,
    /// When it ended.
    pub ended_ms: Option<Millis>,
}
