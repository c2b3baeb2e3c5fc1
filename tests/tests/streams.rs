#![allow(clippy::unwrap_used, missing_docs)]
//! Streams over the real binary: clients that lose their connection, and whose
//! engine is killed, see every event once and in order.

use futures::StreamExt;
use reqwest::Method;
use serde_json::Value;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use warest_tests::{Engine, EngineOptions, KEY, Network, client, eventually};

const BOT: &str = "6281700000000";
const CUSTOMERS: [&str; 3] = ["6281700000001", "6281700000002", "6281700000003"];
const BEGINNING: &str = "evt_00000000000000000000000000";

/// Where the engine is; empty while clients are cut off.
type Address = watch::Receiver<String>;
/// What a client has seen, and where it resumes.
#[derive(Default)]
struct Diary {
    frames: Vec<Value>,
    last: Option<String>,
}
type Shared = Arc<Mutex<Diary>>;

fn note(diary: &Shared, frame: &str) {
    let frame: Value = serde_json::from_str(frame).unwrap();
    let mut diary = diary.lock().unwrap();
    if let Some(id) = frame["id"].as_str() {
        diary.last = Some(id.to_owned());
    }
    diary.frames.push(frame);
}

fn place(diary: &Shared) -> String {
    diary.lock().unwrap().last.clone().unwrap_or_else(|| BEGINNING.to_owned())
}

