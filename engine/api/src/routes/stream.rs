//! `GET /stream` and `GET /ws`: the event log as it grows.

use crate::auth::Caller;
use crate::codes;
use crate::error::ApiError;
use crate::extract::{Query, parse_optional};
use crate::state::ApiState;
use crate::stream::{Frames, Transport, socket, sse};
use crate::which::Which;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use warest_model::id::EventId;

/// Where a stream begins.
#[derive(Debug, Deserialize)]
pub struct Begin {
    #[serde(alias = "lastEventId")]
    after: Option<String>,
}

impl Begin {
    /// The event that was seen last. The header moves on as a client reconnects,
    /// the address it began with does not.
    fn place(&self, headers: &HeaderMap) -> Result<Option<EventId>, ApiError> {
        let header = headers.get("last-event-id").filter(|id| !id.is_empty());
        let header = header.map(|id| id.to_str().map_err(|_| ApiError::invalid("`Last-Event-ID` is not text")));
        match header.transpose()? {
            Some(id) => parse_optional("Last-Event-ID", Some(id)),
            None => parse_optional("after", self.after.as_deref()),
        }
    }
}

/// Server-sent events.
pub async fn events(
    caller: Caller,
    State(state): State<ApiState>,
    Query(which): Query<Which>,
    Query(begin): Query<Begin>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (filter, after) = (which.filter(&state, &caller)?, begin.place(&headers)?);
    let frames = Frames::open(&state, caller, Transport::Sse, filter, after).await?;
    Ok(sse::response(frames))
}

/// A WebSocket.
pub async fn ws(
    caller: Caller,
    State(state): State<ApiState>,
    Query(which): Query<Which>,
    Query(begin): Query<Begin>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let (filter, after) = (which.filter(&state, &caller)?, begin.place(&headers)?);
    let upgrade = upgrade.map_err(|error| {
        ApiError::new(codes::BAD_REQUEST, format!("open this address as a WebSocket: {}", error.body_text()))
    })?;
    let frames = Frames::open(&state, caller, Transport::Socket, filter, after).await?;
    let upgrade = upgrade.max_message_size(socket::MESSAGE_BYTES).max_frame_size(socket::MESSAGE_BYTES);
    Ok(upgrade.on_upgrade(move |socket| socket::run(socket, frames)))
}
