//! Flows: `GET|POST /flows`, `GET|PUT|DELETE /flows/{id}`.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Json, Path, parse, parse_optional, required};
use crate::state::ApiState;
use crate::view::flow_json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use warest_model::event::EventKind;
use warest_model::id::{FlowId, SessionId};
use warest_pipeline::EngineError;
use warest_pipeline::engine::FlowDraft;

/// What a client writes of a flow.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    name: Option<String>,
    session_id: Option<String>,
    on: Option<Vec<String>>,
    script: Option<String>,
    enabled: Option<bool>,
}

impl Draft {
    fn check(self, caller: &Caller, state: &ApiState) -> Result<FlowDraft, ApiError> {
        let session: Option<SessionId> = parse_optional("sessionId", self.session_id.as_deref())?;
        if let Some(session) = &session {
            caller.session(state, session)?;
        }
        let mut on: Vec<EventKind> = Vec::new();
        for name in required("on", self.on)? {
            let kind = parse("on", &name)?;
            if !on.contains(&kind) {
                on.push(kind);
            }
        }
        Ok(FlowDraft {
            name: required("name", self.name)?,
            session,
            on,
            script: required("script", self.script)?,
            enabled: self.enabled.unwrap_or(true),
        })
    }
}

/// The flows that the caller may see, oldest first.
pub async fn list(caller: Caller, State(state): State<ApiState>) -> ApiResult {
    let flows = state.engine.flows(&caller.user).await?;
    Ok(Reply::new(codes::SUCCESS, "Flows fetched").results(flows.iter().map(flow_json).collect()))
}

/// Adds a flow, in use from the next event on.
pub async fn create(caller: Caller, State(state): State<ApiState>, Json(draft): Json<Draft>) -> ApiResult {
    let draft = draft.check(&caller, &state)?;
    let flow = state.engine.create_flow(&caller.user, draft).await?;
    Ok(Reply::new(codes::SUCCESS, "Flow created").http(StatusCode::CREATED).result(flow_json(&flow)))
}

/// One flow.
pub async fn one(caller: Caller, State(state): State<ApiState>, Path(id): Path<FlowId>) -> ApiResult {
    let flow = state.engine.flow(&caller.user, &id).await?;
    Ok(Reply::new(codes::SUCCESS, "Flow fetched").result(flow_json(&flow)))
}

/// Adds a flow under this id, or replaces it.
pub async fn put(
    caller: Caller,
    State(state): State<ApiState>,
    Path(id): Path<FlowId>,
    Json(draft): Json<Draft>,
) -> ApiResult {
    let draft = draft.check(&caller, &state)?;
    let is_new = match state.engine.flow(&caller.user, &id).await {
        Ok(_) => false,
        Err(EngineError::NotFound(_)) => true,
        Err(error) => return Err(error.into()),
    };
    let flow = state.engine.put_flow(&caller.user, &id, draft).await?;
    let (message, http) = if is_new { ("Flow created", StatusCode::CREATED) } else { ("Flow saved", StatusCode::OK) };
    Ok(Reply::new(codes::SUCCESS, message).http(http).result(flow_json(&flow)))
}

/// Removes a flow with its state.
pub async fn delete(caller: Caller, State(state): State<ApiState>, Path(id): Path<FlowId>) -> ApiResult {
    state.engine.delete_flow(&caller.user, &id).await?;
    Ok(Reply::new(codes::SUCCESS, "Flow deleted").result(json!({ "id": id })))
}
