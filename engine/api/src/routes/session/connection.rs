//! `reconnect`, `logout` and `delete` of a session, each named by `sessionId` in
//! the query or in a JSON body.

use crate::codes;
use crate::envelope::Reply;
use crate::error::ApiResult;
use crate::extract::About;
use crate::state::ApiState;
use axum::extract::State;
use serde_json::json;

/// Drops the connection and dials anew.
pub async fn reconnect(State(state): State<ApiState>, About { entry, .. }: About) -> ApiResult {
    state.engine.reconnect_session(&entry).await?;
    Ok(Reply::new(codes::SESSION_RECONNECT_SCHEDULED, "Reconnect scheduled"))
}

/// Takes this device off the account and forgets its credentials.
pub async fn logout(State(state): State<ApiState>, About { entry, .. }: About) -> ApiResult {
    state.engine.logout_session(&entry).await?;
    let done = json!({ "sessionId": entry.session.id, "steps": { "runtime": true, "creds": true } });
    Ok(Reply::new(codes::SUCCESS, "Logout success").results(vec![done]))
}

/// Removes the session with all it has.
pub async fn delete(State(state): State<ApiState>, About { entry, .. }: About) -> ApiResult {
    state.engine.delete_session(&entry).await?;
    let done = json!({ "sessionId": entry.session.id, "steps": { "runtime": true, "creds": true, "meta": true } });
    Ok(Reply::new(codes::SUCCESS, "Session deleted").results(vec![done]))
}
