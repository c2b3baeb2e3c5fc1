//! `/messages/send/bulk`: texts to many, stored at once and sent as the queue
//! has room.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Json, Moment, OneOrMany, PageQuery, Paged, Path, Query, parse_required};
use crate::idempotency::RequestBirths;
use crate::routes::events::id_of;
use crate::sending::text_of;
use crate::state::ApiState;
use crate::view::{bulk_json, job_json};
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashSet;
use warest_model::clock::Millis;
use warest_model::id::{BulkId, JobId};
use warest_model::job::JobState;
use warest_model::plan::Effect;
use warest_pipeline::engine::BulkItem;
use warest_store::{BulkRecord, JobFilter, Page};

/// Most messages of a bulk.
const MOST: usize = 10_000;
/// Failures that are shown with a bulk.
const SHOWN_FAULTS: u32 = 10;

/// What to send to whom.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    session_id: Option<String>,
    to: Option<OneOrMany<MOST>>,
    message: Option<String>,
    schedule_at: Option<Moment>,
    messages: Option<Vec<Item>>,
}

/// One message with a text of its own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object with `to` and `message`")]
struct Item {
    to: Option<OneOrMany<MOST>>,
    message: Option<String>,
    schedule_at: Option<Moment>,
}

/// Stores a bulk.
pub async fn post(
    caller: Caller,
    State(state): State<ApiState>,
    RequestBirths(births): RequestBirths,
    Json(order): Json<Order>,
) -> ApiResult {
    let id = parse_required("sessionId", order.session_id.as_deref())?;
    let entry = caller.session(&state, &id)?;
    let items = items(&state, order)?;
    let bulk = state.engine.send_bulk(&entry, &births, items).await?;
    let result = json!({ "bulkId": bulk.id, "sessionId": bulk.session, "total": bulk.total });
    Ok(Reply::new(codes::QUEUED, "Bulk stored; it is sent as the queue has room").result(result))
}

/// A bulk, how it stands, and a page of its jobs.
pub async fn one(
    caller: Caller,
    State(state): State<ApiState>,
    Path(id): Path<BulkId>,
    Query(page): Query<PageQuery>,
) -> ApiResult {
    let page = page.page::<JobId>()?;
    let record = own(&caller, &state, &id).await?;
    let store = state.engine.store();
    let of_bulk = |state| JobFilter { bulk: Some(id.clone()), state, ..JobFilter::default() };
    let first = Page { before: None, limit: SHOWN_FAULTS };
    let mut faults = Vec::new();
    for ended_badly in [JobState::Failed, JobState::Wedged] {
        faults.extend(store.jobs(&of_bulk(Some(ended_badly)), &first).await?);
    }
    let faults: Vec<Value> = faults.iter().take(SHOWN_FAULTS as usize).map(job_json).collect();
    let jobs = store.jobs(&of_bulk(None), &page).await?;
    let rows: Vec<Value> = jobs.iter().map(job_json).collect();
    let mut result = bulk_json(&record);
    result["faults"] = faults.into();
    Ok(Reply::new(codes::SUCCESS, "Bulk fetched").result(result).page(rows, &page, id_of))
}

/// Takes back what is left of a bulk.
pub async fn cancel(caller: Caller, State(state): State<ApiState>, Path(id): Path<BulkId>) -> ApiResult {
    own(&caller, &state, &id).await?;
    let cancelled = state.engine.cancel_bulk(&id).await?;
    let record = own(&caller, &state, &id).await?;
    let mut result = bulk_json(&record);
    result["cancelled"] = cancelled.into();
    let code = if cancelled == 0 { codes::NOOP } else { codes::JOB_CANCELLED };
    Ok(Reply::new(code, "What was left of the bulk is cancelled").result(result))
}

/// A bulk, if it is the caller's.
async fn own(caller: &Caller, state: &ApiState, id: &BulkId) -> Result<BulkRecord, ApiError> {
    let record = state.engine.store().bulk(id).await?.ok_or_else(|| ApiError::not_found("the bulk"))?;
    caller.check_record(state, &record.bulk.session, record.bulk.created_ms, "the bulk")?;
    Ok(record)
}

/// The messages of an order: one text to each of `to`, then `messages`.
fn items(state: &ApiState, order: Order) -> Result<Vec<BulkItem>, ApiError> {
    let now = state.now_ms();
    let mut bulk = Items { state, now, items: Vec::new() };
    let at = order.schedule_at;
    let to = order.to.map(|to| to.0).unwrap_or_default();
    if to.is_empty() && order.messages.is_none() {
        return Err(ApiError::missing("to").with("result", json!({ "or": "messages" })));
    }
    if !to.is_empty() {
        bulk.add("", to, order.message, at)?;
    }
    for (index, item) in order.messages.unwrap_or_default().into_iter().enumerate() {
        let to = item.to.map(|to| to.0).unwrap_or_default();
        bulk.add(&format!("messages[{index}]."), to, item.message, item.schedule_at.or(at))?;
    }
    if bulk.items.is_empty() {
        return Err(ApiError::invalid("`messages` is empty; give at least one message"));
    }
    Ok(bulk.items)
}

struct Items<'a> {
    state: &'a ApiState,
    now: Millis,
    items: Vec<BulkItem>,
}

impl Items<'_> {
    /// Adds a text to some recipients, each once. `at` names the fields.
    fn add(&mut self, at: &str, to: Vec<String>, text: Option<String>, moment: Option<Moment>) -> Result<(), ApiError> {
        let text = text_of(&format!("{at}message"), text)?;
        let at_ms = moment.map(|moment| moment.within_a_year(&format!("{at}scheduleAt"), self.now)).transpose()?;
        if to.is_empty() {
            return Err(ApiError::missing(&format!("{at}to")));
        }
        let mut known = HashSet::with_capacity(to.len());
        for recipient in to {
            let wrong = |error| ApiError::new(codes::RECIPIENT_INVALID, format!("`{at}to`: {error}"));
            let jid = self.state.engine.recipient(&recipient).map_err(wrong)?;
            if !known.insert(jid.clone()) {
                continue;
            }
            if self.items.len() == MOST {
                return Err(ApiError::invalid(format!("a bulk takes at most {MOST} messages; split it")));
            }
            let effect = Effect::text(jid, text.clone());
            self.items.push(BulkItem { effect, at_ms });
        }
        Ok(())
    }
}
