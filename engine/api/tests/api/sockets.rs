//! WebSockets, and clients that take nothing.

use crate::world::{ALICE, World};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};
use warest_api::StreamLimits;
use warest_model::event::{EventKind, Observation};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const BEGINNING: &str = "evt_00000000000000000000000000";
const DEADLINE: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(20);

fn request(address: SocketAddr, query: &str) -> tokio_tungstenite::tungstenite::handshake::client::Request {
    let mut request = format!("ws://{address}/api/v1/ws{query}").into_client_request().unwrap();
    request.headers_mut().insert("x-warest-api-key", ALICE.parse().unwrap());
    request
}

async fn open(address: SocketAddr, query: &str) -> Socket {
    connect_async(request(address, query)).await.unwrap().0
}

/// The HTTP status and the code of a refused upgrade.
async fn refusal(address: SocketAddr, query: &str) -> (u16, u64) {
    match connect_async(request(address, query)).await {
        Err(Error::Http(response)) => {
            let body: Value = serde_json::from_slice(response.body().as_deref().unwrap()).unwrap();
            (response.status().as_u16(), body["code"].as_u64().unwrap())
        }
        other => panic!("it was not refused: {other:?}"),
    }
}

async fn next(socket: &mut Socket) -> Message {
    loop {
        match tokio::time::timeout(DEADLINE, socket.next()).await.expect("nothing came").unwrap().unwrap() {
            Message::Ping(_) | Message::Pong(_) => {}
            message => return message,
        }
    }
}

