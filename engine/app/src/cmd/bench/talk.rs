//! Customers write, sessions reply, and each reply is timed.

use super::stage::Stage;
use anyhow::bail;
use serde_json::Value;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// A conversation without any reply for this long has failed.
const STALLED: Duration = Duration::from_secs(60);

/// One round of messages and replies.
#[derive(Debug)]
pub struct Round {
    /// From a phone's send to the reply in its inbox.
    pub latencies: Vec<Duration>,
    /// From the first message to the last reply.
    pub took: Duration,
    /// Processor time of this process meanwhile.
    pub cpu: Duration,
}

/// The conversations of a stage. Numbers its messages, so that rounds do not
/// take one another's replies for their own.
pub struct Talks<'a> {
    stage: &'a Stage,
    sessions: Range<u32>,
    next: AtomicU32,
    seen: Vec<AtomicU64>,
}

impl<'a> Talks<'a> {
    /// Conversations with these sessions.
    pub fn new(stage: &'a Stage, sessions: Range<u32>) -> Self {
        let seen = sessions.clone().map(|_| AtomicU64::new(0)).collect();
        Self { stage, sessions, next: AtomicU32::new(0), seen }
    }

    /// Sends `messages` in all, at most `in_flight` of them unanswered, and
    /// waits for every reply.
    pub async fn round(&self, messages: u32, in_flight: u32) -> anyhow::Result<Round> {
        let window = Arc::new(Semaphore::new(in_flight as usize));
        let count = self.sessions.len() as u32;
        let cpu = cpu_time();
        let begun = Instant::now();
        let talks = self.sessions.clone().enumerate().map(|(place, index)| {
            let share = messages / count + u32::from((place as u32) < messages % count);
            let first = self.next.fetch_add(share, Ordering::Relaxed);
            self.talk(place, index, first..first + share, window.clone())
        });
        let mut latencies = Vec::with_capacity(messages as usize);
        for one in futures::future::try_join_all(talks).await? {
            latencies.extend(one);
        }
        Ok(Round { latencies, took: begun.elapsed(), cpu: cpu_time() - cpu })
    }

    /// One customer's part.
    async fn talk(
        &self,
        place: usize,
        index: u32,
        numbers: Range<u32>,
        window: Arc<Semaphore>,
    ) -> anyhow::Result<Vec<Duration>> {
        let (from, to) = (self.stage.customer(index), self.stage.bot(index));
        let count = numbers.len();
        let waiting = std::sync::Mutex::new(HashMap::new());
        let lock = || waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let write = async {
            for number in numbers {
                window.acquire().await?.forget();
                let (text, reply) = self.stage.texts(number);
                lock().insert(reply, Instant::now());
                self.stage.control.say(&from, &to, &text).await?;
            }
            anyhow::Ok(())
        };
        let read = async {
            let mut latencies = Vec::with_capacity(count);
            let mut last = Instant::now();
            while latencies.len() < count {
                let seen = self.seen[place].load(Ordering::Relaxed);
                for message in self.stage.control.inbox(&from, seen, 5_000).await? {
                    self.seen[place].fetch_max(message["seq"].as_u64().unwrap_or(0), Ordering::Relaxed);
                    if message["fromMe"] == Value::Bool(true) {
                        continue;
                    }
                    let text = message["text"].as_str().unwrap_or_default();
                    if let Some(begun) = lock().remove(text) {
                        latencies.push(begun.elapsed());
                        window.add_permits(1);
                        last = Instant::now();
                    }
                }
                if last.elapsed() > STALLED {
                    bail!("phone {from}: {} of {count} replies came, then none for a minute", latencies.len());
                }
            }
            Ok(latencies)
        };
        let ((), latencies) = tokio::try_join!(write, read)?;
        Ok(latencies)
    }
}

/// Processor time that this process has used.
fn cpu_time() -> Duration {
    // utime and stime are the 14th and 15th fields, in hundredths of a second;
    // the name in the second may hold spaces, so counting begins behind it.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
