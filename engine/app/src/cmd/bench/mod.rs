//! `warest bench`: replies per second and their latency, over the simulated
//! network, which runs as a process of its own so that memory and time are the
//! engine's.
//!
//! Each message is timed from the moment its phone sends it to the moment the
//! reply stands in that phone's inbox.

mod receiver;
mod report;

use super::client::{Api, Control};
use crate::compose::Running;
use crate::config::Settings;
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use report::{Report, rss_kib};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// The plugin that is measured: the sample one.
const PLUGIN: &[u8] = include_bytes!("../../../../../plugins/echo/echo.wasm");
/// The flow that is measured.
const SCRIPT: &str = r#"reply("re " + event.data.text);"#;
/// A run without any reply for this long has failed.
const STALLED: Duration = Duration::from_secs(60);

/// Flags of `bench`.
#[derive(Args)]
pub struct BenchArgs {
    /// Sessions, each with a phone of its own.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    sessions: u32,
    /// Messages in all.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    messages: u32,
    /// What answers.
    #[arg(long, value_enum, default_value_t = ReactorKind::Flow)]
    reactor: ReactorKind,
    /// Messages that wait for their reply at once.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    in_flight: u32,
    /// Prints one line of JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// What answers the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReactorKind {
    /// A Rhai flow.
    Flow,
    /// The sample plugin.
    Plugin,
    /// A webhook receiver in this process.
    Webhook,
}

/// Runs one measurement.
pub async fn run(args: BenchArgs) -> anyhow::Result<()> {
    crate::logging::init("warn");
    let folder = scratch_folder()?;
    let outcome = measure(&args, &folder).await;
    std::fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    let report = outcome?;
    if args.json {
        println!("{}", report.json());
    } else {
        println!("{}", report.text());
    }
    Ok(())
}

