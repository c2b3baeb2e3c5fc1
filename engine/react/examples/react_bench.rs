//! What one reaction costs: `cargo run --release -p warest-react --example react_bench`.

use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use warest_model::event::{Event, EventKind};
use warest_model::id::EventId;
use warest_model::jid::Jid;
use warest_react::flow::{FlowEngine, FlowLimits};
use warest_react::wasm::{PluginHost, PluginLimits};
use warest_react::{Input, Reactor, SessionInfo};

const ROUNDS: u32 = 2_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let flow = FlowEngine::new(FlowLimits::default())?.compile("if text == \"!ping\" { reply(\"pong\") }")?;
    measure("flow", &*flow).await?;
    let component = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/echo/echo.wasm"))?;
    let host = PluginHost::new(PluginLimits::default())?;
    let started = Instant::now();
    let plugin = host.load(&component).await?;
    println!("load: {:?}", started.elapsed());
    measure("plugin", &plugin).await
}

async fn measure(name: &str, reactor: &impl Reactor) -> anyhow::Result<()> {
    let input = input()?;
    for _ in 0..ROUNDS / 10 {
        reactor.react(input.clone()).await?;
    }
    let started = Instant::now();
    for _ in 0..ROUNDS {
        reactor.react(input.clone()).await?;
    }
    println!("{name}: {:?} each", started.elapsed() / ROUNDS);
    Ok(())
}

fn input() -> anyhow::Result<Input> {
    let chat = "6281234567890@s.whatsapp.net";
    Ok(Input {
        event: Arc::new(Event {
            id: EventId::new(0),
            session: "bench".parse()?,
            kind: EventKind::MessageReceived,
            chat: Some(Jid::parse(chat, "62")?),
            ts_ms: 0,
            data: json!({"chatId": chat, "sender": chat, "text": "!ping", "message": {"text": "!ping"},
                "key": {"remoteJid": chat, "id": "3EB0", "fromMe": false}, "tags": ["inbound"]}),
        }),
        session: Arc::new(SessionInfo {
            id: "bench".into(),
            label: "Bench".into(),
            registry: "usr_1".into(),
            username: "admin".into(),
        }),
        config: Arc::new(json!({})),
        state: BTreeMap::new(),
        now_ms: 0,
        country_code: "62".into(),
    })
}
