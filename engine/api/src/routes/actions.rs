//! `POST /session/{sessionId}/actions`: runs an action list, or a script once.
//! The run is durable when this answers; `GET /runs/{id}` tells how it goes.

use crate::auth::OwnSession;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::Json;
use crate::idempotency::RequestBirths;
use crate::state::ApiState;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

/// What to run: one of the two.
#[derive(Debug, Deserialize)]
pub struct Order {
    actions: Option<Value>,
    script: Option<String>,
    /// Where `reply` of the script goes.
    chat: Option<String>,
}

/// Starts the run.
pub async fn post(
    OwnSession(entry): OwnSession,
    State(state): State<ApiState>,
    RequestBirths(births): RequestBirths,
    Json(order): Json<Order>,
) -> ApiResult {
    let run = match (order.actions, order.script) {
        (Some(actions), None) => state.engine.run_actions(&entry, &births, &actions).await?,
        (None, Some(script)) => {
            let chat = order.chat.map(|chat| state.engine.recipient(&chat)).transpose();
            let chat = chat.map_err(|error| ApiError::new(codes::RECIPIENT_INVALID, error.to_string()))?;
            state.engine.run_script(&entry, &births, &script, chat).await?
        }
        (Some(_), Some(_)) => return Err(ApiError::invalid("give `actions` or `script`, not both")),
        (None, None) => return Err(ApiError::new(codes::MISSING_PARAMETER, "`actions` or `script` is required")),
    };
    Ok(Reply::new(codes::QUEUED, "Run started").result(json!({ "runId": run })))
}
