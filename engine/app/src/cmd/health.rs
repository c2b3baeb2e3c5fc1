//! `warest health`: whether the engine on this machine answers; for container
//! health checks, which should need no other program.

use anyhow::{Context, bail};
use clap::Args;
use std::time::Duration;

/// Flags of `health`.
#[derive(Args)]
pub struct HealthArgs {
    /// Port of the API.
    #[arg(long, env = "PORT", default_value_t = 7308)]
    port: u16,
}

/// Succeeds if the engine answers within two seconds.
pub async fn run(args: HealthArgs) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
    let url = format!("http://127.0.0.1:{}/", args.port);
    let status = client.get(&url).send().await.with_context(|| format!("nothing answers at {url}"))?.status();
    if !status.is_success() {
        bail!("{url} answered {status}");
    }
    println!("ok");
    Ok(())
}
