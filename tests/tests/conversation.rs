#![allow(clippy::unwrap_used, missing_docs)]
//! A phone writes, and a flow, a plugin and a webhook answer: everything over
//! HTTP and the real protocol.

use reqwest::Method;
use serde_json::{Value, json};
use warest_tests::{Engine, EngineOptions, Network, eventually};

const BOT: &str = "6281100000001";
const ANA: &str = "6281100000002";

async fn stage() -> (Network, tempfile::TempDir, Engine) {
    let network = Network::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(&network, folder.path(), &EngineOptions::default()).unwrap();
    engine.pair(&network, "shop", BOT).await.unwrap();
    network.phone(ANA).await.unwrap();
    (network, folder, engine)
}

#[tokio::test]
async fn a_flow_answers() {
    let (network, _folder, engine) = stage().await;
    engine.flow(r#"if event.data.text == "ping" { reply("pong"); }"#).await.unwrap();
    network.say(ANA, BOT, "ping").await.unwrap();
    let pong = network.wait_text(ANA, "pong").await.unwrap();
    assert_eq!(pong["repeats"], 0);

    // The whole way can be looked up: event, run, step, message id.
    let runs = engine.api(Method::GET, "/runs?session=shop", None).await.unwrap();
    let run = runs.body["results"][0]["id"].as_str().unwrap().to_owned();
    let run = eventually("the run's end", || async {
        let run = engine.api(Method::GET, &format!("/runs/{run}"), None).await?.body["result"].clone();
        Ok((run["state"] == "done").then_some(run))
    })
    .await
    .unwrap();
    assert_eq!(run["steps"][0]["messageId"], pong["id"], "{run}");
    assert_eq!(run["steps"][0]["state"], "done");
}

#[tokio::test]
async fn the_sample_plugin_answers_and_keeps_state_for_each_chat() {
    let (network, _folder, engine) = stage().await;
    let component = include_bytes!("../../plugins/echo/echo.wasm").to_vec();
    engine.plugin(component, "echo", "shop", json!({})).await.unwrap();
    network.say(ANA, BOT, "!ping").await.unwrap();
    network.wait_text(ANA, "pong from a plugin").await.unwrap();
    for _ in 0..2 {
        network.say(ANA, BOT, "!count").await.unwrap();
    }
    eventually("a count of two", || async {
        let texts = network.received(ANA).await?;
        Ok(texts.iter().any(|text| text["text"].as_str().is_some_and(|text| text.contains('2'))).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn rest_sends_and_runs_actions_and_scripts() {
    let (network, _folder, engine) = stage().await;
    let text = json!({"sessionId": "shop", "to": ANA, "text": "from REST"});
    let sent = engine.api(Method::POST, "/messages/send/text", Some(text)).await.unwrap();
    assert_eq!(sent.status, 200, "{sent:?}");
    network.wait_text(ANA, "from REST").await.unwrap();

    let actions = json!({"actions": [
        {"act": "typing", "to": ANA, "ms": 20},
        {"act": "queue", "delayMs": 10, "items": [
            {"type": "text", "to": ANA, "text": "one"}, {"type": "text", "to": ANA, "text": "two"}
        ]},
        {"act": "when", "cond": "no", "then": [{"type": "text", "to": ANA, "text": "never"}],
         "else": [{"type": "text", "to": ANA, "text": "three"}]},
        {"act": "retry", "attempts": 2, "delayMs": 10, "item": {"type": "text", "to": ANA, "text": "four"}},
        {"act": "parallel", "items": [{"type": "text", "to": ANA, "text": "five"}, {"type": "noop"}]}
    ]});
    let begun = engine.api(Method::POST, "/session/shop/actions", Some(actions)).await.unwrap();
    assert_eq!(begun.status, 202, "{begun:?}");
    network.wait_text(ANA, "five").await.unwrap();
    let texts: Vec<Value> = network.received(ANA).await.unwrap().iter().map(|text| text["text"].clone()).collect();
    assert_eq!(texts, ["from REST", "one", "two", "three", "four", "five"]);

    let script = json!({"script": format!("text(\"{ANA}\", \"from a script\");")});
    let begun = engine.api(Method::POST, "/session/shop/actions", Some(script)).await.unwrap();
    assert_eq!(begun.status, 202, "{begun:?}");
    network.wait_text(ANA, "from a script").await.unwrap();
}

#[tokio::test]
async fn reactions_and_read_receipts_reach_the_phone() {
    let (network, _folder, engine) = stage().await;
    engine.flow(r#"read(); react("👍"); reply("seen");"#).await.unwrap();
    let id = network.say(ANA, BOT, "look").await.unwrap();
    network.wait_text(ANA, "seen").await.unwrap();
    eventually("the reaction", || async {
        let all = network.received(ANA).await?;
        Ok(all.iter().any(|message| message["kind"] == "reaction" && message.to_string().contains(&id)).then_some(()))
    })
    .await
    .unwrap();
    eventually("the read receipt", || async {
        let url = format!("{}/phones/{ANA}/receipts", network.url);
        let receipts = warest_tests::call(Method::GET, &url, None).await?.body.to_string();
        Ok((receipts.contains(&id) && receipts.contains("read")).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_replies_of_a_chat_keep_the_order_of_its_messages() {
    let (network, _folder, engine) = stage().await;
    engine.flow(r#"reply("re " + event.data.text);"#).await.unwrap();
    let expected: Vec<String> = (0..100).map(|number| format!("re {number}")).collect();
    for number in 0..100 {
        network.say(ANA, BOT, &number.to_string()).await.unwrap();
    }
    network.wait_text(ANA, "re 99").await.unwrap();
    let replies = network.received(ANA).await.unwrap();
    let texts: Vec<&str> = replies.iter().filter_map(|reply| reply["text"].as_str()).collect();
    assert_eq!(texts, expected);
}
