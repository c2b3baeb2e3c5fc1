//! The guards' variables, and the cache's.

use super::{text, var};
use anyhow::{Context, bail};
use std::time::Duration;
use warest_api::RateLimit;
use warest_pipeline::send::guards::policy::{Policy, Tuning};
use warest_pipeline::send::guards::quiet_hours::Zone;
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

/// The guards of sessions that have tuned nothing: the contract's variables, and
/// over them `WAREST_GUARDS`, which is written as sessions are tuned by REST.
pub fn policy() -> anyhow::Result<Policy> {
    let mut policy = Policy::default();
    let cooldown = var("SPAM_COOLDOWN_MS")?.unwrap_or(policy.cooldown.ms);
    policy.cooldown.enabled = cooldown > 0;
    policy.cooldown.ms = cooldown.max(1);
    let max = var("QUOTA_MAX")?.unwrap_or(policy.quota.max);
    policy.quota.enabled = max > 0;
    policy.quota.max = max.max(1);
    policy.quota.window_ms = window("QUOTA_WINDOW_MS", policy.quota.window_ms)?.as_millis() as u64;
    if let Some(zone) = text("WAREST_TIMEZONE") {
        policy.quiet_hours.time_zone = Zone::try_from(zone).map_err(anyhow::Error::msg).context("WAREST_TIMEZONE")?;
    }
    let tuning: Tuning = match text("WAREST_GUARDS") {
        Some(json) => serde_json::from_str(&json).context("WAREST_GUARDS is no JSON object")?,
        None => Tuning::new(),
    };
    policy.tuned(&tuning).context("WAREST_GUARDS, SPAM_COOLDOWN_MS or QUOTA_MAX")
}

fn window(name: &str, default_ms: u64) -> anyhow::Result<Duration> {
    let window = Duration::from_millis(var(name)?.unwrap_or(default_ms));
    if window.is_zero() || window > LONGEST {
        bail!("{name} is {}; use 1 to {} (30 days)", window.as_millis(), LONGEST.as_millis());
    }
    Ok(window)
}
