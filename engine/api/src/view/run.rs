//! Runs and their journals.

use super::fault_json;
use serde_json::{Value, json};
use warest_model::run::{Run, Step};

/// A run, without its plan and journal.
pub fn run_json(run: &Run) -> Value {
    json!({
        "id": run.id,
        "sessionId": run.session,
        "chat": run.chat,
        "cause": { "by": run.cause.by, "event": run.cause.event },
        "state": run.state,
        "error": run.fault.as_ref().map(fault_json),
        "createdAt": run.created_ms,
        "endedAt": run.ended_ms,
    })
}

/// One line of a run's journal.
pub fn step_json(step: &Step) -> Value {
    json!({
        "path": step.path,
        "action": step.action,
        "state": step.state,
        "attempts": step.attempts,
        "messageId": step.message_id,
        "dueAt": step.due_ms,
        "error": step.fault.as_ref().map(fault_json),
        "startedAt": step.started_ms,
        "endedAt": step.ended_ms,
    })
}
