//! Ctrl-C and SIGTERM: the first asks to stop, the next ends at once.

use crate::compose::Running;
use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask a process to stop. Those that come while nobody waits
/// are kept, so none is missed between two waits.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to listen; from here on a signal no longer ends the process by itself.
    pub fn listen() -> anyhow::Result<Self> {
        let of = |kind| signal(kind).context("listening for signals");
        Ok(Self { interrupt: of(SignalKind::interrupt())?, terminate: of(SignalKind::terminate())? })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            Some(()) = self.interrupt.recv() => {}
            Some(()) = self.terminate.recv() => {}
            // The runtime delivers none any more: nobody can ask to stop.
            else => std::future::pending().await,
        }
    }

    /// Starts an engine, unless a signal comes first.
    pub async fn start(&mut self, start: impl Future<Output = anyhow::Result<Running>>) -> anyhow::Result<Running> {
        tokio::select! {
            running = start => running,
            () = self.next() => anyhow::bail!("stopped by a signal while starting; nothing was lost"),
        }
    }

    /// Stops an engine in order. A second signal ends the process at once, which
    /// is no worse than a power cut.
    pub async fn stop(&mut self, running: Running) -> anyhow::Result<()> {
        say!("stopping… (a second signal ends at once)");
        tokio::select! {
            stopped = running.shutdown() => stopped.context("shutting down"),
            () = self.next() => {
                eprintln!("warest: ended at once; the next start goes on with what was under way");
                std::process::exit(1)
            }
        }
    }
}
