//! `GET /server/ping`, `/server/healthz`, `/server/ready`: is it there, is it
//! well, may it have traffic. `GET /server/storage`: what does it keep.
//! `GET /server/sinks`: do its sinks follow.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::state::ApiState;
use crate::view::iso;
use axum::extract::State;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use warest_pipeline::keep::Sweep;
use warest_pipeline::sink::SinkStatus;
use warest_store::{Kind, Limits, Measure};

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

/// The figures are everybody's.
fn for_admins(caller: &Caller) -> Result<(), ApiError> {
    match caller.user.is_admin {
        true => Ok(()),
        false => Err(ApiError::new(codes::FORBIDDEN, "only an administrator sees how the server is")),
    }
}

/// How each sink stands. For administrators.
pub async fn sinks(caller: Caller, State(state): State<ApiState>) -> ApiResult {
    for_admins(&caller)?;
    let sinks = state.engine.sinks().await?;
    Ok(Reply::new(codes::SUCCESS, "Sinks listed").results(sinks.iter().map(show_sink).collect()))
}

fn show_sink(sink: &SinkStatus) -> Value {
    let (error, since) = sink.failing.clone().unzip();
    json!({
        "sink": sink.name,
        "state": if sink.failing.is_none() { "ok" } else { "failing" },
        "error": error,
        "failingSince": since,
        "lastEvent": sink.last_event,
        "behind": sink.behind,
        "gaps": sink.gaps,
    })
}

/// How much is stored, what may go, and what the last sweep did. For
/// administrators.
pub async fn storage(caller: Caller, State(state): State<ApiState>) -> ApiResult {
    for_admins(&caller)?;
    let keeper = state.engine.keeper();
    let stored = keeper.storage().await?;
    let kinds: Vec<Value> = stored.kinds.iter().map(|(kind, measure, limits)| show(*kind, measure, limits)).collect();
    Ok(Reply::new(codes::SUCCESS, "Storage measured").result(json!({
        "measuredAt": stored.measured_ms,
        "database": {
            "bytes": stored.file.bytes,
            "freeBytes": stored.file.free_bytes,
            "logBytes": stored.file.log_bytes,
        },
        "kinds": kinds,
        "lastSweep": keeper.last_sweep().as_ref().map(show_sweep),
    })))
}

fn show(kind: Kind, measure: &Measure, limits: &Limits) -> Value {
    json!({
        "kind": kind.as_str(),
        "rows": measure.rows,
        "bytes": measure.bytes,
        "oldestAt": measure.oldest_ms,
        "removable": measure.removable,
        "limits": { "ageMs": limits.age_ms, "rows": limits.rows, "bytes": limits.bytes },
    })
}

fn show_sweep(sweep: &Sweep) -> Value {
    let counts = |counts: &BTreeMap<Kind, u64>| -> Map<String, Value> {
        counts.iter().map(|(kind, rows)| (kind.as_str().to_owned(), (*rows).into())).collect()
    };
    json!({
        "startedAt": sweep.started_ms,
        "endedAt": sweep.ended_ms,
        "removed": counts(&sweep.removed),
        "owed": counts(&sweep.owed),
        "error": sweep.failed,
    })
}
