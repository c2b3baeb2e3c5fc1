#![allow(clippy::unwrap_used, missing_docs)]
//! Every message and action of the contract, asked for in each of the four ways
//! that there are: by REST, in a webhook's answer, by a flow, by a plugin. What
//! counts is what the phone shows, and what it finds in the file.

mod stage;
mod table;

use reqwest::Method;
use serde_json::{Value, json};
use stage::{ANA, BOT, Stage, WAYS};
use table::rows;
use warest_tests::Files;

/// Sends every row of the table in one way.
async fn sends_all(way: &'static str) {
    let files = Files::make().unwrap();
    let stage = Stage::set(&rows(&files)).await;
    for row in rows(&files) {
        let shown = stage.ask(way, &row).await;
        assert_eq!(shown["kind"], row.kind, "{way} {}: {shown:#}", row.name);
        assert_eq!(shown["repeats"], 0, "{way} {}", row.name);
        (row.check)(&shown);
        if let Some(file) = &row.file {
            stage.check_file(way, &row, &shown, file).await;
        }
    }
}

#[tokio::test]
async fn rest_sends_every_message() {
    sends_all("rest").await;
}

#[tokio::test]
async fn a_webhooks_answer_sends_every_message() {
    sends_all("hook").await;
}

#[tokio::test]
async fn a_flow_sends_every_message() {
    sends_all("flow").await;
}

#[tokio::test]
async fn a_plugin_sends_every_message() {
    sends_all("plugin").await;
}

#[tokio::test]
async fn every_control_action_takes_effect_in_every_way() {
    let stage = Stage::set(&[]).await;
    for way in WAYS {
        let theirs = stage.network.say(ANA, BOT, &format!("look {way}")).await.unwrap();
        let theirs = json!({ "remoteJid": stage::jid(ANA), "id": theirs, "fromMe": false });
        stage.act(way, "react", &json!({ "act": "react", "key": theirs, "emoji": "👍" })).await;
        stage.until_message(ANA, &theirs, "the reaction", |one| one["reactions"].to_string().contains("👍")).await;
        stage.act(way, "read", &json!({ "act": "read", "key": theirs })).await;
        stage.until_receipt(ANA, &theirs, "read").await;
        stage.act(way, "star", &json!({ "act": "star", "key": theirs })).await;
        stage.until_list(BOT, "starred", "a star", |list| list.contains(theirs["id"].as_str().unwrap())).await;
        stage.act(way, "unstar", &json!({ "act": "unstar", "key": theirs })).await;
        stage.until_list(BOT, "starred", "no star", |list| !list.contains(theirs["id"].as_str().unwrap())).await;

        let said = format!("first {way}");
        stage.act(way, "say", &json!({ "type": "text", "to": ANA, "text": said })).await;
        let ours = stage.network.wait_text(ANA, &said).await.unwrap();
        let ours = json!({ "remoteJid": stage::jid(ANA), "id": ours["id"], "fromMe": true });
        let second = format!("second {way}");
        stage.act(way, "edit", &json!({ "act": "edit", "key": ours, "text": second })).await;
        stage.until_message(ANA, &ours, "the edit", |one| one["text"] == second.as_str()).await;
        stage.act(way, "pin", &json!({ "act": "pin", "key": ours })).await;
        stage.until_message(ANA, &ours, "the pin", |one| !one["pinned"].is_null() && one["pinned"] != false).await;
        stage.act(way, "revoke", &json!({ "act": "revoke", "key": ours })).await;
        stage.until_message(ANA, &ours, "the revocation", |one| one["revoked"] == true).await;

        stage.act(way, "archive", &json!({ "act": "archive", "chat": ANA })).await;
        stage.until_chat(BOT, ANA, "archived", |chat| chat["archived"] == true).await;
        stage.act(way, "unarchive", &json!({ "act": "unarchive", "chat": ANA })).await;
        stage.until_chat(BOT, ANA, "unarchived", |chat| chat["archived"] == false).await;
        stage.act(way, "mute", &json!({ "act": "mute", "chat": ANA, "seconds": 3_600 })).await;
        stage.until_chat(BOT, ANA, "muted", |chat| chat["mutedUntil"].as_i64().is_some_and(|until| until > 0)).await;
        stage.act(way, "unmute", &json!({ "act": "unmute", "chat": ANA })).await;
        stage.until_chat(BOT, ANA, "unmuted", |chat| chat["mutedUntil"].as_i64().is_none_or(|until| until == 0)).await;
    }
}

