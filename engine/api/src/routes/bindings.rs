//! `PUT /session/{sessionId}/plugins/{name}`: whether a session uses a plugin,
//! and with which configuration.

use crate::auth::{Caller, OwnSession};
use crate::codes;
use crate::envelope::Reply;
use crate::error::ApiResult;
use crate::extract::{Json, Path};
use crate::state::ApiState;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// How to use it.
#[derive(Debug, Deserialize)]
pub struct Use {
    enabled: Option<bool>,
    config: Option<Map<String, Value>>,
}

/// Saves it, for the next event on.
pub async fn put(
    caller: Caller,
    OwnSession(entry): OwnSession,
    State(state): State<ApiState>,
    Path((_, name)): Path<(String, String)>,
    Json(usage): Json<Use>,
) -> ApiResult {
    let enabled = usage.enabled.unwrap_or(true);
    let config = Value::Object(usage.config.unwrap_or_default());
    let binding = state.engine.bind_plugin(&caller.user, &entry, &name, enabled, config).await?;
    Ok(Reply::new(codes::SUCCESS, "Plugin configured").result(json!({
        "sessionId": binding.session,
        "plugin": binding.plugin,
        "enabled": binding.enabled,
        "config": binding.config,
    })))
}
