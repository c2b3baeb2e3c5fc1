//! What happens in and to groups.

use crate::stage::{ANA, BOT, BUDI, SHOP, Stage};
use reqwest::Method;
use serde_json::{Value, json};
use warest_tests::{Files, base64};

/// Whether an update is of this kind.
fn change(name: &'static str) -> impl Fn(&Value) -> bool {
    move |data| data["change"] == name
}

#[tokio::test]
async fn groups_are_seen_to_change() {
    let stage = Stage::open().await;
    let made = json!({ "subject": "Choir", "participants": [BOT], "description": "we sing" });
    let made = stage.act(&format!("/phones/{ANA}/groups"), made).await;
    let group = made["id"].as_str().unwrap().to_owned();
    let path = |what: &str| format!("/phones/{ANA}/groups/{group}/{what}");
    stage.seen("group_join_created", "group_join", |data| data["chatId"] == group.as_str()).await;

    let said = stage.network.say(ANA, &group, "hello all").await.unwrap();
    stage.seen("message_received_group", "message_received", |data| data["messageId"] == said.as_str()).await;
    stage.seen_as_node("node_group", &said).await;
    for action in ["add", "promote", "demote", "remove"] {
        stage.act(&path(action), json!({ "participants": [BUDI] })).await;
        let name = format!("group_participants_{action}");
        stage.seen(&name, "group_participants", |data| data["action"] == action).await;
    }

    stage.act(&path("subject"), json!({ "subject": "Band" })).await;
    stage.seen("group_update_subject", "group_update", change("subject")).await;
    stage.act(&path("description"), json!({ "text": "we are loud" })).await;
    stage.seen("group_update_description", "group_update", change("description")).await;
    let picture = Files::make().unwrap().jpg;
    stage.act(&path("picture"), json!({ "picture": base64(&picture) })).await;
    stage.seen("group_update_picture", "group_update", change("picture")).await;
    for (setting, value, name) in [
        ("announcement", json!(true), "announce"),
        ("announcement", json!(false), "announce_off"),
        ("locked", json!(true), "locked"),
        ("ephemeral", json!(86_400), "ephemeral"),
        ("adminAdd", json!(true), "member_add_mode"),
        ("approval", json!(true), "approval_mode"),
    ] {
        stage.act(&path("settings"), json!({ setting: value })).await;
        let kind = name.trim_end_matches("_off");
        let wanted = if name.ends_with("_off") { json!(false) } else { Value::Null };
        let fits = |data: &Value| data["change"] == kind && (wanted.is_null() || data["announce"] == wanted);
        stage.seen(&format!("group_update_{name}"), "group_update", fits).await;
    }
    stage.act(&path("invite/revoke"), json!({})).await;
    stage.seen("group_update_invite", "group_update", change("invite")).await;
}

#[tokio::test]
async fn people_come_and_go() {
    let stage = Stage::open().await;
    let made = json!({ "subject": "Choir", "participants": [] });
    let made = stage.act(&format!("/phones/{ANA}/groups"), made).await;
    let group = made["id"].as_str().unwrap().to_owned();
    let path = |what: &str| format!("/phones/{ANA}/groups/{group}/{what}");
    stage.act(&path("add"), json!({ "participants": [BOT] })).await;
    stage.seen("group_join_added", "group_join", |data| data["how"] == "added").await;
    stage.act(&path("promote"), json!({ "participants": [BOT] })).await;
    let code = stage.act(&path("invite"), json!({})).await["code"].clone();
    stage.act(&format!("/phones/{BUDI}/join"), json!({ "code": code })).await;
    stage.seen("group_join_link", "group_join", |data| data["how"] == "link").await;
    stage.act(&format!("/phones/{BUDI}/groups/{group}/leave"), json!({})).await;
    stage.seen("group_leave_left", "group_leave", |data| data["how"] == "left").await;
    stage.act(&path("settings"), json!({ "approval": true })).await;
    stage.act(&format!("/phones/{BUDI}/join"), json!({ "code": code })).await;
    stage.seen("group_update_join_request", "group_update", change("join_request")).await;
    stage.act(&path("approve"), json!({ "participants": [BUDI] })).await;
    stage.seen("group_join_request", "group_join", |data| data["how"] == "request").await;
    stage.act(&path("remove"), json!({ "participants": [BOT] })).await;
    stage.seen("group_leave_removed", "group_leave", |data| data["how"] == "removed").await;
}

#[tokio::test]
async fn posts_of_newsletters_arrive() {
    let stage = Stage::open().await;
    let made = stage.act("/newsletters", json!({ "name": "Shop news", "owner": ANA })).await;
    let id = made["id"].as_str().unwrap().to_owned();
    let follow = json!({ "sessionId": SHOP, "newsletterId": id });
    stage.api(Method::POST, "/newsletter/follow", follow).await;
    stage.act(&format!("/newsletters/{id}/messages"), json!({ "text": "sale today" })).await;
    stage.seen("message_received_newsletter", "message_received", |data| data["text"] == "sale today").await;
}
