//! Starts a network for manual use: `cargo run -p warest-simnet --example simnet -- [port] [state]`.

use warest_simnet::{DEFAULT_PORT, Simnet, SimnetConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let mut args = std::env::args().skip(1);
    let port = match args.next() {
        Some(port) => port.parse()?,
        None => DEFAULT_PORT,
    };
    let config = SimnetConfig { listen: ([127, 0, 0, 1], port).into(), state: args.next().map(Into::into) };
    let net = Simnet::start(config).await?;
    println!("simnet on http://{} (chat socket {})", net.addr(), net.chat_url());
    tokio::signal::ctrl_c().await?;
    net.shutdown().await?;
    Ok(())
}
