#![allow(clippy::unwrap_used, missing_docs)]
//! The queue as a client has it: scheduled, cancelled, done once for a key, in
//! bulk, held and wedged. What counts is what the phones show.

use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use warest_tests::{Answer, Engine, EngineOptions, KEY, Network, call, client, eventually};

const BOT: &str = "6281500000000";
const ANA: &str = "6281500000001";
const BEN: &str = "6281500000002";

struct Stage {
    network: Network,
    folder: tempfile::TempDir,
    engine: Engine,
    options: EngineOptions,
}

impl Stage {
    async fn new(env: &[(&str, &str)]) -> Self {
        let network = Network::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let options = EngineOptions { env };
        let engine = Engine::start(&network, folder.path(), &options).unwrap();
        engine.pair(&network, "shop", BOT).await.unwrap();
        for phone in [ANA, BEN] {
            network.phone(phone).await.unwrap();
        }
        Self { network, folder, engine, options }
    }

    /// Kills the engine as a power cut would, and starts it anew.
    async fn crash(&mut self) {
        self.engine.kill().unwrap();
        self.engine = Engine::start(&self.network, self.folder.path(), &self.options).unwrap();
    }

    async fn api(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.engine.api(method, path, body).await.unwrap()
    }

    async fn send(&self, to: &str, text: &str) -> Answer {
        let letter = json!({"sessionId": "shop", "to": to, "message": text});
        self.api(Method::POST, "/messages/send/text", Some(letter)).await
    }

    /// Waits until a job fits, and answers it.
    async fn job(&self, id: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        eventually(what, || async {
            let job = self.engine.api(Method::GET, &format!("/jobs/{id}"), None).await?.body["result"].clone();
            Ok(fits(&job).then_some(job))
        })
        .await
        .unwrap()
    }

    async fn texts(&self, phone: &str) -> Vec<String> {
        let all = self.network.received(phone).await.unwrap();
        all.iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    }

    /// Has messages from the bot refused.
    async fn nack(&self, code: u16, count: u32, to: Option<&str>) {
        let mut fault = json!({"kind": "nack", "phone": BOT, "count": count, "code": code});
        if let Some(to) = to {
            fault["to"] = to.into();
        }
        let made = call(Method::POST, &format!("{}/faults", self.network.url), Some(fault)).await.unwrap();
        assert_eq!(made.status, 201, "{made:?}");
    }
}

fn job_of(answer: &Answer) -> String {
    answer.body["results"][0]["jobId"].as_str().unwrap_or_else(|| panic!("no job: {answer:?}")).to_owned()
}

fn in_ms(ms: u64) -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_millis() as u64 + ms
}

