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
        ("POST", format!("{own}/link"), r#"{"code": "ABCD1234"}"#, 501),
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
