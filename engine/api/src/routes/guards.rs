//! `GET|PUT /session/{sessionId}/guards`: what holds back a session's messages,
//! and how much is left of each budget.

use crate::auth::OwnSession;
use crate::codes;
use crate::envelope::Reply;
use crate::error::ApiResult;
use crate::extract::Json;
use crate::state::ApiState;
use axum::extract::State;
use serde_json::{Value, json};
use warest_pipeline::directory::SessionEntry;
use warest_pipeline::send::guards::Stand;
use warest_pipeline::send::guards::new_chats::DAY_MS;
use warest_pipeline::send::guards::policy::Tuning;

/// How they stand.
pub async fn one(OwnSession(entry): OwnSession, State(state): State<ApiState>) -> ApiResult {
    let stand = state.engine.guards(&entry).await?;
    Ok(Reply::new(codes::SUCCESS, "Guards fetched").result(stand_json(&entry, &stand)))
}

/// Tunes those that are named: an object with fields for each; null leaves it
/// to the installation.
pub async fn put(
    OwnSession(entry): OwnSession,
    State(state): State<ApiState>,
    Json(changes): Json<Tuning>,
) -> ApiResult {
    state.engine.tune_guards(&entry, &changes).await?;
    let stand = state.engine.guards(&entry).await?;
    Ok(Reply::new(codes::SUCCESS, "Guards updated").result(stand_json(&entry, &stand)))
}

fn stand_json(entry: &SessionEntry, stand: &Stand) -> Value {
    let mut guards = json!(*stand.policy);
    guards["sessionId"] = json!(entry.session.id);
    if let Some(window) = stand.quota {
        let left = stand.policy.quota.max.saturating_sub(window.used);
        guards["quota"]["used"] = json!(window.used);
        guards["quota"]["remaining"] = json!(left);
        guards["quota"]["resetAt"] = json!(window.reset_ms);
        guards["quota"]["closedUntil"] = json!((left == 0).then_some(window.reset_ms));
    }
    let (openings, most) = (stand.new_chats.openings, u64::from(stand.new_chats.most));
    guards["newChats"]["budget"] = json!(most);
    guards["newChats"]["used"] = json!(openings.used);
    guards["newChats"]["remaining"] = json!(most.saturating_sub(openings.used));
    let closed = openings.full_since_ms.filter(|_| stand.policy.new_chats.enabled);
    guards["newChats"]["closedUntil"] = json!(closed.map(|since_ms| since_ms + DAY_MS));
    guards["quietHours"]["closedUntil"] = json!(stand.quiet_until_ms);
    guards
}
