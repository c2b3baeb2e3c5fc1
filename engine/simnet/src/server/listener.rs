//! The one listener: chat sockets at `/ws/chat`, the control API beside it. Loopback only, since
//! nothing here is authenticated.

use super::socket::{self, FRAME_LIMIT};
use crate::control::{self, Control};
use axum::Router;
use axum::extract::{Path, State, WebSocketUpgrade};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use std::sync::Arc;

use crate::network::Network;

/// Everything simnet serves.
pub(crate) fn router(net: Arc<Network>) -> Router {
    Router::new()
        .route("/ws/chat", any(chat))
        .route("/pictures/{owner}/{id}", get(picture))
        .with_state(net.clone())
        .merge(control::routes(Control::new(net)))
}

async fn chat(State(net): State<Arc<Network>>, upgrade: WebSocketUpgrade) -> Response {
    net.stats.count("sockets");
    upgrade
        .max_message_size(FRAME_LIMIT + 1024)
        .max_frame_size(FRAME_LIMIT + 1024)
        .on_upgrade(move |socket| socket::serve(net, socket))
}

async fn picture(State(net): State<Arc<Network>>, Path((owner, id)): Path<(String, String)>) -> Response {
    match super::iq::picture::find(&net, &owner, &id) {
        Some(bytes) => ([(header::CONTENT_TYPE, "image/jpeg")], bytes).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
