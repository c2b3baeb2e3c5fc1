//! Replies per second, their latency, and memory.

use super::ReactorKind;
use super::report::{Report, rss_kib};
use super::stage::{Network, Stage};
use super::talk::Talks;
use clap::Args;
use std::time::Instant;

/// Flags of `bench replies`.
#[derive(Args)]
pub struct RepliesArgs {
    /// Sessions, each with a phone of its own; several numbers for several measurements.
    #[arg(long, value_delimiter = ',', default_value = "20", value_parser = clap::value_parser!(u32).range(1..=2_000))]
    sessions: Vec<u32>,
    /// Messages in all, of each measurement.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    messages: u32,
    /// What answers.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "flow,plugin,webhook")]
    reactor: Vec<ReactorKind>,
    /// Messages that wait for their reply at once.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    in_flight: u32,
}

/// Measures every reactor with every number of sessions.
pub async fn run(args: &RepliesArgs, json: bool) -> anyhow::Result<()> {
    for sessions in &args.sessions {
        for reactor in &args.reactor {
            let report = measure(args, *sessions, *reactor).await?;
            if json {
                println!("{}", report.json());
            } else {
                println!("{}", report.text());
            }
        }
    }
    Ok(())
}

async fn measure(args: &RepliesArgs, sessions: u32, reactor: ReactorKind) -> anyhow::Result<Report> {
    let network = Network::start()?;
    let stage = Stage::start(&network, 0, reactor).await?;
    let rss_start_kib = rss_kib()?;
    let begun = Instant::now();
    stage.add_sessions(0..1).await?;
    let rss_one_kib = rss_kib()?;
    stage.add_sessions(1..sessions).await?;
    let setup = begun.elapsed();
    let rss_idle_kib = rss_kib()?;
    let round = Talks::new(&stage, 0..sessions).round(args.messages, args.in_flight).await?;
    let report = Report {
        reactor: format!("{reactor:?}").to_lowercase(),
        sessions,
        messages: args.messages,
        in_flight: args.in_flight,
        setup,
        round,
        rss_start_kib,
        rss_one_kib,
        rss_idle_kib,
        rss_end_kib: rss_kib()?,
    };
    stage.stop().await?;
    Ok(report)
}