fn scratch_folder() -> anyhow::Result<std::path::PathBuf> {
    let folder = std::env::temp_dir().join(format!("warest-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

async fn measure(args: &BenchArgs, folder: &Path) -> anyhow::Result<Report> {
    let (mut network, base) = start_network()?;
    let outcome = measure_over(args, folder, &base).await;
    // The child is ours; it may have gone already.
    let _ = network.kill();
    network.wait()?;
    outcome
}

/// Starts the simulated network as a child and reads its address.
fn start_network() -> anyhow::Result<(Child, String)> {
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
    match line.split_whitespace().find(|word| word.starts_with("http://")) {
        Some(base) => Ok((child, base.to_owned())),
        None => bail!("the simulated network did not say where it listens: {line:?}"),
    }
}

async fn measure_over(args: &BenchArgs, folder: &Path, base: &str) -> anyhow::Result<Report> {
    let control = Control::new(base)?;
    let mut settings = Settings::from_env(folder.to_owned(), "127.0.0.1".to_owned(), 0)?;
    settings.endpoint = control.chat_endpoint()?;
    settings.engine.deliver.actions_delay_ms = 0;
    let key = crate::users::new_key();
    settings.admin_key = Some(key.clone());
    let running = Running::start(settings).await?;
    let api = Api::new(&running.url(), &key)?;
    let receiver = receiver::start().await?;
    let bench = Bench { args, api, control, receiver: receiver.url.clone() };
    let outcome = bench.go().await;
    receiver.stop();
    running.shutdown().await?;
    outcome
}

struct Bench<'a> {
    args: &'a BenchArgs,
    api: Api,
    control: Control,
    receiver: String,
}

impl Bench<'_> {
    async fn go(&self) -> anyhow::Result<Report> {
        let rss_start = rss_kib()?;
        let begun = Instant::now();
        if self.args.reactor == ReactorKind::Plugin {
            self.api.upload(PLUGIN).await?;
        }
        if self.args.reactor == ReactorKind::Flow {
            let flow = json!({"name": "bench", "on": ["message_received"], "script": SCRIPT, "enabled": true});
            self.api.call(Method::POST, "/flows", Some(flow)).await?;
        }
        for index in 0..self.args.sessions {
            self.add_session(index).await?;
        }
        let setup = begun.elapsed();
        let rss_idle = rss_kib()?;

        let begun = Instant::now();
        let latencies = self.converse().await?;
        let took = begun.elapsed();
        Ok(Report {
            reactor: format!("{:?}", self.args.reactor).to_lowercase(),
            sessions: self.args.sessions,
            messages: self.args.messages,
            in_flight: self.args.in_flight,
            setup,
            took,
            latencies,
            rss_start_kib: rss_start,
            rss_idle_kib: rss_idle,
            rss_end_kib: rss_kib()?,
        })
    }

    async fn add_session(&self, index: u32) -> anyhow::Result<()> {
        let session = format!("bench-{index}");
        self.api.pair(&session, &self.control, &bot(index), "Bench").await?;
        self.control.phone(&customer(index), "Customer").await?;
        match self.args.reactor {
            ReactorKind::Flow => {}
            ReactorKind::Plugin => {
                let binding = json!({"enabled": true, "config": {}});
                self.api.call(Method::PUT, &format!("/session/{session}/plugins/echo"), Some(binding)).await?;
            }
            ReactorKind::Webhook => {
                let config = json!({"webhookUrl": self.receiver, "webhookSecret": "bench-secret"});
                self.api.call(Method::POST, &format!("/session/{session}/config"), Some(config)).await?;
            }
        }
        Ok(())
    }

    /// Sends every message and waits for every reply.
    async fn converse(&self) -> anyhow::Result<Vec<Duration>> {
        let window = Arc::new(Semaphore::new(self.args.in_flight as usize));
        let share = |index: u32| {
            let (all, sessions) = (self.args.messages, self.args.sessions);
            all / sessions + u32::from(index < all % sessions)
        };
        let talks = (0..self.args.sessions).map(|index| {
            let (control, window, count) = (self.control.clone(), window.clone(), share(index));
            let prefix = if self.args.reactor == ReactorKind::Plugin { "!echo " } else { "" };
            let reply = if self.args.reactor == ReactorKind::Plugin { "" } else { "re " };
            tokio::spawn(talk(control, window, index, count, prefix, reply))
        });
        let mut all = Vec::with_capacity(self.args.messages as usize);
        for talk in talks.collect::<Vec<_>>() {
            all.extend(talk.await??);
        }
        Ok(all)
    }
}

fn bot(index: u32) -> String {
    format!("62810{index:08}")
}

fn customer(index: u32) -> String {
    format!("62820{index:08}")
}

/// One phone's part of the conversation.
async fn talk(
    control: Control,
    window: Arc<Semaphore>,
    index: u32,
    count: u32,
    prefix: &'static str,
    reply: &'static str,
) -> anyhow::Result<Vec<Duration>> {
    let (from, to) = (customer(index), bot(index));
    let sent = Arc::new(std::sync::Mutex::new(HashMap::new()));
    let writer = {
        let (control, window, sent, from) = (control.clone(), window.clone(), sent.clone(), from.clone());
        tokio::spawn(async move {
            for number in 0..count {
                window.acquire().await?.forget();
                let begun = Instant::now();
                sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(number, begun);
                control.say(&from, &to, &format!("{prefix}m{number}")).await?;
            }
            anyhow::Ok(())
        })
    };
    let mut latencies = Vec::with_capacity(count as usize);
    let mut seen = 0;
    let mut last = Instant::now();
    while latencies.len() < count as usize {
        for message in control.inbox(&from, seen, 5_000).await? {
            seen = seen.max(message["seq"].as_u64().unwrap_or(0));
            if message["fromMe"] == Value::Bool(true) {
                continue;
            }
            let text = message["text"].as_str().unwrap_or_default();
            let number = text.strip_prefix(reply).and_then(|rest| rest.strip_prefix('m')).and_then(|n| n.parse().ok());
            let begun = number
                .and_then(|number: u32| sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&number));
            if let Some(begun) = begun {
                latencies.push(begun.elapsed());
                window.add_permits(1);
                last = Instant::now();
            }
        }
        if last.elapsed() > STALLED {
            bail!("phone {from}: {} of {count} replies came, then none for a minute", latencies.len());
        }
    }
    writer.await??;
    Ok(latencies)
}
