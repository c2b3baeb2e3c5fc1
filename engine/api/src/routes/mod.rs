//! The endpoints, a file each. Every one of them reads top to bottom: extract,
//! authorise, one call, answer.

mod actions;
mod bindings;
mod deliveries;
mod events;
mod flows;
mod guards;
mod jobs;
mod optouts;
mod plugins;
mod runs;
mod send_bulk;
mod send_text;
mod server;
mod session;
mod stream;
mod targets;
mod webhook;

use crate::auth::authenticate;
use crate::codes;
use crate::error::ApiError;
use crate::idempotency::once;
use crate::state::ApiState;
use crate::throttle::rate_limit;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};

/// Room for the headers of a form around a plugin file.
const FORM_BYTES: usize = 64 << 10;

/// Everything under `/api/v1`. All of it needs a key, also what is not there.
pub fn v1(state: &ApiState) -> Router<ApiState> {
    let plugin_limit = DefaultBodyLimit::max(state.config.plugin_bytes + FORM_BYTES);
    Router::new()
        .route("/server/storage", get(server::storage))
        .route("/server/sinks", get(server::sinks))
        .route("/server/ping", get(server::ping))
        .route("/server/healthz", get(server::healthz))
        .route("/server/ready", get(server::ready))
        .route("/session/create", get(session::create::get).post(session::create::post))
        .route("/session/list", get(session::show::list))
        .route("/session/reconnect", get(session::connection::reconnect).post(session::connection::reconnect))
        .route("/session/logout", get(session::connection::logout).post(session::connection::logout))
        .route("/session/delete", delete(session::connection::delete).post(session::connection::delete))
        .route("/session/{sessionId}", get(session::show::one))
        .route("/session/{sessionId}/config", post(session::config::post))
        .route("/session/{sessionId}/guards", get(guards::one).put(guards::put))
        .route("/optouts", get(optouts::list).post(optouts::add))
        .route("/optouts/{address}", delete(optouts::remove))
        .route("/session/{sessionId}/plugins/{name}", put(bindings::put))
        .route("/session/{sessionId}/targets", get(targets::list).post(targets::create))
        .route(
            "/session/{sessionId}/targets/{targetId}",
            get(targets::one).patch(targets::change).delete(targets::delete),
        )
        .route("/session/{sessionId}/targets/{targetId}/test", post(targets::test))
        .route("/session/{sessionId}/targets/{targetId}/rotate", post(targets::rotate))
        .route("/session/{sessionId}/targets/{targetId}/resume", post(targets::resume))
        .merge(sends(state))
        .route("/webhook/preflight", post(webhook::preflight))
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/replay", post(deliveries::replay_range))
        .route("/deliveries/{id}", get(deliveries::one))
        .route("/deliveries/{id}/replay", post(deliveries::replay))
        .route("/flows", get(flows::list).post(flows::create))
        .route("/flows/{id}", get(flows::one).put(flows::put).delete(flows::delete))
        .route("/plugins", get(plugins::list).merge(post(plugins::upload).layer(plugin_limit)))
        .route("/plugins/{name}", delete(plugins::delete))
        .route("/events", get(events::list))
        .route("/events/{id}", get(events::one))
        .route("/stream", get(stream::events))
        .route("/ws", get(stream::ws))
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::one))
        .route("/messages/send/bulk/{id}", get(send_bulk::one).delete(send_bulk::cancel))
        .route("/jobs", get(jobs::list))
        .route("/jobs/unwedge", post(jobs::unwedge_all))
        .route("/jobs/{id}", get(jobs::one).patch(jobs::reschedule).delete(jobs::cancel))
        .route("/jobs/{id}/unwedge", post(jobs::unwedge))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(state.config.body_bytes))
        .layer(from_fn_with_state(state.clone(), rate_limit))
        .layer(from_fn_with_state(state.clone(), authenticate))
}

/// Every operation that sends: each takes an `Idempotency-Key`.
fn sends(state: &ApiState) -> Router<ApiState> {
    let once = from_fn_with_state(state.clone(), once);
    // Its own limit is set before the body is read for the key.
    let bulk = Router::new()
        .route("/messages/send/bulk", post(send_bulk::post))
        .layer(once.clone())
        .layer(DefaultBodyLimit::max(state.config.bulk_bytes));
    Router::new()
        .route("/session/{sessionId}/actions", post(actions::post))
        .route("/messages/send/text", get(send_text::get).post(send_text::post))
        .layer(once)
        .merge(bulk)
}

/// There is nothing at this path.
pub async fn unknown_path() -> ApiError {
    ApiError::new(codes::NOT_FOUND, "there is nothing at this path; see the documentation for the operations")
}

/// There is something at this path, but not for this method.
pub async fn wrong_method() -> ApiError {
    ApiError::new(
        codes::METHOD_NOT_ALLOWED,
        "this path does not take this method; the Allow header names those it takes",
    )
}
