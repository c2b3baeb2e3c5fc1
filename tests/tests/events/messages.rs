//! Messages, and what is about them.

use crate::stage::{ANA, BOT, BUDI, SHOP, Stage, jid};
use reqwest::Method;
use serde_json::{Value, json};
use warest_tests::{Files, base64};

/// Whether an event is of a message.
fn of(id: &str) -> impl Fn(&Value) -> bool {
    let id = id.to_owned();
    move |data| data["messageId"] == id.as_str()
}

/// Whether an event is about a message.
fn about(id: &str) -> impl Fn(&Value) -> bool {
    let id = id.to_owned();
    move |data| data["key"]["id"] == id.as_str()
}

#[tokio::test]
async fn every_kind_of_message_arrives() {
    let files = Files::make().unwrap();
    let stage = Stage::open().await;
    let file = |bytes: &[u8], mut more: Value| {
        more["data"] = json!(base64(bytes));
        more
    };
    let vcard = "BEGIN:VCARD\nVERSION:3.0\nFN:Cici\nTEL;type=CELL;waid=6281700000004:+62 817-0000-0004\nEND:VCARD";
    let rows = [
        ("text", json!({ "text": "hello there" })),
        ("mention", json!({ "text": format!("@{BUDI} look"), "mentions": [BUDI], "forwarded": true })),
        ("image", json!({ "image": file(&files.png, json!({ "width": 64, "height": 48 })), "caption": "a picture" })),
        ("video", json!({ "video": file(&files.mp4, json!({ "seconds": 2 })), "caption": "a film" })),
        ("gif", json!({ "gif": file(&files.mp4, json!({ "seconds": 2 })) })),
        ("video_note", json!({ "ptv": file(&files.mp4, json!({ "seconds": 2 })) })),
        ("audio", json!({ "audio": file(&files.mp3, json!({ "seconds": 2 })) })),
        ("voice", json!({ "ptt": file(&files.ogg, json!({ "seconds": 2 })) })),
        ("document", json!({ "document": file(&files.pdf, json!({ "fileName": "list.pdf" })), "caption": "prices" })),
        ("sticker", json!({ "sticker": file(&files.webp, json!({})) })),
        ("view_once", json!({ "image": file(&files.png, json!({})), "viewOnce": true })),
        ("contact", json!({ "contact": { "name": "Budi", "phone": BUDI } })),
        (
            "contacts",
            json!({ "contacts": { "contacts": [{ "name": "Budi", "phone": BUDI }, { "name": "Cici", "vcard": vcard }] } }),
        ),
        ("location", json!({ "location": { "latitude": -6.25, "longitude": 106.5, "name": "The shop" } })),
        ("live_location", json!({ "liveLocation": { "latitude": -6.25, "longitude": 106.5, "caption": "on my way" } })),
        ("poll", json!({ "poll": { "name": "Lunch?", "options": ["Soup", "Rice"] } })),
    ];
    for (name, message) in rows {
        let id = stage.network.write(ANA, BOT, message).await.unwrap();
        stage.seen(&format!("message_received_{name}"), "message_received", of(&id)).await;
        if matches!(name, "text" | "image") {
            stage.seen_as_node(&format!("node_{name}"), &id).await;
        }
    }
    let first = stage.network.say(ANA, BOT, "where are you?").await.unwrap();
    let quoting = stage.network.write(ANA, BOT, json!({ "text": "well?", "quoted": first })).await.unwrap();
    stage.seen("message_received_quote", "message_received", of(&quoting)).await;
    let post = stage.network.say(ANA, "status@broadcast", "good morning").await.unwrap();
    stage.seen("message_received_status", "message_received", of(&post)).await;
}

