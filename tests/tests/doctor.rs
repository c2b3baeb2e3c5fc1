#![allow(clippy::unwrap_used, missing_docs)]
//! `warest doctor` on the stores of real engines: beside one that works, and
//! after kills at random moments.

use serde_json::Value;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use warest_tests::{Engine, EngineOptions, Network, binary};

const BOT: &str = "6281800000000";
const CUSTOMERS: [&str; 3] = ["6281800000001", "6281800000002", "6281800000003"];

async fn check_sound(folder: &Path, when: &str) {
    let mut command = Command::new(binary("WAREST_BIN").unwrap());
    command.args(["doctor", "--json", "--free-mib", "0", "--data-dir"]).arg(folder);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!((output.status.code(), &said["sound"]), (Some(0), &Value::Bool(true)), "{when}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_leave_nothing_to_find() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    // Nobody else enters: the doctor would remark on it.
    std::fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
    let network = Arc::new(Network::start().unwrap());
    for phone in CUSTOMERS {
        network.phone(phone).await.unwrap();
    }
    let mut engine = Engine::start(&network, &folder, &EngineOptions::default()).unwrap();
    engine.pair(&network, "shop", BOT).await.unwrap();
    engine.flow(r#"reply("re " + event.data.text); delay(50); reply("again");"#).await.unwrap();
    let component = include_bytes!("../../plugins/echo/echo.wasm").to_vec();
    engine.plugin(component, "echo", "shop", serde_json::json!({})).await.unwrap();
    let writing = {
        let network = network.clone();
        tokio::spawn(async move {
            for number in 0..60 {
                for phone in CUSTOMERS {
                    network.say(phone, BOT, &format!("!ping {number}")).await.unwrap();
                }
            }
        })
    };
    for _ in 0..5 {
        // The moment of the kill is the random part of this test.
        tokio::time::sleep(Duration::from_millis(rand::random_range(100..600))).await;
        check_sound(&folder, "at work").await;
        engine.kill().unwrap();
        check_sound(&folder, "killed").await;
        engine = Engine::start(&network, &folder, &EngineOptions::default()).unwrap();
    }
    writing.await.unwrap();
    check_sound(&folder, "after all").await;
}
