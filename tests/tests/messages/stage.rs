//! An engine with a session and one of each reactor, which do what they are told:
//! a webhook receiver, a flow and a plugin that answer a word with actions.

use super::table::{File, Row};
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use warest_tests::{Engine, EngineOptions, Network, call, client, eventually};

pub const BOT: &str = "6281700000001";
pub const ANA: &str = "6281700000002";
const SHOP: &str = "shop";

/// The ways to have something done.
pub const WAYS: [&str; 4] = ["rest", "hook", "flow", "plugin"];

/// What the receiver answers, by the text it hears.
type Answers = Arc<Mutex<Map<String, Value>>>;

pub struct Stage {
    pub network: Network,
    pub engine: Engine,
    answers: Answers,
    _folder: TempDir,
}

/// The chat's address.
pub fn jid(phone: &str) -> String {
    format!("{phone}@s.whatsapp.net")
}

impl Stage {
    /// With reactors that know the table.
    pub async fn set(rows: &[Row]) -> Self {
        let network = Network::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::start(&network, folder.path(), &EngineOptions::default()).unwrap();
        engine.pair(&network, SHOP, BOT).await.unwrap();
        network.phone(ANA).await.unwrap();
        let answers = Answers::default();
        let app = Router::new().route("/", post(answer)).with_state(answers.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let target = json!({ "url": url, "events": ["message_received"] });
        let made = engine.api(Method::POST, &format!("/session/{SHOP}/targets"), Some(target)).await.unwrap();
        assert!(made.status < 300, "{made:?}");
        let stage = Self { network, engine, answers, _folder: folder };
        let of = |way: &str| -> Map<String, Value> {
            rows.iter().map(|row| (format!("{way} {}", row.name), json!([row.action]))).collect()
        };
        stage.answers.lock().unwrap().extend(of("hook"));
        if !rows.is_empty() {
            stage.engine.flow(&script(&of("flow"))).await.unwrap();
            stage.plugin(&of("plugin")).await;
        }
        stage
    }

    async fn plugin(&self, answers: &Map<String, Value>) {
        let component = include_bytes!("../../../plugins/menu/menu.wasm").to_vec();
        self.engine.plugin(component, "menu", SHOP, json!({ "answers": answers })).await.unwrap();
    }

    /// Has a row sent to Ana, and waits until her phone shows it.
    pub async fn ask(&self, way: &str, row: &Row) -> Value {
        if way == "rest" {
            return self.send(row, &jid(ANA)).await;
        }
        let before = self.last_seq().await;
        self.network.say(ANA, BOT, &format!("{way} {}", row.name)).await.unwrap();
        self.shown_after(before, &format!("{way} {}", row.name)).await
    }

    /// Has a row sent by REST, and waits until Ana's phone shows it.
    pub async fn send(&self, row: &Row, to: &str) -> Value {
        let before = self.last_seq().await;
        let (operation, mut body) = row.rest.clone();
        body["sessionId"] = json!(SHOP);
        body["to"] = json!(to);
        let sent = self.engine.api(Method::POST, &format!("/messages/send/{operation}"), Some(body)).await.unwrap();
        assert_eq!(sent.status, 200, "{}: {sent:?}", row.name);
        assert_eq!(sent.body["results"][0]["toJid"], to);
        self.shown_after(before, row.name).await
    }

    /// Has an action done.
    pub async fn act(&self, way: &str, name: &str, action: &Value) {
        let word = format!("{way} {name}");
        let answers = Map::from_iter([(word.clone(), json!([action]))]);
        match way {
            "rest" => {
                let body = json!({ "actions": [action] });
                let path = format!("/session/{SHOP}/actions");
                let begun = self.engine.api(Method::POST, &path, Some(body)).await.unwrap();
                assert_eq!(begun.status, 202, "{way} {name}: {begun:?}");
                return;
            }
            "hook" => self.answers.lock().unwrap().extend(answers),
            "flow" => drop(self.engine.flow(&script(&answers)).await.unwrap()),
            _ => self.plugin(&answers).await,
        }
        self.network.say(ANA, BOT, &word).await.unwrap();
    }

    async fn last_seq(&self) -> u64 {
        let received = self.network.received(ANA).await.unwrap();
        received.last().and_then(|message| message["seq"].as_u64()).unwrap_or(0)
    }

    async fn shown_after(&self, seq: u64, what: &str) -> Value {
        eventually(what, || async {
            let received = self.network.received(ANA).await?;
            Ok(received.into_iter().find(|message| message["seq"].as_u64().is_some_and(|one| one > seq)))
        })
        .await
        .unwrap()
    }

    /// The file is what was sent, and nothing that the message says of it is wrong.
    pub async fn check_file(&self, way: &str, row: &Row, shown: &Value, file: &File) {
        let id = shown["id"].as_str().unwrap();
        let url = format!("{}/phones/{ANA}/messages/{id}/media", self.network.url);
        let got = client().unwrap().get(&url).send().await.unwrap();
        let status = got.status();
        let bytes = got.bytes().await.unwrap();
        assert!(status.is_success(), "{way} {}: {}", row.name, String::from_utf8_lossy(&bytes));
        if let Some(wanted) = &file.bytes {
            assert!(bytes == wanted.as_slice(), "{way} {}: {} bytes for {}", row.name, bytes.len(), wanted.len());
        }
        let info = call(Method::GET, &format!("{url}/info"), None).await.unwrap().body;
        for (name, wanted) in file.info.as_object().unwrap() {
            assert_eq!(&info[name], wanted, "{way} {}: {info:#}", row.name);
        }
        assert!(info["problems"].as_array().is_none_or(Vec::is_empty), "{way} {}: {info:#}", row.name);
    }

    /// Waits until a message stands so at a phone.
    pub async fn until_message(&self, phone: &str, key: &Value, what: &str, fits: impl Fn(&Value) -> bool) {
        let url = format!("{}/phones/{phone}/messages/{}", self.network.url, key["id"].as_str().unwrap());
        self.until(what, &url, fits).await;
    }

    /// Waits until a chat stands so at a phone.
    pub async fn until_chat(&self, phone: &str, with: &str, what: &str, fits: impl Fn(&Value) -> bool) {
        let url = format!("{}/phones/{phone}/chats", self.network.url);
        self.until(what, &url, |chats| {
            chats.as_array().is_some_and(|chats| chats.iter().any(|chat| chat["chat"] == with && fits(chat)))
        })
        .await;
    }

    /// Waits until a list of a phone reads so.
    pub async fn until_list(&self, phone: &str, list: &str, what: &str, fits: impl Fn(&str) -> bool) {
        let url = format!("{}/phones/{phone}/{list}", self.network.url);
        self.until(what, &url, |list| fits(&list.to_string())).await;
    }

    /// Waits for a receipt about a message.
    pub async fn until_receipt(&self, phone: &str, key: &Value, kind: &str) {
        let url = format!("{}/phones/{phone}/receipts?after=0", self.network.url);
        self.until(kind, &url, |receipts| {
            let mut all = receipts.as_array().into_iter().flatten();
            all.any(|one| one["kind"] == kind && one["ids"].to_string().contains(key["id"].as_str().unwrap()))
        })
        .await;
    }

    /// Waits until a newsletter reads so.
    pub async fn until_newsletter(&self, id: &str, what: &str, fits: impl Fn(&Value) -> bool) {
        self.until(what, &format!("{}/newsletters/{id}", self.network.url), fits).await;
    }

    /// A call of the API about the session, which must succeed; its answer.
    pub async fn api(&self, method: Method, path: &str, mut body: Value) -> Value {
        body["sessionId"] = json!(SHOP);
        let done = self.engine.api(method, path, Some(body)).await.unwrap();
        assert_eq!(done.status, 200, "{path}: {done:?}");
        done.body
    }

    /// Waits until an operation of the API answers so.
    pub async fn until_api(&self, path: &str, what: &str, fits: impl Fn(&str) -> bool) {
        let url = format!("{}/api/v1{path}sessionId={SHOP}", self.engine.url);
        self.until(what, &url, |body| fits(&body.to_string())).await;
    }

    async fn until(&self, what: &str, url: &str, fits: impl Fn(&Value) -> bool) {
        let last = Mutex::new(Value::Null);
        let found = eventually(what, || async {
            let body = call(Method::GET, url, None).await?.body;
            let fits = fits(&body);
            *last.lock().unwrap() = body;
            Ok(fits.then_some(()))
        })
        .await;
        assert!(found.is_ok(), "{what}: {:#}", last.lock().unwrap());
    }
}

async fn answer(State(answers): State<Answers>, Json(body): Json<Value>) -> Json<Value> {
    let text = body["data"]["text"].as_str().unwrap_or_default();
    let actions = answers.lock().unwrap().get(text).cloned();
    Json(json!({ "actions": actions.unwrap_or_else(|| json!([])), "delayMs": 0 }))
}

/// A flow that answers words with actions.
fn script(answers: &Map<String, Value>) -> String {
    let mut script = String::new();
    for (word, actions) in answers {
        for one in actions.as_array().unwrap() {
            script.push_str(&format!("if text == {} {{ action({}); }}\n", json!(word), rhai(one)));
        }
    }
    script
}

/// A JSON value as Rhai writes it.
fn rhai(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}: {}", rhai(value))).collect();
            format!("#{{{}}}", fields.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(rhai).collect::<Vec<_>>().join(", ")),
        Value::Null => "()".to_owned(),
        other => other.to_string(),
    }
}
