#![allow(clippy::unwrap_used, missing_docs)]
//! Hostile guests fail their own runs, each with its own fault, while a flow
//! beside them keeps answering.

use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use warest_tests::{Engine, EngineOptions, Network, eventually};

const BOT: &str = "6281500000001";
const ANA: &str = "6281500000002";
const MALLORY: &str = "6281500000003";

/// A flow that answers pings and misbehaves on request.
const SCRIPT: &str = r#"
fn deep(n) { deep(n + 1) + 1 }
let text = event.data.text;
if text == "script loop" { while true {} }
if text == "script recurse" { deep(0); }
if text == "script grow" { let s = "x"; while true { s += s; } }
"#;

async fn stage() -> (Network, tempfile::TempDir, Engine) {
    let network = Network::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(&network, folder.path(), &EngineOptions::default()).unwrap();
    engine.pair(&network, "shop", BOT).await.unwrap();
    for phone in [ANA, MALLORY] {
        network.phone(phone).await.unwrap();
    }
    engine.flow(r#"if event.data.text.starts_with("ping") { reply("pong" + event.data.text); }"#).await.unwrap();
    engine.flow(SCRIPT).await.unwrap();
    let component = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/hostile/hostile.wasm")).unwrap();
    engine.plugin(component, "hostile", "shop", json!({})).await.unwrap();
    (network, folder, engine)
}

/// The fault codes of all failed runs.
async fn faults(engine: &Engine) -> Vec<String> {
    let runs = engine.api(Method::GET, "/runs?state=failed&limit=200", None).await.unwrap();
    let runs = runs.body["results"].as_array().cloned().unwrap_or_default();
    runs.iter().filter_map(|run| run["error"]["code"].as_str().map(str::to_owned)).collect()
}

/// Round trips of `count` pings, one after another; the middle one.
async fn ping_latency(network: &Network, tag: &str, count: usize) -> Duration {
    let mut took = Vec::new();
    for number in 0..count {
        let text = format!("ping{tag}{number}");
        let begun = Instant::now();
        network.say(ANA, BOT, &text).await.unwrap();
        network.wait_text(ANA, &format!("pong{text}")).await.unwrap();
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    took[count / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_guests_fail_alone_and_with_a_fault_that_says_why() {
    let (network, _folder, engine) = stage().await;
    for text in ["!loop", "!allocate", "!trap", "!huge", "script loop", "script recurse", "script grow"] {
        network.say(MALLORY, BOT, text).await.unwrap();
    }
    let calm = ping_latency(&network, "a", 5).await;
    let expected = [
        "guest_deadline",
        "guest_memory",
        "guest_trap",
        "plan_too_large",
        "script_too_many_operations",
        "script_too_deep",
        "script_too_large",
    ];
    let found = eventually("every fault", || async {
        let found = faults(&engine).await;
        Ok((found.len() >= expected.len()).then_some(found))
    })
    .await
    .unwrap();
    for code in expected {
        let alike = code == "script_too_many_operations" && found.iter().any(|code| code == "script_deadline");
        assert!(alike || found.iter().any(|found| found == code), "{code} is not among {found:?}");
    }
    // Said for people; the bench compares with and without load in one run.
    println!("median ping beside hostile guests: {calm:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_guests_hand_over_is_listed_with_its_cause() {
    let (network, _folder, engine) = stage().await;
    network.say(MALLORY, BOT, "!trap").await.unwrap();
    let run = eventually("the failed run", || async {
        let runs = engine.api(Method::GET, "/runs?state=failed", None).await?.body["results"].clone();
        Ok(runs.as_array().and_then(|runs| runs.first().cloned()))
    })
    .await
    .unwrap();
    assert_eq!(run["error"]["kind"], "fail", "{run}");
    assert!(run.to_string().contains("plugin:hostile"), "{run}");
    assert_ne!(run["error"]["message"], Value::Null);
}
