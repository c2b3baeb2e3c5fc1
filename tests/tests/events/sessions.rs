//! What becomes of a session, and of its targets.

use crate::stage::{ANA, BOT, SHOP, Stage, jid};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn pairing_is_told() {
    let stage = Stage::set().await;
    let past = json!({ "chats": 2, "messagesPerChat": 10, "with": [ANA], "unread": 1, "pinned": 1 });
    stage.act(&format!("/phones/{BOT}/history"), past).await;
    // It showed a code before anybody was there to be told.
    stage.api(Method::POST, "/session/reconnect", json!({ "sessionId": SHOP })).await;
    stage.engine.pair(&stage.network, SHOP, BOT).await.unwrap();
    stage.seen("session_status_qr", "session_status", |data| data["state"] == "qr").await;
    stage.seen("session_status_open", "session_status", |data| data["state"] == "open").await;
    stage.seen("creds_update", "creds_update", |data| data["changed"].to_string().contains("identity")).await;
    let with_messages = |data: &serde_json::Value| data["messages"].as_u64().is_some_and(|many| many > 0);
    stage.seen("history_sync", "history_sync", with_messages).await;
}

#[tokio::test]
async fn an_account_that_is_logged_out_is_told() {
    let stage = Stage::open().await;
    stage.network.act(Method::DELETE, &format!("/phones/{BOT}/devices/1"), json!({})).await.unwrap();
    let logged_out = |data: &serde_json::Value| data["state"] == "logged_out";
    // Nobody is left to report it.
    stage.heard("session_status_logged_out", "session_status", logged_out).await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_told_to_the_others() {
    let stage = Stage::open().await;
    stage.target("gone", json!({ "events": ["message_received"] })).await;
    stage.network.say(ANA, BOT, "hello").await.unwrap();
    let gone = stage.seen("webhook_status_gone", "webhook_status", |data| data["state"] == "gone").await;
    assert_eq!(gone["sessionId"], SHOP);
    assert!(stage.has("message_received", |data| data["chatId"] == jid(ANA)));
}
