//! A companion for the tests: the real `whatsapp-rust` client on a plain WebSocket, with its
//! messages and QR codes where a test can wait for them.

#![allow(dead_code)]

pub mod http;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::SplitSink;
use futures::{SinkExt as _, StreamExt as _};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use wacore::net::{DisconnectReason, Transport, TransportEvent, TransportFactory};
use wacore::store::InMemoryBackend;
use waproto::whatsapp as wa;
use warest_simnet::{ShownMessage, Simnet, SimnetConfig, SimnetHandle};
use whatsapp_rust::Client;
use whatsapp_rust::bot::{Bot, BotHandle};
use whatsapp_rust::types::durability_hook::{InboundDurabilityHook, InboundMessage};
use whatsapp_rust::types::events::Event;

/// How long a test waits for anything.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until `probe` gives something.
pub async fn wait_for<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(started.elapsed() < DEADLINE, "timed out waiting for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct WsTransport(tokio::sync::Mutex<SplitSink<Socket, Message>>);

#[async_trait]
impl Transport for WsTransport {
    async fn send(&self, data: Bytes) -> Result<(), anyhow::Error> {
        Ok(self.0.lock().await.send(Message::Binary(data)).await?)
    }

    async fn disconnect(&self) {
        let _ = self.0.lock().await.close().await;
    }
}

struct WsFactory(String);

#[async_trait]
impl TransportFactory for WsFactory {
    async fn create_transport(
        &self,
    ) -> Result<(Arc<dyn Transport>, async_channel::Receiver<TransportEvent>), anyhow::Error> {
        let (socket, _) = connect_async(self.0.as_str()).await?;
        let (sink, mut stream) = socket.split();
        let (tx, rx) = async_channel::bounded(256);
        tokio::spawn(async move {
            let _ = tx.send(TransportEvent::Connected).await;
            while let Some(Ok(message)) = stream.next().await {
                if let Message::Binary(data) = message
                    && tx.send(TransportEvent::DataReceived(data)).await.is_err()
                {
                    return;
                }
            }
            let _ = tx.send(TransportEvent::Disconnected(DisconnectReason::StreamEnded)).await;
        });
        Ok((Arc::new(WsTransport(tokio::sync::Mutex::new(sink))), rx))
    }
}

/// A message as the companion's hook saw it.
#[derive(Debug, Clone)]
pub struct Got {
    pub id: String,
    pub chat: String,
    pub sender_alt: Option<String>,
    pub from_me: bool,
    pub text: String,
    pub offline: bool,
    pub message: wa::Message,
}

fn is_peer(message: &wa::Message) -> bool {
    message.protocol_message.as_option().is_some_and(|protocol| protocol.key.is_unset())
}

/// Commits every message to a list, after failing as often as told.
#[derive(Clone, Default)]
struct Hook {
    got: Arc<Mutex<Vec<Got>>>,
    refuse: Arc<AtomicU32>,
    attempts: Arc<AtomicU32>,
}

#[async_trait]
impl InboundDurabilityHook for Hook {
    async fn on_messages(&self, _: Arc<Client>, batch: &[InboundMessage]) -> anyhow::Result<()> {
        // What the phone tells its companions alone (app-state keys) comes here too.
        let batch: Vec<_> = batch.iter().filter(|m| !is_peer(&m.message)).collect();
        if batch.is_empty() {
            return Ok(());
        }
        self.attempts.fetch_add(1, Ordering::SeqCst);
        let left = self.refuse.load(Ordering::SeqCst);
        if left > 0 {
            self.refuse.store(left - 1, Ordering::SeqCst);
            anyhow::bail!("refused by the test");
        }
        let mut got = self.got.lock().unwrap();
        for message in batch {
            let text = message
                .message
                .conversation
                .clone()
                .or_else(|| message.message.extended_text_message.as_option().and_then(|m| m.text.clone()));
            got.push(Got {
                id: message.info.id.clone(),
                chat: message.info.source.chat.to_string(),
                sender_alt: message.info.source.sender_alt.as_ref().map(ToString::to_string),
                from_me: message.info.source.is_from_me,
                text: text.unwrap_or_default(),
                offline: message.info.is_offline,
                message: (*message.message).clone(),
            });
        }
        Ok(())
    }
}

/// A companion that outlives its client: same keys, same list of messages.
pub struct Companion {
    backend: Arc<InMemoryBackend>,
    hook: Hook,
    qr: Arc<Mutex<Option<String>>>,
    logged_out: Arc<Mutex<bool>>,
    bot: Option<BotHandle>,
    /// The media host's authority; without it, the companion has no HTTP.
    pub certificate: Option<String>,
    /// Whether it takes history.
    pub history: bool,
    events: Arc<Mutex<Vec<Arc<Event>>>>,
}

impl Companion {
    pub fn new() -> Self {
        Self {
            backend: Arc::new(InMemoryBackend::new()),
            hook: Hook::default(),
            qr: Arc::default(),
            logged_out: Arc::default(),
            bot: None,
            certificate: None,
            history: false,
            events: Arc::default(),
        }
    }

    /// Starts the client.
    pub async fn start(&mut self, url: &str) {
        let qr = self.qr.clone();
        let logged_out = self.logged_out.clone();
        let events = self.events.clone();
        let builder = Bot::builder()
            .with_backend_arc(self.backend.clone())
            .with_transport_factory(WsFactory(url.to_owned()))
            .with_http_client(http::Http::trusting(self.certificate.as_deref()))
            .with_runtime(whatsapp_rust::TokioRuntime)
            .with_inbound_durability_hook(self.hook.clone())
            .with_version((2, 3000, 1_030_000_000))
            .on_qr_code(move |code, _| {
                let qr = qr.clone();
                async move { *qr.lock().unwrap() = Some(code) }
            })
            .on_event(move |event, _| {
                events.lock().unwrap().push(event);
                async {}
            })
            .on_logged_out(move |_| {
                let logged_out = logged_out.clone();
                async move { *logged_out.lock().unwrap() = true }
            });
        let builder = if self.history { builder } else { builder.skip_history_sync() };
        let bot = builder.build().await.unwrap();
        self.bot = Some(bot.spawn());
    }

    /// Stops the client; its keys stay.
    pub async fn stop(&mut self) {
        if let Some(bot) = self.bot.take() {
            bot.shutdown().await;
        }
    }

    pub fn client(&self) -> Arc<Client> {
        self.bot.as_ref().unwrap().client()
    }

    pub async fn qr(&self) -> String {
        wait_for("a QR code", async || self.qr.lock().unwrap().clone()).await
    }

    pub async fn online(&self) {
        self.client().wait_for_connected(DEADLINE).await.unwrap();
    }

    /// What `pick` finds in the client's events, oldest first.
    pub fn events<T>(&self, pick: impl FnMut(&Event) -> Option<T>) -> Vec<T> {
        let events = self.events.lock().unwrap().clone();
        events.iter().map(|event| &**event).filter_map(pick).collect()
    }

    /// Waits for the first event that `pick` finds something in.
    pub async fn event<T>(&self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        wait_for(what, async || self.events(&mut pick).into_iter().next()).await
    }

    pub fn got(&self) -> Vec<Got> {
        self.hook.got.lock().unwrap().clone()
    }

    /// The next `count` commits fail.
    pub fn refuse(&self, count: u32) {
        self.hook.refuse.store(count, Ordering::SeqCst);
    }

    pub fn attempts(&self) -> u32 {
        self.hook.attempts.load(Ordering::SeqCst)
    }

    pub fn logged_out(&self) -> bool {
        *self.logged_out.lock().unwrap()
    }

    /// Waits for the message with this id.
    pub async fn message(&self, id: &str) -> Got {
        wait_for(id, async || self.got().into_iter().find(|got| got.id == id)).await
    }

    /// Waits for a message with this text.
    pub async fn receive(&self, text: &str) -> Got {
        wait_for(text, async || self.got().into_iter().find(|got| got.text == text)).await
    }
}

pub const ALICE: &str = "491511111111";
pub const BOB: &str = "491522222222";
pub const CAROL: &str = "491533333333";

/// Logs as `RUST_LOG` says.
pub fn log() {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_test_writer()
        .try_init();
}

/// A network with two phones.
pub async fn network() -> SimnetHandle {
    log();
    let listen = "127.0.0.1:0".parse().unwrap();
    let net = Simnet::start(SimnetConfig { listen, state: None }).await.unwrap();
    net.add_phone(ALICE, "Alice").await.unwrap();
    net.add_phone(BOB, "Bob").await.unwrap();
    net
}

/// A network with three phones.
pub async fn network_of_three() -> SimnetHandle {
    let net = network().await;
    net.add_phone(CAROL, "Carol").await.unwrap();
    net
}

/// A companion of `phone`, paired and online.
pub async fn paired(net: &SimnetHandle, phone: &str) -> Companion {
    let mut companion = Companion::new();
    companion.certificate = Some(net.media_certificate().to_owned());
    companion.start(&net.chat_url()).await;
    let qr = companion.qr().await;
    net.link_qr(phone, &qr).await.unwrap();
    companion.online().await;
    companion
}

/// A plain text.
pub fn text(text: &str) -> wa::Message {
    wa::Message { conversation: Some(text.into()), ..Default::default() }
}

/// Waits until the phone shows the message with this id.
pub async fn shown_id(net: &SimnetHandle, phone: &str, id: &str) -> ShownMessage {
    wait_for(id, async || {
        let messages = net.messages(phone, 0, None).await.unwrap();
        messages.into_iter().find(|message| message.id == id)
    })
    .await
}

/// Waits until the phone shows a message with this text.
pub async fn shown(net: &SimnetHandle, phone: &str, text: &str) -> ShownMessage {
    wait_for(text, async || {
        let messages = net.messages(phone, 0, None).await.unwrap();
        messages.into_iter().find(|message| message.text == text)
    })
    .await
}
