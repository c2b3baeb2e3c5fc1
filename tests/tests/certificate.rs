#![allow(clippy::unwrap_used, missing_docs)]
//! A build that could reach WhatsApp refuses the simulated network, and a
//! build that takes the simulated network reaches nothing but this machine.

use reqwest::Method;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use warest_tests::{Engine, EngineOptions, KEY, Network, binary, call, eventually};

#[tokio::test]
async fn the_build_as_shipped_refuses_simnets_certificate() {
    let network = Network::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let endpoint = format!("{}/ws/chat", network.url.replace("http://", "ws://"));
    let mut child = Command::new(binary("WAREST_DEFAULT_BIN").unwrap())
        .args(["serve", "--host", "127.0.0.1", "--port", "0"])
        .arg("--data-dir")
        .arg(folder.path())
        .env("WAREST_ADMIN_APIKEY", KEY)
        .env("WAREST_WHATSAPP_ENDPOINT", endpoint)
        .env("LOG_LEVEL", "debug")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    // Closed after its first line: an engine goes on without its terminal.
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().rsplit(' ').next().unwrap().to_owned();
    let created = call(Method::POST, &format!("{url}/api/v1/session/create"), Some(json!({"sessionId": "x"}))).await;
    assert!(!created.unwrap().body.to_string().contains("qrString"));

    // It dialled and the handshake came to the certificate, which it refused.
    let mut refused = false;
    let errors = BufReader::new(child.stderr.take().unwrap());
    let begun = Instant::now();
    for line in errors.lines().map_while(Result::ok) {
        refused = line.to_lowercase().contains("cert");
        if refused || begun.elapsed() > Duration::from_secs(30) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(refused, "the log never spoke of the certificate");
}

#[tokio::test]
async fn a_sandbox_build_reaches_nothing_but_loopback() {
    let network = Network::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(&network, folder.path(), &EngineOptions::default()).unwrap();
    engine.pair(&network, "shop", "6281200000001").await.unwrap();
    for url in ["http://93.184.216.34/hook", "https://10.0.0.1/", "http://169.254.169.254/"] {
        let config = json!({"webhookUrl": url});
        let refused = engine.api(Method::POST, "/session/shop/config", Some(config)).await.unwrap();
        assert_eq!(refused.status, 400, "{url}: {refused:?}");
        assert!(refused.body["message"].as_str().unwrap().contains("loopback"), "{refused:?}");
    }
}

#[tokio::test]
async fn a_sandbox_attached_to_another_machine_never_connects() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(binary("WAREST_BIN").unwrap())
        .args(["sandbox", "--bare", "--simnet", "http://192.0.2.1:7309"])
        .arg("--data-dir")
        .arg(folder.path())
        .env("PORT", "0")
        .env("WAREST_ADMIN_APIKEY", KEY)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ended = eventually("the refusal", || {
        let ended = child.try_wait();
        async move { Ok(ended?) }
    })
    .await;
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!ended.unwrap().success());
    assert!(said.contains("loopback"), "{said}");
}
