//! `POST /webhook/preflight`: asks receivers whether they are there and accept
//! our signature, before a session is told to use them.

use super::session::config::check_url;
use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Json, OneOrMany, parse_required, required};
use crate::state::ApiState;
use axum::extract::State;
use serde::Deserialize;

/// Most receivers asked by one request.
const URLS: usize = 16;
/// Longest secret, in bytes.
const SECRET_BYTES: usize = 512;

/// Whom to ask.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    session_id: Option<String>,
    url: Option<OneOrMany>,
    secret: Option<String>,
}

/// Asks each of them in turn. Without a `secret`, with the session's own.
pub async fn preflight(caller: Caller, State(state): State<ApiState>, Json(ask): Json<Ask>) -> ApiResult {
    let id = parse_required("sessionId", ask.session_id.as_deref())?;
    let entry = caller.session(&state, &id)?;
    let urls = required("url", ask.url.filter(|urls| !urls.0.is_empty()))?.0;
    let own = || state.engine.targets(&entry).first().map(|target| target.secret.clone());
    let secret = required("secret", ask.secret.filter(|secret| !secret.is_empty()).or_else(own))?;
    if urls.len() > URLS || secret.len() > SECRET_BYTES {
        return Err(ApiError::invalid(format!("`url` takes {URLS} URLs, `secret` {SECRET_BYTES} bytes")));
    }
    for url in &urls {
        check_url(&state, url)?;
    }
    let mut results = Vec::with_capacity(urls.len());
    for url in &urls {
        results.push(state.engine.preflight(&entry, url, &secret).await);
    }
    let ok = results.iter().all(|result| result.ok);
    let message = if ok { "Webhook preflight passed" } else { "Webhook preflight failed" };
    Ok(Reply::new(codes::SUCCESS, message).with("ok", ok).results(results))
}
