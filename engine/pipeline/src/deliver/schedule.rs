//! When a failed delivery is tried again: short intervals that double, then the
//! long schedule, never before what a `Retry-After` asks for.

use super::DeliverConfig;
use std::time::{Duration, SystemTime};
use warest_model::clock::Millis;

/// Longest `Retry-After` that is honoured.
const LONGEST_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// The wait after the `tries`-th failed try, in milliseconds; `None` when the
/// tries are used up.
pub(super) fn wait(config: &DeliverConfig, tries: u32, after: Option<Duration>) -> Option<Millis> {
    let interval = if tries <= config.retries {
        config.backoff_ms.saturating_mul(1 << tries.saturating_sub(1).min(20))
    } else {
        *config.long_schedule_ms.get((tries - config.retries - 1) as usize)?
    };
    let jitter = if config.jitter_ms == 0 { 0 } else { rand::random_range(0..=config.jitter_ms) };
    let asked = after.map_or(0, |after| after.min(LONGEST_AFTER).as_millis() as u64);
    Some(interval.saturating_add(jitter).max(asked).min(i64::MAX as u64) as Millis)
}

/// Reads a `Retry-After` that came at `now_ms`: seconds, or a date.
pub(super) fn retry_after(value: &str, now_ms: Millis) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms.max(0) as u64);
    // A date that has passed asks for no wait.
    Some(httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_intervals_double_and_go_over_to_the_long_schedule() {
        let config =
            DeliverConfig { jitter_ms: 0, long_schedule_ms: vec![60_000, 300_000], ..DeliverConfig::default() };
        let waits: Vec<_> = (1..=6).map(|tries| wait(&config, tries, None)).collect();
        assert_eq!(waits, [Some(800), Some(1_600), Some(3_200), Some(60_000), Some(300_000), None]);
        assert_eq!(wait(&config, 1, Some(Duration::from_secs(9))), Some(9_000));
        assert_eq!(wait(&config, 5, Some(Duration::from_secs(9))), Some(300_000), "never sooner than planned");
        assert_eq!(wait(&config, 1, Some(Duration::MAX)), Some(86_400_000), "nor later than in a day");
        assert_eq!(wait(&config, 6, Some(Duration::from_secs(9))), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        const NOW: Millis = 784_111_777_000; // Sun, 06 Nov 1994 08:49:37 GMT
        assert_eq!(retry_after(" 120 ", NOW), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:07 GMT", NOW), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Sunday, 06-Nov-94 08:50:07 GMT", NOW), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:00 GMT", NOW), Some(Duration::ZERO), "it has passed");
        assert_eq!(retry_after("soon", NOW), None);
        assert_eq!(retry_after("-5", NOW), None);
    }
}
