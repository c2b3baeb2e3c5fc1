//! `warest bench`: what the engine costs, measured over the simulated network,
//! which runs as a process of its own so that memory and time are the engine's.
//!
//! - [`replies`]: replies per second, their latency, and memory, by reactor and
//!   number of sessions;
//! - [`history`]: whether a message costs more once many events are stored;
//! - [`archive`]: whether reading a history costs more once much of it is stored;
//! - [`neighbours`]: what a dead receiver, a slow plugin and a banned session
//!   cost everybody else.
//!
//! Machines are noisy: `history`, `archive` and `neighbours` compare within one run, in
//! alternating rounds, and answer with ratios. A message is timed from the
//! moment its phone sends it to the moment the reply stands in that phone's
//! inbox.

mod archive;
mod history;
mod neighbours;
mod receiver;
mod replies;
mod report;
mod stage;
mod talk;

use clap::{Args, Subcommand, ValueEnum};

/// Flags of `bench`.
#[derive(Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
    /// Prints lines of JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// Replies per second, their latency, and memory.
    Replies(replies::RepliesArgs),
    /// The cost of a message with few and with many stored events.
    History(history::HistoryArgs),
    /// The cost of reading a history with few and with many stored messages.
    Archive(archive::ArchiveArgs),
    /// What broken neighbours cost the others.
    Neighbours(neighbours::NeighboursArgs),
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

/// Runs the measurement.
pub async fn run(args: BenchArgs) -> anyhow::Result<()> {
    crate::logging::init("warn");
    match args.what {
        What::Replies(replies) => replies::run(&replies, args.json).await,
        What::Archive(archive) => archive::run(&archive, args.json).await,
        What::History(history) => history::run(&history, args.json).await,
        What::Neighbours(neighbours) => neighbours::run(&neighbours, args.json).await,
    }
}
