//! The `warest` binary: reads the configuration, puts the rooms together, runs.
//!
//! A file for each command in [`cmd`]; [`config`] reads flags and environment;
//! [`compose`] is the only place that names concrete drivers.

/// A line for the person who started the command. Unlike `println!` it goes on
/// when nobody reads any more (`warest serve | head -1`): the engine must not
/// die of that.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

mod cmd;
mod compose;
mod config;
mod interrupts;
mod lock;
mod logging;
mod sink;
mod users;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

// A tenth of the processor time of a busy engine was malloc and free, and the
// system's allocator keeps more memory after a peak.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "warest", version, about = "Automate WhatsApp accounts that you own")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the engine for real accounts.
    Serve(cmd::serve::ServeArgs),
    /// Copy the database, beside a running engine.
    Backup(cmd::backup::BackupArgs),
    /// Put a backup into a data folder.
    Restore(cmd::restore::RestoreArgs),
    /// Ask the engine on this machine whether it answers.
    Health(cmd::health::HealthArgs),
    /// Look whether the store is sound, and say what to do about what is not.
    Doctor(cmd::doctor::DoctorArgs),
    /// Run the engine with a simulated WhatsApp network and a demonstration.
    #[cfg(feature = "sandbox")]
    Sandbox(cmd::sandbox::SandboxArgs),
    /// Run the simulated WhatsApp network alone.
    #[cfg(feature = "sandbox")]
    Simnet(cmd::simnet::SimnetArgs),
    /// Measure replies per second and their latency, over the simulated network.
    #[cfg(feature = "sandbox")]
    Bench(cmd::bench::BenchArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    #[cfg(feature = "failpoints")]
    let _failpoints = fail::FailScenario::setup();
    // ring is the one TLS implementation in the binary; a second installation
    // can only mean that it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("warest: the runtime could not be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Doctor(args) => return cmd::doctor::run(args).await,
            Command::Serve(args) => cmd::serve::run(args).await,
            Command::Backup(args) => cmd::backup::run(args).await,
            Command::Restore(args) => cmd::restore::run(args).await,
            Command::Health(args) => cmd::health::run(args).await,
            #[cfg(feature = "sandbox")]
            Command::Sandbox(args) => cmd::sandbox::run(args).await,
            #[cfg(feature = "sandbox")]
            Command::Simnet(args) => cmd::simnet::run(args).await,
            #[cfg(feature = "sandbox")]
            Command::Bench(args) => cmd::bench::run(args).await,
        }
        .map(|()| ExitCode::SUCCESS)
    });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("warest: {error:#}");
            ExitCode::FAILURE
        }
    }
}
