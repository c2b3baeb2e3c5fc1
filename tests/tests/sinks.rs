#![allow(clippy::unwrap_used, missing_docs)]
//! The Redis sink over the real binary and a real server: whatever fails, each
//! event arrives at least once, in the order of the log.

use fred::prelude::{Builder, Client, ClientLike, Config, StreamsInterface};
use fred::types::Value as Answer;
use prost::Message;
use reqwest::Method;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use warest_proto::v1;
use warest_tests::{Engine, EngineOptions, Network, eventually};

const BOT: &str = "6281700000000";
const CUSTOMER: &str = "6281700000001";
const PASSWORD: &str = "a-password-of-this-test";
const STREAM: &str = "warest:events";

/// A server of its own, which keeps what it was told.
struct Redis {
    port: u16,
    child: Child,
}

impl Redis {
    async fn start(folder: &Path) -> Self {
        let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        Self::start_at(free, folder).await
    }

    async fn start_at(port: u16, folder: &Path) -> Self {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--requirepass", PASSWORD]);
        command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"]);
        command.arg("--dir").arg(folder);
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        let redis = Self { port, child };
        redis.client().await;
        redis
    }

    fn url(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    async fn client(&self) -> Client {
        eventually("redis-server", || async {
            let client = Builder::from_config(Config::from_url(&self.url())?).build()?;
            client.init().await?;
            client.ping::<String>(None).await?;
            Ok(Some(client))
        })
        .await
        .unwrap()
    }

    /// The entries of the stream, oldest first.
    async fn entries(&self) -> Vec<HashMap<String, Answer>> {
        let client = self.client().await;
        let entries = client.xrange_values::<String, String, Answer, _, _, _>(STREAM, "-", "+", None).await.unwrap();
        client.quit().await.unwrap();
        entries.into_iter().map(|(_, fields)| fields).collect()
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn options(redis: &Redis, more: &[(&str, &str)]) -> EngineOptions {
    let mut env = vec![("WAREST_STREAM_REDIS_URL".to_owned(), redis.url())];
    env.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    EngineOptions { env }
}

fn text(entry: &HashMap<String, Answer>, field: &str) -> String {
    entry[field].as_string().unwrap()
}

/// Every event in the log, oldest first.
async fn log(engine: &Engine) -> Vec<Value> {
    let mut events = engine.api(Method::GET, "/events?limit=500", None).await.unwrap().body["results"].take();
    let events = events.as_array_mut().unwrap();
    assert!(events.len() < 500, "the log has more than a page");
    events.reverse();
    events.clone()
}

async fn sink(engine: &Engine) -> Value {
    engine.api(Method::GET, "/server/sinks", None).await.unwrap().body["results"][0].take()
}

/// Waits until the sink has everything.
async fn caught_up(engine: &Engine) {
    eventually("a sink that has everything", || async {
        let sink = sink(engine).await;
        Ok((sink["behind"] == 0 && sink["state"] == "ok").then_some(()))
    })
    .await
    .unwrap();
}

async fn say(network: &Network, numbers: std::ops::Range<usize>) {
    for number in numbers {
        network.say(CUSTOMER, BOT, &number.to_string()).await.unwrap();
    }
}

/// Waits until the log has that many messages.
async fn logged(engine: &Engine, messages: usize) {
    eventually(&format!("{messages} messages in the log"), || async {
        let log = log(engine).await;
        Ok((log.iter().filter(|event| event["event"] == "message_received").count() >= messages).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_ends_each_event_arrives_in_order_and_at_least_once() {
    let folder = tempfile::tempdir().unwrap();
    let (data, kept) = (folder.path().join("engine"), folder.path().join("redis"));
    std::fs::create_dir_all(&kept).unwrap();
    let network = Network::start().unwrap();
    network.phone(CUSTOMER).await.unwrap();
    let mut redis = Redis::start(&kept).await;
    let mut engine = Engine::start(&network, &data, &options(&redis, &[])).unwrap();
    engine.pair(&network, "shop", BOT).await.unwrap();
    say(&network, 0..10).await;
    logged(&engine, 10).await;
    caught_up(&engine).await;

    // Without a server nothing waits, and nothing is lost.
    let port = redis.port;
    redis.kill();
    say(&network, 10..20).await;
    logged(&engine, 20).await;
    let failing = eventually("a sink that fails", || async {
        let sink = sink(&engine).await;
        Ok((sink["state"] == "failing").then_some(sink))
    })
    .await
    .unwrap();
    assert!(failing["behind"].as_u64().unwrap() >= 10, "{failing}");
    assert!(!failing.to_string().contains(PASSWORD), "{failing}");
    redis = Redis::start_at(port, &kept).await;
    caught_up(&engine).await;

    // Stopped while nobody takes events, it goes on from there.
    redis.kill();
    say(&network, 20..30).await;
    logged(&engine, 30).await;
    assert!(engine.stop().await.unwrap());
    redis = Redis::start_at(port, &kept).await;
    engine = Engine::start(&network, &data, &options(&redis, &[])).unwrap();
    caught_up(&engine).await;

    // Cut off between what the server took and what is noted of it.
    engine.kill().unwrap();
    say(&network, 30..40).await;
    let crash = [("FAILPOINTS", "sink.before_commit=1*off->1*return")];
    if let Ok(mut engine) = Engine::start(&network, &data, &options(&redis, &crash)) {
        eventually("the crash", || {
            let ended = engine.ended();
            async move { Ok(ended?.then_some(())) }
        })
        .await
        .unwrap();
    }
    engine = Engine::start(&network, &data, &options(&redis, &[])).unwrap();
    engine.wait_state("shop", "open").await.unwrap();
    logged(&engine, 40).await;
    caught_up(&engine).await;

    // Each is there, the first of each in the order of the log, and as it was.
    let (log, entries) = (log(&engine).await, redis.entries().await);
    let mut firsts: Vec<&HashMap<String, Answer>> = Vec::new();
    for entry in &entries {
        if firsts.iter().all(|first| text(first, "id") != text(entry, "id")) {
            firsts.push(entry);
        }
    }
    assert!(entries.len() > firsts.len(), "the crash was to have an event told twice");
    assert_eq!(firsts.len(), log.len());
    for (entry, event) in firsts.iter().zip(&log) {
        assert_eq!((text(entry, "id"), text(entry, "event")), (of(event, "id"), of(event, "event")));
        assert_eq!((text(entry, "session"), text(entry, "user").starts_with("usr_")), (of(event, "sessionId"), true));
        let record = v1::Event::decode(entry["record"].as_bytes().unwrap()).unwrap();
        assert_eq!((record.id, record.ts_ms), (of(event, "id"), event["ts"].as_i64().unwrap()));
        assert_eq!(record.chat, event["chat"].as_str().map(str::to_owned));
        assert_eq!(serde_json::from_slice::<Value>(&record.data).unwrap(), event["data"]);
    }
}

fn of(event: &Value, field: &str) -> String {
    event[field].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_trimmed_and_a_full_server_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::start().unwrap();
    network.phone(CUSTOMER).await.unwrap();
    let redis = Redis::start(folder.path()).await;
    let trimmed = options(&redis, &[("WAREST_STREAM_REDIS_MAX_LEN", "20")]);
    let engine = Engine::start(&network, &folder.path().join("engine"), &trimmed).unwrap();
    engine.pair(&network, "shop", BOT).await.unwrap();
    // Redis trims by whole nodes, of 100 entries unless it is set otherwise.
    let admin = redis.client().await;
    let set =
        |name: &'static str, value: &'static str| admin.custom::<(), _>(fred::cmd!("CONFIG"), vec!["SET", name, value]);
    set("stream-node-max-entries", "10").await.unwrap();
    say(&network, 0..60).await;
    logged(&engine, 60).await;
    caught_up(&engine).await;
    let kept = redis.entries().await;
    assert!((20..=30).contains(&kept.len()), "{} entries are kept", kept.len());

    // A server without room takes nothing of a batch, and all of it later.
    set("maxmemory", "1").await.unwrap();
    say(&network, 60..70).await;
    logged(&engine, 70).await;
    let error =
        eventually("a sink that fails", || async { Ok(sink(&engine).await["error"].as_str().map(str::to_owned)) });
    let error = error.await.unwrap();
    assert!(error.contains("OOM"), "{error}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    set("maxmemory", "0").await.unwrap();
    caught_up(&engine).await;
    let ids: Vec<_> = redis.entries().await.iter().map(|entry| text(entry, "id")).collect();
    let last: Vec<_> = log(&engine).await.iter().rev().take(10).rev().map(|event| of(event, "id")).collect();
    assert_eq!(ids[ids.len() - 10..], last[..]);
    assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), ids.len(), "a batch was taken in part");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_names_no_server_stops_the_start_without_showing_it() {
    for url in ["http://:a-password@127.0.0.1", "redis", "redis://", "redis://u:12#a-password@127.0.0.1"] {
        let mut command = Command::new(warest_tests::binary("WAREST_BIN").unwrap());
        let folder = tempfile::tempdir().unwrap();
        command.args(["sandbox", "--bare", "--data-dir"]).arg(folder.path()).env("PORT", "0");
        let ended = command.env("WAREST_STREAM_REDIS_URL", url).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!ended.status.success() && said.contains("WAREST_STREAM_REDIS_URL"), "{url}: {said}");
        assert!(!said.contains("a-password"), "{said}");
    }
}
