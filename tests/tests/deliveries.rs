#![allow(clippy::unwrap_used, missing_docs)]
//! What a receiver missed is kept, listed and sent again, also by a process that
//! did not see it fail.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use warest_tests::{Engine, EngineOptions, Network, eventually};

const BOT: &str = "6281600000001";
const ANA: &str = "6281600000002";

#[derive(Default)]
struct Receiver {
    is_well: Mutex<bool>,
    /// Event id and attempt of each request, in order.
    got: Mutex<Vec<(String, String)>>,
}

impl Receiver {
    async fn start() -> (Arc<Self>, String) {
        let receiver = Arc::new(Self::default());
        let app = Router::new().route("/", post(take)).with_state(receiver.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (receiver, url)
    }
}

async fn take(State(receiver): State<Arc<Receiver>>, headers: HeaderMap) -> (StatusCode, String) {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    receiver.got.lock().unwrap().push((header("webhook-id"), header("x-warest-delivery-attempt")));
    match *receiver.is_well.lock().unwrap() {
        false => (StatusCode::INTERNAL_SERVER_ERROR, "not now".to_owned()),
        true => {
            let actions = json!([{"type": "text", "text": "here you are"}]);
            (StatusCode::OK, json!({ "actions": actions }).to_string())
        }
    }
}

/// Three attempts within a second.
fn quick() -> EngineOptions {
    let env = [
        ("WAREST_WEBHOOK_RETRIES", "1"),
        ("WAREST_WEBHOOK_BACKOFF_MS", "50"),
        ("WAREST_WEBHOOK_JITTER_MS", "0"),
        ("WAREST_WEBHOOK_LONG_SCHEDULE", "100ms"),
    ];
    let mut options = EngineOptions::default();
    options.env.extend(env.map(|(name, value)| (name.to_owned(), value.to_owned())));
    options
}

async fn delivery(engine: &Engine, state: &str) -> Value {
    eventually(&format!("a {state} delivery"), || async {
        let list = engine.api(Method::GET, &format!("/deliveries?session=shop&state={state}"), None).await?;
        Ok(Some(list.body["results"][0].clone()).filter(|first| !first.is_null()))
    })
    .await
    .unwrap()
}

/// A dead delivery of what a phone wrote, at an engine that has just started.
async fn missed(network: &Network, folder: &std::path::Path, url: &str) -> (Engine, Value) {
    let mut engine = Engine::start(network, folder, &quick()).unwrap();
    engine.pair(network, "shop", BOT).await.unwrap();
    network.phone(ANA).await.unwrap();
    let target = json!({"url": url, "events": ["message_received"]});
    let made = engine.api(Method::POST, "/session/shop/targets", Some(target)).await.unwrap();
    assert_eq!(made.status, 201, "{made:?}");
    network.say(ANA, BOT, "are you there?").await.unwrap();
    let dead = delivery(&engine, "dead").await;
    assert_eq!((&dead["attempts"], &dead["status"]), (&json!(3), &json!(500)));
    engine.kill().unwrap();
    (engine, dead)
}

async fn check_delivered(network: &Network, engine: &Engine, receiver: &Receiver, dead: &Value) {
    let delivered = delivery(engine, "delivered").await;
    assert_eq!(delivered["id"], dead["id"]);
    network.wait_text(ANA, "here you are").await.unwrap();
    let path = format!("/deliveries/{}", dead["id"].as_str().unwrap());
    let history = engine.api(Method::GET, &path, None).await.unwrap().body["result"]["history"].clone();
    let statuses: Vec<&Value> = history.as_array().unwrap().iter().map(|attempt| &attempt["status"]).collect();
    assert_eq!(statuses, [500, 500, 500, 200]);
    assert_eq!(history[0]["answer"], "not now");
    let event = dead["eventId"].as_str().unwrap();
    let expected: Vec<_> = (1..=4).map(|attempt| (event.to_owned(), attempt.to_string())).collect();
    assert_eq!(*receiver.got.lock().unwrap(), expected, "one event id, and attempts that go on counting");
}

#[tokio::test]
async fn a_dead_delivery_is_replayed_after_a_crash_and_answered_in_the_chat() {
    let (network, folder) = (Network::start().unwrap(), tempfile::tempdir().unwrap());
    let (receiver, url) = Receiver::start().await;
    let (_, dead) = missed(&network, folder.path(), &url).await;
    *receiver.is_well.lock().unwrap() = true;
    let engine = Engine::start(&network, folder.path(), &quick()).unwrap();
    let path = format!("/deliveries/{}/replay", dead["id"].as_str().unwrap());
    let replayed = engine.api(Method::POST, &path, None).await.unwrap();
    assert_eq!(replayed.status, 202, "{replayed:?}");
    check_delivered(&network, &engine, &receiver, &dead).await;
}

#[tokio::test]
async fn a_crash_right_after_a_replay_was_saved_loses_nothing() {
    let (network, folder) = (Network::start().unwrap(), tempfile::tempdir().unwrap());
    let (receiver, url) = Receiver::start().await;
    let (_, dead) = missed(&network, folder.path(), &url).await;
    *receiver.is_well.lock().unwrap() = true;
    let range = json!({"sessionId": "shop", "from": dead["createdAt"], "to": dead["createdAt"].as_i64().unwrap() + 1});
    for point in ["replay.before_commit", "replay.committed"] {
        let mut options = quick();
        options.env.push(("FAILPOINTS".to_owned(), format!("{point}=return")));
        let mut engine = Engine::start(&network, folder.path(), &options).unwrap();
        let cut = engine.api(Method::POST, "/deliveries/replay", Some(range.clone())).await;
        assert!(cut.is_err(), "{point}: {cut:?}");
        eventually("the abort", || {
            let ended = engine.ended();
            async move { Ok(ended?.then_some(())) }
        })
        .await
        .unwrap();
        if point == "replay.before_commit" {
            assert_eq!(receiver.got.lock().unwrap().len(), 3, "nothing was saved, so nothing is sent");
        }
    }
    let engine = Engine::start(&network, folder.path(), &quick()).unwrap();
    check_delivered(&network, &engine, &receiver, &dead).await;
}
