//! `GET /server/ping`, `/server/healthz`, `/server/ready`: is it there, is it
//! well, may it have traffic.

use crate::codes;
use crate::envelope::Reply;
use crate::state::ApiState;
use crate::view::iso;
use axum::extract::State;
use serde_json::json;
use std::time::{Duration, Instant};

/// Longest wait for the store's answer.
const STORE_WAIT: Duration = Duration::from_secs(2);

/// Answers.
pub async fn ping(State(state): State<ApiState>) -> Reply {
    let (begun, now) = (Instant::now(), state.now_ms());
    let at = iso(now);
    Reply::new(codes::SUCCESS, "Server is alive").results(vec![json!({
        "ping": "pong",
        "latencyMs": begun.elapsed().as_secs_f64() * 1_000.0,
        "serverTime": at,
        "serverTimeISO": at,
        "serverTimeUTC": at,
        "timezone": "UTC",
        "timezoneLocale": "en-US",
        "timestamp": now / 1_000,
    })])
}

/// Says how each part is.
pub async fn healthz(State(state): State<ApiState>) -> Reply {
    let (store, now) = (store_answers(&state).await, state.now_ms());
    let uptime = ((now - state.started_ms) / 1_000).max(0);
    let reply = match store {
        true => Reply::new(codes::SUCCESS, "All services healthy"),
        false => Reply::new(codes::SERVICE_UNAVAILABLE, "The store does not answer; see the server's log"),
    };
    reply.results(vec![json!({
        "status": if store { "healthy" } else { "unhealthy" },
        "serviceName": state.config.server_name,
        "serviceVersion": state.config.version,
        "uptime": format!("{}d {}h {}m", uptime / 86_400, uptime / 3_600 % 24, uptime / 60 % 60),
        "uptimeSeconds": uptime,
        "services": { "database": { "status": if store { "ok" } else { "error" } } },
        "timestamp": now / 1_000,
    })])
}

/// Says whether requests can be worked. The engine has started by the time that
/// there is an API.
pub async fn ready(State(state): State<ApiState>) -> Reply {
    let store = store_answers(&state).await;
    let reply = match store {
        true => Reply::new(codes::SUCCESS, "Server is ready for traffic"),
        false => Reply::new(codes::SERVICE_UNAVAILABLE, "Server is not ready"),
    };
    reply.results(vec![json!({
        "ready": store,
        "dependencies": { "db": store },
        "timestamp": state.now_ms() / 1_000,
    })])
}

async fn store_answers(state: &ApiState) -> bool {
    matches!(tokio::time::timeout(STORE_WAIT, state.engine.store().next_wake()).await, Ok(Ok(_)))
}
