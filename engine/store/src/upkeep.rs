//! Upkeep: what may be removed after a while, and how much there is of it.
//!
//! What is owed is never removed, however old: pending deliveries and what a
//! person may still replay, dispatches, active runs, jobs that have not ended,
//! the events they need, and the runs that keep a repeated webhook answer from
//! being acted upon twice. A file is let go of here; the object goes when the shelf
//! is tidied up (see [`MediaRows`](crate::MediaRows)).

use crate::Result;
use async_trait::async_trait;
use warest_model::clock::Millis;

/// A kind of rows with limits of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Deliveries that reached their target.
    Deliveries,
    /// Deliveries that were given up.
    DeadDeliveries,
    /// Send jobs that have ended.
    Jobs,
    /// Runs that have ended, with their journals.
    Runs,
    /// Events.
    Events,
    /// What makes a redelivered message recognisable.
    DedupKeys,
    /// Messages of the history.
    Messages,
    /// Media files.
    Media,
}

impl Kind {
    /// Every kind, in the order in which removing one frees the next.
    pub const ALL: [Self; 8] = [
        Self::Deliveries,
        Self::DeadDeliveries,
        Self::Jobs,
        Self::Runs,
        Self::Events,
        Self::DedupKeys,
        Self::Messages,
        Self::Media,
    ];

    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deliveries => "deliveries",
            Self::DeadDeliveries => "deadDeliveries",
            Self::Jobs => "jobs",
            Self::Runs => "runs",
            Self::Events => "events",
            Self::DedupKeys => "dedupKeys",
            Self::Messages => "messages",
            Self::Media => "media",
        }
    }
}

/// How much of a kind is kept. What is absent is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// How long after its end (an event: after it was recorded; a message: after it
    /// was written; a file: after its row was made).
    pub age_ms: Option<Millis>,
    /// How many of the newest rows.
    pub rows: Option<u64>,
    /// How many bytes of the newest rows, by the size of a sample; of files, their
    /// own size.
    pub bytes: Option<u64>,
}

/// Limits as they stand at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// This moment.
    pub(crate) now_ms: Millis,
    /// What ended before this moment is too old.
    pub(crate) cutoff_ms: Millis,
    /// Rows up to this position are too many.
    pub(crate) over: i64,
    /// No row after this position can be past a limit.
    pub(crate) until: i64,
}

/// How far a sweep has come within a kind. Begin with the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) seq: i64,
    pub(crate) key: (String, String),
}

/// What one piece of a sweep did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Rows that are gone.
    pub rows: u64,
    /// Rows past a limit that stay, since they are still owed.
    pub owed: u64,
    /// Where to go on; none at the end.
    pub next: Option<Cursor>,
}

/// How much there is of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measure {
    /// Rows.
    pub rows: u64,
    /// Bytes, by the size of a sample; indices are not counted.
    pub bytes: u64,
    /// When the oldest came.
    pub oldest_ms: Option<Millis>,
    /// Rows that the next sweep will remove; counted up to [`MOST_COUNTED`].
    pub removable: u64,
}

/// How far removable rows are counted.
pub const MOST_COUNTED: u64 = 10_000;

/// The database as files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileSize {
    /// Of the database file.
    pub bytes: u64,
    /// Of it, what is free and used again by what comes.
    pub free_bytes: u64,
    /// Of the log beside it.
    pub log_bytes: u64,
}

/// Removing what is past its limits, a small piece at a time.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Limits as they stand now.
    async fn horizon(&self, kind: Kind, limits: &Limits, now_ms: Millis) -> Result<Horizon>;
    /// Looks at the `batch` rows after `from` and removes those that are past a
    /// limit and not owed; one short transaction, none if there is nothing.
    async fn remove(&self, kind: Kind, horizon: &Horizon, from: &Cursor, batch: u32) -> Result<Removed>;
    /// How much there is of a kind.
    async fn measure(&self, kind: Kind, horizon: &Horizon) -> Result<Measure>;
    /// How large the database is.
    async fn file_size(&self) -> Result<FileSize>;
}
