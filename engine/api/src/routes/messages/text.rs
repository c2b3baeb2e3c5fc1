//! `POST|GET /messages/send/text`: sends a text to one recipient or several.
//!
//! Each recipient has a job of its own, durable before this answers. It answers
//! when all have ended, or after a while with what is still queued.

use super::letter::{Letter, content, field};
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::extract::{Json, Query};
use crate::idempotency::RequestBirths;
use crate::sending::text_of;
use crate::state::ApiState;
use axum::extract::State;
use serde_json::{Map, Value};
use warest_model::birth::Births;

/// The contract's form.
pub async fn post(
    caller: Caller,
    State(state): State<ApiState>,
    RequestBirths(births): RequestBirths,
    Json(fields): Json<Map<String, Value>>,
) -> ApiResult {
    send(&caller, &state, &births, fields).await
}

/// The same in the query, for clients that can do no other.
pub async fn get(
    caller: Caller,
    State(state): State<ApiState>,
    RequestBirths(births): RequestBirths,
    Query(fields): Query<Map<String, Value>>,
) -> ApiResult {
    send(&caller, &state, &births, fields).await
}

async fn send(caller: &Caller, state: &ApiState, births: &Births, mut fields: Map<String, Value>) -> ApiResult {
    let letter = Letter::read(caller, state, &fields)?;
    let message: Option<String> = field(&fields, "message")?;
    let message = message.map_or_else(|| field(&fields, "text"), |message| Ok(Some(message)))?;
    fields.insert("text".to_owned(), text_of("message", message)?.into());
    let content = content(state, "text", &fields)?;
    letter.send(state, births, vec![content.into()], "text").await
}
