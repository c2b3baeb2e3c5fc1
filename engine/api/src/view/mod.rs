//! How the engine's records are shown: camelCase, times as epoch milliseconds
//! (session resources keep the contract's ISO times).

mod content;
mod delivery;
mod group;
mod history;
mod job;
mod people;
mod plan;
mod run;
mod session;
mod target;

pub use delivery::{attempt_json, delivery_json};
pub use group::{group_json, join_request_json, members, outcome_json, part_json, participant_json};
pub use history::{chat_json, message_json};
pub use job::{bulk_json, job_json};
pub use people::{business_json, newsletter_json, post_json};
pub use plan::plan_json;
pub use run::{run_json, step_json};
pub use session::{qr_fields, session_json, webhook_fields};
pub use target::target_json;

use serde_json::{Value, json};
use warest_model::clock::Millis;
use warest_model::event::Event;
use warest_model::fault::Fault;
use warest_model::reactor::{Flow, Plugin};

/// A moment as the contract writes it: `2024-05-01T08:30:00.000Z`.
pub fn iso(ms: Millis) -> Option<String> {
    use chrono::{DateTime, SecondsFormat, Utc};
    DateTime::<Utc>::from_timestamp_millis(ms).map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Why something failed.
pub fn fault_json(fault: &Fault) -> Value {
    json!({ "kind": fault.kind, "code": fault.code, "message": fault.message })
}

/// A fact of the log.
pub fn event_json(event: &Event) -> Value {
    json!({
        "id": event.id,
        "event": event.kind,
        "sessionId": event.session,
        "chat": event.chat,
        "ts": event.ts_ms,
        "data": event.data,
    })
}

/// A flow.
pub fn flow_json(flow: &Flow) -> Value {
    json!({
        "id": flow.id,
        "name": flow.name,
        "sessionId": flow.session,
        "on": flow.on,
        "script": flow.script,
        "enabled": flow.enabled,
        "owner": flow.owner,
        "createdAt": flow.created_ms,
        "updatedAt": flow.updated_ms,
    })
}

/// A plugin.
pub fn plugin_json(plugin: &Plugin) -> Value {
    json!({
        "name": plugin.name,
        "version": plugin.version,
        "on": plugin.on,
        "sha256": plugin.sha256,
        "size": plugin.size,
        "owner": plugin.owner,
        "createdAt": plugin.created_ms,
    })
}
