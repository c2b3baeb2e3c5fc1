//! `/messages/action/{mute,unmute,archive,unarchive,clear-all}`: what is done to
//! whole chats, on all devices of the account.

use super::letter::{field, recipients, session};
use crate::auth::Caller;
use crate::codes::{self, Code};
use crate::error::{ApiError, ApiResult};
use crate::extract::Json;
use crate::idempotency::RequestBirths;
use crate::sending::Batch;
use crate::state::ApiState;
use axum::extract::State;
use serde_json::{Map, Value};
use warest_model::content::{ChatChange, Mute};
use warest_model::plan::Effect;

type Fields = Map<String, Value>;

/// Longest mute in minutes: a year.
const MUTE_MINUTES: u64 = 366 * 24 * 60;

async fn change(
    caller: Caller,
    state: ApiState,
    RequestBirths(births): RequestBirths,
    fields: Fields,
    change: ChatChange,
    failed: Code,
) -> ApiResult {
    let entry = session(&caller, &state, &fields)?;
    let recipients = recipients(&state, field(&fields, "to")?)?;
    let mut batch = Batch::new(&entry, &births, None).of(failed);
    for (to, chat) in recipients {
        batch.queue(&state, to, chat.clone(), Effect::Chat { chat, change }).await?;
    }
    Ok(batch.settle(&state, &format!("Chat {} done", change.name()), change.name()).await)
}

/// Silences them, for `duration` minutes (60).
pub async fn mute(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Json(fields): Json<Fields>,
) -> ApiResult {
    let minutes = field::<u64>(&fields, "duration")?.unwrap_or(60);
    if !(1..=MUTE_MINUTES).contains(&minutes) {
        return Err(ApiError::invalid(format!("`duration` takes 1 to {MUTE_MINUTES} minutes")));
    }
    let mute = ChatChange::Mute(Some(Mute::For(minutes * 60_000)));
    change(caller, state, births, fields, mute, codes::CHAT_MUTE_FAILED).await
}

/// Lets them sound again.
pub async fn unmute(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Json(fields): Json<Fields>,
) -> ApiResult {
    change(caller, state, births, fields, ChatChange::Mute(None), codes::CHAT_MUTE_FAILED).await
}

/// Puts them into the archive.
pub async fn archive(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Json(fields): Json<Fields>,
) -> ApiResult {
    change(caller, state, births, fields, ChatChange::Archive(true), codes::CHAT_ARCHIVE_FAILED).await
}

/// Takes them out of it.
pub async fn unarchive(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Json(fields): Json<Fields>,
) -> ApiResult {
    change(caller, state, births, fields, ChatChange::Archive(false), codes::CHAT_UNARCHIVE_FAILED).await
}

/// Removes their messages from this account.
pub async fn clear(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Json(fields): Json<Fields>,
) -> ApiResult {
    change(caller, state, births, fields, ChatChange::Clear, codes::MESSAGE_DELETE_FAILED).await
}
