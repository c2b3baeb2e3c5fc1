//! `Idempotency-Key`: what a request with a key did, it does once.
//!
//! A layer around every operation that sends. The key is written down before the
//! request is worked on, and what the request makes is named after it
//! ([`Births`]); a repeat after a crash therefore meets the rows of the first
//! one and sends nothing twice. The answer is kept for 24 hours. A request that
//! was refused before anything of it was stored leaves its key free.

use crate::auth::Caller;
use crate::codes;
use crate::error::ApiError;
use crate::spool::spool;
use crate::state::ApiState;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use warest_model::birth::Births;
use warest_model::id::UserId;
use warest_pipeline::send::KEY_LIFE_MS;
use warest_store::KeyState;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key, in characters.
const KEY_CHARS: usize = 255;
/// Longest answer that is kept, in bytes. One to 256 recipients has about a
/// third of it.
const ANSWER_BYTES: usize = 256 << 10;
/// Seconds after which a request that is still worked on may be asked again.
const RUNNING_RETRY_AFTER: u64 = 1;

/// The requests with a key that are worked on now.
pub type Running = Arc<Mutex<HashSet<(UserId, String)>>>;

/// Names what a request makes.
pub struct RequestBirths(pub Arc<Births>);

impl FromRequestParts<ApiState> for RequestBirths {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Infallible> {
        let named = parts.extensions.get::<Arc<Births>>().cloned();
        Ok(Self(named.unwrap_or_else(|| Arc::new(Births::new(state.now_ms())))))
    }
}

/// Has a request with a key done once.
pub async fn once(State(state): State<ApiState>, caller: Caller, request: Request, next: Next) -> Response {
    let key = match presented(request.headers()).map(|key| key.map(str::to_owned)) {
        Ok(Some(key)) => key,
        Ok(None) => return next.run(request).await,
        Err(error) => return error.into_response(),
    };
    match keyed(&state, &caller.user.id, key, request, next).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn keyed(
    state: &ApiState,
    user: &UserId,
    key: String,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let mut fingerprint = Sha256::new()
        .chain_update(parts.method.as_str())
        .chain_update([0])
        .chain_update(parts.uri.to_string())
        .chain_update([0]);
    let body = spool(Request::from_parts(parts.clone(), body), state, &mut fingerprint).await?;
    let fingerprint: [u8; 32] = fingerprint.finalize().into();
    let Some(_place) = Place::take(&state.running, user, &key) else {
        let error = ApiError::new(codes::DUPLICATE_REQUEST, "a request with this Idempotency-Key is still worked on");
        return Err(error.retry_after(RUNNING_RETRY_AFTER));
    };
    let store = state.engine.store();
    let (at_ms, first) = match store.begin_key(user, &key, fingerprint, state.now_ms(), KEY_LIFE_MS).await? {
        KeyState::Begun { at_ms, first } => (at_ms, first),
        KeyState::Answered { status, body } => return Ok(replay(status, body)),
        KeyState::Other => {
            let message = "this Idempotency-Key was used for another request; use a new key for each message";
            return Err(ApiError::new(codes::DUPLICATE_REQUEST, message));
        }
    };
    let births = Arc::new(Births::derived(at_ms, &[user.as_str().as_bytes(), key.as_bytes()]));
    let mut request = Request::from_parts(parts, body);
    request.extensions_mut().insert(births.clone());
    let response = next.run(request).await;

    let (parts, body) = response.into_parts();
    let unreadable = |_| ApiError::new(codes::INTERNAL_ERROR, "the answer was too large to be kept");
    let body = to_bytes(body, usize::MAX).await.map_err(unreadable)?;
    if births.kept() || parts.status.is_success() {
        let kept = if body.len() <= ANSWER_BYTES { body.to_vec() } else { Vec::new() };
        // Unsaved, a repeat is worked on as after a crash: it sends nothing twice.
        if let Err(error) = store.answer_key(user, &key, parts.status.as_u16(), kept).await {
            tracing::warn!(%error, "an answer was not kept for its idempotency key");
        }
    } else if first {
        // Nothing came of it. After an interruption nobody can be sure of that.
        if let Err(error) = store.free_key(user, &key).await {
            tracing::warn!(%error, "an idempotency key was not freed");
        }
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// The answer that the first request had.
fn replay(status: u16, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = if body.is_empty() {
        let message = "this request was done before; its answer was too large to be kept";
        crate::envelope::Reply::new(codes::NOOP, message).http(status).into_response()
    } else {
        (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// The key of a request, if it has one.
fn presented(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let key = value.to_str().unwrap_or_default().trim();
    if values.next().is_some() || key.is_empty() || key.len() > KEY_CHARS {
        let message = format!("give one Idempotency-Key of 1 to {KEY_CHARS} ASCII characters, such as a UUID");
        return Err(ApiError::invalid(message));
    }
    Ok(Some(key))
}

/// A place among the requests that are worked on; given back when dropped, also
/// when the client goes away.
struct Place {
    running: Running,
    name: (UserId, String),
}

impl Place {
    fn take(running: &Running, user: &UserId, key: &str) -> Option<Self> {
        let name = (user.clone(), key.to_owned());
        let fresh = running.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        fresh.then(|| Self { running: running.clone(), name })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}
