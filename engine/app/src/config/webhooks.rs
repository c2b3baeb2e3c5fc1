//! The webhooks' variables.

use super::{millis, text, var};
use anyhow::{Context, bail};
use std::time::Duration;
use warest_model::clock::Millis;
use warest_pipeline::deliver::DeliverConfig;
use warest_pipeline::deliver::sign::SignatureLength;
use warest_pipeline::engine::DefaultWebhook;

/// Most intervals of the long schedule.
const LONG_INTERVALS: usize = 50;
/// Longest of all intervals, and latest stop of a target: a year.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);

/// How webhooks are delivered.
pub fn deliver() -> anyhow::Result<DeliverConfig> {
    let defaults = DeliverConfig::default();
    Ok(DeliverConfig {
        retries: var("WAREST_WEBHOOK_RETRIES")?.unwrap_or(defaults.retries).min(20),
        backoff_ms: var("WAREST_WEBHOOK_BACKOFF_MS")?.unwrap_or(defaults.backoff_ms),
        jitter_ms: var("WAREST_WEBHOOK_JITTER_MS")?.unwrap_or(defaults.jitter_ms),
        long_schedule_ms: long_schedule()?.unwrap_or(defaults.long_schedule_ms),
        actions_delay_ms: var("WAREST_WEBHOOK_ACTIONS_DELAY_MS")?.unwrap_or(defaults.actions_delay_ms),
        timeout: millis("WAREST_WEBHOOK_TIMEOUT_MS")?.unwrap_or(defaults.timeout),
        payload: var("WAREST_WEBHOOK_PAYLOAD")?.unwrap_or(defaults.payload),
        parallel_targets: switch("WAREST_WEBHOOK_PARALLEL_TARGETS")?.unwrap_or(defaults.parallel_targets),
        stop_after_ms: stop_after()?.unwrap_or(defaults.stop_after_ms),
        concurrency: defaults.concurrency,
    })
}

/// The hash of the contract's signature.
pub fn signature() -> anyhow::Result<SignatureLength> {
    let bits = var("WAREST_WEBHOOK_SIGNATURE_SHA2")?.unwrap_or(256);
    let Some(signature) = SignatureLength::from_bits(bits) else {
        bail!("WAREST_WEBHOOK_SIGNATURE_SHA2 is {bits}; use 224, 256, 384 or 512");
    };
    Ok(signature)
}

/// The receiver of sessions that have none of their own.
pub fn default() -> anyhow::Result<Option<DefaultWebhook>> {
    let Some(url) = text("WEBHOOK_DEFAULT_URL") else { return Ok(None) };
    let Some(secret) = text("WEBHOOK_DEFAULT_SECRET") else {
        bail!("WEBHOOK_DEFAULT_URL is set without WEBHOOK_DEFAULT_SECRET; give a secret, as none is built in");
    };
    Ok(Some(DefaultWebhook { url, secret }))
}

fn long_schedule() -> anyhow::Result<Option<Vec<u64>>> {
    const NAME: &str = "WAREST_WEBHOOK_LONG_SCHEDULE";
    let Some(list) = text(NAME) else { return Ok(None) };
    if list == "none" {
        return Ok(Some(Vec::new()));
    }
    let intervals = list.split(',').map(|item| span(item.trim()).map(|span| span.as_millis() as u64));
    let intervals = intervals.collect::<Option<Vec<u64>>>().filter(|intervals| intervals.len() <= LONG_INTERVALS);
    intervals.map(Some).with_context(|| {
        format!("{NAME} is \"{list}\"; give up to {LONG_INTERVALS} intervals such as 1m,5m,30m,2h,6h,12h, or none")
    })
}

/// `None` inside: no target is ever stopped.
fn stop_after() -> anyhow::Result<Option<Option<Millis>>> {
    const NAME: &str = "WAREST_WEBHOOK_DISABLE_AFTER";
    match text(NAME).as_deref() {
        None => Ok(None),
        Some("never" | "0") => Ok(Some(None)),
        Some(value) => {
            let span =
                span(value).with_context(|| format!("{NAME} is \"{value}\"; give a time such as 5d, or never"))?;
            Ok(Some(Some(span.as_millis() as Millis)))
        }
    }
}

/// Reads `250ms`, `30s`, `5m`, `2h` or `1d`, of up to a year.
fn span(text: &str) -> Option<Duration> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let span = Duration::from_millis(number.checked_mul(unit_ms)?);
    (!span.is_zero() && span <= YEAR).then_some(span)
}

fn switch(name: &str) -> anyhow::Result<Option<bool>> {
    match text(name).map(|value| value.to_ascii_lowercase()).as_deref() {
        None => Ok(None),
        Some("true" | "1") => Ok(Some(true)),
        Some("false" | "0") => Ok(Some(false)),
        Some(other) => bail!("{name} is \"{other}\"; use true or false"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_unit_and_a_bound() {
        let read = |text: &str| span(text).map(|span| span.as_millis());
        assert_eq!(read("250ms"), Some(250));
        assert_eq!(read("1m"), Some(60_000));
        assert_eq!(read("5d"), Some(432_000_000));
        for wrong in ["", "5", "m", "0s", "-1m", "1.5h", "1w", "366d", "99999999999999999999d", "1 m"] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
