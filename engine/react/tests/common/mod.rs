//! Events for the reactors under test.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use warest_model::content::Content;
use warest_model::event::{Event, EventKind};
use warest_model::fault::Fault;
use warest_model::jid::Jid;
use warest_model::plan::{Effect, Node, Plan};
use warest_react::{Input, Reactor, SessionInfo};

pub const CHAT: &str = "6281234567890@s.whatsapp.net";
/// Far more than any run may take, on a machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A message with this text.
pub fn message(text: &str) -> Input {
    let data = json!({
        "sessionId": "demo",
        "chatId": CHAT,
        "sender": CHAT,
        "contentType": "text",
        "text": text,
        "message": {"text": text},
        "key": {"remoteJid": CHAT, "id": "3EB0EC4E", "fromMe": false},
    });
    Input {
        event: Arc::new(Event {
            id: warest_model::id::EventId::new(1_732_364_392_000),
            session: "demo".parse().unwrap(),
            kind: EventKind::MessageReceived,
            chat: Some(Jid::parse(CHAT, "62").unwrap()),
            ts_ms: 1_732_364_392_000,
            data,
        }),
        session: Arc::new(SessionInfo {
            id: "demo".into(),
            label: "Demo".into(),
            registry: "usr_1".into(),
            username: "admin".into(),
        }),
        config: Arc::new(json!({})),
        state: BTreeMap::new(),
        now_ms: 1_732_364_392_500,
        country_code: "62".into(),
    }
}

pub fn with_config(mut input: Input, config: Value) -> Input {
    input.config = Arc::new(config);
    input
}

/// Runs a reactor; it must end by itself.
pub async fn react(reactor: &(impl Reactor + ?Sized), input: Input) -> Result<Plan, Fault> {
    tokio::time::timeout(PATIENCE, reactor.react(input)).await.expect("the reactor ends within its own limits")
}

/// The texts of a plan, in order, wherever they stand.
pub fn texts(plan: &Plan) -> Vec<String> {
    fn walk(nodes: &[Node], texts: &mut Vec<String>) {
        for node in nodes {
            match node {
                Node::Effect { effect: Effect::Message { content: Content::Text { text, .. }, .. } } => {
                    texts.push(text.clone())
                }
                Node::Effect { .. } | Node::Delay { .. } | Node::Noop => {}
                Node::Queue { items, .. } | Node::Parallel { items } => walk(items, texts),
                Node::When { then, otherwise, .. } => {
                    walk(then, texts);
                    walk(otherwise, texts);
                }
                Node::Retry { item, on_fail, .. } => {
                    walk(std::slice::from_ref(item), texts);
                    walk(on_fail, texts);
                }
            }
        }
    }
    let mut found = Vec::new();
    walk(&plan.nodes, &mut found);
    found
}

/// The plan's shape as JSON, with the addresses left out.
pub fn shape(plan: &Plan) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.remove("to");
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(&plan.nodes).unwrap();
    strip(&mut value);
    value
}
