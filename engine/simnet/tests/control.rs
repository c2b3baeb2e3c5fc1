//! The control API over HTTP, as `curl` would use it: what works, and what bad input gets.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use warest_simnet::{Simnet, SimnetConfig, SimnetHandle};

async fn network() -> SimnetHandle {
    let listen = "127.0.0.1:0".parse().unwrap();
    Simnet::start(SimnetConfig { listen, state: None }).await.unwrap()
}

/// One HTTP request on a connection of its own: status and JSON body.
async fn call(addr: SocketAddr, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: simnet\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A refused body may reset the connection after the answer.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn phones_text_each_other_over_http() {
    let net = network().await;
    let addr = net.addr();
    for (phone, name) in [("491511111111", "Alice"), ("491522222222", "Bob")] {
        let body = json!({ "phone": phone, "name": name }).to_string();
        let (status, info) = call(addr, "POST", "/phones", &body).await;
        assert_eq!((status, &info["phone"]), (201, &json!(phone)));
        let again = call(addr, "POST", "/phones", &body).await;
        assert_eq!(again, (201, info));
    }
    let body = json!({ "to": "491522222222", "text": "hi", "id": "ABC1" }).to_string();
    let sent = call(addr, "POST", "/phones/491511111111/messages", &body).await;
    assert_eq!(sent, (200, json!({ "id": "ABC1" })));
    let (status, shown) = call(addr, "GET", "/phones/491522222222/messages?after=0&wait=5000", "").await;
    assert_eq!(status, 200);
    let message = &shown[0];
    assert_eq!(message["text"], "hi");
    assert_eq!(message["from"], "491511111111");
    assert_eq!(message["chat"], "491511111111");
    assert_eq!(message["fromMe"], false);
    assert_eq!(message["kind"], "text");
    assert_eq!(message["repeats"], 0);
    assert_eq!(message["message"]["conversation"], "hi");

    let body = json!({ "to": "491511111111", "react": { "id": "ABC1", "emoji": "👍" } }).to_string();
    assert_eq!(call(addr, "POST", "/phones/491522222222/messages", &body).await.0, 200);
    let (_, shown) = call(addr, "GET", "/phones/491511111111/messages?after=1&wait=5000", "").await;
    assert_eq!((&shown[0]["kind"], &shown[0]["text"]), (&json!("reaction"), &json!("👍")));

    let body = json!({ "chat": "491511111111", "ids": ["ABC1"] }).to_string();
    assert_eq!(call(addr, "POST", "/phones/491522222222/read", &body).await.0, 200);
    let body = json!({ "to": "491511111111", "state": "composing" }).to_string();
    assert_eq!(call(addr, "POST", "/phones/491522222222/typing", &body).await.0, 200);
    let (_, presence) = call(addr, "GET", "/phones/491511111111/presence", "").await;
    assert_eq!(presence[0]["state"], "composing");
    let (_, stats) = call(addr, "GET", "/stats", "").await;
    assert_eq!(stats["phones"], 2);
    let (_, root) = call(addr, "GET", "/root", "").await;
    assert_eq!(root["publicKey"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn bad_input_is_refused_with_what_to_do() {
    let net = network().await;
    let addr = net.addr();
    net.add_phone("491511111111", "Alice").await.unwrap();
    let own = "/phones/491511111111";
    let long = json!({ "to": "491511111111", "text": "x".repeat(70_000) }).to_string();
    let huge = format!("{{\"phone\":\"{}\"}}", "1".repeat(300_000));
    let cases: Vec<(&str, String, &str, u16)> = vec![
        ("POST", "/phones".into(), "{", 400),
        ("POST", "/phones".into(), "{}", 400),
        ("POST", "/phones".into(), r#"{"phone": 49}"#, 400),
        ("POST", "/phones".into(), r#"{"phone": "+49 151"}"#, 400),
        ("POST", "/phones".into(), r#"{"phone": "49151111", "extra": 1}"#, 400),
        ("POST", "/phones".into(), &huge, 413),
        ("POST", format!("{own}/link"), r#"{"code": "ABCD1234"}"#, 409),
        ("POST", format!("{own}/link"), r#"{"code": "OOOO"}"#, 400),
        ("POST", format!("{own}/link"), r#"{"qr": "nonsense"}"#, 400),
        ("POST", format!("{own}/link"), "{}", 400),
        ("POST", format!("{own}/messages"), r#"{"to": "4999999999", "text": "hi"}"#, 404),
        ("POST", format!("{own}/messages"), r#"{"to": "491511111111"}"#, 400),
        ("POST", format!("{own}/messages"), r#"{"to": "491511111111", "text": ""}"#, 400),
        ("POST", format!("{own}/messages"), &long, 400),
        ("POST", format!("{own}/read"), r#"{"chat": "491511111111", "ids": []}"#, 400),
        ("POST", format!("{own}/typing"), r#"{"to": "491511111111", "state": "dancing"}"#, 400),
        ("GET", format!("{own}/messages?after=-1"), "", 400),
        ("GET", "/phones/4999999999/messages".into(), "", 404),
        ("POST", "/faults".into(), r#"{"kind": "drop"}"#, 400),
        ("POST", "/faults".into(), r#"{"kind": "melt", "count": 1}"#, 400),
        ("POST", "/faults".into(), r#"{"kind": "drop", "count": 20000}"#, 400),
        ("GET", "/nowhere".into(), "", 404),
        ("PUT", "/phones".into(), "{}", 404),
    ];
    for (method, path, body, expected) in cases {
        let shown: String = body.chars().take(60).collect();
        let (status, answer) = call(addr, method, &path, body).await;
        assert_eq!(status, expected, "{method} {path} {shown} → {answer}");
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(!error.is_empty(), "{method} {path} {shown} → {answer}");
    }
}

#[tokio::test]
async fn groups_and_people_are_managed_over_http() {
    let net = network().await;
    let addr = net.addr();
    for phone in ["491511111111", "491522222222", "491533333333"] {
        net.add_phone(phone, "Somebody").await.unwrap();
    }
    let own = "/phones/491511111111";
    let body = json!({ "subject": "Club", "participants": ["491522222222"], "description": "Ours" }).to_string();
    let (status, created) = call(addr, "POST", &format!("{own}/groups"), &body).await;
    assert_eq!(status, 201, "{created}");
    let id = created["id"].as_str().unwrap();
    let group = format!("{own}/groups/{id}");
    let posts = [
        (format!("{group}/add"), json!({ "participants": ["491533333333", "4999999999"] })),
        (format!("{group}/promote"), json!({ "participants": ["491522222222"] })),
        (format!("{group}/subject"), json!({ "subject": "The club" })),
        (format!("{group}/settings"), json!({ "announcement": true, "ephemeral": 86400 })),
        (format!("{group}/picture"), json!({ "picture": "AQID" })),
        (format!("{own}/presence"), json!({ "state": "available" })),
        (format!("{own}/block"), json!({ "phone": "491533333333" })),
    ];
    for (path, body) in &posts {
        let (status, answer) = call(addr, "POST", path, &body.to_string()).await;
        assert_eq!(status, 200, "{path} → {answer}");
    }
    let body = json!({ "to": id, "text": "to the club", "id": "CLUB1" }).to_string();
    assert_eq!(call(addr, "POST", &format!("{own}/messages"), &body).await.0, 200);
    let (_, shown) = call(addr, "GET", "/phones/491522222222/messages?after=0&wait=5000", "").await;
    assert_eq!((&shown[0]["chat"], &shown[0]["from"]), (&json!(id), &json!("491511111111")));

    let (status, info) = call(addr, "GET", &format!("/groups/{id}"), "").await;
    assert_eq!((status, &info["subject"], &info["description"]), (200, &json!("The club"), &json!("Ours")));
    assert_eq!(info["participants"][1], json!({ "phone": "491522222222", "rank": "admin" }));
    assert_eq!(info["settings"]["ephemeral"], 86400);
    let (_, code) = call(addr, "POST", &format!("{group}/invite/revoke"), "").await;
    let join = json!({ "code": code["code"] }).to_string();
    assert_eq!(call(addr, "POST", "/phones/491533333333/join", &join).await.0, 409);
    assert_eq!(call(addr, "POST", &format!("/phones/491533333333/groups/{id}/leave"), "").await.0, 200);

    let profile = json!({ "name": "Ana", "about": "hi", "onWhatsapp": false }).to_string();
    assert_eq!(call(addr, "PUT", &format!("{own}/profile"), &profile).await.0, 200);
    assert_eq!(call(addr, "PUT", &format!("{own}/privacy"), r#"{"last":"none"}"#).await.0, 200);
    let (_, privacy) = call(addr, "GET", &format!("{own}/privacy"), "").await;
    assert_eq!((&privacy["last"], &privacy["groupadd"]), (&json!("none"), &json!("all")));
    let ring = json!({ "to": "491522222222", "video": true }).to_string();
    let (_, rung) = call(addr, "POST", &format!("{own}/call"), &ring).await;
    let (_, calls) = call(addr, "GET", "/phones/491522222222/calls", "").await;
    assert_eq!((&calls[0]["id"], &calls[0]["state"]), (&rung["id"], &json!("ringing")));
    let body = json!({ "name": "Daily", "owner": "491511111111" }).to_string();
    let (status, newsletter) = call(addr, "POST", "/newsletters", &body).await;
    assert_eq!(status, 201);
    let path = format!("/newsletters/{}", newsletter["id"].as_str().unwrap());
    assert_eq!(call(addr, "POST", &format!("{path}/messages"), r#"{"text":"news"}"#).await.0, 200);
    assert_eq!(call(addr, "GET", &path, "").await.1["posts"][0]["text"], "news");

    let refused = [
        ("POST", format!("{group}/dance"), r#"{"participants":[]}"#, 404),
        ("POST", format!("{group}/add"), r#"{"participants":[]}"#, 400),
        ("POST", format!("{group}/subject"), r#"{"subject":""}"#, 406),
        ("POST", format!("/phones/491533333333/groups/{id}/subject"), r#"{"subject":"x"}"#, 403),
        ("POST", format!("{own}/join"), r#"{"code":"nonsense"}"#, 404),
        ("GET", "/groups/120363".into(), "", 404),
        ("GET", "/newsletters/120363".into(), "", 404),
        ("PUT", format!("{own}/privacy"), r#"{"last":"sometimes"}"#, 400),
        ("PUT", format!("{own}/profile"), r#"{"picture":"%"}"#, 400),
        ("POST", format!("{own}/call/none/end"), "", 404),
        ("POST", format!("{own}/messages"), r#"{"to":"120363@g.us","text":"x"}"#, 404),
    ];
    for (method, path, body, expected) in refused {
        let (status, answer) = call(addr, method, &path, body).await;
        assert_eq!(status, expected, "{method} {path} {body} → {answer}");
        assert!(!answer["error"].as_str().unwrap_or_default().is_empty(), "{method} {path} → {answer}");
    }
}

#[tokio::test]
async fn files_app_state_and_history_over_http() {
    let net = network().await;
    let addr = net.addr();
    for (phone, name) in [("491511111111", "Alice"), ("491522222222", "Bob")] {
        net.add_phone(phone, name).await.unwrap();
    }
    let (alice, bob) = ("/phones/491511111111", "/phones/491522222222");
    let (status, upload) = call(addr, "POST", &format!("{alice}/uploads"), &"film".repeat(100_000)).await;
    assert_eq!((status, &upload["bytes"]), (200, &json!(400_000)));
    let film = json!({ "upload": upload["upload"], "mimetype": "video/mp4", "width": 4, "height": 3, "seconds": 2 });
    let body = json!({ "to": "491522222222", "video": film, "caption": "look" }).to_string();
    let (_, sent) = call(addr, "POST", &format!("{alice}/messages"), &body).await;
    let id = sent["id"].as_str().unwrap();
    call(addr, "GET", &format!("{bob}/messages?after=0&wait=5000"), "").await;
    let (_, info) = call(addr, "GET", &format!("{bob}/messages/{id}/media/info"), "").await;
    assert_eq!(
        (&info["mimetype"], &info["seconds"], &info["caption"]),
        (&json!("video/mp4"), &json!(2), &json!("look"))
    );
    let (status, _) = call(addr, "GET", &format!("{bob}/messages/{id}/media"), "").await;
    assert_eq!(status, 200);
    let (_, state) = call(addr, "GET", &format!("{bob}/messages/{id}"), "").await;
    assert_eq!((&state["message"]["kind"], &state["text"]), (&json!("video"), &json!("look")));
    assert_eq!(call(addr, "DELETE", &format!("{bob}/messages/{id}/media"), "").await.0, 204);
    let (status, gone) = call(addr, "GET", &format!("{bob}/messages/{id}/media"), "").await;
    assert_eq!(status, 422);
    assert!(gone["error"].as_str().unwrap().contains("410"), "{gone}");
    assert_eq!(call(addr, "GET", &format!("{bob}/messages/NONE/media"), "").await.0, 404);

    for (method, path, body, expected) in [
        ("POST", "chats/491522222222", r#"{"pin": true, "mute": -1}"#, 200),
        ("POST", "chats/491522222222", r#"{"pin": "yes"}"#, 400),
        ("POST", "chats/491522222222", "{}", 400),
        ("POST", "chats/4999999999", r#"{"pin": true}"#, 404),
        ("POST", "labels", r#"{"name": "New"}"#, 200),
        ("PUT", "contacts", r#"{"phone": "491522222222", "name": "Bob"}"#, 200),
        ("PUT", "push-name", r#"{"name": "Alice again"}"#, 200),
        ("POST", "star", r#"{"chat": "491522222222", "id": "NONE", "on": true}"#, 404),
        ("POST", "history", r#"{"chats": 2, "messagesPerChat": 3}"#, 200),
        ("POST", "history", r#"{"chats": 0, "messagesPerChat": 3}"#, 400),
        ("POST", "messages", r#"{"to": "491522222222", "text": "a", "poll": {}}"#, 400),
        ("POST", "messages", r#"{"to": "491522222222", "image": {"data": "***"}}"#, 400),
        ("POST", "messages", r#"{"to": "491522222222", "image": {"upload": "none"}}"#, 400),
        ("POST", "messages", r#"{"to": "491522222222", "text": "a", "quoted": "NONE"}"#, 404),
        ("POST", "messages", r#"{"to": "491522222222", "text": "a", "caption": "b"}"#, 400),
    ] {
        let (status, answer) = call(addr, method, &format!("{alice}/{path}"), body).await;
        assert_eq!(status, expected, "{method} {path} {body} → {answer}");
    }
    let (_, chats) = call(addr, "GET", &format!("{alice}/chats"), "").await;
    assert_eq!((&chats[0]["pinned"], &chats[0]["mutedUntil"]), (&json!(true), &json!(-1)));
    let (_, labels) = call(addr, "GET", &format!("{alice}/labels"), "").await;
    assert_eq!(labels, json!([{ "id": "1", "name": "New", "color": 0, "deleted": false }]));
    let (_, contacts) = call(addr, "GET", &format!("{alice}/contacts"), "").await;
    assert_eq!(contacts, json!([{ "phone": "491522222222", "name": "Bob" }]));
    let (_, phones) = call(addr, "GET", "/phones", "").await;
    assert_eq!(phones[0]["name"], "Alice again");
    let (_, report) = call(addr, "GET", &format!("{alice}/app-state"), "").await;
    assert_eq!(report["versions"]["critical_block"], 1);
    let (_, root) = call(addr, "GET", "/root", "").await;
    assert!(root["mediaCertificate"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(root["mediaHost"].as_str().unwrap().starts_with("localhost:"));
}
