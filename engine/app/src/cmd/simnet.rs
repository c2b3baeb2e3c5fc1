//! `warest simnet`: the simulated network alone.

use crate::interrupts::Signals;
use clap::Args;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use warest_simnet::{Simnet, SimnetConfig};

/// Flags of `simnet`.
#[derive(Args)]
pub struct SimnetArgs {
    /// Port for the control API, the chat socket and media; 0 takes a free one.
    #[arg(long, default_value_t = warest_simnet::DEFAULT_PORT)]
    port: u16,
    /// Keeps phones and their messages in this file across restarts.
    #[arg(long)]
    state: Option<PathBuf>,
}

/// Runs until a signal comes.
pub async fn run(args: SimnetArgs) -> anyhow::Result<()> {
    crate::logging::init("info");
    let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), args.port);
    let mut signals = Signals::listen()?;
    let simnet = Simnet::start(SimnetConfig { listen, state: args.state }).await?;
    say!("simnet listens on http://{}", simnet.addr());
    signals.next().await;
    simnet.shutdown().await?;
    Ok(())
}
