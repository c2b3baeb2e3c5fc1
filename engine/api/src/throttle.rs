//! The rate limit of the API: so many calls of one user within a window.
//!
//! Counts in the cache, so that all processes of an installation share the
//! limit; a cache that fails lets calls through and says so in the log. Answers
//! carry `X-RateLimit-Limit`, `-Remaining` and `-Reset` (epoch seconds). Probes
//! are neither counted nor refused: a busy client must not look like a dead
//! server.

use crate::auth::Caller;
use crate::codes;
use crate::error::ApiError;
use crate::state::ApiState;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::time::Duration;
use warest_model::clock::Millis;
use warest_store::cache::Key;

/// How many calls a user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Calls within a window, at least 1.
    pub max: u64,
    /// How long a window is.
    pub window: Duration,
}

/// Paths that are asked by machines about the server.
const PROBES: [&str; 3] = ["/server/ping", "/server/healthz", "/server/ready"];

/// Counts a call of a known caller, and refuses it if there were too many.
pub async fn rate_limit(State(state): State<ApiState>, caller: Caller, request: Request, next: Next) -> Response {
    let limit = state.config.rate_limit.filter(|_| !PROBES.contains(&request.uri().path()));
    let Some(limit) = limit else { return next.run(request).await };
    let key = Key::new("rate", &[caller.user.id.as_str()]);
    let count = match state.engine.cache().count(&key, 1, limit.window).await {
        Ok(count) => count,
        Err(error) => {
            tracing::warn!(%error, "a call was not counted");
            return next.run(request).await;
        }
    };
    let budget = Budget { limit: limit.max, used: count.total, reset_ms: count.reset_ms };
    let mut response = if count.total > limit.max {
        let seconds = budget.seconds_left(state.now_ms());
        let message = format!("{} calls in {} s are allowed; try again later", limit.max, limit.window.as_secs_f64());
        ApiError::new(codes::RATE_LIMITED, message)
            .with("error", json!("Too many requests"))
            .with("retryAfter", json!(seconds))
            .retry_after(seconds)
            .into_response()
    } else {
        next.run(request).await
    };
    budget.put(response.headers_mut(), ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]);
    response
}

/// A budget as headers tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// How much there is within a window.
    pub limit: u64,
    /// How much of it is gone; may be more than there is.
    pub used: u64,
    /// When the next window begins.
    pub reset_ms: Millis,
}

impl Budget {
    /// Whole seconds until the next window, at least 1.
    pub fn seconds_left(&self, now_ms: Millis) -> u64 {
        seconds_until(self.reset_ms, now_ms)
    }

    /// Writes limit, rest and reset (epoch seconds, rounded up).
    pub fn put(&self, headers: &mut HeaderMap, names: [&'static str; 3]) {
        let reset = self.reset_ms.max(0).unsigned_abs().div_ceil(1_000);
        for (name, value) in names.into_iter().zip([self.limit, self.limit.saturating_sub(self.used), reset]) {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
        }
    }
}

/// Whole seconds from now until a moment, at least 1.
pub fn seconds_until(at_ms: Millis, now_ms: Millis) -> u64 {
    (at_ms - now_ms).max(1).unsigned_abs().div_ceil(1_000)
}
