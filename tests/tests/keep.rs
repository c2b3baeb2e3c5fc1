#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
//! An engine among its neighbours in time: the one before it, whose work it goes
//! on with, and the one after it, to which it hands over.

use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use warest_tests::{Answer, Engine, EngineOptions, KEY, Network, binary, call, eventually};

const BOT: &str = "6281500000000";
const ANA: &str = "6281600000001";

fn options(env: &[(&str, &str)]) -> EngineOptions {
    EngineOptions { env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect() }
}

fn customer(index: usize) -> String {
    format!("62817{index:08}")
}

async fn paired(network: &Network, data_dir: &Path, env: &[(&str, &str)]) -> Engine {
    let engine = Engine::start(network, data_dir, &options(env)).unwrap();
    engine.pair(network, "shop", BOT).await.unwrap();
    engine
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_under_load_hand_over_without_loss_or_repeat() {
    const CUSTOMERS: usize = 6;
    const EACH: usize = 40;
    let folder = tempfile::tempdir().unwrap();
    let network = Arc::new(Network::start().unwrap());
    for index in 0..CUSTOMERS {
        network.phone(&customer(index)).await.unwrap();
    }
    // A busy machine must not turn a stop in order into one that is cut off.
    let patient = [("WAREST_SHUTDOWN_DEADLINE_MS", "40000")];
    let mut engine = paired(&network, folder.path(), &patient).await;
    engine.flow(r#"reply("re " + event.data.text);"#).await.unwrap();
    let writing = tokio::spawn({
        let network = network.clone();
        async move {
            for number in 0..EACH {
                for index in 0..CUSTOMERS {
                    network.say(&customer(index), BOT, &number.to_string()).await.unwrap();
                }
            }
        }
    });
    for _ in 0..4 {
        // The moment of the stop is the random part of this test.
        tokio::time::sleep(Duration::from_millis(rand::random_range(100..700))).await;
        assert!(engine.stop().await.unwrap(), "it ended well");
        engine = Engine::start(&network, folder.path(), &options(&patient)).unwrap();
    }
    writing.await.unwrap();
    for index in 0..CUSTOMERS {
        let phone = customer(index);
        let replies = eventually(&format!("all replies at {phone}"), || async {
            let replies = network.received(&phone).await?;
            Ok((replies.len() >= EACH).then_some(replies))
        })
        .await
        .unwrap();
        let texts: Vec<&str> = replies.iter().map(|reply| reply["text"].as_str().unwrap()).collect();
        let expected: Vec<String> = (0..EACH).map(|number| format!("re {number}")).collect();
        assert_eq!(texts, expected, "at {phone}");
        let repeats: u64 = replies.iter().map(|reply| reply["repeats"].as_u64().unwrap()).sum();
        assert_eq!(repeats, 0, "a stop in order sends nothing a second time, not even under the same id");
    }
    assert!(engine.stop().await.unwrap());
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What `/server/ready` says: HTTP status and `state`.
async fn ready(url: &str) -> anyhow::Result<(u16, String)> {
    let answer = call(Method::GET, &format!("{url}/api/v1/server/ready"), None).await?;
    let state = answer.body.pointer("/results/0/state").and_then(Value::as_str).unwrap_or_default();
    Ok((answer.status, state.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_port_answers_from_the_first_moment_and_old_work_comes_after_ready() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::start().unwrap();
    network.phone(ANA).await.unwrap();
    let mut engine = paired(&network, folder.path(), &[]).await;
    let actions = json!([{"act": "delay", "ms": 1_500}, {"type": "text", "to": ANA, "text": "left behind"}]);
    let started = engine.api(Method::POST, "/session/shop/actions", Some(json!({"actions": actions}))).await.unwrap();
    assert_eq!(started.status, 202, "{started:?}");
    let run = started.body.pointer("/result/runId").and_then(Value::as_str).unwrap().to_owned();
    engine.kill().unwrap();

    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let slow = "start.opening=sleep(1500);resume.before=sleep(4000)";
    let slow = options(&[("PORT", &port.to_string()), ("FAILPOINTS", slow)]);
    let network = Arc::new(network);
    let starting = tokio::task::spawn_blocking({
        let (network, folder) = (network.clone(), folder.path().to_owned());
        move || Engine::start(&network, &folder, &slow).unwrap()
    });
    eventually("an answer while it starts", || async {
        let (status, state) = ready(&url).await?;
        assert_eq!((status, state.as_str()), (503, "starting"), "it was ready before it could be");
        Ok(Some(()))
    })
    .await
    .unwrap();
    let early = call(Method::GET, &format!("{url}/api/v1/runs"), None).await.unwrap();
    assert_eq!((early.status, early.body["code"].as_u64()), (503, Some(8_001)), "{early:?}");
    eventually("ready", || async { Ok((ready(&url).await?.0 == 200).then_some(())) }).await.unwrap();
    let engine = starting.await.unwrap();
    let left = engine.api(Method::GET, &format!("/runs/{run}"), None).await.unwrap();
    assert_eq!(left.body.pointer("/result/state"), Some(&json!("active")), "{left:?}");
    assert_eq!(network.received(ANA).await.unwrap(), Vec::<Value>::new(), "old work waited for ready");
    network.wait_text(ANA, "left behind").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_one_engine_and_is_free_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::start().unwrap();
    let mut first = Engine::start(&network, folder.path(), &options(&[])).unwrap();
    let mut second = Command::new(binary("WAREST_BIN").unwrap());
    second.args(["sandbox", "--bare", "--simnet", &network.url]).arg("--data-dir").arg(folder.path());
    second.env("PORT", "0").env("HOST", "127.0.0.1").env("WAREST_ADMIN_APIKEY", KEY);
    let refused = second.output().unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains(&folder.path().display().to_string()) && said.contains("in use"), "{said}");
    assert!(said.contains(&format!("process {}", first.pid())), "{said}");
    assert_eq!(ready(&first.url).await.unwrap().0, 200, "the first one is not disturbed");
    first.kill().unwrap();
    let again = Engine::start(&network, folder.path(), &options(&[])).unwrap();
    assert_eq!(ready(&again.url).await.unwrap().0, 200);
}

/// A receiver that never answers a message, and tells of each that comes.
async fn hanging_receiver() -> (String, mpsc::UnboundedReceiver<()>) {
    use axum::routing::post;
    use axum::{Json, Router};
    let (tell, told) = mpsc::unbounded_channel();
    let app = Router::new().route(
        "/",
        post(move |Json(body): Json<Value>| {
            let tell = tell.clone();
            async move {
                if body["event"] == "message_received" {
                    tell.send(()).unwrap();
                    std::future::pending::<()>().await;
                }
                Json(json!({"ok": true}))
            }
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, told)
}

/// An engine that was asked to stop while a webhook hangs, and what the receiver
/// tells from then on.
async fn draining(network: &Network, data_dir: &Path, deadline_ms: &str) -> (Engine, mpsc::UnboundedReceiver<()>) {
    network.phone(ANA).await.unwrap();
    let env = [("WAREST_SHUTDOWN_DEADLINE_MS", deadline_ms), ("WAREST_WEBHOOK_TIMEOUT_MS", "600000")];
    let engine = paired(network, data_dir, &env).await;
    let (url, mut told) = hanging_receiver().await;
    let config = json!({"webhookUrl": url, "webhookSecret": "s"});
    let set = engine.api(Method::POST, "/session/shop/config", Some(config)).await.unwrap();
    assert_eq!(set.status, 200, "{set:?}");
    network.say(ANA, BOT, "hello").await.unwrap();
    told.recv().await.unwrap();
    engine.terminate().unwrap();
    (engine, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_drains_new_work_is_refused_and_a_second_signal_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::start().unwrap();
    let (mut engine, _told) = draining(&network, folder.path(), "600000").await;
    let refused: Answer = eventually("a refusal", || async {
        let letter = json!({"sessionId": "shop", "to": ANA, "message": "too late"});
        let answer = engine.api(Method::POST, "/messages/send/text", Some(letter)).await?;
        Ok((answer.status == 503).then_some(answer))
    })
    .await
    .unwrap();
    assert_eq!(refused.body["code"], 8_001, "{refused:?}");
    assert_eq!(ready(&engine.url).await.unwrap(), (503, "stopping".to_owned()));
    let ping = engine.api(Method::GET, "/server/ping", None).await.unwrap();
    assert_eq!(ping.status, 200, "{ping:?}");
    assert!(!engine.ended().unwrap(), "it drains");
    engine.terminate().unwrap();
    // Without the second signal it would wait for the receiver for minutes.
    assert!(!engine.wait_end().await.unwrap(), "it says that it did not end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_receiver_holds_up_a_stop_no_longer_than_the_deadline_and_is_served_again() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::start().unwrap();
    let (mut engine, mut told) = draining(&network, folder.path(), "2000").await;
    let begun = Instant::now();
    assert!(engine.wait_end().await.unwrap(), "it ended in order");
    assert!(begun.elapsed() < Duration::from_secs(20), "the receiver would have hung for minutes");
    let _next = Engine::start(&network, folder.path(), &options(&[])).unwrap();
    let again = tokio::time::timeout(warest_tests::DEADLINE, told.recv()).await;
    again.expect("the next start delivers what was under way").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_removes_what_ended_long_ago_and_nothing_that_is_owed() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::start().unwrap();
    network.phone(ANA).await.unwrap();
    let keep: Vec<(String, String)> = ["EVENTS", "RUNS", "JOBS", "DELIVERIES", "DEAD"]
        .iter()
        .map(|kind| (format!("WAREST_RETENTION_{kind}"), "1s".to_owned()))
        .chain([("WAREST_RETENTION_EVERY".to_owned(), "1s".to_owned())])
        .collect();
    let engine = Engine::start(&network, folder.path(), &EngineOptions { env: keep }).unwrap();
    engine.pair(&network, "shop", BOT).await.unwrap();
    // Owed: a webhook that hangs, and a run that waits for an hour.
    let (url, mut told) = hanging_receiver().await;
    let config = json!({"webhookUrl": url, "webhookSecret": "s"});
    let set = engine.api(Method::POST, "/session/shop/config", Some(config)).await.unwrap();
    assert_eq!(set.status, 200, "{set:?}");
    let waits = json!({"actions": [{"act": "delay", "seconds": 3_600}, {"type": "text", "to": ANA, "text": "late"}]});
    let waits = engine.api(Method::POST, "/session/shop/actions", Some(waits)).await.unwrap();
    let waits = waits.body.pointer("/result/runId").and_then(Value::as_str).unwrap().to_owned();
    network.say(ANA, BOT, "owed").await.unwrap();
    told.recv().await.unwrap();
    let events = engine.api(Method::GET, "/events?event=message_received", None).await.unwrap();
    let owed = events.body.pointer("/results/0/id").and_then(Value::as_str).unwrap().to_owned();
    // Not owed: a run and a send that have ended.
    let ends = json!({"actions": [{"type": "text", "to": ANA, "text": "done"}]});
    let ends = engine.api(Method::POST, "/session/shop/actions", Some(ends)).await.unwrap();
    let ends = ends.body.pointer("/result/runId").and_then(Value::as_str).unwrap().to_owned();
    network.wait_text(ANA, "done").await.unwrap();

    let status = async |path: String| Ok::<_, anyhow::Error>(engine.api(Method::GET, &path, None).await?.status);
    eventually("the end of what had ended", || async {
        Ok((status(format!("/runs/{ends}")).await? == 404).then_some(()))
    })
    .await
    .unwrap();
    eventually("a sweep that kept what is owed", || async {
        let storage = engine.api(Method::GET, "/server/storage", None).await?.body;
        let owed = storage.pointer("/result/lastSweep/owed/events").and_then(Value::as_u64);
        Ok(owed.is_some_and(|owed| owed >= 1).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(status(format!("/events/{owed}")).await.unwrap(), 200, "its delivery is under way");
    assert_eq!(status(format!("/runs/{waits}")).await.unwrap(), 200, "it waits");
}

/// Runs the binary to its end; whether it ended well, and all it said.
fn warest(args: &[&str], data_dir: &Path) -> (bool, String, String) {
    let mut command = Command::new(binary("WAREST_BIN").unwrap());
    let output = command.args(args).arg("--data-dir").arg(data_dir).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_restored_elsewhere_and_does_nothing_by_itself() {
    const CUSTOMERS: usize = 3;
    let folder = tempfile::tempdir().unwrap();
    let network = Arc::new(Network::start().unwrap());
    for index in 0..CUSTOMERS {
        network.phone(&customer(index)).await.unwrap();
    }
    let engine = paired(&network, folder.path(), &[]).await;
    engine.flow(r#"reply("re " + event.data.text);"#).await.unwrap();
    let waits =
        json!({"actions": [{"act": "delay", "seconds": 5}, {"type": "text", "to": customer(0), "text": "once"}]});
    let waits = engine.api(Method::POST, "/session/shop/actions", Some(waits)).await.unwrap();
    let waits = waits.body.pointer("/result/runId").and_then(Value::as_str).unwrap().to_owned();
    let writing = tokio::spawn({
        let network = network.clone();
        async move {
            for number in 0..30 {
                for index in 0..CUSTOMERS {
                    network.say(&customer(index), BOT, &number.to_string()).await.unwrap();
                }
            }
        }
    });
    network.wait_text(&customer(0), "re 3").await.unwrap();
    let events = engine.api(Method::GET, "/events?limit=500&event=message_received", None).await.unwrap();
    let before: Vec<String> = events.body["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(!before.is_empty());

    let apart = tempfile::tempdir().unwrap();
    let file = apart.path().join("warest.backup");
    let name = file.to_str().unwrap().to_owned();
    let (data_dir, backup) = (folder.path().to_owned(), name.clone());
    let (made, out, err) = tokio::task::spawn_blocking(move || warest(&["backup", &backup], &data_dir)).await.unwrap();
    assert!(made, "{err}");
    assert!(err.contains("master key is not in the backup"), "{err}");
    let manifest: Value = serde_json::from_str(&out).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!(manifest["sha256"], hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&bytes)));
    assert_eq!(manifest["bytes"].as_u64(), Some(bytes.len() as u64));
    assert!(manifest["counts"]["events"].as_u64().unwrap() >= before.len() as u64, "{manifest}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(!warest(&["backup", &name], folder.path()).0, "a backup is never overwritten");
    writing.await.unwrap();

    let (taken, _, err) = warest(&["restore", &name, "--force"], folder.path());
    assert!(!taken && err.contains("in use"), "an engine works there: {err}");
    let elsewhere = tempfile::tempdir().unwrap();
    let (made, _, err) = warest(&["restore", &name], elsewhere.path());
    assert!(!made && err.contains("master.key"), "{err}");
    std::fs::copy(folder.path().join("master.key"), elsewhere.path().join("master.key")).unwrap();
    let (made, _, err) = warest(&["restore", &name, "--sha256", &"0".repeat(64)], elsewhere.path());
    assert!(!made && err.contains("SHA-256"), "{err}");
    let (made, out, err) = warest(&["restore", &name, "--hold", "--unpair"], elsewhere.path());
    assert!(made, "{err}");
    assert!(out.contains("1 sessions were unpaired") && out.contains("Held back"), "{out}");
    let (made, _, err) = warest(&["restore", &name], elsewhere.path());
    assert!(!made && err.contains("--force"), "{err}");

    let mut second = Engine::start(&network, elsewhere.path(), &options(&[])).unwrap();
    for id in &before {
        let event = second.api(Method::GET, &format!("/events/{id}"), None).await.unwrap();
        assert_eq!(event.status, 200, "{id}");
    }
    let held = second.api(Method::GET, &format!("/runs/{waits}"), None).await.unwrap();
    assert_eq!(held.body.pointer("/result/error/code"), Some(&json!("held_by_restore")), "{held:?}");
    second.wait_state("shop", "logged_out").await.unwrap();
    assert!(second.stop().await.unwrap());
    let (made, out, err) = warest(&["restore", &name, "--force", "--hold", "--unpair"], elsewhere.path());
    assert!(made && out.contains(".before-"), "{out}{err}");

    // The first engine is alone with its work, and does it once.
    network.wait_text(&customer(0), "once").await.unwrap();
    network.wait_text(&customer(CUSTOMERS - 1), "re 29").await.unwrap();
    let received = network.received(&customer(0)).await.unwrap();
    assert_eq!(received.iter().filter(|message| message["text"] == "once").count(), 1);
    assert_eq!(received.iter().map(|message| message["repeats"].as_u64().unwrap()).sum::<u64>(), 0);
}
