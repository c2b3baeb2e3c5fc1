#![allow(clippy::unwrap_used, missing_docs)]
//! Crashes lose nothing and repeat nothing: the engine is killed at random
//! moments and at every commit boundary, and what counts is what stands in the
//! phones' inboxes afterwards.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use warest_tests::{Engine, EngineOptions, Network, eventually};

const BOT: &str = "6281300000000";
/// Replies to what is said in each of the three ways a reactor can.
const FLOW: &str = r#"reply("re " + event.data.text);"#;

fn customer(index: usize) -> String {
    format!("62814{index:08}")
}

/// Waits until every customer has as many replies as it wrote messages, and
/// checks that each is there once, in the order it wrote them.
async fn check_replies(network: &Network, customers: usize, each: usize) {
    for index in 0..customers {
        let phone = customer(index);
        let replies = eventually(&format!("all replies at {phone}"), || async {
            let replies = network.received(&phone).await?;
            Ok((replies.len() >= each).then_some(replies))
        })
        .await;
        let replies = match replies {
            Ok(replies) => replies,
            Err(error) => {
                let got = network.received(&phone).await.unwrap();
                panic!("{error:#}: {} of {each} came: {:?}", got.len(), texts(&got));
            }
        };
        let expected: Vec<String> = (0..each).map(|number| format!("re {number}")).collect();
        assert_eq!(texts(&replies), expected, "at {phone}");
        let ids: BTreeSet<&str> = replies.iter().map(|reply| reply["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), each, "every reply has an id of its own");
    }
}

fn texts(messages: &[Value]) -> Vec<String> {
    messages.iter().map(|message| message["text"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Has every customer write `each` messages, round robin.
async fn write_all(network: &Network, customers: usize, each: usize) {
    for number in 0..each {
        for index in 0..customers {
            network.say(&customer(index), BOT, &number.to_string()).await.unwrap();
        }
    }
}

async fn stage(customers: usize, data_dir: &Path) -> (Network, Engine) {
    let network = Network::start().unwrap();
    for index in 0..customers {
        network.phone(&customer(index)).await.unwrap();
    }
    let engine = Engine::start(&network, data_dir, &EngineOptions::default()).unwrap();
    engine.pair(&network, "shop", BOT).await.unwrap();
    (network, engine)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_among_five_hundred_messages_lose_and_repeat_nothing() {
    const CUSTOMERS: usize = 10;
    const EACH: usize = 50;
    let folder = tempfile::tempdir().unwrap();
    let (network, mut engine) = stage(CUSTOMERS, folder.path()).await;
    engine.flow(FLOW).await.unwrap();
    let network = std::sync::Arc::new(network);
    let writing = {
        let network = network.clone();
        tokio::spawn(async move { write_all(&network, CUSTOMERS, EACH).await })
    };
    for _ in 0..10 {
        // The moment of the kill is the random part of this test.
        let moment = Duration::from_millis(rand::random_range(100..900));
        tokio::time::sleep(moment).await;
        engine.kill().unwrap();
        engine = Engine::start(&network, folder.path(), &EngineOptions::default()).unwrap();
    }
    writing.await.unwrap();
    check_replies(&network, CUSTOMERS, EACH).await;
}

/// Starts the engine with one failpoint armed, lets it abort there, starts it
/// clean, and checks the inboxes.
async fn crash_at(point: &str, skip: u32, webhook: Option<&str>) {
    const CUSTOMERS: usize = 2;
    const EACH: usize = 6;
    let folder = tempfile::tempdir().unwrap();
    let (network, mut engine) = stage(CUSTOMERS, folder.path()).await;
    match webhook {
        None => {
            engine.flow(FLOW).await.unwrap();
        }
        Some(url) => {
            let config = json!({"webhookUrl": url, "webhookSecret": "s"});
            let set = engine.api(reqwest::Method::POST, "/session/shop/config", Some(config)).await.unwrap();
            assert_eq!(set.status, 200, "{set:?}");
        }
    }
    engine.kill().unwrap();
    let armed = format!("{point}={skip}*off->1*return");
    let env = vec![("FAILPOINTS".to_owned(), armed)];
    // It may abort before it says where it listens, or before it is open; what
    // is written then waits in the network.
    let armed = Engine::start(&network, folder.path(), &EngineOptions { env });
    write_all(&network, CUSTOMERS, EACH).await;
    if let Ok(mut engine) = armed {
        eventually(&format!("the abort at {point}"), || {
            let ended = engine.ended();
            async move { Ok(ended?.then_some(())) }
        })
        .await
        .unwrap();
    }
    let _clean = Engine::start(&network, folder.path(), &EngineOptions::default()).unwrap();
    check_replies(&network, CUSTOMERS, EACH).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_around_the_intake_commit() {
    crash_at("intake.before_commit", 2, None).await;
    crash_at("intake.committed", 2, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_around_the_decision_commit() {
    crash_at("dispatch.before_commit", 2, None).await;
    crash_at("dispatch.committed", 2, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_around_the_send() {
    crash_at("send.before", 2, None).await;
    crash_at("send.acked", 2, None).await;
    crash_at("send.committed", 2, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_around_any_commit_of_the_store() {
    for skip in [3, 17, 41] {
        crash_at("store.commit.before", skip, None).await;
        crash_at("store.commit.after", skip, None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_around_a_webhooks_answer() {
    let url = receiver().await;
    crash_at("deliver.answered", 2, Some(&url)).await;
    crash_at("deliver.before_commit", 2, Some(&url)).await;
    crash_at("deliver.committed", 2, Some(&url)).await;
}

/// A receiver that answers each message as the flow does.
async fn receiver() -> String {
    use axum::routing::post;
    use axum::{Json, Router};
    let app = Router::new().route(
        "/",
        post(|Json(body): Json<Value>| async move {
            if body["event"] != "message_received" {
                return Json(json!({"ok": true}));
            }
            let text = format!("re {}", body["data"]["text"].as_str().unwrap());
            Json(json!({"actions": [{"type": "text", "to": body["data"]["chatId"], "text": text}]}))
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}
