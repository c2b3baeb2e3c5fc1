#![allow(clippy::unwrap_used, missing_docs)]
//! The guards with the real binary: what a phone gets, and what a client is told.

use reqwest::Method;
use serde_json::{Value, json};
use warest_tests::{Answer, Engine, EngineOptions, KEY, Network, client, eventually};

const BOT: &str = "6281100000001";
const ANA: &str = "6281100000002";
const BEN: &str = "6281100000003";

struct Stage {
    network: Network,
    engine: Engine,
    _folder: tempfile::TempDir,
}

async fn stage(env: &[(&str, &str)]) -> Stage {
    let network = Network::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let engine = Engine::start(&network, folder.path(), &EngineOptions { env }).unwrap();
    engine.pair(&network, "shop", BOT).await.unwrap();
    network.phone(ANA).await.unwrap();
    network.phone(BEN).await.unwrap();
    Stage { network, engine, _folder: folder }
}

impl Stage {
    async fn send(&self, to: &str, text: &str) -> Answer {
        let letter = json!({ "sessionId": "shop", "to": to, "message": text });
        self.engine.api(Method::POST, "/messages/send/text", Some(letter)).await.unwrap()
    }

    async fn tune(&self, changes: Value) {
        let set = self.engine.api(Method::PUT, "/session/shop/guards", Some(changes)).await.unwrap();
        assert_eq!(set.status, 200, "{set:?}");
    }
}

#[tokio::test]
async fn stop_from_a_phone_ends_it_and_start_takes_it_up_again() {
    let guards = r#"{"optOut": {"confirmation": "You get no more messages. START takes it back."}}"#;
    let stage = stage(&[("WAREST_GUARDS", guards)]).await;
    stage.engine.flow(r#"reply("you said " + event.data.text);"#).await.unwrap();
    stage.network.say(ANA, BOT, "hello").await.unwrap();
    stage.network.wait_text(ANA, "you said hello").await.unwrap();
    stage.network.say(ANA, BOT, "Stop").await.unwrap();
    stage.network.wait_text(ANA, "You get no more messages. START takes it back.").await.unwrap();

    let refused = stage.send(ANA, "news").await;
    assert_eq!((refused.status, &refused.body["code"]), (403, &json!(3005)), "{}", refused.body);
    assert_eq!(stage.send(BEN, "news").await.status, 200, "others get theirs");
    // The flow's answer to STOP is a failed run that says why.
    eventually("the run that failed", || async {
        let failed = stage.engine.api(Method::GET, "/runs?state=failed", None).await?;
        let Some(id) = failed.body["results"][0]["id"].as_str() else { return Ok(None) };
        let run = stage.engine.api(Method::GET, &format!("/runs/{id}"), None).await?;
        Ok(run.body.to_string().contains("recipient_opted_out").then_some(()))
    })
    .await
    .unwrap();
    let listed = stage.engine.api(Method::GET, "/optouts", None).await.unwrap();
    assert!(listed.body.to_string().contains(ANA), "{}", listed.body);

    stage.network.say(ANA, BOT, "START").await.unwrap();
    stage.network.wait_text(ANA, "you said START").await.unwrap();
    let sent = stage.send(ANA, "welcome back").await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    stage.network.wait_text(ANA, "welcome back").await.unwrap();
    let texts: Vec<Value> =
        stage.network.received(ANA).await.unwrap().iter().map(|text| text["text"].clone()).collect();
    assert_eq!(
        texts,
        ["you said hello", "You get no more messages. START takes it back.", "you said START", "welcome back"]
    );
}

#[tokio::test]
async fn a_quota_is_told_in_headers_and_refuses_beyond_it() {
    let stage = stage(&[("QUOTA_MAX", "2"), ("QUOTA_WINDOW_MS", "600000")]).await;
    let url = format!("{}/api/v1/messages/send/text", stage.engine.url);
    let letter = json!({ "sessionId": "shop", "to": ANA, "message": "x" });
    let send = async || {
        let request = client().unwrap().post(&url).header("x-warest-api-key", KEY).json(&letter);
        let answer = request.send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let headers = (header("x-quota-limit"), header("x-quota-remaining"), header("retry-after"));
        (answer.status().as_u16(), headers, answer.json::<Value>().await.unwrap())
    };
    for left in ["1", "0"] {
        let (status, headers, body) = send().await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(headers, (Some("2".to_owned()), Some(left.to_owned()), None));
    }
    let (status, (_, left, after), body) = send().await;
    assert_eq!((status, &body["code"], left.as_deref()), (429, &json!(2401), Some("0")), "{body}");
    assert!(after.unwrap().parse::<u64>().unwrap() > 500);
    assert_eq!(stage.network.received(ANA).await.unwrap().len(), 2);
}

#[tokio::test]
async fn quiet_hours_delay_and_say_until_when() {
    let stage = stage(&[("WAREST_TIMEZONE", "Asia/Jakarta")]).await;
    // All of the day but one hour that is not now.
    let hour = (std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() / 3_600 + 7) % 24;
    let time = |hour: u64| format!("{:02}:00", hour % 24);
    stage.tune(json!({ "quietHours": { "enabled": true, "from": time(hour + 23), "to": time(hour + 3) } })).await;
    let later = stage.send(ANA, "in the morning").await;
    assert_eq!((later.status, &later.body["code"]), (202, &json!(3000)), "{}", later.body);
    let result = &later.body["results"][0];
    assert_eq!(result["error"]["code"], "guard_quiet_hours", "{result}");
    let path = format!("/jobs/{}", result["jobId"].as_str().unwrap());
    let job = eventually("the job's row says why", || async {
        let job = stage.engine.api(Method::GET, &path, None).await?.body["result"].clone();
        Ok((job["state"] == "scheduled").then_some(job))
    })
    .await
    .unwrap();
    assert_eq!((&job["state"], &job["attempts"], &job["dueAt"]), (&json!("scheduled"), &json!(0), &result["dueAt"]));
    // An answer is let through meanwhile.
    stage.engine.flow(r#"reply("we are closed");"#).await.unwrap();
    stage.network.say(BEN, BOT, "hello?").await.unwrap();
    stage.network.wait_text(BEN, "we are closed").await.unwrap();
    assert_eq!(stage.network.received(ANA).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_paced_session_answers_as_if_it_typed() {
    let stage = stage(&[]).await;
    let pacing = json!({ "enabled": true, "charsPerSecond": 20, "minTypingMs": 300, "gapMs": 200, "jitter": 0.2 });
    stage.tune(json!({ "pacing": pacing })).await;
    stage.engine.flow(r#"reply("a sentence of forty characters, or about");"#).await.unwrap();
    let begun = std::time::Instant::now();
    stage.network.say(ANA, BOT, "hello").await.unwrap();
    stage.network.wait_text(ANA, "a sentence of forty characters, or about").await.unwrap();
    assert!(begun.elapsed() > std::time::Duration::from_millis(1_500), "typed in {:?}", begun.elapsed());
}
