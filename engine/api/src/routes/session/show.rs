//! `GET /session/list` and `GET /session/{sessionId}`: which sessions there are,
//! and how one stands, with the QR code to scan if it waits for that.

use crate::auth::{Caller, OwnSession};
use crate::codes;
use crate::envelope::Reply;
use crate::state::ApiState;
use crate::view::{qr_fields, session_json, target_json, webhook_fields};
use axum::extract::State;
use serde_json::{Value, json};
use warest_pipeline::directory::SessionEntry;

/// The sessions that the caller may use, by name.
pub async fn list(caller: Caller, State(state): State<ApiState>) -> Reply {
    let sessions = state.engine.sessions(&caller.user);
    let mut items: Vec<Value> = Vec::with_capacity(sessions.len());
    for entry in &sessions {
        let (status, name) = (state.engine.status(entry), push_name(&state, entry).await);
        items.push(session_json(entry, status.state, status.me.as_deref(), name.as_deref()));
    }
    Reply::new(codes::SUCCESS, "Sessions fetched").results(vec![json!({ "items": items })])
}

/// One session.
pub async fn one(caller: Caller, OwnSession(entry): OwnSession, State(state): State<ApiState>) -> Reply {
    let status = state.engine.status(&entry);
    let (targets, now) = (state.engine.all_targets(&entry), state.now_ms());
    let name = push_name(&state, &entry).await;
    let mut session = session_json(&entry, status.state, status.me.as_deref(), name.as_deref());
    for (name, value) in webhook_fields(&state.engine.targets(&entry)) {
        session[name] = value;
    }
    session["targets"] = targets.iter().map(|target| target_json(target, &caller, now)).collect();
    if let Some(qr) = status.qr {
        for (name, value) in qr_fields(&qr.text, qr.expires_ms, state.now_ms()) {
            session[name] = value;
        }
    }
    Reply::new(codes::SUCCESS, "Session fetched").result(session)
}

/// The name that an account goes by, which an open session knows without asking.
async fn push_name(state: &ApiState, entry: &SessionEntry) -> Option<String> {
    let name = state.engine.account(entry).ok()?.push_name().await.ok()?;
    Some(name).filter(|name| !name.is_empty())
}
