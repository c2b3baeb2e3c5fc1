//! A webhook receiver on this machine that answers as it is told, and keeps what
//! it got.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use warest_model::event::{EventKind, Observation};
use warest_pipeline::EngineConfig;

use crate::world::{World, eventually};

/// A request that came.
#[derive(Debug, Clone)]
pub struct Got {
    pub headers: HeaderMap,
    pub raw: Vec<u8>,
    pub body: Value,
    pub came: Instant,
    /// When it was answered.
    pub left: Option<Instant>,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn text(&self) -> &str {
        self.body["data"]["text"].as_str().unwrap_or_default()
    }
}

/// What is answered: status, headers and body.
pub type Reply = (u16, Vec<(&'static str, String)>, String);

pub fn status(status: u16) -> Reply {
    (status, Vec::new(), format!("said {status}"))
}

struct Shared {
    next: Mutex<VecDeque<Reply>>,
    otherwise: Mutex<Reply>,
    got: Mutex<Vec<Got>>,
    /// A request takes a place before it is answered.
    places: Semaphore,
}

pub struct Receiver {
    pub url: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

impl Receiver {
    /// One that answers 200 to everything.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared {
            next: Mutex::default(),
            otherwise: Mutex::new((200, Vec::new(), "{}".to_owned())),
            got: Mutex::default(),
            places: Semaphore::new(1_000_000),
        });
        let app = Router::new().fallback(take).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, shared, task }
    }

    /// Answers this to the next requests, one after another.
    pub fn answer(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.next.lock().unwrap().extend(replies);
    }

    /// Answers this when nothing else is to be answered.
    pub fn otherwise(&self, reply: Reply) {
        *self.shared.otherwise.lock().unwrap() = reply;
    }

    /// Holds the answers back until they are let go.
    pub fn hold(&self) {
        self.shared.places.forget_permits(usize::MAX);
    }

    /// Lets so many answers go.
    pub fn let_go(&self, count: usize) {
        self.shared.places.add_permits(count);
    }

    /// What came, but for what the session's own life says.
    pub fn got(&self) -> Vec<Got> {
        let all = self.shared.got.lock().unwrap().clone();
        all.into_iter().filter(|got| got.body["event"] != "session_status").collect()
    }

    /// The texts that came, in order.
    pub fn texts(&self) -> Vec<String> {
        self.got().iter().map(|got| got.text().to_owned()).collect()
    }

    /// Waits until so many requests have come, and answers them.
    pub async fn wait(&self, count: usize) -> Vec<Got> {
        eventually(&format!("request {count}"), async || Some(self.got()).filter(|got| got.len() >= count)).await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> (StatusCode, HeaderMap, String) {
    let got = Got {
        headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
        raw: body.to_vec(),
        came: Instant::now(),
        left: None,
    };
    let about_session = got.body["event"] == "session_status";
    let index = {
        let mut all = shared.got.lock().unwrap();
        all.push(got);
        all.len() - 1
    };
    if about_session {
        return (StatusCode::OK, HeaderMap::new(), String::new());
    }
    shared.places.acquire().await.unwrap().forget();
    let next = shared.next.lock().unwrap().pop_front();
    let (status, fields, body) = next.unwrap_or_else(|| shared.otherwise.lock().unwrap().clone());
    let headers = fields.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    shared.got.lock().unwrap()[index].left = Some(Instant::now());
    (StatusCode::from_u16(status).unwrap(), headers, body)
}

/// An engine that reaches this machine, tries twice at once, and then gives up.
pub fn impatient(config: &mut EngineConfig) {
    config.egress.loopback_only = true;
    config.deliver.retries = 1;
    (config.deliver.backoff_ms, config.deliver.jitter_ms) = (1, 0);
    config.deliver.long_schedule_ms = Vec::new();
    config.deliver.timeout = Duration::from_secs(10);
    config.deliver.actions_delay_ms = 0;
}

impl World {
    /// Adds a webhook target to `main`; answers what the API showed.
    pub async fn target(&self, url: &str, options: Value) -> Value {
        let mut draft = json!({ "url": url, "events": ["message_received"] });
        draft.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        let made = self.post("/session/main/targets", draft).await;
        assert_eq!(made.codes(), (201, 1000), "{}", made.body);
        made.body["result"].clone()
    }

    /// Has `main` receive a text from a phone.
    pub async fn hear(&self, phone: &str, text: &str) {
        let chat = self.engine.recipient(phone).unwrap();
        let data = json!({
            "text": text, "chatId": chat, "sender": chat, "messageId": text, "contentType": "text",
            "message": { "text": text }, "isGroup": false, "timestamp": 5_000, "pushName": "P", "tags": ["inbound"],
        });
        let seen = Observation::new(EventKind::MessageReceived, Some(chat), data);
        self.intake.record(&"main".parse().unwrap(), vec![seen]).await.unwrap();
    }

    /// Waits until the first delivery that a filter finds is in a state.
    pub async fn delivery(&self, filter: &str, state: &str) -> Value {
        self.delivery_that(&format!("state={state}&{filter}"), |_| true).await
    }

    /// Waits until the first delivery that a filter finds is as it should be.
    pub async fn delivery_that(&self, filter: &str, fits: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("a delivery of {filter}"), async || {
            let found = self.get(&format!("/deliveries?{filter}")).await.body["results"][0].clone();
            (!found.is_null() && fits(&found)).then_some(found)
        })
        .await
    }
}
