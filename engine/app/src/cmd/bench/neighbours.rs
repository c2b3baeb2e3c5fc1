//! What broken neighbours cost the others.
//!
//! The same sessions answer rounds of messages alone and beside a webhook
//! receiver that never answers, a plugin that computes until it is stopped, or
//! a session that WhatsApp turned away. Quiet and troubled rounds take turns.

use super::ReactorKind;
use super::report::{median, percentile, ratio};
use super::stage::{Network, Stage};
use super::talk::{Round, Talks};
use clap::{Args, ValueEnum};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use tokio::net::TcpListener;

/// The plugin that computes for ever.
const HOSTILE: &[u8] = include_bytes!("../../../../../plugins/hostile/hostile.wasm");
/// How often the neighbour's customer writes.
const EVERY: Duration = Duration::from_millis(50);

/// Flags of `bench neighbours`.
#[derive(Args)]
pub struct NeighboursArgs {
    /// Sessions whose replies are timed.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=500))]
    sessions: u32,
    /// Messages of a round.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    messages: u32,
    /// Rounds of each kind.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Messages that wait for their reply at once.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    in_flight: u32,
    /// What answers.
    #[arg(long, value_enum, default_value_t = ReactorKind::Flow)]
    reactor: ReactorKind,
    /// Which neighbours.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "dead-receiver,slow-plugin,banned-session")]
    beside: Vec<Neighbour>,
}

/// A neighbour that gives trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Neighbour {
    /// A webhook receiver that takes connections and never answers.
    DeadReceiver,
    /// A plugin that computes until it is stopped.
    SlowPlugin,
    /// A session that WhatsApp turned away, with messages to send.
    BannedSession,
}

/// Measures beside each neighbour.
pub async fn run(args: &NeighboursArgs, as_json: bool) -> anyhow::Result<()> {
    for neighbour in &args.beside {
        let network = Network::start()?;
        let stage = Stage::start(&network, 0, args.reactor).await?;
        // The neighbour is one session more.
        stage.add_sessions(0..args.sessions + 1).await?;
        let trouble = Trouble::prepare(&stage, *neighbour, args.sessions).await?;
        let talks = Talks::new(&stage, 0..args.sessions);
        talks.round(args.messages, args.in_flight).await?;
        let (mut quiet, mut troubled) = (Vec::new(), Vec::new());
        for _ in 0..args.rounds {
            quiet.push(talks.round(args.messages, args.in_flight).await?);
            let round = talks.round(args.messages, args.in_flight);
            troubled.push(trouble.beside(&stage, round).await?);
        }
        print(args, *neighbour, &quiet, &troubled, as_json);
        stage.stop().await?;
    }
    Ok(())
}

fn print(args: &NeighboursArgs, neighbour: Neighbour, quiet: &[Round], troubled: &[Round], as_json: bool) {
    let at = |rounds: &[Round], percent| median(rounds.iter().map(|round| percentile(&round.latencies, percent)));
    let name = neighbour.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let (calm, hard) = (at(quiet, 99.0), at(troubled, 99.0));
    let (calm_mid, hard_mid) = (at(quiet, 50.0), at(troubled, 50.0));
    if as_json {
        let line = json!({
            "beside": name, "reactor": format!("{:?}", args.reactor).to_lowercase(),
            "p50Ms": [calm_mid, hard_mid], "p99Ms": [calm, hard],
            "p50Ratio": ratio(hard_mid, calm_mid), "p99Ratio": ratio(hard, calm),
        });
        println!("{line}");
    } else {
        println!(
            "beside a {name}: p99 {calm:.1} ms alone, {hard:.1} ms beside, ratio {:.2}; p50 ratio {:.2}",
            ratio(hard, calm),
            ratio(hard_mid, calm_mid),
        );
    }
}

/// The neighbour's session.
struct Trouble {
    index: u32,
    /// What a dead receiver listens on; connections stay in its backlog.
    _listener: Option<TcpListener>,
}

impl Trouble {
    async fn prepare(stage: &Stage, neighbour: Neighbour, index: u32) -> anyhow::Result<Self> {
        let session = stage.session(index);
        let mut listener = None;
        match neighbour {
            Neighbour::DeadReceiver => {
                let dead = TcpListener::bind("127.0.0.1:0").await?;
                stage.webhook(&session, &format!("http://{}/", dead.local_addr()?)).await?;
                listener = Some(dead);
            }
            Neighbour::SlowPlugin => {
                stage.api.upload(HOSTILE).await?;
                stage.bind(&session, "hostile", json!({"behave": "!loop"})).await?;
            }
            Neighbour::BannedSession => {
                let fault = json!({"kind": "ban", "count": 10_000, "phone": stage.bot(index)});
                stage.control.fault(fault).await?;
            }
        }
        Ok(Self { index, _listener: listener })
    }

    /// Gives trouble while `round` lasts.
    async fn beside(&self, stage: &Stage, round: impl Future<Output = anyhow::Result<Round>>) -> anyhow::Result<Round> {
        tokio::select! {
            done = round => done,
            failed = self.write_on(stage) => Err(failed),
        }
    }

    /// Gives the neighbour's session something to do, again and again.
    async fn write_on(&self, stage: &Stage) -> anyhow::Error {
        let (from, to) = (stage.customer(self.index), stage.bot(self.index));
        let mut number = 0_u32;
        loop {
            let session = stage.session(self.index);
            let actions = json!({"actions": [{"type": "text", "to": from, "text": "from the neighbour"}]});
            let path = format!("/session/{session}/actions");
            if let Err(error) = stage.control.say(&from, &to, &format!("n{number}")).await {
                return error;
            }
            if let Err(error) = stage.api.call(Method::POST, &path, Some(actions)).await {
                return error;
            }
            number += 1;
            tokio::time::sleep(EVERY).await;
        }
    }
}
