//! The variables of the start, the stop and of what is kept.

use super::{millis, span, var};
use anyhow::bail;
use std::time::Duration;
use warest_model::clock::Millis;
use warest_pipeline::keep::{RetentionConfig, default_limits};
use warest_store::{Kind, Limits};

/// Dedup keys are kept at least this long: WhatsApp delivers what was not
/// acknowledged for up to 30 days.
const KEYS_LEAST_MS: Millis = 31 * 86_400_000;

/// Sessions that connect at once.
pub fn connect_concurrency() -> anyhow::Result<usize> {
    Ok(var("WAREST_CONNECT_CONCURRENCY")?.unwrap_or(16).clamp(1, 256))
}

/// How long a stop may take: less than the 10 s after which most supervisors kill.
pub fn shutdown_deadline() -> anyhow::Result<Duration> {
    Ok(millis("WAREST_SHUTDOWN_DEADLINE_MS")?.unwrap_or(Duration::from_secs(8)))
}

/// What is kept for how long.
pub fn retention() -> anyhow::Result<RetentionConfig> {
    let mut config = RetentionConfig::default();
    if let Some(every) = span("WAREST_RETENTION_EVERY")? {
        let Some(every) = every.filter(|ms| *ms >= 1_000) else {
            bail!("WAREST_RETENTION_EVERY is the time between two sweeps; give at least 1s, such as 10m");
        };
        config.every = Duration::from_millis(every.unsigned_abs());
    }
    for kind in Kind::ALL {
        config.limits.insert(kind, limits(kind)?);
    }
    Ok(config)
}

fn limits(kind: Kind) -> anyhow::Result<Limits> {
    let name = match kind {
        Kind::Events => "EVENTS",
        Kind::Runs => "RUNS",
        Kind::Jobs => "JOBS",
        Kind::Deliveries => "DELIVERIES",
        Kind::DeadDeliveries => "DEAD",
        Kind::DedupKeys => "DEDUP",
        Kind::Messages => "MESSAGES",
        Kind::Media => "MEDIA",
    };
    let name = format!("WAREST_RETENTION_{name}");
    let defaults = default_limits(kind);
    let age_ms = span(&name)?.unwrap_or(defaults.age_ms);
    if kind == Kind::DedupKeys {
        if age_ms.is_some_and(|age| age < KEYS_LEAST_MS) {
            bail!("{name} must be at least 31d: WhatsApp may deliver a message again for a month");
        }
        return Ok(Limits { age_ms, ..defaults });
    }
    // 0 means no limit.
    let most = |name: &str, default: Option<u64>| -> anyhow::Result<Option<u64>> {
        Ok(var(name)?.map_or(default, |most: u64| (most > 0).then_some(most)))
    };
    let megabytes = most(&format!("{name}_MAX_MB"), defaults.bytes.map(|bytes| bytes >> 20))?;
    Ok(Limits {
        age_ms,
        rows: most(&format!("{name}_MAX"), defaults.rows)?,
        bytes: megabytes.map(|megabytes| megabytes.saturating_mul(1 << 20)),
    })
}
