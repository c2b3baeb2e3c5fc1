//! The guards' variables, and the cache's.

use super::{text, var};
use anyhow::bail;
use std::time::Duration;
use warest_api::RateLimit;
use warest_store::cache::LONGEST;
use warest_store::cache::local::LocalOptions;

/// Which cache, and how large.
pub fn cache() -> anyhow::Result<LocalOptions> {
    if let Some(driver) = text("WAREST_CACHING_DRIVER").filter(|driver| driver != "local") {
        bail!("WAREST_CACHING_DRIVER is \"{driver}\"; this build has the driver local");
    }
    let defaults = LocalOptions::default();
    let megabytes: Option<u64> = var("WAREST_CACHE_LOCAL_MAX_HEAP_MB")?;
    Ok(LocalOptions {
        entries: var("WAREST_CACHE_LOCAL_MAX_ENTRIES")?.unwrap_or(defaults.entries).clamp(100, 10_000_000),
        bytes: megabytes.map_or(defaults.bytes, |megabytes| megabytes.clamp(1, 65_536) << 20),
    })
}

/// Most API calls of one user; 0 means no limit.
pub fn rate_limit() -> anyhow::Result<Option<RateLimit>> {
    let max = var("RATE_LIMIT_MAX")?.unwrap_or(120);
    let window = window("RATE_LIMIT_WINDOW_MS", 60_000)?;
    Ok((max > 0).then_some(RateLimit { max, window }))
}

fn window(name: &str, default_ms: u64) -> anyhow::Result<Duration> {
    let window = Duration::from_millis(var(name)?.unwrap_or(default_ms));
    if window.is_zero() || window > LONGEST {
        bail!("{name} is {}; use 1 to {} (30 days)", window.as_millis(), LONGEST.as_millis());
    }
    Ok(window)
}
