//! The variables of the start, the stop and of what is kept.

use super::{millis, text, var};
use anyhow::{Context, bail};
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
    let megabytes = most(&format!("{name}_MAX_MB"), None)?;
    Ok(Limits {
        age_ms,
        rows: most(&format!("{name}_MAX"), defaults.rows)?,
        bytes: megabytes.map(|megabytes| megabytes.saturating_mul(1 << 20)),
    })
}

/// A span of time in a variable: absent, `off` (no limit), or a number with a
/// unit. Answers milliseconds.
fn span(name: &str) -> anyhow::Result<Option<Option<Millis>>> {
    let Some(value) = text(name) else { return Ok(None) };
    parse_span(&value)
        .map(Some)
        .with_context(|| format!("{name} is \"{value}\"; give a number with s, m, h or d, such as 30d, or off"))
}

fn parse_span(value: &str) -> Option<Option<Millis>> {
    if value == "off" {
        return Some(None);
    }
    let (number, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    // A hundred years is for ever, and keeps sums with it in range.
    let number: u32 = number.parse().ok()?;
    Some(Some(Millis::from(number).saturating_mul(unit).min(36_500 * 86_400_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_are_read_with_their_unit() {
        assert_eq!(parse_span("30d"), Some(Some(30 * 86_400_000)));
        assert_eq!(parse_span("90m"), Some(Some(5_400_000)));
        assert_eq!(parse_span("off"), Some(None));
        for bad in ["", "d", "30", "-1d", "1.5h", "30 d", "3é"] {
            assert_eq!(parse_span(bad), None, "{bad:?}");
        }
    }
}
