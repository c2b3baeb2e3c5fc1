//! A webhook receiver: verifies, knows repeats, answers `ping`.
//!
//! Run: SECRET=... USERNAME_OF_OWNER=admin PORT=8080 cargo run -p warest-tests --example receiver
//!
//! On its own it needs axum, hex, hmac, serde_json, sha2 and tokio.

use anyhow::Context;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::{Sha224, Sha256, Sha384, Sha512};
use std::collections::{HashMap, VecDeque};
use std::env;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

const FRESH_MS: u128 = 5 * 60_000;
const BODY_BYTES: usize = 4 << 20;
const REMEMBERED: usize = 10_000;

struct Receiver {
    key: Vec<u8>,
    answered: Mutex<Answered>,
}

/// Answers by event id, and the ids, oldest first.
#[derive(Default)]
struct Answered {
    by_id: HashMap<String, Value>,
    order: VecDeque<String>,
}

impl Receiver {
    fn verified(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Ok(stamp) = text("x-warest-timestamp").parse::<u128>() else { return false };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let algorithm = text("x-warest-signature-alg");
        let given = text("x-warest-signature").strip_prefix(algorithm).and_then(|rest| rest.strip_prefix('='));
        let Some(Ok(given)) = given.map(hex::decode) else { return false };
        let holds = match algorithm {
            "HMAC-SHA224" => holds::<Hmac<Sha224>>(&self.key, body, &given),
            "HMAC-SHA256" => holds::<Hmac<Sha256>>(&self.key, body, &given),
            "HMAC-SHA384" => holds::<Hmac<Sha384>>(&self.key, body, &given),
            "HMAC-SHA512" => holds::<Hmac<Sha512>>(&self.key, body, &given),
            _ => false,
        };
        holds && now.abs_diff(stamp) <= FRESH_MS
    }

    fn answer(&self, event: &Value) -> Value {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(id) = event["data"]["eventId"].as_str() else { return decide(event) };
        if let Some(before) = answered.by_id.get(id) {
            return before.clone();
        }
        let decided = decide(event);
        answered.by_id.insert(id.to_owned(), decided.clone());
        answered.order.push_back(id.to_owned());
        if answered.order.len() > REMEMBERED
            && let Some(oldest) = answered.order.pop_front()
        {
            answered.by_id.remove(&oldest);
        }
        decided
    }
}

/// Compares in constant time.
fn holds<M: Mac + KeyInit>(key: &[u8], body: &[u8], given: &[u8]) -> bool {
    <M as KeyInit>::new_from_slice(key).is_ok_and(|mut mac| {
        mac.update(body);
        mac.verify_slice(given).is_ok()
    })
}

fn decide(event: &Value) -> Value {
    if event["event"] != "message_received" || event["data"]["text"] != "ping" {
        return json!({"ok": true});
    }
    json!({"ok": true, "actions": [{"type": "text", "to": "{{chatId}}", "text": "pong from rust"}]})
}

async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> (StatusCode, Json<Value>) {
    if !receiver.verified(&headers, &body) {
        return (StatusCode::UNAUTHORIZED, Json(json!({"ok": false})));
    }
    match serde_json::from_slice(&body) {
        Ok(event) => (StatusCode::OK, Json(receiver.answer(&event))),
        Err(_) => (StatusCode::BAD_REQUEST, Json(json!({"ok": false}))),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let secret = env::var("SECRET").context("SECRET is not set")?;
    let owner = env::var("USERNAME_OF_OWNER").unwrap_or_else(|_| "admin".to_owned());
    let port: u16 = env::var("PORT").unwrap_or_else(|_| "0".to_owned()).parse().context("PORT")?;
    let receiver = Receiver { key: (secret + &owner).into_bytes(), answered: Mutex::default() };
    let app =
        Router::new().route("/", post(receive)).layer(DefaultBodyLimit::max(BODY_BYTES)).with_state(Arc::new(receiver));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?.port());
    axum::serve(listener, app).await?;
    Ok(())
}