async fn frame(socket: &mut Socket) -> Value {
    match next(socket).await {
        Message::Text(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("not a frame: {other:?}"),
    }
}

async fn closed(socket: &mut Socket) -> u16 {
    match next(socket).await {
        Message::Close(Some(frame)) => frame.code.into(),
        other => panic!("not closed: {other:?}"),
    }
}

async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

async fn world_with(change: impl FnOnce(&mut StreamLimits)) -> (World, SocketAddr) {
    let mut streams = StreamLimits::default();
    change(&mut streams);
    let world = World::with(|config| config.streams = streams).await;
    let address = world.listen(PATIENCE).await;
    (world, address)
}

#[tokio::test]
async fn events_come_as_lists_show_them_and_a_client_resumes() {
    let (world, address) = world_with(|_| {}).await;
    let mut socket = open(address, "").await;
    assert_eq!(frame(&mut socket).await, json!({ "event": "open", "data": { "after": BEGINNING } }));
    world.see("theirs", &["628111"]).await;
    world.see("main", &["628111"]).await;
    let first = frame(&mut socket).await;
    assert_eq!(first, world.get("/events").await.body["results"][0]);
    drop(socket);
    world.see("main", &["628111"; 2]).await;
    let mut again = open(address, &format!("?after={}", first["id"].as_str().unwrap())).await;
    let listed = world.get("/events").await.body["results"].clone();
    for index in [1, 0] {
        assert_eq!(frame(&mut again).await, listed[index]);
    }
    let mut lost = open(address, "?lastEventId=evt_01HF5QZVQSK3T1SH4Z2RCB2DQB").await;
    assert_eq!(frame(&mut lost).await["event"], "gap");
    assert_eq!(frame(&mut lost).await, first);
}

#[tokio::test]
async fn a_client_changes_what_it_sees() {
    let (world, address) = world_with(|_| {}).await;
    let mut socket = open(address, "?chat=628111").await;
    frame(&mut socket).await;
    for (said, code) in [
        (json!({ "subscribe": { "session": "theirs" } }), 2201),
        (json!({ "subscribe": { "session": "unknown" } }), 1101),
        (json!({ "subscribe": { "event": ["nope"] } }), 2002),
        (json!({ "subscribe": 1 }), 2008),
        (json!({ "shout": {} }), 2008),
        (json!("x"), 2008),
    ] {
        say(&mut socket, said.clone()).await;
        let answer = frame(&mut socket).await;
        assert_eq!((&answer["event"], &answer["data"]["code"]), (&json!("error"), &json!(code)), "{said}");
    }
    // What was refused changed nothing.
    world.see("main", &["628222", "628111"]).await;
    assert_eq!(frame(&mut socket).await["chat"], "628111@s.whatsapp.net");
    say(&mut socket, json!({ "subscribe": { "session": "main", "event": "message_received", "chat": "628222" } }))
        .await;
    let answer = frame(&mut socket).await;
    let shown = json!({ "session": "main", "event": ["message_received"], "chat": "628222@s.whatsapp.net" });
    assert_eq!(answer, json!({ "event": "subscribed", "data": shown }));
    world.see("main", &["628111", "628222"]).await;
    assert_eq!(frame(&mut socket).await["chat"], "628222@s.whatsapp.net");
}

#[tokio::test]
async fn a_client_that_misbehaves_is_closed_with_a_reason() {
    let (_world, address) = world_with(|_| {}).await;
    let mut binary = open(address, "").await;
    frame(&mut binary).await;
    binary.send(Message::binary(vec![1, 2])).await.unwrap();
    assert_eq!(closed(&mut binary).await, 1003);

    let mut talker = open(address, "").await;
    frame(&mut talker).await;
    for _ in 0..61 {
        talker.send(Message::text("x")).await.unwrap();
    }
    for _ in 0..60 {
        assert_eq!(frame(&mut talker).await["event"], "error");
    }
    assert_eq!(closed(&mut talker).await, 1008);

    let mut shouter = open(address, "").await;
    frame(&mut shouter).await;
    // The connection may be closed before all of it is taken.
    let _ = shouter.send(Message::text("x".repeat(1 << 20))).await;
    let ended = async { while let Some(Ok(_)) = shouter.next().await {} };
    tokio::time::timeout(DEADLINE, ended).await.expect("it was not closed");
}

#[tokio::test]
async fn sockets_are_counted_and_end_with_the_server() {
    let (world, address) = world_with(|limits| (limits.per_user, limits.total) = (1, 1)).await;
    let mut socket = open(address, "").await;
    frame(&mut socket).await;
    assert_eq!(refusal(address, "").await, (429, 1401));
    assert_eq!(refusal(address, "?session=theirs").await, (403, 2201));
    world.engine.shutdown(Duration::from_secs(5)).await;
    let end = frame(&mut socket).await;
    assert_eq!((&end["event"], &end["data"]["code"]), (&json!("end"), &json!(1404)));
    assert_eq!(closed(&mut socket).await, 1001);
    assert_eq!(refusal(address, "").await, (503, 1404));
}

/// Appends about 30 MB: more than the system takes for a connection.
async fn flood(world: &World) {
    for _ in 0..30 {
        let letter = Observation::new(EventKind::MessageReceived, None, json!({ "text": "x".repeat(100_000) }));
        world.intake.record(&"main".parse().unwrap(), vec![letter; 10]).await.unwrap();
    }
}

/// Tries until there is a seat, within the deadline.
async fn seated(address: SocketAddr) -> WebSocketStream<TcpStream> {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    loop {
        let from = request(address, &format!("?after={BEGINNING}"));
        match client_async(from, narrow(address).await).await {
            Ok((socket, _)) => return socket,
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "no seat is free: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A connection that takes little unread.
async fn narrow(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(address).await.unwrap()
}

#[tokio::test]
async fn a_client_that_takes_nothing_loses_its_connection() {
    let write_timeout = Duration::from_secs(2);
    let streams = StreamLimits { per_user: 1, write_timeout, ..StreamLimits::default() };
    let world = World::with(|config| config.streams = streams).await;
    let address = world.listen(write_timeout).await;
    flood(&world).await;
    let mut deaf = narrow(address).await;
    let path = format!("/api/v1/stream?after={BEGINNING}");
    let ask = format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-warest-api-key: {ALICE}\r\n\r\n");
    deaf.write_all(ask.as_bytes()).await.unwrap();
    let mut begun = [0; 64];
    deaf.read_exact(&mut begun).await.unwrap();
    assert!(begun.starts_with(b"HTTP/1.1 200"));
    assert_eq!(refusal(address, "").await, (429, 1401), "its seat is taken");
    // Once the seat is free, another deaf client has it.
    let mut deaf_too = seated(address).await;
    deaf_too.next().await.unwrap().unwrap();
    assert_eq!(refusal(address, "").await, (429, 1401), "its seat is taken");
    seated(address).await;
    drop((deaf, deaf_too));
}
