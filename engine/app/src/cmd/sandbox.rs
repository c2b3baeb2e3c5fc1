//! `warest sandbox`: the engine, a simulated network, and a conversation to
//! watch. Everything it does goes over the two HTTP APIs that a user has.

use super::client::{Api, Control};
use crate::compose::Running;
use crate::config::Settings;
use crate::interrupts::Signals;
use crate::users::sandbox_key;
use anyhow::Context;
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use warest_simnet::{Simnet, SimnetConfig, SimnetHandle};

/// The phone that the demo session is linked to.
const BOT: &str = "6281000000001";
/// The phone that writes to it.
const CUSTOMER: &str = "6281000000002";
/// The demo session.
const SESSION: &str = "demo";
/// The demo flow's id, fixed so that a second start replaces it.
const FLOW: &str = "flw_01DEM000000000000000000000";
/// The sample flow.
const SCRIPT: &str = include_str!("../../../../examples/flows/hello.rhai");
/// The sample plugin.
const PLUGIN: &[u8] = include_bytes!("../../../../plugins/echo/echo.wasm");

/// Flags of `sandbox`.
#[derive(Args)]
pub struct SandboxArgs {
    /// Where state is kept.
    #[arg(long, default_value = "data/sandbox")]
    data_dir: PathBuf,
    /// Address to listen on. Others than this machine reach a sandbox only if it says so.
    #[arg(long, env = "HOST", default_value = "127.0.0.1")]
    host: String,
    /// Port of the API.
    #[arg(long, env = "PORT", default_value_t = 7308)]
    port: u16,
    /// Port of the simulated network.
    #[arg(long, default_value_t = warest_simnet::DEFAULT_PORT)]
    simnet_port: u16,
    /// Uses a simulated network that is running already, such as
    /// http://127.0.0.1:7309.
    #[arg(long, conflicts_with = "simnet_port")]
    simnet: Option<String>,
    /// Starts without the demonstration.
    #[arg(long)]
    bare: bool,
}

/// Runs until a signal comes.
pub async fn run(args: SandboxArgs) -> anyhow::Result<()> {
    crate::logging::init("warn");
    std::fs::create_dir_all(&args.data_dir)
        .with_context(|| format!("making the data folder {}", args.data_dir.display()))?;
    let (simnet, base) = match args.simnet {
        Some(base) => (None, base),
        None => {
            let simnet = start_simnet(args.simnet_port, args.data_dir.join("simnet.state")).await?;
            let base = format!("http://{}", simnet.addr());
            (Some(simnet), base)
        }
    };
    let control = Control::new(&base)?;
    let mut settings = Settings::from_env(args.data_dir.clone(), args.host, args.port)?;
    // Refused here with a sentence, and again by every part that dials.
    settings.engine.egress.check_url(&base)?;
    settings.endpoint = control.chat_endpoint()?;
    let key = match settings.admin_key.clone() {
        Some(key) => key,
        None => sandbox_key(&args.data_dir)?,
    };
    settings.admin_key = Some(key.clone());
    let mut signals = Signals::listen()?;
    let running = signals.start(Running::start(settings)).await?;
    let api = Api::new(&running.url(), &key)?;
    let stage = Stage { api, control, url: running.url(), simnet: base, key };

    let played = tokio::select! {
        played = stage.play(args.bare) => played,
        () = signals.next() => Ok(()),
    };
    signals.stop(running).await?;
    if let Some(simnet) = simnet {
        simnet.shutdown().await?;
    }
    played
}

async fn start_simnet(port: u16, state: PathBuf) -> anyhow::Result<SimnetHandle> {
    let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    Ok(Simnet::start(SimnetConfig { listen, state: Some(state) }).await?)
}

struct Stage {
    api: Api,
    control: Control,
    url: String,
    simnet: String,
    key: String,
}

impl Stage {
    /// Plays the demonstration, if asked for, and stays up.
    async fn play(&self, bare: bool) -> anyhow::Result<()> {
        if bare {
            self.print_addresses();
            std::future::pending::<()>().await;
        }
        self.set_up().await.context("setting up the demonstration")?;
        let mut seen = self.last_seq().await?;
        say!("A customer ({CUSTOMER}) writes to your bot ({BOT}):\n");
        for line in ["hello", "ping", "!ping"] {
            self.control.say(CUSTOMER, BOT, line).await?;
            seen = self.show_until_reply(seen).await?;
        }
        say!("");
        self.print_addresses();
        self.print_curls();
        // From here on, whatever is said is shown as it happens.
        loop {
            for message in self.control.inbox(CUSTOMER, seen, 20_000).await? {
                seen = seen.max(show(&message));
            }
        }
    }

    async fn set_up(&self) -> anyhow::Result<()> {
        self.api.pair(SESSION, &self.control, BOT, "Demo bot").await?;
        self.api.wait_open(SESSION).await?;
        self.control.phone(CUSTOMER, "Ana").await?;
        let flow = json!({
            "name": "hello", "sessionId": SESSION, "on": ["message_received"], "script": SCRIPT, "enabled": true
        });
        self.api.call(Method::PUT, &format!("/flows/{FLOW}"), Some(flow)).await?;
        self.api.upload(PLUGIN).await?;
        let binding = json!({"enabled": true, "config": {}});
        self.api.call(Method::PUT, &format!("/session/{SESSION}/plugins/echo"), Some(binding)).await?;
        Ok(())
    }

    async fn last_seq(&self) -> anyhow::Result<u64> {
        let inbox = self.control.inbox(CUSTOMER, 0, 0).await?;
        Ok(inbox.iter().filter_map(|message| message["seq"].as_u64()).max().unwrap_or(0))
    }

    async fn show_until_reply(&self, mut seen: u64) -> anyhow::Result<u64> {
        loop {
            for message in self.control.inbox(CUSTOMER, seen, 5_000).await? {
                seen = seen.max(show(&message));
                if message["fromMe"] == Value::Bool(false) {
                    return Ok(seen);
                }
            }
        }
    }

    fn print_addresses(&self) {
        say!("API      {}/api/v1   (header X-WAREST-API-KEY: {})", self.url, self.key);
        say!("Network  {}          (phones to write with; loopback only)", self.simnet);
    }

    fn print_curls(&self) {
        let Self { url, simnet, key, .. } = self;
        say!(
            "\nTry:\n  \
             curl -X POST {simnet}/phones/{CUSTOMER}/messages -H 'content-type: application/json' \
             -d '{{\"to\":\"{BOT}\",\"text\":\"ping\"}}'\n  \
             curl -X POST {url}/api/v1/messages/send/text -H 'X-WAREST-API-KEY: {key}' \
             -H 'content-type: application/json' \
             -d '{{\"sessionId\":\"{SESSION}\",\"to\":\"{CUSTOMER}\",\"text\":\"Hi from REST\"}}'\n  \
             curl {url}/api/v1/runs -H 'X-WAREST-API-KEY: {key}'\n\nCtrl-C stops."
        );
    }
}

/// Prints one message of the customer's phone; answers its position.
fn show(message: &Value) -> u64 {
    let who = if message["fromMe"] == Value::Bool(true) { "customer" } else { "     bot" };
    let text = message["text"].as_str().unwrap_or_default();
    say!("  {who}  {text}");
    message["seq"].as_u64().unwrap_or(0)
}