async fn once(engine: &Engine, key: &str, body: &Value) -> anyhow::Result<(u16, bool, Value)> {
    let request = client()?.post(format!("{}/api/v1/messages/send/text", engine.url)).header("x-warest-api-key", KEY);
    let response = request.header("idempotency-key", key).json(body).send().await?;
    let (status, replayed) = (response.status().as_u16(), response.headers().contains_key("idempotency-replayed"));
    Ok((status, replayed, response.json().await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_scheduled_survives_a_crash_and_goes_out_once_unless_cancelled() {
    let mut stage = Stage::new(&[]).await;
    let at = in_ms(4_000);
    let letter = |text: &str, at: Value| json!({"sessionId": "shop", "to": ANA, "message": text, "scheduleAt": at});
    let post = |body| stage.api(Method::POST, "/messages/send/text", Some(body));
    let soon = post(letter("at its time", at.into())).await;
    assert_eq!((soon.status, &soon.body["code"]), (202, &json!(1003)), "{soon:?}");
    let later = post(letter("much later", in_ms(3_600_000).into())).await;
    let never = post(letter("never", in_ms(4_000).into())).await;
    let gone = stage.api(Method::DELETE, &format!("/jobs/{}", job_of(&never)), None).await;
    assert_eq!((gone.status, &gone.body["code"]), (200, &json!(7004)), "{gone:?}");
    // The chat goes on meanwhile.
    assert_eq!(stage.send(ANA, "before").await.status, 200);

    stage.crash().await;
    let again = stage.api(Method::DELETE, &format!("/jobs/{}", job_of(&never)), None).await;
    assert_eq!((again.status, &again.body["code"]), (409, &json!(2003)), "{again:?}");
    let sent = stage.job(&job_of(&soon), "the scheduled text", |job| job["state"] == "sent").await;
    assert!(sent["sentAt"].as_u64().unwrap() >= at, "{sent}");
    let time = json!({"scheduleAt": in_ms(0)});
    let moved = stage.api(Method::PATCH, &format!("/jobs/{}", job_of(&later)), Some(time)).await;
    assert_eq!((moved.status, &moved.body["code"]), (202, &json!(7000)), "{moved:?}");
    stage.network.wait_text(ANA, "much later").await.unwrap();
    assert_eq!(stage.texts(ANA).await, ["before", "at its time", "much later"]);
    let shown = stage.network.received(ANA).await.unwrap();
    assert!(shown.iter().all(|message| message["repeats"] == 0), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_a_key_sends_one_message_through_any_crash() {
    let mut stage = Stage::new(&[]).await;
    for (number, point) in
        ["store.commit.before", "store.commit.after", "send.before", "send.acked", "send.committed"].iter().enumerate()
    {
        stage.engine.kill().unwrap();
        let env = vec![("FAILPOINTS".to_owned(), format!("{point}=1*off->1*return"))];
        let body = json!({"sessionId": "shop", "to": ANA, "message": format!("text {number}")});
        let key = format!("key {number}");
        // It aborts sooner or later, mostly with the request under way.
        if let Ok(mut engine) = Engine::start(&stage.network, stage.folder.path(), &EngineOptions { env }) {
            let _ = once(&engine, &key, &body).await;
            engine.kill().unwrap();
        }
        stage.engine = Engine::start(&stage.network, stage.folder.path(), &stage.options).unwrap();
        // A client repeats until it is told.
        let answer = eventually("an answer", || async {
            let answer = once(&stage.engine, &key, &body).await?;
            Ok((answer.0 == 200 || answer.0 == 202).then_some(answer))
        })
        .await
        .unwrap();
        let (status, replayed, again) = once(&stage.engine, &key, &body).await.unwrap();
        assert_eq!((status, replayed, &again), (answer.0, true, &answer.2), "at {point}");
        let shown = stage.network.wait_text(ANA, &format!("text {number}")).await.unwrap();
        assert_eq!(shown["id"], again["results"][0]["messageId"], "at {point}");
        let other = json!({"sessionId": "shop", "to": ANA, "message": "something else"});
        let (status, _, refused) = once(&stage.engine, &key, &other).await.unwrap();
        assert_eq!((status, &refused["code"]), (409, &json!(2009)));
    }
    assert_eq!(stage.texts(ANA).await, (0..5).map(|number| format!("text {number}")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_survives_a_crash_and_a_rest_send_overtakes_it() {
    const MANY: usize = 300;
    let mut stage = Stage::new(&[("WAREST_QUEUE_CONCURRENCY", "1")]).await;
    let customers: Vec<String> = (0..MANY).map(|index| format!("62816{index:08}")).collect();
    for phone in &customers {
        stage.network.phone(phone).await.unwrap();
    }
    let order = json!({"sessionId": "shop", "to": customers, "message": "to all"});
    let stored = stage.api(Method::POST, "/messages/send/bulk", Some(order)).await;
    assert_eq!((stored.status, &stored.body["code"]), (202, &json!(1002)), "{stored:?}");
    let path = format!("/messages/send/bulk/{}", stored.body["result"]["bulkId"].as_str().unwrap());
    let progress = async |engine: &Engine| -> anyhow::Result<Value> {
        Ok(engine.api(Method::GET, &path, None).await?.body["result"].clone())
    };
    eventually("the bulk's beginning", || async {
        let bulk = progress(&stage.engine).await?;
        Ok((bulk["counts"]["sent"].as_u64() > Some(5)).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(stage.send(ANA, "urgent").await.status, 200);
    let bulk = progress(&stage.engine).await.unwrap();
    assert!(bulk["counts"]["waiting"].as_u64() > Some(0), "the send did not wait for the bulk: {bulk}");

    stage.crash().await;
    let bulk = eventually("the bulk's end", || async {
        let bulk = progress(&stage.engine).await?;
        Ok((bulk["done"] == true).then_some(bulk))
    })
    .await
    .unwrap();
    assert_eq!((&bulk["counts"]["sent"], &bulk["percent"]["sent"]), (&json!(MANY), &json!(100.0)), "{bulk}");
    for phone in &customers {
        assert_eq!(stage.texts(phone).await, ["to all"], "at {phone}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_rate_holds_the_session_until_one_message_passes() {
    let mut stage = Stage::new(&[("WAREST_QUEUE_HOLD_SESSION_MS", "1500")]).await;
    stage.nack(429, 2, None).await;
    let letter = json!({"sessionId": "shop", "to": ANA, "message": "first", "scheduleAt": in_ms(200)});
    let first = job_of(&stage.api(Method::POST, "/messages/send/text", Some(letter)).await);
    let refused = stage.job(&first, "the first refusal", |job| job["attempts"] == 1).await;
    let begun = std::time::Instant::now();
    assert_eq!((&refused["state"], &refused["error"]["code"]), (&json!("queued"), &json!("overlimit")));
    // Neither a restart nor another chat presses on.
    stage.crash().await;
    let second = job_of(&stage.send(BEN, "second").await);
    stage.job(&first, "the first text", |job| job["state"] == "sent").await;
    stage.job(&second, "the second text", |job| job["state"] == "sent").await;
    assert!(begun.elapsed() > Duration::from_secs(4), "1.5 s and 3 s were waited: {:?}", begun.elapsed());
    let stats = call(Method::GET, &format!("{}/stats", stage.network.url), None).await.unwrap();
    assert_eq!(stats.body["counters"]["messages.refused"], 2, "one trial for each hold: {stats:?}");
    assert_eq!((stage.texts(ANA).await, stage.texts(BEN).await), (vec!["first".to_owned()], vec!["second".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_chat_is_held_then_wedged_and_comes_back_by_hand() {
    let env = [("WAREST_QUEUE_HOLD_CHAT_MS", "700"), ("WAREST_QUEUE_MAX_RETRIES", "1")];
    let mut stage = Stage::new(&env).await;
    stage.nack(463, 2, Some(ANA)).await;
    let locked = stage.send(ANA, "locked out").await;
    assert_eq!((locked.status, &locked.body["code"]), (429, &json!(3001)), "{locked:?}");
    assert_eq!(locked.body["results"][0]["status"], "text wedged");
    assert_eq!(stage.send(BEN, "to another").await.status, 200, "other chats are not held");
    assert_eq!(stage.send(ANA, "after it").await.status, 200, "its chat goes on");

    stage.crash().await;
    let wedged = stage.api(Method::GET, "/jobs?session=shop&state=wedged", None).await.body["results"].clone();
    assert_eq!(wedged.as_array().unwrap().len(), 1, "{wedged}");
    assert_eq!((&wedged[0]["error"]["code"], &wedged[0]["attempts"]), (&json!("reach_out_locked"), &json!(2)));
    let back = stage.api(Method::POST, "/jobs/unwedge", Some(json!({"sessionId": "shop"}))).await;
    assert_eq!((back.status, &back.body["result"]["unwedged"]), (202, &json!(1)), "{back:?}");
    stage.network.wait_text(ANA, "locked out").await.unwrap();
    assert_eq!(stage.texts(ANA).await, ["after it", "locked out"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_tells_that_its_message_was_delivered_and_read() {
    let stage = Stage::new(&[]).await;
    let sent = stage.send(ANA, "look").await;
    let job = stage.job(&job_of(&sent), "the delivery", |job| job["status"] == "delivered").await;
    assert!(job["deliveredAt"].as_u64().is_some() && job["readAt"].is_null(), "{job}");
    let url = format!("{}/phones/{ANA}/read", stage.network.url);
    let id = sent.body["results"][0]["messageId"].clone();
    let read = call(Method::POST, &url, Some(json!({"chat": BOT, "ids": [id]}))).await.unwrap();
    assert!(read.status < 300, "{read:?}");
    let job = stage.job(&job_of(&sent), "the read receipt", |job| job["status"] == "read").await;
    assert!(job["readAt"].as_u64() >= job["sentAt"].as_u64().map(|at| at / 1_000 * 1_000), "{job}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_phone_could_not_read_is_sent_again_by_the_next_process() {
    // Between hearing of it and answering it.
    let mut stage = Stage::new(&[("FAILPOINTS", "unreadable.committed=return")]).await;
    let fault = json!({"kind": "garble", "count": 1, "phone": BOT});
    let made = call(Method::POST, &format!("{}/faults", stage.network.url), Some(fault)).await.unwrap();
    assert_eq!(made.status, 201, "{made:?}");
    let text = json!({"sessionId": "shop", "to": ANA, "message": "can you read this?"});
    // The engine may be gone before it answers.
    let _ = stage.engine.api(Method::POST, "/messages/send/text", Some(text)).await;
    eventually("the crash", || {
        let ended = stage.engine.ended();
        async move { Ok(ended?.then_some(())) }
    })
    .await
    .unwrap();
    assert_eq!(stage.network.received(ANA).await.unwrap(), Vec::<Value>::new());

    stage.options = EngineOptions::default();
    stage.crash().await;
    stage.network.wait_text(ANA, "can you read this?").await.unwrap();
    // The repeat is shown once, and what is sent later comes later.
    let text = json!({"sessionId": "shop", "to": ANA, "message": "and this?"});
    stage.engine.api(Method::POST, "/messages/send/text", Some(text)).await.unwrap();
    stage.network.wait_text(ANA, "and this?").await.unwrap();
    let shown = stage.network.received(ANA).await.unwrap();
    let texts: Vec<&str> = shown.iter().filter_map(|message| message["text"].as_str()).collect();
    assert_eq!(texts, ["can you read this?", "and this?"]);
}
