//! An engine with a session and one of each reactor, which report what they are
//! told: a webhook receiver keeps it, a flow and a plugin write it to a phone.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use warest_tests::{Engine, EngineOptions, Network, eventually};

pub const SHOP: &str = "shop";
pub const BOT: &str = "6281700000001";
pub const ANA: &str = "6281700000002";
pub const BUDI: &str = "6281700000003";
/// Where the flow and the plugin write to.
const FLOW: &str = "6281700000008";
const PLUGIN: &str = "6281700000009";

/// Every event that there is.
const EVENTS: [&str; 21] = [
    "session_status",
    "message_received",
    "message_reaction",
    "message_command",
    "message_edited",
    "message_revoked",
    "group_participants",
    "group_join",
    "group_leave",
    "group_update",
    "presence_update",
    "creds_update",
    "call",
    "message_sent",
    "message_status",
    "poll_vote",
    "chat_update",
    "label_update",
    "contact_update",
    "history_sync",
    "webhook_status",
];

/// What one reactor was told: event and data, by event id.
type Told = HashMap<String, (String, Value)>;

/// Bodies that a webhook receiver got.
type Heard = Arc<Mutex<Vec<Value>>>;

/// A phone that a reactor writes to.
#[derive(Default)]
struct Reports {
    after: u64,
    told: Told,
}

