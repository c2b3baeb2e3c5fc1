//! What is measured on: a network in a child process, engines in this one, and
//! sessions with a customer each.

use super::ReactorKind;
use super::receiver::{self, Receiver};
use crate::cmd::client::{Api, Control};
use crate::compose::Running;
use crate::config::Settings;
use anyhow::{Context, bail};
use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The plugin that is measured: the sample one.
const PLUGIN: &[u8] = include_bytes!("../../../../../plugins/echo/echo.wasm");
/// The flow that is measured.
const SCRIPT: &str = r#"reply("re " + event.data.text);"#;
/// Sessions that are linked at once.
const LINKING: usize = 4;

/// A simulated network in a child process, with a folder for engines.
pub struct Network {
    /// Its control API.
    pub control: Control,
    folder: PathBuf,
    child: Child,
}

impl Network {
    /// Starts one.
    pub fn start() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("warest-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["simnet", "--port", "0"])
            .env("LOG_LEVEL", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the simulated network")?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let Some(base) = line.split_whitespace().find(|word| word.starts_with("http://")) else {
            bail!("the simulated network did not say where it listens: {line:?}")
        };
        Ok(Self { control: Control::new(base)?, folder, child })
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The child is ours, and may have gone already; the folder is scratch.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// An engine over a network, with sessions that answer.
pub struct Stage {
    /// The network's control API.
    pub control: Control,
    /// The engine's API.
    pub api: Api,
    /// Tells this stage's phones from those of another on the same network.
    pub number: u32,
    reactor: ReactorKind,
    receiver: Receiver,
    running: Running,
}

impl Stage {
    /// Starts an engine whose sessions `reactor` will answer for.
    pub async fn start(network: &Network, number: u32, reactor: ReactorKind) -> anyhow::Result<Self> {
        let folder = network.folder.join(number.to_string());
        Self::over(network, &folder, number, reactor).await
    }

    async fn over(network: &Network, folder: &Path, number: u32, reactor: ReactorKind) -> anyhow::Result<Self> {
        let mut settings = Settings::from_env(folder.to_owned(), "127.0.0.1".to_owned(), 0)?;
        settings.endpoint = network.control.chat_endpoint()?;
        settings.engine.deliver.actions_delay_ms = 0;
        // The setup is one user's, and all at once.
        settings.rate_limit = None;
        let key = crate::users::new_key();
        settings.admin_key = Some(key.clone());
        let running = Running::start(settings).await?;
        let api = Api::new(&running.url(), &key)?;
        match reactor {
            ReactorKind::Plugin => {
                api.upload(PLUGIN).await?;
            }
            ReactorKind::Flow => {
                let flow = json!({"name": "bench", "on": ["message_received"], "script": SCRIPT, "enabled": true});
                api.call(Method::POST, "/flows", Some(flow)).await?;
            }
            ReactorKind::Webhook => {}
        }
        let receiver = receiver::start().await?;
        Ok(Self { control: network.control.clone(), api, number, reactor, receiver, running })
    }

    /// The engine itself, for what no client could ask for.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Links the sessions `range`, each with a customer, and has them answered.
    pub async fn add_sessions(&self, range: std::ops::Range<u32>) -> anyhow::Result<()> {
        let mut added = futures::stream::iter(range.map(|index| self.add_session(index))).buffer_unordered(LINKING);
        while let Some(one) = added.next().await {
            one?;
        }
        Ok(())
    }

    async fn add_session(&self, index: u32) -> anyhow::Result<()> {
        let session = self.session(index);
        self.api.pair(&session, &self.control, &self.bot(index), "Bench").await?;
        self.control.phone(&self.customer(index), "Customer").await?;
        match self.reactor {
            ReactorKind::Flow => Ok(()),
            ReactorKind::Plugin => self.bind(&session, "echo", json!({})).await,
            ReactorKind::Webhook => self.webhook(&session, &self.receiver.url).await,
        }
    }

    /// Puts a plugin in use for a session.
    pub async fn bind(&self, session: &str, plugin: &str, config: Value) -> anyhow::Result<()> {
        let binding = json!({"enabled": true, "config": config});
        self.api.call(Method::PUT, &format!("/session/{session}/plugins/{plugin}"), Some(binding)).await.map(drop)
    }

    /// Gives a session its webhook.
    pub async fn webhook(&self, session: &str, url: &str) -> anyhow::Result<()> {
        let config = json!({"webhookUrl": url, "webhookSecret": "bench-secret"});
        self.api.call(Method::POST, &format!("/session/{session}/config"), Some(config)).await.map(drop)
    }

    /// The name of a session.
    pub fn session(&self, index: u32) -> String {
        format!("bench-{index}")
    }

    /// The phone that a session is linked to.
    pub fn bot(&self, index: u32) -> String {
        format!("6281{:02}{index:06}", self.number)
    }

    /// The phone that writes to a session.
    pub fn customer(&self, index: u32) -> String {
        format!("6282{:02}{index:06}", self.number)
    }

    /// The text of message `number`, and what its reply is.
    pub fn texts(&self, number: u32) -> (String, String) {
        match self.reactor {
            ReactorKind::Plugin => (format!("!echo m{number}"), format!("m{number}")),
            ReactorKind::Flow | ReactorKind::Webhook => (format!("m{number}"), format!("re m{number}")),
        }
    }

    /// Stops the engine.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.receiver.stop();
        self.running.shutdown().await
    }
}
