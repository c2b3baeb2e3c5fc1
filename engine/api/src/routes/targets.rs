//! Webhook targets of a session, one by one: `GET|POST /session/{id}/targets`,
//! `GET|PATCH|DELETE …/targets/{targetId}`, `POST …/test`, `…/rotate`, `…/resume`.

use super::session::config::check_url;
use crate::auth::{Caller, OwnSession};
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Flag, Json, OptionalJson, Path, nullable, parse, parse_optional, required};
use crate::state::ApiState;
use crate::view::target_json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use warest_model::event::EventKind;
use warest_model::id::TargetId;
use warest_model::target::TargetOptions;
use warest_pipeline::engine::{TargetChange, TargetDraft};

/// What a client writes of a target. Of a field that may be null, null means the
/// default.
#[derive(Debug, Deserialize)]
pub struct Draft {
    url: Option<String>,
    secret: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    events: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "nullable")]
    payload: Option<Option<String>>,
    order: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    concurrency: Option<Option<u32>>,
    enabled: Option<bool>,
    preflight: Option<Flag>,
}

impl Draft {
    fn check(self, state: &ApiState) -> Result<TargetChange, ApiError> {
        if let Some(url) = &self.url {
            check_url(state, url)?;
        }
        let payload = self.payload.map(|payload| parse_optional("payload", payload.as_deref()));
        Ok(TargetChange {
            url: self.url,
            enabled: self.enabled,
            events: self.events.map(|names| names.map(read_events).transpose()).transpose()?,
            payload: payload.transpose()?,
            order: parse_optional("order", self.order.as_deref())?,
            concurrency: self.concurrency,
            preflight: self.preflight.unwrap_or_default().0,
        })
    }
}

fn read_events(names: Vec<String>) -> Result<Vec<EventKind>, ApiError> {
    let mut events = Vec::new();
    for name in names {
        let kind = parse("events", &name)?;
        if !events.contains(&kind) {
            events.push(kind);
        }
    }
    Ok(events)
}

/// The targets of a session, in their order.
pub async fn list(caller: Caller, OwnSession(entry): OwnSession, State(state): State<ApiState>) -> Reply {
    let (targets, now) = (state.engine.all_targets(&entry), state.now_ms());
    let targets = targets.iter().map(|target| target_json(target, &caller, now)).collect();
    Reply::new(codes::SUCCESS, "Targets fetched").results(targets)
}

/// Adds one. Its secret is shown this once.
pub async fn create(
    caller: Caller,
    OwnSession(entry): OwnSession,
    State(state): State<ApiState>,
    Json(mut draft): Json<Draft>,
) -> ApiResult {
    let secret = draft.secret.take();
    let chosen = draft.check(&state)?;
    let options = TargetOptions {
        enabled: chosen.enabled.unwrap_or(true),
        events: chosen.events.flatten(),
        payload: chosen.payload.flatten(),
        order: chosen.order.unwrap_or_default(),
        concurrency: chosen.concurrency.flatten(),
    };
    let draft = TargetDraft { url: required("url", chosen.url)?, secret, options, preflight: chosen.preflight };
    let target = state.engine.add_target(&entry, draft).await?;
    let mut shown = target_json(&target, &caller, state.now_ms());
    shown["secret"] = json!(target.secret);
    Ok(Reply::new(codes::SUCCESS, "Target created").http(StatusCode::CREATED).result(shown))
}

/// One target.
pub async fn one(
    caller: Caller,
    OwnSession(entry): OwnSession,
    State(state): State<ApiState>,
    Path((_, id)): Path<(String, TargetId)>,
) -> ApiResult {
    let target = state.engine.target(&entry, &id)?;
    Ok(Reply::new(codes::SUCCESS, "Target fetched").result(target_json(&target, &caller, state.now_ms())))
}

/// Changes the fields that are given.
pub async fn change(
    caller: Caller,
    OwnSession(entry): OwnSession,
    State(state): State<ApiState>,
    Path((_, id)): Path<(String, TargetId)>,
    Json(draft): Json<Draft>,
) -> ApiResult {
    if draft.secret.is_some() {
        return Err(ApiError::invalid("`secret` is changed with POST …/rotate, which lets both sign for a while"));
    }
    let target = state.engine.change_target(&entry, &id, draft.check(&state)?).await?;
    Ok(Reply::new(codes::SUCCESS, "Target saved").result(target_json(&target, &caller, state.now_ms())))
}

/// Removes one. What was owed to it is dead, and stays listed.
pub async fn delete(
    OwnSession(entry): OwnSession,
    State(state): State<ApiState>,
    Path((_, id)): Path<(String, TargetId)>,
) -> ApiResult {
    state.engine.delete_target(&entry, &id).await?;
    Ok(Reply::new(codes::SUCCESS, "Target deleted").result(json!({ "id": id })))
}

/// Sends it a test event at once, and shows the answer.
pub async fn test(
    OwnSession(entry): OwnSession,
    State(state): State<ApiState>,
    Path((_, id)): Path<(String, TargetId)>,
) -> ApiResult {
    let result = state.engine.test_target(&entry, &id).await?;
    let message = if result.ok { "The receiver took the test" } else { "The receiver did not take the test" };
    Ok(Reply::new(codes::SUCCESS, message).result(result))
}

/// Which secret, and how long the one before signs beside it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    secret: Option<String>,
    overlap_sec: Option<u64>,
}

/// Gives it another secret, which is shown this once.
pub async fn rotate(
    OwnSession(entry): OwnSession,
    State(state): State<ApiState>,
    Path((_, id)): Path<(String, TargetId)>,
    OptionalJson(rotation): OptionalJson<Rotation>,
) -> ApiResult {
    let rotated = state.engine.rotate_target(&entry, &id, rotation.secret, rotation.overlap_sec).await?;
    Ok(Reply::new(codes::SUCCESS, "Secret replaced").result(json!({
        "id": rotated.target.id,
        "secret": rotated.target.secret,
        "oldSecretUntil": rotated.old_until_ms,
    })))
}

/// Has it used again at once after a pause, or after it was stopped.
pub async fn resume(
    caller: Caller,
    OwnSession(entry): OwnSession,
    State(state): State<ApiState>,
    Path((_, id)): Path<(String, TargetId)>,
) -> ApiResult {
    let target = state.engine.resume_target(&entry, &id).await?;
    Ok(Reply::new(codes::SUCCESS, "Target resumed").result(target_json(&target, &caller, state.now_ms())))
}
