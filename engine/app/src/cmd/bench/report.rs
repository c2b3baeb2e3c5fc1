//! What a measurement found.

use super::talk::Round;
use anyhow::Context;
use serde_json::{Value, json};
use std::time::Duration;

/// One measurement.
#[derive(Debug)]
pub struct Report {
    /// What answered.
    pub reactor: String,
    /// Sessions.
    pub sessions: u32,
    /// Messages in all.
    pub messages: u32,
    /// Messages that waited for their reply at once.
    pub in_flight: u32,
    /// Time to create and link the sessions.
    pub setup: Duration,
    /// The conversation.
    pub round: Round,
    /// Resident memory before the first session, in KiB.
    pub rss_start_kib: u64,
    /// Resident memory with the first session open, in KiB.
    pub rss_one_kib: u64,
    /// Resident memory with all sessions open, in KiB.
    pub rss_idle_kib: u64,
    /// Resident memory after the last reply, in KiB.
    pub rss_end_kib: u64,
}

impl Report {
    fn per_second(&self) -> f64 {
        f64::from(self.messages) / self.round.took.as_secs_f64()
    }

    fn percentile(&self, percent: f64) -> f64 {
        percentile(&self.round.latencies, percent)
    }

    /// Processor time of a message, in milliseconds.
    fn cpu_ms(&self) -> f64 {
        self.round.cpu.as_secs_f64() * 1_000.0 / f64::from(self.messages)
    }

    /// Resident memory of each session above the first, in KiB.
    fn session_kib(&self) -> f64 {
        self.rss_idle_kib.saturating_sub(self.rss_one_kib) as f64 / f64::from(self.sessions.saturating_sub(1).max(1))
    }

    /// For machines.
    pub fn json(&self) -> Value {
        json!({
            "reactor": self.reactor,
            "sessions": self.sessions,
            "messages": self.messages,
            "inFlight": self.in_flight,
            "setupMs": self.setup.as_millis() as u64,
            "tookMs": self.round.took.as_millis() as u64,
            "repliesPerSecond": self.per_second(),
            "cpuMsPerMessage": self.cpu_ms(),
            "p50Ms": self.percentile(50.0),
            "p95Ms": self.percentile(95.0),
            "p99Ms": self.percentile(99.0),
            "rssStartKib": self.rss_start_kib,
            "rssOneKib": self.rss_one_kib,
            "rssIdleKib": self.rss_idle_kib,
            "rssEndKib": self.rss_end_kib,
            "rssPerSessionKib": self.session_kib(),
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        format!(
            "{}: {} sessions, {} messages, {} in flight\n  \
             {:.0} replies/s   p50 {:.1} ms   p95 {:.1} ms   p99 {:.1} ms   processor {:.2} ms a message\n  \
             memory: {} MiB before, {} MiB with one session, {} MiB with all ({:.0} KiB each), {} MiB after\n  \
             setup {:.1} s, run {:.1} s",
            self.reactor,
            self.sessions,
            self.messages,
            self.in_flight,
            self.per_second(),
            self.percentile(50.0),
            self.percentile(95.0),
            self.percentile(99.0),
            self.cpu_ms(),
            self.rss_start_kib >> 10,
            self.rss_one_kib >> 10,
            self.rss_idle_kib >> 10,
            self.session_kib(),
            self.rss_end_kib >> 10,
            self.setup.as_secs_f64(),
            self.round.took.as_secs_f64(),
        )
    }
}

/// The latency that `percent` of these stayed within, in milliseconds.
pub fn percentile(latencies: &[Duration], percent: f64) -> f64 {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    let rank = ((percent / 100.0) * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).map_or(0.0, |latency| latency.as_secs_f64() * 1_000.0)
}

/// The middle of some measurements; 0 of none.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// How many times `base` a value is.
pub fn ratio(value: f64, base: f64) -> f64 {
    if base > 0.0 { value / base } else { 0.0 }
}

/// This process's resident memory, in KiB.
pub fn rss_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("reading /proc/self/status")?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())
        .context("no VmRSS in /proc/self/status")
}
