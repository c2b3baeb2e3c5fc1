//! Runs: the durable execution of one plan, and its journal.

use crate::clock::Millis;
use crate::fault::Fault;
use crate::id::{EventId, RunId, SessionId};
use crate::jid::Jid;
use crate::plan::{Path, Plan};
use serde::{Deserialize, Serialize};

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It has steps to do or to wait for.
    Active,
    /// Every step ended well.
    Done,
    /// A step failed, or its reactor did.
    Failed,
}

impl RunState {
    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// What asked for a run. Its text form is unique for a run's cause, so that the
/// same cause never starts two runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct RunCause {
    /// `flow:<id>`, `plugin:<name>`, `target:<id>` or `api`.
    pub by: String,
    /// The event it answers, if it answers one.
    pub event: Option<EventId>,
}

/// The durable execution of one plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// `run_`+ULID.
    pub id: RunId,
    /// The session it acts for.
    pub session: SessionId,
    /// The chat of the event it answers, if any.
    pub chat: Option<Jid>,
    /// What asked for it.
    pub cause: RunCause,
    /// What is to be done.
    pub plan: Plan,
    /// Where it is.
    pub state: RunState,
    /// Why its reactor failed, if that is why there is nothing to do.
    pub fault: Option<Fault>,
    /// When it was saved.
    pub created_ms: Millis,
    /// When it ended.
    pub ended_ms: Option<Millis>,
}

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Its send job waits in the session's queue.
    Queued,
    /// It waits for its due time.
    Waiting,
    /// It happened. Never performed again.
    Done,
    /// It did not happen, and is not tried again unless a `retry` says so.
    Failed,
    /// A step before it in its queue failed.
    Skipped,
}

impl StepState {
    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One line of a run's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Which node of the plan (a wait between items has a path of its own).
    pub path: Path,
    /// The name of the action: `text`, `delay`, `retry`, …
    pub action: String,
    /// Where it is.
    pub state: StepState,
    /// How often it was tried.
    pub attempts: u32,
    /// The WhatsApp message id it carries, if it is a message.
    pub message_id: Option<String>,
    /// When it is due, if it waits.
    pub due_ms: Option<Millis>,
    /// Why it failed.
    pub fault: Option<Fault>,
    /// When it was first written.
    pub started_ms: Millis,
    /// When it ended.
    pub ended_ms: Option<Millis>,
}
