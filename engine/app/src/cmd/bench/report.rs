//! What a measurement found.

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
    /// Time from the first message to the last reply.
    pub took: Duration,
    /// From a phone's send to the reply in its inbox.
    pub latencies: Vec<Duration>,
    /// Resident memory before the first session, in KiB.
    pub rss_start_kib: u64,
    /// Resident memory with all sessions open, in KiB.
    pub rss_idle_kib: u64,
    /// Resident memory after the last reply, in KiB.
    pub rss_end_kib: u64,
}

impl Report {
    fn per_second(&self) -> f64 {
        f64::from(self.messages) / self.took.as_secs_f64()
    }

    /// The latency that `percent` of the replies stayed within, in milliseconds.
    fn percentile(&self, percent: f64) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let rank = ((percent / 100.0) * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).map_or(0.0, |latency| latency.as_secs_f64() * 1_000.0)
    }

    /// For machines.
    pub fn json(&self) -> Value {
        json!({
            "reactor": self.reactor,
            "sessions": self.sessions,
            "messages": self.messages,
            "inFlight": self.in_flight,
            "setupMs": self.setup.as_millis() as u64,
            "tookMs": self.took.as_millis() as u64,
            "repliesPerSecond": self.per_second(),
            "p50Ms": self.percentile(50.0),
            "p95Ms": self.percentile(95.0),
            "p99Ms": self.percentile(99.0),
            "rssStartKib": self.rss_start_kib,
            "rssIdleKib": self.rss_idle_kib,
            "rssEndKib": self.rss_end_kib,
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        format!(
            "{}: {} sessions, {} messages, {} in flight\n  \
             {:.0} replies/s   p50 {:.1} ms   p95 {:.1} ms   p99 {:.1} ms\n  \
             memory: {} MiB before, {} MiB with all sessions open, {} MiB after; setup {:.1} s, run {:.1} s",
            self.reactor,
            self.sessions,
            self.messages,
            self.in_flight,
            self.per_second(),
            self.percentile(50.0),
            self.percentile(95.0),
            self.percentile(99.0),
            self.rss_start_kib >> 10,
            self.rss_idle_kib >> 10,
            self.rss_end_kib >> 10,
            self.setup.as_secs_f64(),
            self.took.as_secs_f64(),
        )
    }
}

/// This process's resident memory, in KiB.
pub fn rss_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("reading /proc/self/status")?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())
        .context("no VmRSS in /proc/self/status")
}