#[tokio::test]
async fn what_is_chosen_arrives() {
    let stage = Stage::open().await;
    let buttons = json!({ "sessionId": SHOP, "to": ANA, "text": "Shall we?", "buttons": [
        { "type": "reply", "displayText": "Yes", "id": "yes" }] });
    let sent = stage.api(Method::POST, "/messages/send/button", buttons).await;
    let asked = sent["messageId"].as_str().unwrap();
    let reply = json!({ "buttonReply": { "id": "yes", "text": "Yes" }, "quoted": asked });
    let id = stage.network.write(ANA, BOT, reply).await.unwrap();
    stage.seen("message_received_button_reply", "message_received", of(&id)).await;
    let reply = json!({ "listReply": { "id": "r1", "title": "Rice" }, "quoted": asked });
    let id = stage.network.write(ANA, BOT, reply).await.unwrap();
    stage.seen("message_received_list_reply", "message_received", of(&id)).await;

    let poll =
        json!({ "sessionId": SHOP, "to": ANA, "question": "Lunch?", "options": ["Soup", "Rice"], "maxSelection": 2 });
    let sent = stage.api(Method::POST, "/messages/send/poll", poll).await;
    let asked = sent["messageId"].as_str().unwrap();
    stage.seen("message_sent_poll", "message_sent", of(asked)).await;
    let vote = json!({ "vote": { "id": asked, "options": ["Rice"] } });
    stage.network.write(ANA, BOT, vote).await.unwrap();
    stage.seen("poll_vote", "poll_vote", |data| about(asked)(data) && data["options"] == json!(["Rice"])).await;
    let vote = json!({ "vote": { "id": asked, "options": [] } });
    stage.network.write(ANA, BOT, vote).await.unwrap();
    stage.seen("poll_vote_none", "poll_vote", |data| about(asked)(data) && data["options"] == json!([])).await;
    // In a poll of somebody else, too.
    let theirs = json!({ "poll": { "name": "Tea?", "options": ["Yes", "No"], "selectable": 1 } });
    let theirs = stage.network.write(ANA, BOT, theirs).await.unwrap();
    stage.network.write(ANA, BOT, json!({ "vote": { "id": theirs, "options": ["No"] } })).await.unwrap();
    stage.seen("poll_vote_theirs", "poll_vote", |data| about(&theirs)(data) && data["options"] == json!(["No"])).await;
}

#[tokio::test]
async fn what_is_about_a_message_arrives() {
    let stage = Stage::open().await;
    let said = stage.network.say(ANA, BOT, "frist").await.unwrap();
    stage.network.write(ANA, BOT, json!({ "react": { "id": said, "emoji": "👍" } })).await.unwrap();
    stage.seen("message_reaction", "message_reaction", |data| about(&said)(data) && data["reaction"] == "👍").await;
    stage.network.write(ANA, BOT, json!({ "react": { "id": said, "emoji": "" } })).await.unwrap();
    stage.seen("message_reaction_off", "message_reaction", |data| about(&said)(data) && data["reaction"] == "").await;
    stage.network.write(ANA, BOT, json!({ "edit": { "id": said, "text": "first" } })).await.unwrap();
    stage.seen("message_edited", "message_edited", about(&said)).await;
    stage.network.write(ANA, BOT, json!({ "pin": { "id": said, "seconds": 86_400 } })).await.unwrap();
    stage.seen("chat_update_pin_message", "chat_update", |data| data["change"] == "pin_message").await;
    stage.network.write(ANA, BOT, json!({ "revoke": { "id": said } })).await.unwrap();
    stage.seen("message_revoked", "message_revoked", about(&said)).await;
    stage.network.write(ANA, BOT, json!({ "disappearing": 86_400 })).await.unwrap();
    stage.seen("chat_update_ephemeral", "chat_update", |data| data["change"] == "ephemeral").await;

    let book = json!({ "prefixes": ["/", "!"], "commands": [{ "name": "order", "aliases": ["buy"] }] });
    stage.api(Method::PUT, &format!("/session/{SHOP}/commands"), book).await;
    let post = stage.network.say(ANA, "status@broadcast", "!buy one").await.unwrap();
    stage.seen("message_received_status_command", "message_received", of(&post)).await;
    let said = stage.network.say(ANA, BOT, "!BUY 2 \"green tea\"").await.unwrap();
    stage.seen("message_command", "message_command", of(&said)).await;
    assert!(!stage.has("message_command", of(&post)), "a post is no word to the bot");
}

#[tokio::test]
async fn what_the_account_writes_is_followed() {
    let stage = Stage::open().await;
    let text = json!({ "sessionId": SHOP, "to": ANA, "message": "hello" });
    let sent = stage.api(Method::POST, "/messages/send/text", text).await;
    let id = sent["messageId"].as_str().unwrap();
    stage.seen("message_sent", "message_sent", of(id)).await;
    stage
        .seen("message_status_delivered", "message_status", |data| of(id)(data) && data["status"] == "delivered")
        .await;
    stage.act(&format!("/phones/{ANA}/read"), json!({ "chat": BOT, "ids": [id] })).await;
    stage.seen("message_status_read", "message_status", |data| of(id)(data) && data["status"] == "read").await;
    stage.act(&format!("/phones/{ANA}/played"), json!({ "chat": BOT, "ids": [id] })).await;
    stage.seen("message_status_played", "message_status", |data| of(id)(data) && data["status"] == "played").await;
    let own = stage.network.say(BOT, ANA, "from my phone").await.unwrap();
    let seen = stage.seen("message_sent_device", "message_sent", of(&own)).await;
    assert_eq!(seen["chatId"], jid(ANA));
}