/// Comes back again and again until the test ends.
async fn keep_watching<F: Future<Output = anyhow::Result<()>>>(mut address: Address, watch: impl Fn(String) -> F) {
    loop {
        let url = address.borrow_and_update().clone();
        tokio::select! {
            changed = address.changed() => if changed.is_err() { return },
            // However it ends, the client comes back.
            _ = watch(url.clone()), if !url.is_empty() => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn watch_sse(url: String, diary: Shared) -> anyhow::Result<()> {
    let request = client()?.get(format!("{url}/api/v1/stream?event=message_received"));
    let request = request.header("x-warest-api-key", KEY).header("last-event-id", place(&diary));
    let mut response = request.send().await?.error_for_status()?;
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        text.extend_from_slice(&chunk);
        // What a crash has cut off is not an event.
        while let Some(end) = text.windows(2).position(|two| two == b"\n\n") {
            let block: Vec<u8> = text.drain(..end + 2).collect();
            let data = std::str::from_utf8(&block)?.lines().find_map(|line| line.strip_prefix("data: "));
            if let Some(data) = data {
                note(&diary, data);
            }
        }
    }
    Ok(())
}

async fn watch_ws(url: String, diary: Shared) -> anyhow::Result<()> {
    let url = url.replace("http://", "ws://");
    let mut request =
        format!("{url}/api/v1/ws?event=message_received&after={}", place(&diary)).into_client_request()?;
    request.headers_mut().insert("x-warest-api-key", KEY.parse()?);
    let (mut socket, _) = connect_async(request).await?;
    while let Some(message) = socket.next().await {
        if let Message::Text(text) = message? {
            note(&diary, &text);
        }
    }
    Ok(())
}

/// Every message in the log, oldest first.
async fn log(engine: &Engine) -> anyhow::Result<Vec<Value>> {
    let (mut events, mut before) = (Vec::new(), String::new());
    loop {
        let path = format!("/events?event=message_received&limit=500{before}");
        let page = engine.api(Method::GET, &path, None).await?.body;
        events.extend(page["results"].as_array().cloned().unwrap_or_default());
        let Some(next) = page["next"].as_str() else { break };
        before = format!("&before={next}");
    }
    events.reverse();
    Ok(events)
}

async fn write_all(network: &Network, each: std::ops::Range<usize>) {
    for number in each {
        for phone in CUSTOMERS {
            network.say(phone, BOT, &number.to_string()).await.unwrap();
        }
    }
}

async fn stage(folder: &std::path::Path) -> (Arc<Network>, Engine) {
    let network = Network::start().unwrap();
    for phone in CUSTOMERS {
        network.phone(phone).await.unwrap();
    }
    let engine = Engine::start(&network, folder, &EngineOptions::default()).unwrap();
    engine.pair(&network, "shop", BOT).await.unwrap();
    (Arc::new(network), engine)
}

/// Waits until both clients have seen `each` messages of every customer.
async fn seen_by_both(diaries: &[Shared; 2], each: usize) {
    for diary in diaries {
        eventually(&format!("{each} messages of each customer"), || async {
            Ok((diary.lock().unwrap().frames.len() >= each * CUSTOMERS.len()).then_some(()))
        })
        .await
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_connections_and_killed_engines_cost_no_event_and_repeat_none() {
    let folder = tempfile::tempdir().unwrap();
    let (network, mut engine) = stage(folder.path()).await;
    let diaries: [Shared; 2] = Default::default();
    let (tell, address) = watch::channel(engine.url.clone());
    let [sse, ws] = diaries.clone();
    tokio::spawn(keep_watching(address.clone(), move |url| watch_sse(url, sse.clone())));
    tokio::spawn(keep_watching(address, move |url| watch_ws(url, ws.clone())));
    write_all(&network, 0..20).await;
    seen_by_both(&diaries, 20).await;

    // Cut off while events come in.
    tell.send_replace(String::new());
    write_all(&network, 20..30).await;
    eventually("the messages in the log", || async { Ok((log(&engine).await?.len() >= 90).then_some(())) })
        .await
        .unwrap();
    tell.send_replace(engine.url.clone());
    seen_by_both(&diaries, 30).await;

    // Killed while events come in.
    let writing = {
        let network = network.clone();
        tokio::spawn(async move { write_all(&network, 30..80).await })
    };
    for _ in 0..4 {
        // The moment of the kill is the random part of this test.
        tokio::time::sleep(Duration::from_millis(rand::random_range(100..700))).await;
        engine.kill().unwrap();
        engine = Engine::start(&network, folder.path(), &EngineOptions::default()).unwrap();
        tell.send_replace(engine.url.clone());
    }
    writing.await.unwrap();
    seen_by_both(&diaries, 80).await;

    let log = log(&engine).await.unwrap();
    assert_eq!(log.len(), 80 * CUSTOMERS.len());
    for (diary, way) in diaries.iter().zip(["server-sent events", "WebSocket"]) {
        let frames = diary.lock().unwrap().frames.clone();
        for (index, (seen, logged)) in frames.iter().zip(&log).enumerate() {
            assert_eq!(seen, logged, "{way}: the event at {index}");
        }
        assert_eq!(frames.len(), log.len(), "{way}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_told_that_the_engine_stops() {
    let folder = tempfile::tempdir().unwrap();
    let (network, mut engine) = stage(folder.path()).await;
    let diaries: [Shared; 2] = Default::default();
    let sse = tokio::spawn(watch_sse(engine.url.clone(), diaries[0].clone()));
    let ws = tokio::spawn(watch_ws(engine.url.clone(), diaries[1].clone()));
    // Both are open once a message came through both.
    network.say(CUSTOMERS[0], BOT, "hello").await.unwrap();
    seen_one(&diaries).await;
    let told = Command::new("kill").arg("-TERM").arg(engine.pid().to_string()).status().unwrap();
    assert!(told.success());
    sse.await.unwrap().unwrap();
    ws.await.unwrap().unwrap();
    for (diary, code) in diaries.iter().zip([1600, 1404]) {
        let last = diary.lock().unwrap().frames.last().cloned().unwrap();
        assert_eq!((&last["event"], &last["data"]["code"]), (&"end".into(), &code.into()));
    }
    eventually("the end of the engine", || {
        let ended = engine.ended();
        async move { Ok(ended?.then_some(())) }
    })
    .await
    .unwrap();
}

async fn seen_one(diaries: &[Shared; 2]) {
    for diary in diaries {
        eventually("a message", || async { Ok((!diary.lock().unwrap().frames.is_empty()).then_some(())) })
            .await
            .unwrap();
    }
}
