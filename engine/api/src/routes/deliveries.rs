//! Deliveries: `GET /deliveries`, `GET /deliveries/{id}`,
//! `POST /deliveries/{id}/replay`, `POST /deliveries/replay`.

use super::events::id_of;
use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Json, PageQuery, Paged, Path, Query, parse_optional, parse_required, required};
use crate::state::ApiState;
use crate::view::{attempt_json, delivery_json};
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use warest_model::clock::Millis;
use warest_model::delivery::{Delivery, DeliveryState};
use warest_model::id::{DeliveryId, SessionId};
use warest_store::{DeliveryFilter, ReplayRange};

/// Which deliveries.
#[derive(Debug, Deserialize)]
pub struct Which {
    #[serde(alias = "sessionId")]
    session: Option<String>,
    target: Option<String>,
    state: Option<String>,
    event: Option<String>,
    since: Option<String>,
    until: Option<String>,
}

/// A page of deliveries, newest first.
pub async fn list(
    caller: Caller,
    State(state): State<ApiState>,
    Query(which): Query<Which>,
    Query(page): Query<PageQuery>,
) -> ApiResult {
    let page = page.page::<DeliveryId>()?;
    let session: Option<SessionId> = parse_optional("session", which.session.as_deref())?;
    if let Some(session) = &session {
        caller.session(&state, session)?;
    }
    let filter = DeliveryFilter {
        owner: caller.scope(),
        session,
        target: parse_optional("target", which.target.as_deref())?,
        state: parse_optional("state", which.state.as_deref())?,
        event: parse_optional("event", which.event.as_deref())?,
        since_ms: parse_optional("since", which.since.as_deref())?,
        until_ms: parse_optional("until", which.until.as_deref())?,
    };
    let deliveries = state.engine.store().deliveries(&filter, &page).await?;
    let rows: Vec<Value> = deliveries.iter().map(delivery_json).collect();
    Ok(Reply::new(codes::SUCCESS, "Deliveries fetched").page(rows, &page, id_of))
}

/// One delivery with its attempts.
pub async fn one(caller: Caller, State(state): State<ApiState>, Path(id): Path<DeliveryId>) -> ApiResult {
    let delivery = found(&caller, &state, &id).await?;
    let attempts = state.engine.store().attempts(&id).await?;
    let mut shown = delivery_json(&delivery);
    shown["history"] = attempts.iter().map(attempt_json).collect();
    Ok(Reply::new(codes::SUCCESS, "Delivery fetched").result(shown))
}

/// Owes a delivered or dead delivery again.
pub async fn replay(caller: Caller, State(state): State<ApiState>, Path(id): Path<DeliveryId>) -> ApiResult {
    let delivery = found(&caller, &state, &id).await?;
    let replayed = state.engine.replay_delivery(&delivery).await?;
    Ok(Reply::new(codes::QUEUED, "Delivery is owed again").result(delivery_json(&replayed)))
}

/// Which deliveries of a session to owe again.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    session_id: Option<String>,
    target: Option<String>,
    state: Option<String>,
    from: Option<Millis>,
    to: Option<Millis>,
}

/// Owes them again, oldest first; a bounded number at once.
pub async fn replay_range(caller: Caller, State(state): State<ApiState>, Json(range): Json<Range>) -> ApiResult {
    let session = parse_required("sessionId", range.session_id.as_deref())?;
    caller.session(&state, &session)?;
    let range = ReplayRange {
        session,
        target: parse_optional("target", range.target.as_deref())?,
        state: parse_optional("state", range.state.as_deref())?.unwrap_or(DeliveryState::Dead),
        from_ms: required("from", range.from)?,
        to_ms: required("to", range.to)?,
    };
    let replayed = state.engine.replay_deliveries(&range).await?;
    let (code, message) = match replayed.count {
        0 => (codes::NOOP, "Nothing to replay"),
        _ => (codes::QUEUED, "Deliveries are owed again"),
    };
    Ok(Reply::new(code, message).result(json!({ "replayed": replayed.count, "restFrom": replayed.rest_from_ms })))
}

async fn found(caller: &Caller, state: &ApiState, id: &DeliveryId) -> Result<Delivery, ApiError> {
    let found = state.engine.store().delivery(id).await?;
    let delivery = found.ok_or_else(|| ApiError::not_found("the delivery"))?;
    caller.check_record(state, &delivery.session, delivery.created_ms, "the delivery")?;
    Ok(delivery)
}
