#![allow(clippy::unwrap_used, missing_docs)]
//! An independent client, Baileys, in the simulated network: alone with a phone, and with the engine
//! as a contact, in groups, and as a second device of the same account. The scenarios are those of
//! `tests/interop/scenarios`.

use reqwest::Method;
use std::path::Path;
use std::process::Command;
use warest_tests::{Engine, EngineOptions, KEY, Network, call};

const BOT: &str = "6281700000001";
const SESSION: &str = "shop";

/// Runs a scenario; what it printed says what failed.
async fn play(scenario: &str, network: &Network, folder: &Path, engine: Option<&Engine>) {
    let root = call(Method::GET, &format!("{}/root", network.url), None).await.unwrap().body;
    let authority = folder.join("media.pem");
    std::fs::write(&authority, root["mediaCertificate"].as_str().unwrap()).unwrap();
    let mut node = Command::new("node");
    node.args(["main.mjs", scenario]).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/interop"));
    node.env("SIMNET", &network.url).env("NODE_EXTRA_CA_CERTS", authority);
    if let Some(engine) = engine {
        node.env("ENGINE", &engine.url).env("KEY", KEY).env("SESSION", SESSION).env("BOT", BOT);
    }
    let run = node.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}");
}

/// The same with an engine, whose session the phone `BOT` has linked.
async fn play_with_engine(scenario: &str) {
    let network = Network::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(&network, folder.path(), &EngineOptions::default()).unwrap();
    engine.pair(&network, SESSION, BOT).await.unwrap();
    play(scenario, &network, folder.path(), Some(&engine)).await;
}

#[tokio::test]
async fn baileys_pairs_receives_and_sends() {
    let network = Network::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    play("network", &network, folder.path(), None).await;
}

#[tokio::test]
async fn baileys_and_the_engine_write_to_each_other() {
    play_with_engine("contact").await;
}

#[tokio::test]
async fn baileys_and_the_engine_share_groups() {
    play_with_engine("groups").await;
}

#[tokio::test]
async fn baileys_and_the_engine_are_devices_of_one_account() {
    play_with_engine("companion").await;
}
