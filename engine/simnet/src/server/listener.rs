//! The one listener: chat sockets at `/ws/chat`, the control API beside it. Loopback only, since
//! nothing here is authenticated.

use super::socket::{self, FRAME_LIMIT};
use crate::control::{self, Control};
use axum::Router;
use axum::extract::{State, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use std::sync::Arc;

use crate::network::Network;

/// Everything simnet serves.
pub(crate) fn router(net: Arc<Network>) -> Router {
    Router::new().route("/ws/chat", any(chat)).with_state(net.clone()).merge(control::routes(Control::new(net)))
}

async fn chat(State(net): State<Arc<Network>>, upgrade: WebSocketUpgrade) -> Response {
    net.stats.count("sockets");
    upgrade
        .max_message_size(FRAME_LIMIT + 1024)
        .max_frame_size(FRAME_LIMIT + 1024)
        .on_upgrade(move |socket| socket::serve(net, socket))
}
