//! The cache: what may be forgotten, kept where every process of an
//! installation can see it.
//!
//! Short windows and marks live here: how often a user called within a minute,
//! whom a session wrote to a moment ago. What must not be forgotten does not: a
//! cache may be emptied at any time, and everything that is built on it then
//! only becomes more lenient for the length of a window.
//!
//! [`local`] keeps it in the memory of this process. Every driver passes the
//! suite in `tests/cache.rs`.
//!
//! Laws kept here: every entry has an end; keys and values are bounded; a
//! driver's failure is an error and never an answer.

mod key;
pub mod local;

pub use key::Key;

use async_trait::async_trait;
use std::time::Duration;
use warest_model::clock::Millis;

/// Largest value, in bytes.
pub const VALUE_BYTES: usize = 64 << 10;
/// Longest life of an entry: drivers agree on nothing longer.
pub const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// Why the cache did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It cannot be reached, or did not answer in time. Trying later may work.
    #[error("the cache does not answer: {0}")]
    Unavailable(String),
    /// The value is longer than [`VALUE_BYTES`].
    #[error("a cached value may have at most {VALUE_BYTES} bytes, not {0}")]
    TooLarge(usize),
    /// What stands there is not what was asked for.
    #[error("the cache holds something else under {0}")]
    Corrupt(Key),
}

/// The result of asking the cache.
pub type CacheResult<T> = Result<T, CacheError>;

/// Where a counter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The sum within the present window.
    pub total: u64,
    /// When the window ends; the next count begins another.
    pub reset_ms: Millis,
}

/// A turn in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// When it begins; now, if nobody is before.
    pub at_ms: Millis,
    /// Whether it was taken.
    pub taken: bool,
}

/// What every driver does. Each call is atomic, also among processes that share
/// a cache. Lives are cut to [`LONGEST`] and are at least a millisecond.
#[async_trait]
pub trait Cache: Send + Sync + 'static {
    /// Adds `n` to a counter. Its window of the given length begins with the
    /// first count and is not prolonged by later ones. Adding 0 only looks, and
    /// begins no window.
    async fn count(&self, key: &Key, n: u64, window: Duration) -> CacheResult<Count>;
    /// Takes the next turn in a line, of the given length: it begins when the
    /// one before ends. Not taken if it would begin later than `ahead` from now.
    async fn take_turn(&self, key: &Key, length: Duration, ahead: Duration) -> CacheResult<Turn>;
    /// The value.
    async fn get(&self, key: &Key) -> CacheResult<Option<Vec<u8>>>;
    /// Puts a value in place of the one before.
    async fn set(&self, key: &Key, value: &[u8], ttl: Duration) -> CacheResult<()>;
    /// Puts a value where there is none; whether it was put.
    async fn add(&self, key: &Key, value: &[u8], ttl: Duration) -> CacheResult<bool>;
    /// Removes a value; whether there was one.
    async fn delete(&self, key: &Key) -> CacheResult<bool>;
}