pub struct Stage {
    pub network: Network,
    pub engine: Engine,
    hook: Heard,
    node: Heard,
    reports: tokio::sync::Mutex<[(&'static str, Reports); 2]>,
    /// What was claimed already, so that each event counts once.
    claimed: Mutex<Vec<String>>,
    /// The webhook receiver; `/gone` answers that it is no more.
    pub receiver: String,
    /// LIDs, as snapshots name them.
    names: Mutex<Vec<(String, String)>>,
    _folder: TempDir,
}

/// A person's address.
pub fn jid(phone: &str) -> String {
    format!("{phone}@s.whatsapp.net")
}

impl Stage {
    /// With a session that waits for its phone.
    pub async fn set() -> Self {
        let network = Network::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::start(&network, folder.path(), &EngineOptions::default()).unwrap();
        let mut names = Vec::new();
        for (phone, name) in [(BOT, "bot"), (ANA, "ana"), (BUDI, "budi"), (FLOW, "flow"), (PLUGIN, "plugin")] {
            let made = network.act(Method::POST, "/phones", json!({ "phone": phone, "name": name })).await.unwrap();
            names.push((format!("{}@lid", made["lid"].as_str().unwrap().trim_end_matches("@lid")), name.to_owned()));
        }
        let (hook, node) = (Heard::default(), Heard::default());
        let app = Router::new()
            .route("/hook", post(hear).with_state(hook.clone()))
            .route("/node", post(hear).with_state(node.clone()))
            .route("/gone", post(async || StatusCode::GONE));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let stage = Self {
            network,
            engine,
            hook,
            node,
            reports: tokio::sync::Mutex::new([(FLOW, Reports::default()), (PLUGIN, Reports::default())]),
            claimed: Mutex::default(),
            receiver,
            names: Mutex::new(names),
            _folder: folder,
        };
        stage.api(Method::POST, "/session/create", json!({ "sessionId": SHOP })).await;
        stage.target("hook", json!({ "events": EVENTS, "order": "none" })).await;
        stage.target("node", json!({ "events": ["message_received"], "payload": "node" })).await;
        let script = format!(
            r#"if chat != "{}" && chat != "{}" {{ text("{FLOW}", event.event + " " + data.to_json()); }}"#,
            jid(FLOW),
            jid(PLUGIN)
        );
        let flow = json!({ "name": "report", "on": EVENTS, "script": script });
        stage.api(Method::POST, "/flows", flow).await;
        let component = include_bytes!("../../../plugins/menu/menu.wasm").to_vec();
        let report = json!({ "report": { "to": PLUGIN, "events": EVENTS, "except": [FLOW] } });
        stage.engine.plugin(component, "menu", SHOP, report).await.unwrap();
        stage
    }

    /// With a session that is open.
    pub async fn open() -> Self {
        let stage = Self::set().await;
        stage.engine.pair(&stage.network, SHOP, BOT).await.unwrap();
        stage
    }

    /// Has events sent to the receiver.
    pub async fn target(&self, path: &str, mut target: Value) {
        target["url"] = json!(format!("{}/{path}", self.receiver));
        self.api(Method::POST, &format!("/session/{SHOP}/targets"), target).await;
    }

    /// A call of the API that must succeed; the first result.
    pub async fn api(&self, method: Method, path: &str, body: Value) -> Value {
        let done = self.engine.api(method, path, Some(body)).await.unwrap();
        assert!(done.status < 300, "{path}: {done:?}");
        let mut body = done.body;
        match body.get_mut("results").and_then(|results| results.get_mut(0)) {
            Some(first) => first.take(),
            None => body["result"].take(),
        }
    }

    /// Has the network do something.
    pub async fn act(&self, path: &str, body: Value) -> Value {
        self.network.act(Method::POST, path, body).await.unwrap()
    }

    /// Waits for an event at the webhook, the flow and the plugin: all are told the
    /// same, and it reads as the snapshot does.
    pub async fn seen(&self, name: &str, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let data = self.heard(name, event, fits).await;
        let id = data["eventId"].as_str().unwrap();
        for way in 0..2 {
            let told = eventually(&format!("{name} by {}", ["flow", "plugin"][way]), || self.report(way, id)).await;
            let (kind, told) = told.unwrap();
            assert_eq!((kind.as_str(), unsigned(told)), (event, unsigned(data.clone())), "{name}");
        }
        data
    }

    /// Waits for a message in the shape that the Node server has.
    pub async fn seen_as_node(&self, name: &str, id: &str) {
        let body = eventually(name, || async {
            let heard = self.node.lock().unwrap();
            Ok(heard.iter().find(|body| body["data"]["message"]["key"]["id"] == id).cloned())
        })
        .await
        .unwrap();
        self.snapshot(name, &body["data"]);
    }

    /// Waits for an event at the webhook, where it reads as the snapshot does.
    pub async fn heard(&self, name: &str, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let found = eventually(name, || async {
            let mut claimed = self.claimed.lock().unwrap();
            let heard = self.hook.lock().unwrap();
            let mut of = heard.iter().filter(|body| body["event"] == event).map(|body| &body["data"]);
            let id = |data: &Value| data["eventId"].as_str().unwrap_or_default().to_owned();
            let found = of.rfind(|data| !claimed.contains(&id(data)) && fits(data)).cloned();
            claimed.extend(found.iter().map(id));
            Ok(found)
        })
        .await;
        let found = found.unwrap_or_else(|error| {
            let heard = self.hook.lock().unwrap();
            let of: Vec<_> = heard.iter().filter(|body| body["event"] == event).map(|body| &body["data"]).collect();
            panic!("{error:#}; these {event} came: {of:#?}")
        });
        self.snapshot(name, &found);
        found
    }

    /// Causes something again and again until it is news. What the first sync of a
    /// part of the app state brings is how things stand, and no event.
    pub async fn until_news(&self, event: &str, fits: impl Fn(&Value) -> bool, cause: impl AsyncFn()) {
        let news = eventually(event, async || {
            cause().await;
            let begun = Instant::now();
            while !self.has(event, &fits) && begun.elapsed() < Duration::from_secs(3) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok(self.has(event, &fits).then_some(()))
        });
        news.await.unwrap();
    }

    /// Whether an event has come to the webhook.
    pub fn has(&self, event: &str, fits: impl Fn(&Value) -> bool) -> bool {
        self.hook.lock().unwrap().iter().any(|body| body["event"] == event && fits(&body["data"]))
    }

    /// What the flow or the plugin was told of an event.
    async fn report(&self, way: usize, id: &str) -> anyhow::Result<Option<(String, Value)>> {
        let mut reports = self.reports.lock().await;
        let (phone, reports) = &mut reports[way];
        let path = format!("/phones/{phone}/messages?after={}", reports.after);
        let inbox = warest_tests::call(Method::GET, &format!("{}{path}", self.network.url), None).await?.body;
        for message in inbox.as_array().into_iter().flatten() {
            reports.after = reports.after.max(message["seq"].as_u64().unwrap_or(0));
            let Some((event, data)) = message["text"].as_str().and_then(|text| text.split_once(' ')) else { continue };
            let data: Value = serde_json::from_str(data)?;
            let id = data["eventId"].as_str().unwrap_or_default().to_owned();
            reports.told.insert(id, (event.to_owned(), data));
        }
        Ok(reports.told.get(id).cloned())
    }

    /// Compares with `snapshots/<name>.snap`, where what differs from run to run has
    /// its name in brackets.
    fn snapshot(&self, name: &str, data: &Value) {
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_sort_maps(true);
        settings.set_omit_expression(true);
        for (lid, name) in self.names.lock().unwrap().iter() {
            settings.add_filter(&format!("\\b{lid}"), format!("[{name}]@lid"));
        }
        for (pattern, name) in VARYING {
            settings.add_filter(pattern, *name);
        }
        settings.bind(|| insta::assert_json_snapshot!(name, data));
    }
}

/// What differs from run to run.
const VARYING: &[(&str, &str)] = &[
    (r#""/storage/private/[^"]*""#, r#""[signed]""#),
    (r#""(evt|med|tgt|job|run)_[0-9A-Z]{26}""#, r#""[$1]""#),
    (r#""(pictureId|id)": "\d{8,10}""#, r#""$1": "[number]""#),
    (r"\b1[7-9]\d{11}\b", "[ms]"),
    (r"\b1[7-9]\d{8}\b", "[s]"),
    (r#""(qr|streamingSidecar)": "[^"]*""#, r#""$1": "[code]""#),
    (r"\b1203\d{14}@g\.us", "[group]@g.us"),
    (r"\b1203\d{14}@newsletter", "[newsletter]@newsletter"),
    (r#""https?://(localhost|127\.0\.0\.1|mmg)[^"]*""#, r#""[url]""#),
    (r#""/[^"]*oh=[^"]*""#, r#""[path]""#),
    (r#""(size|fileLength)": "?\d+"?"#, r#""$1": "[bytes]""#),
    (r#""(?:[0-9A-F]{16,40}|[0-9a-f]{64})""#, r#""[hex]""#),
    (r#""[A-Za-z0-9+/]{27,}={0,2}""#, r#""[base64]""#),
    (r#""[A-Za-z0-9]{22}""#, r#""[code]""#),
];

/// Data without the signature of its file, which is another each time.
fn unsigned(mut data: Value) -> Value {
    if let Some(url) = data.pointer_mut("/media/url") {
        *url = json!(url.as_str().and_then(|url| url.split_once('?')).map(|(path, _)| path));
    }
    data
}

async fn hear(State(heard): State<Heard>, Json(body): Json<Value>) -> Json<Value> {
    heard.lock().unwrap().push(body);
    Json(json!({}))
}
