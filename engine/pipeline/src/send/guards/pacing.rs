//! Pacing: a session types one message at a time, as long as a person would,
//! and rests a little in between.
//!
//! How far a message has come is in its job's row (its due time, and the fault
//! that says what it waits for), so that a restart goes on where it was. What
//! is random about it is drawn from the job's id: asked again, it is the same.

use super::policy::Pacing;
use sha2::{Digest, Sha256};
use std::time::Duration;
use warest_model::clock::Millis;
use warest_model::id::JobId;
use warest_model::job::SendJob;

/// How late a turn may be used. Whoever comes later, after a stop or without a
/// connection, takes another: many missed turns must not become a burst.
const LATE_MS: Millis = 5_000;
/// Furthest turn that is taken; who would have to wait longer asks again, so
/// that a long line can be joined in the middle.
pub const AHEAD: Duration = Duration::from_secs(60);

/// The code of a job that waits for its turn.
pub const TURN: &str = "guard_turn";
/// The code of a job whose message is being typed.
pub const TYPING: &str = "guard_typing";

/// How one message is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// Time of typing.
    pub typing: Duration,
    /// Rest after it.
    pub gap: Duration,
}

impl Rhythm {
    /// How long the session is busy with it.
    pub fn turn(&self) -> Duration {
        self.typing + self.gap
    }
}

/// What a message has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Take a turn.
    Ask,
    /// It is its turn: show that it is being typed.
    Type,
    /// It is typed.
    Go,
}

impl Pacing {
    /// How a message of so many characters is typed.
    pub fn rhythm(&self, chars: usize, job: &JobId) -> Rhythm {
        let typed = chars as f64 / self.chars_per_second.max(1.0) * 1_000.0;
        let typed = typed.clamp(self.min_typing_ms as f64, self.max_typing_ms as f64);
        let spread = |part: f64, draw: f64| part * (1.0 + self.jitter * (draw * 2.0 - 1.0));
        let typing = spread(typed, draw(job, 0)).min(self.max_typing_ms as f64);
        let gap = spread(self.gap_ms as f64, draw(job, 8));
        Rhythm { typing: Duration::from_millis(typing as u64), gap: Duration::from_millis(gap as u64) }
    }
}

/// How far a job has come.
pub fn phase(job: &SendJob, now_ms: Millis) -> Phase {
    let in_time = job.due_ms <= now_ms && now_ms <= job.due_ms + LATE_MS;
    match job.fault.as_ref().map(|fault| fault.code.as_str()) {
        // It was typed and left once: a repeat is not typed again.
        _ if job.attempts > 0 => Phase::Go,
        Some(TYPING) if in_time => Phase::Go,
        Some(TURN) if in_time => Phase::Type,
        _ => Phase::Ask,
    }
}

/// A number from 0 to 1 that belongs to a job.
fn draw(job: &JobId, at: usize) -> f64 {
    let hash = Sha256::digest(job.as_str().as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash[at..at + 8]);
    u64::from_be_bytes(bytes) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::super::policy::Policy;
    use super::*;

    #[test]
    fn longer_texts_take_longer_within_bounds() {
        let pacing = Pacing { jitter: 0.0, ..Policy::default().pacing };
        let job = JobId::new(1);
        let typing = |chars| pacing.rhythm(chars, &job).typing.as_millis();
        assert_eq!((typing(0), typing(15), typing(60), typing(100_000)), (800, 1_000, 4_000, 8_000));
        assert_eq!(pacing.rhythm(60, &job).turn(), Duration::from_millis(5_500));
    }

    #[test]
    fn jitter_spreads_and_a_job_asked_twice_says_the_same() {
        let pacing = Pacing { jitter: 0.5, ..Policy::default().pacing };
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let job = JobId::new(1);
            let rhythm = pacing.rhythm(60, &job);
            assert_eq!(rhythm, pacing.rhythm(60, &job));
            assert!((2_000..=6_000).contains(&rhythm.typing.as_millis()), "{rhythm:?}");
            assert!((750..=2_250).contains(&rhythm.gap.as_millis()), "{rhythm:?}");
            assert!(pacing.rhythm(100_000, &job).typing <= Duration::from_secs(8));
            seen.insert(rhythm.typing);
        }
        assert!(seen.len() > 100 && seen.first() < Some(&Duration::from_secs(3)), "{seen:?}");
        assert!(seen.last() > Some(&Duration::from_secs(5)));
    }
}
