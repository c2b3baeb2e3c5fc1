//! `GET /events` and `GET /events/{id}`: the event log.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{PageQuery, Paged, Path, Query};
use crate::state::ApiState;
use crate::view::event_json;
use crate::which::Which;
use axum::extract::State;
use serde_json::Value;
use warest_model::id::EventId;

/// A page of events, newest first.
pub async fn list(
    caller: Caller,
    State(state): State<ApiState>,
    Query(which): Query<Which>,
    Query(page): Query<PageQuery>,
) -> ApiResult {
    let page = page.page::<EventId>()?;
    let filter = which.filter(&state, &caller)?;
    let events = state.engine.store().events(&filter, &page).await?;
    let rows: Vec<Value> = events.iter().map(event_json).collect();
    Ok(Reply::new(codes::SUCCESS, "Events fetched").page(rows, &page, id_of))
}

/// One event.
pub async fn one(caller: Caller, State(state): State<ApiState>, Path(id): Path<EventId>) -> ApiResult {
    let event = state.engine.store().event(id.as_str()).await?.ok_or_else(|| ApiError::not_found("the event"))?;
    caller.check_record(&state, &event.session, event.ts_ms, "the event")?;
    Ok(Reply::new(codes::SUCCESS, "Event fetched").result(event_json(&event)))
}

/// The id of a row, to ask for the page after it.
pub fn id_of(row: &Value) -> String {
    row["id"].as_str().unwrap_or_default().to_owned()
}
