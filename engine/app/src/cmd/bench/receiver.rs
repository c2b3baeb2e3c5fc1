//! The webhook receiver that is measured with: answers every message.

use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// A running receiver.
pub struct Receiver {
    /// Where it listens.
    pub url: String,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Stops it.
    pub fn stop(self) {
        self.task.abort();
    }
}

/// Starts a receiver on a free port.
pub async fn start() -> anyhow::Result<Receiver> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let task = tokio::spawn(async move {
        let app = Router::new().route("/", post(answer));
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(%error, "the receiver stopped");
        }
    });
    Ok(Receiver { url, task })
}

async fn answer(Json(body): Json<Value>) -> Json<Value> {
    if body["event"] != "message_received" {
        return Json(json!({"ok": true}));
    }
    let text = format!("re {}", body["data"]["text"].as_str().unwrap_or_default());
    Json(json!({"ok": true, "actions": [{"type": "text", "to": body["data"]["chatId"], "text": text}]}))
}
