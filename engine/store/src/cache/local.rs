//! The cache in the memory of this process. Bounded by entries and by bytes;
//! when it is full, what was used longest ago goes first.

use super::{Cache, CacheError, CacheResult, Count, Key, LONGEST, Turn, VALUE_BYTES};
use async_trait::async_trait;
use moka::ops::compute::{CompResult, Op};
use moka::policy::EvictionPolicy;
use std::sync::Arc;
use std::time::Duration;
use warest_model::clock::{Millis, SharedClock};

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct LocalOptions {
    /// Most entries, at least 1.
    pub entries: u64,
    /// Most bytes of keys and values.
    pub bytes: u64,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self { entries: 5_000, bytes: 128 << 20 }
    }
}

/// Memory that an entry costs beside its key and value, about.
const ENTRY_BYTES: u64 = 128;

/// The cache of one process.
pub struct LocalCache {
    clock: SharedClock,
    values: moka::sync::Cache<String, Held>,
}

#[derive(Debug, Clone)]
struct Held {
    what: What,
    until_ms: Millis,
}

#[derive(Debug, Clone)]
enum What {
    Counter(u64),
    Value(Arc<[u8]>),
    /// A line whose last turn ends with the entry.
    Line,
}

impl LocalCache {
    /// An empty cache. Lives are measured by `clock`.
    pub fn new(options: LocalOptions, clock: SharedClock) -> Self {
        // One bound for both: an entry weighs its bytes, but never less than the
        // share that each has when the cache is full of small ones.
        let bytes = options.bytes.max(1);
        let share = (bytes / options.entries.clamp(1, bytes)).max(1);
        let weigh = move |key: &String, held: &Held| {
            let value = match &held.what {
                What::Counter(_) | What::Line => 8,
                What::Value(value) => value.len(),
            };
            u32::try_from(((key.len() + value) as u64 + ENTRY_BYTES).max(share)).unwrap_or(u32::MAX)
        };
        let values = moka::sync::Cache::builder()
            .max_capacity(bytes)
            .weigher(weigh)
            // A new counter must be kept even if nobody asked for it before.
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { clock, values }
    }

    /// Entries in memory, those that have ended but were not yet replaced among
    /// them.
    pub fn len(&self) -> u64 {
        self.values.run_pending_tasks();
        self.values.entry_count()
    }

    /// Whether nothing is in memory.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn value(&self, value: &[u8], ttl: Duration, now: Millis) -> CacheResult<Held> {
        if value.len() > VALUE_BYTES {
            return Err(CacheError::TooLarge(value.len()));
        }
        Ok(Held { what: What::Value(value.into()), until_ms: end(now, ttl) })
    }
}

/// When an entry that is made now ends.
fn end(now: Millis, life: Duration) -> Millis {
    now.saturating_add((life.min(LONGEST).as_millis() as Millis).max(1))
}

// Counters, lines and values never meet, as each kind has its own letter.
fn counter(key: &Key) -> String {
    format!("c/{key}")
}

fn line(key: &Key) -> String {
    format!("t/{key}")
}

fn value(key: &Key) -> String {
    format!("v/{key}")
}

#[async_trait]
impl Cache for LocalCache {
    async fn count(&self, key: &Key, n: u64, window: Duration) -> CacheResult<Count> {
        let now = self.clock.now_ms();
        let changed = self.values.entry(counter(key)).and_compute_with(|entry| {
            let held = entry.map(moka::Entry::into_value).filter(|held| held.until_ms > now);
            let (before, until_ms) = match held {
                Some(Held { what: What::Counter(total), until_ms }) => (total, until_ms),
                Some(_) | None => (0, end(now, window)),
            };
            if n == 0 {
                return Op::Nop;
            }
            Op::Put(Held { what: What::Counter(before.saturating_add(n)), until_ms })
        });
        let held = match changed {
            CompResult::Inserted(entry) | CompResult::ReplacedWith(entry) | CompResult::Unchanged(entry) => {
                Some(entry.into_value())
            }
            CompResult::Removed(_) | CompResult::StillNone(_) => None,
        };
        match held.filter(|held| held.until_ms > now) {
            Some(Held { what: What::Counter(total), until_ms }) => Ok(Count { total, reset_ms: until_ms }),
            Some(_) => Err(CacheError::Corrupt(key.clone())),
            None => Ok(Count { total: 0, reset_ms: end(now, window) }),
        }
    }

    async fn take_turn(&self, key: &Key, length: Duration, ahead: Duration) -> CacheResult<Turn> {
        let now = self.clock.now_ms();
        let ahead = ahead.min(LONGEST).as_millis() as Millis;
        let mut turn = Turn { at_ms: now, taken: false };
        self.values.entry(line(key)).and_compute_with(|entry| {
            turn.at_ms = entry.map_or(now, |entry| entry.value().until_ms).max(now);
            turn.taken = turn.at_ms - now <= ahead;
            if !turn.taken {
                return Op::Nop;
            }
            Op::Put(Held { what: What::Line, until_ms: end(turn.at_ms, length) })
        });
        Ok(turn)
    }

    async fn get(&self, key: &Key) -> CacheResult<Option<Vec<u8>>> {
        let now = self.clock.now_ms();
        match self.values.get(&value(key)).filter(|held| held.until_ms > now) {
            Some(Held { what: What::Value(value), .. }) => Ok(Some(value.to_vec())),
            Some(_) => Err(CacheError::Corrupt(key.clone())),
            None => Ok(None),
        }
    }

    async fn set(&self, key: &Key, bytes: &[u8], ttl: Duration) -> CacheResult<()> {
        let held = self.value(bytes, ttl, self.clock.now_ms())?;
        self.values.insert(value(key), held);
        Ok(())
    }

    async fn add(&self, key: &Key, bytes: &[u8], ttl: Duration) -> CacheResult<bool> {
        let now = self.clock.now_ms();
        let held = self.value(bytes, ttl, now)?;
        let changed = self.values.entry(value(key)).and_compute_with(|entry| match entry {
            Some(entry) if entry.value().until_ms > now => Op::Nop,
            _ => Op::Put(held),
        });
        Ok(matches!(changed, CompResult::Inserted(_) | CompResult::ReplacedWith(_)))
    }

    async fn delete(&self, key: &Key) -> CacheResult<bool> {
        let now = self.clock.now_ms();
        Ok(self.values.remove(&value(key)).is_some_and(|held| held.until_ms > now))
    }
}
