//! `/session/{sessionId}/commands`: the words that people may write to the
//! session's bot.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Json, Path};
use crate::state::ApiState;
use axum::extract::State;
use serde_json::json;
use warest_model::command::CommandBook;
use warest_model::id::SessionId;

/// The book.
pub async fn one(caller: Caller, State(state): State<ApiState>, Path(id): Path<SessionId>) -> ApiResult {
    let entry = caller.session(&state, &id)?;
    let book = state.engine.store().command_book(&entry.session.id).await?;
    Ok(Reply::new(codes::SUCCESS, "Commands fetched").result(json!(book)))
}

/// Another book in its place.
pub async fn put(
    caller: Caller,
    State(state): State<ApiState>,
    Path(id): Path<SessionId>,
    Json(book): Json<CommandBook>,
) -> ApiResult {
    let entry = caller.session(&state, &id)?;
    book.check().map_err(|error| ApiError::invalid(error.to_string()))?;
    state.engine.set_commands(&entry, &book).await?;
    Ok(Reply::new(codes::SUCCESS, "Commands saved").result(json!(book)))
}