#[tokio::test]
async fn a_file_that_was_sent_is_one_in_the_history() {
    let files = Files::make().unwrap();
    let stage = Stage::set(&[]).await;
    let rows = rows(&files);
    let row = rows.iter().find(|row| row.name == "document").unwrap();
    let shown = stage.send(row, &stage::jid(ANA)).await;
    let list = format!("/chats/{ANA}/messages?mediaOnly=true&");
    stage.until_api(&list, "the file", |list| list.contains(shown["id"].as_str().unwrap())).await;
    let list = format!("{list}sessionId=shop");
    let list = stage.engine.api(Method::GET, &list, None).await.unwrap().body;
    let sent = &list["result"]["data"][0];
    assert_eq!((&sent["isMedia"], &sent["mediaType"]), (&json!(true), &json!("document")));
    let file = &sent["mediaMetadata"];
    assert_eq!((&file["fileName"], &file["fileSize"]), (&json!("price list.pdf"), &json!(files.pdf.len())));
}

#[tokio::test]
async fn a_status_goes_to_the_people_in_the_address_book() {
    let files = Files::make().unwrap();
    let stage = Stage::set(&[]).await;
    let contact = json!({ "phone": ANA, "name": "Ana" });
    stage.network.act(Method::PUT, &format!("/phones/{BOT}/contacts"), contact).await.unwrap();
    stage.until_api("/profile/list-contacts?type=contacts&", "the contact", |list| list.contains(ANA)).await;
    for row in rows(&files).iter().filter(|row| ["text", "image", "video"].contains(&row.name)) {
        let shown = stage.send(row, "status@broadcast").await;
        assert_eq!((&shown["kind"], &shown["chat"]), (&json!(row.kind), &json!("status@broadcast")), "{shown:#}");
        if let Some(file) = &row.file {
            stage.check_file("status", row, &shown, file).await;
        }
    }
    let gone = json!({ "to": "status@broadcast" });
    let shown = stage.network.received(ANA).await.unwrap();
    let last = &shown.last().unwrap()["id"];
    stage.api(Method::POST, &format!("/messages/{}/action/revoke", last.as_str().unwrap()), gone).await;
    stage.until_message(ANA, &json!({ "id": last }), "the revocation", |one| one["revoked"] == true).await;
}

#[tokio::test]
async fn a_newsletter_is_posted_to_and_its_posts_are_changed() {
    let stage = Stage::set(&[]).await;
    let made = json!({ "name": "Shop news", "owner": BOT });
    let made = stage.network.act(Method::POST, "/newsletters", made).await.unwrap();
    let id = made["id"].as_str().unwrap();
    let reads = |text: &'static str| move |news: &Value| news["posts"][0]["text"] == text;
    let sent = stage.api(Method::POST, "/messages/send/text", json!({ "to": id, "message": "sale today" })).await;
    stage.until_newsletter(id, "the post", reads("sale today")).await;
    let path = format!("/messages/{}/action", sent["results"][0]["messageId"].as_str().unwrap());
    stage.api(Method::POST, &format!("{path}/edit"), json!({ "to": id, "message": "sale tomorrow" })).await;
    stage.until_newsletter(id, "the edit", reads("sale tomorrow")).await;
    stage.api(Method::POST, &format!("{path}/revoke"), json!({ "to": id })).await;
    stage.until_newsletter(id, "the revocation", |news| !news.to_string().contains("sale")).await;
}

#[tokio::test]
async fn what_is_deleted_here_is_deleted_on_the_phone() {
    let stage = Stage::set(&[]).await;
    let theirs = stage.network.say(ANA, BOT, "a slip").await.unwrap();
    let history = format!("/chats/{ANA}/messages?");
    stage.until_api(&history, "the message", |list| list.contains(&theirs)).await;
    stage.api(Method::DELETE, &format!("/messages/{theirs}/action/delete"), json!({ "to": ANA })).await;
    let deleted = |state: &str| state.contains("deleteMessageForMe") && state.contains(&theirs);
    stage.until_list(BOT, "app-state", "the deletion", deleted).await;
    stage.until_api(&history, "no message", |list| !list.contains(&theirs)).await;
}
