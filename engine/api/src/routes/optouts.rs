//! `GET|POST /optouts`, `DELETE /optouts/{address}`: who wants no messages from
//! a tenant. Without a `sessionId` the list is the caller's own; with one it is
//! that of the session's owner.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Json, OneOrMany, PageQuery, Paged, Path, Query, parse_optional, required};
use crate::state::ApiState;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use warest_model::id::UserId;
use warest_model::jid::Jid;
use warest_model::limits::RECIPIENTS;
use warest_store::OptOut;

/// Whose list.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Whose {
    session_id: Option<String>,
}

/// Who to put on it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Addition {
    session_id: Option<String>,
    to: Option<OneOrMany>,
}

/// A page of it. Admins see all lists if they name no session.
pub async fn list(
    caller: Caller,
    State(state): State<ApiState>,
    Query(page): Query<PageQuery>,
    Query(whose): Query<Whose>,
) -> ApiResult {
    let owner = match owner(&caller, &state, whose.session_id.as_deref())? {
        Some(owner) => Some(owner),
        None => caller.scope(),
    };
    let page = page.page::<i64>()?;
    let rows = state.engine.store().opt_outs(owner.as_ref(), &page).await?;
    let items: Vec<Value> = rows.iter().map(opt_out_json).collect();
    Ok(Reply::new(codes::SUCCESS, "Opt-outs fetched").page(items, &page, |item| item["id"].to_string()))
}

/// Puts numbers or addresses on it.
pub async fn add(caller: Caller, State(state): State<ApiState>, Json(addition): Json<Addition>) -> ApiResult {
    let owner = owner(&caller, &state, addition.session_id.as_deref())?.unwrap_or_else(|| caller.user.id.clone());
    let to = required("to", addition.to.filter(|to| !to.0.is_empty()))?.0;
    if to.len() > RECIPIENTS {
        return Err(ApiError::invalid(format!("`to` takes at most {RECIPIENTS} recipients")));
    }
    let addresses = to.iter().map(|text| address(&state, "to", text)).collect::<Result<Vec<_>, _>>()?;
    let added = state.engine.opt_out(&owner, &addresses).await?;
    let code = if added > 0 { codes::SUCCESS } else { codes::NOOP };
    let status = if added > 0 { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Reply::new(code, format!("{added} added"))
        .http(status)
        .result(json!({ "addresses": addresses, "added": added })))
}

/// Takes one off it.
pub async fn remove(
    caller: Caller,
    State(state): State<ApiState>,
    Path(text): Path<String>,
    Query(whose): Query<Whose>,
) -> ApiResult {
    let owner = owner(&caller, &state, whose.session_id.as_deref())?.unwrap_or_else(|| caller.user.id.clone());
    let address = address(&state, "address", &text)?;
    state.engine.opt_in(&owner, &address).await?;
    Ok(Reply::new(codes::SUCCESS, "Removed").result(json!({ "address": address })))
}

fn owner(caller: &Caller, state: &ApiState, session: Option<&str>) -> Result<Option<UserId>, ApiError> {
    let Some(id) = parse_optional("sessionId", session)? else { return Ok(None) };
    Ok(Some(caller.session(state, &id)?.owner.id))
}

fn address(state: &ApiState, name: &str, text: &str) -> Result<Jid, ApiError> {
    let read = state.engine.recipient(text);
    read.map_err(|error| ApiError::new(codes::RECIPIENT_INVALID, format!("`{name}`: {error}")))
}

fn opt_out_json(entry: &OptOut) -> Value {
    json!({
        "id": entry.seq,
        "address": entry.address,
        "owner": entry.owner,
        "sessionId": entry.session,
        "eventId": entry.event,
        "confirmationJobId": entry.confirmation,
        "createdAt": entry.created_ms,
    })
}
