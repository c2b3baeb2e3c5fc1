//! Presence, calls, and what people and other devices change.

use crate::stage::{ANA, BOT, BUDI, SHOP, Stage, jid};
use reqwest::Method;
use serde_json::{Value, json};
use warest_tests::{Files, base64};

#[tokio::test]
async fn presence_and_calls_are_seen() {
    let stage = Stage::open().await;
    stage.network.say(ANA, BOT, "hi").await.unwrap();
    stage.api(Method::POST, "/profile/presence/subscribe", json!({ "sessionId": SHOP, "to": ANA })).await;
    for (state, wanted) in [("composing", "composing"), ("recording", "recording"), ("paused", "paused")] {
        stage.act(&format!("/phones/{ANA}/typing"), json!({ "to": BOT, "state": state })).await;
        let name = format!("presence_update_{wanted}");
        stage.seen(&name, "presence_update", |data| data["presence"] == wanted).await;
    }
    for state in ["available", "unavailable"] {
        stage.act(&format!("/phones/{ANA}/presence"), json!({ "state": state })).await;
        let name = format!("presence_update_{state}");
        stage.seen(&name, "presence_update", |data| data["presence"] == state).await;
    }

    let call = stage.act(&format!("/phones/{ANA}/call"), json!({ "to": BOT, "video": true })).await;
    let call = call["id"].as_str().unwrap();
    let of = |status: &'static str| move |data: &Value| data["callId"] == call && data["status"] == status;
    stage.seen("call_offer", "call", of("offer")).await;
    stage.act(&format!("/phones/{ANA}/call/{call}/end"), json!({})).await;
    stage.seen("call_missed", "call", of("missed")).await;
}

#[tokio::test]
async fn what_people_change_of_themselves_is_seen() {
    let stage = Stage::open().await;
    let said = stage.network.say(ANA, BOT, "hi").await.unwrap();
    stage.seen("message_received_hi", "message_received", |data| data["messageId"] == said.as_str()).await;
    let profile = format!("/phones/{ANA}/profile");
    let set = async |change: Value| stage.network.act(Method::PUT, &profile, change).await.unwrap();
    set(json!({ "about": "busy" })).await;
    stage.seen("contact_update_about", "contact_update", |data| data["change"] == "about").await;
    let picture = Files::make().unwrap().jpg;
    set(json!({ "picture": base64(&picture) })).await;
    stage.seen("contact_update_picture", "contact_update", |data| data["change"] == "picture").await;
    set(json!({ "picture": "" })).await;
    let removed = |data: &Value| data["change"] == "picture" && data["removed"] == true;
    stage.seen("contact_update_picture_removed", "contact_update", removed).await;
}

#[tokio::test]
async fn what_the_phone_sets_is_seen() {
    let stage = Stage::open().await;
    let said = stage.network.say(ANA, BOT, "star me").await.unwrap();
    let other = stage.network.say(ANA, BOT, "and me").await.unwrap();
    let chat = format!("/phones/{BOT}/chats/{ANA}");
    for (on, off, change) in [
        (json!({ "archive": true }), json!({ "archive": false }), "archive"),
        (json!({ "mute": -1 }), json!({ "mute": 0 }), "mute"),
    ] {
        let cause = async || {
            for set in [&on, &off] {
                stage.act(&chat, set.clone()).await;
            }
        };
        stage.until_news("chat_update", |data| data["change"] == change, cause).await;
    }
    for (name, set, change, value) in [
        ("archive", json!({ "archive": true }), "archive", true),
        ("unarchive", json!({ "archive": false }), "archive", false),
        ("pin", json!({ "pin": true }), "pin", true),
        ("unpin", json!({ "pin": false }), "pin", false),
        ("mute", json!({ "mute": -1 }), "mute", true),
        ("unmute", json!({ "mute": 0 }), "mute", false),
        ("unread", json!({ "read": false }), "read", false),
        ("read", json!({ "read": true }), "read", true),
    ] {
        stage.act(&chat, set).await;
        let fits = |data: &Value| data["change"] == change && data["value"] == value && data["chatId"] == jid(ANA);
        stage.seen(&format!("chat_update_{name}"), "chat_update", fits).await;
    }
    for (on, name) in [(true, "star"), (false, "unstar")] {
        let star = json!({ "chat": ANA, "id": said, "on": on });
        stage.act(&format!("/phones/{BOT}/star"), star).await;
        let fits = |data: &Value| data["change"] == "star" && data["value"] == on;
        let seen = stage.seen(&format!("chat_update_{name}"), "chat_update", fits).await;
        assert_eq!(seen["key"]["id"], said.as_str());
    }
    stage.act(&format!("/phones/{BOT}/read"), json!({ "chat": ANA, "ids": [other] })).await;
    let fits = |data: &Value| data["change"] == "read" && data["ids"] == json!([other]);
    stage.seen("chat_update_read_ids", "chat_update", fits).await;

    let labels = format!("/phones/{BOT}/labels");
    let label = async || drop(stage.act(&labels, json!({ "id": "1", "name": "New", "color": 1 })).await);
    stage.until_news("label_update", |_| true, label).await;
    let label = json!({ "name": "Paid", "color": 3 });
    let label = stage.act(&labels, label).await["id"].as_str().unwrap().to_owned();
    stage.seen("label_update", "label_update", |data| data["label"]["name"] == "Paid").await;
    stage.act(&chat, json!({ "label": { "id": label, "on": true } })).await;
    stage.seen("label_update_chat", "label_update", |data| data["association"]["labeled"] == true).await;
    stage.act(&chat, json!({ "label": { "id": label, "on": false } })).await;
    stage.seen("label_update_chat_off", "label_update", |data| data["association"]["labeled"] == false).await;
    let gone = json!({ "id": label, "name": "Paid", "color": 3, "deleted": true });
    stage.act(&labels, gone).await;
    stage.seen("label_update_deleted", "label_update", |data| data["label"]["deleted"] == true).await;

    let contacts = format!("/phones/{BOT}/contacts");
    let save = async |contact: Value| drop(stage.network.act(Method::PUT, &contacts, contact).await.unwrap());
    let contact = async || save(json!({ "phone": ANA, "name": "Ana" })).await;
    stage.until_news("contact_update", |data| data["change"] == "saved", contact).await;
    save(json!({ "phone": BUDI, "name": "Budi from the shop" })).await;
    stage.seen("contact_update_saved", "contact_update", |data| data["name"] == "Budi from the shop").await;
    stage.network.act(Method::PUT, &format!("/phones/{BOT}/push-name"), json!({ "name": "The shop" })).await.unwrap();
    let named = |data: &Value| data["changed"].to_string().contains("pushName");
    stage.seen("creds_update_push_name", "creds_update", named).await;

    stage.act(&chat, json!({ "clear": true })).await;
    stage.seen("chat_update_clear", "chat_update", |data| data["change"] == "clear").await;
    stage.act(&chat, json!({ "delete": true })).await;
    stage.seen("chat_update_delete", "chat_update", |data| data["change"] == "delete").await;
}
