//! How long to wait before dialling again: exponential with full jitter.
//!
//! Full jitter (a uniform choice between nothing and the ceiling) spreads the
//! sessions of a process that lost its network as one.

use rand::RngExt as _;
use std::time::Duration;

/// Failures that still count after a connection was open for a moment.
const EASED: u32 = 4;

/// The waits of one session.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    base: Duration,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, failures: 0 }
    }

    /// The wait after one more failure.
    pub(crate) fn next(&mut self) -> Duration {
        let ceiling = self.ceiling();
        self.failures = self.failures.saturating_add(1);
        Duration::from_millis(rand::rng().random_range(0..=ceiling.as_millis() as u64))
    }

    /// The longest that the next wait can be.
    pub(crate) fn ceiling(&self) -> Duration {
        self.base.saturating_mul(1_u32.checked_shl(self.failures.min(20)).unwrap_or(u32::MAX)).min(self.cap)
    }

    /// Counts few of the failures, after a connection that was open but did not
    /// last: the server lets us in, and being away for long helps nobody.
    pub(crate) fn ease(&mut self) {
        self.failures = self.failures.min(EASED);
    }

    /// Starts over, after a connection that lasted.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A uniform choice between nothing and `most`.
pub(crate) fn jitter(most: Duration) -> Duration {
    Duration::from_millis(rand::rng().random_range(0..=most.as_millis() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_start_over() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, second * 300);
        for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            assert_eq!(backoff.ceiling(), second * expected);
            assert!(backoff.next() <= second * expected);
        }
        for _ in 0..100 {
            backoff.next();
        }
        assert_eq!(backoff.ceiling(), second * 300);
        backoff.ease();
        assert_eq!(backoff.ceiling(), second * 16);
        backoff.reset();
        assert_eq!(backoff.ceiling(), second);
    }
}
