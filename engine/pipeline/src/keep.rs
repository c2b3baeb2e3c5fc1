//! Keep: what is past its limits is removed, in pieces too small to be felt.
//!
//! A sweep goes through the kinds of rows in the order in which one frees the
//! next. Each piece is one short transaction among those of the stages, and is
//! followed by a pause several times as long as it took, so that retention never
//! has more than a small part of the one writer, however much there is to remove.
//! What is owed stays, whatever its age: the store decides that. Files go in two
//! steps: the store lets go of them, and what it does not want any more is removed
//! from the shelf, whoever let go of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use warest_model::clock::{Millis, SharedClock};
use warest_store::media::{MediaShelf, ShelfError};
use warest_store::{Cursor, FileSize, Kind, Limits, Measure, Store, StoreError};

const DAY_MS: Millis = 86_400_000;
/// The first sweep comes this long after the start, if not sooner.
const FIRST: Duration = Duration::from_secs(60);
/// Rows of the first piece.
const PIECE: u32 = 128;
/// Fewest and most rows of a piece.
const PIECES: (u32, u32) = (16, 512);
/// A piece that takes longer is too large.
const LONG: Duration = Duration::from_millis(20);
/// A piece that takes less may be larger.
const SHORT: Duration = Duration::from_millis(5);
/// How many times as long as a piece the pause after it is.
const REST: u32 = 4;
/// Longest pause after a piece.
const LONGEST_REST: Duration = Duration::from_secs(2);
/// Sweeps between two that look at every dedup key and every file; these have no
/// order in time.
const ALL_EVERY: u64 = 36;
/// Files that are removed in one go.
const FILES: u32 = 64;
/// What was begun this long ago and not finished is left of a crash.
const UNFINISHED_MS: Millis = DAY_MS;
/// How long a measurement is shown again instead of measuring anew.
const MEASURED_MS: Millis = 15_000;

/// What is kept for how long.
#[derive(Debug, Clone)]
pub struct RetentionConfig {
    /// Time between two sweeps.
    pub every: Duration,
    /// The limits of each kind; one that is absent is kept for ever.
    pub limits: BTreeMap<Kind, Limits>,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        let limits = Kind::ALL.map(|kind| (kind, default_limits(kind)));
        Self { every: Duration::from_secs(600), limits: limits.into() }
    }
}

/// The limits of a kind unless the configuration says otherwise.
pub fn default_limits(kind: Kind) -> Limits {
    let (days, rows) = match kind {
        Kind::Deliveries | Kind::Jobs | Kind::Runs | Kind::Events => (Some(30), Some(5_000_000)),
        Kind::DeadDeliveries => (Some(90), Some(1_000_000)),
        // WhatsApp delivers what was not acknowledged for up to a month.
        Kind::DedupKeys => (Some(45), None),
        // However old: a phone's history begins years ago.
        Kind::Messages => (None, Some(5_000_000)),
        Kind::Media => (Some(90), None),
    };
    // Nobody should have to find out by a full disk that films are large.
    let bytes = (kind == Kind::Media).then_some(20 << 30);
    Limits { age_ms: days.map(|days| days * DAY_MS), rows, bytes }
}

/// What a sweep did.
#[derive(Debug, Clone, Default)]
pub struct Sweep {
    /// When it began.
    pub started_ms: Millis,
    /// When it ended.
    pub ended_ms: Millis,
    /// Rows removed, by kind.
    pub removed: BTreeMap<Kind, u64>,
    /// Rows past a limit that were kept because they are owed, by kind.
    pub owed: BTreeMap<Kind, u64>,
    /// Why it ended early.
    pub failed: Option<String>,
}

/// How much is stored.
#[derive(Debug, Clone)]
pub struct Storage {
    /// When this was measured.
    pub measured_ms: Millis,
    /// The database.
    pub file: FileSize,
    /// Each kind with its limits.
    pub kinds: Vec<(Kind, Measure, Limits)>,
}

/// Keeps the store within its limits.
pub struct Keeper {
    store: Arc<dyn Store>,
    shelf: Arc<dyn MediaShelf>,
    clock: SharedClock,
    config: RetentionConfig,
    last: Mutex<Option<Sweep>>,
    /// Held while measuring, so that many who ask cost one measurement.
    measured: tokio::sync::Mutex<Option<Storage>>,
}

impl Keeper {
    /// A keeper of `store` and of the files on `shelf`.
    pub fn new(store: Arc<dyn Store>, shelf: Arc<dyn MediaShelf>, clock: SharedClock, config: RetentionConfig) -> Self {
        Self { store, shelf, clock, config, last: Mutex::default(), measured: tokio::sync::Mutex::default() }
    }

    /// What the last sweep did; none before the first has ended.
    pub fn last_sweep(&self) -> Option<Sweep> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How much is stored, as it was within the last seconds.
    pub async fn storage(&self) -> Result<Storage, StoreError> {
        let mut measured = self.measured.lock().await;
        let now_ms = self.clock.now_ms();
        // A clock that was set back makes a measurement look new for long.
        let fresh = |storage: &&Storage| (0..MEASURED_MS).contains(&(now_ms - storage.measured_ms));
        if let Some(storage) = measured.as_ref().filter(fresh) {
            return Ok(storage.clone());
        }
        let mut kinds = Vec::with_capacity(Kind::ALL.len());
        for kind in Kind::ALL {
            let limits = self.limits(kind);
            let horizon = self.store.horizon(kind, &limits, now_ms).await?;
            kinds.push((kind, self.store.measure(kind, &horizon).await?, limits));
        }
        let storage = Storage { measured_ms: now_ms, file: self.store.file_size().await?, kinds };
        *measured = Some(storage.clone());
        Ok(storage)
    }

    /// Sweeps again and again, until stopped.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut wait = self.config.every.min(FIRST);
        for number in 0_u64.. {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.sweep(number.is_multiple_of(ALL_EVERY)) => {}
            }
            wait = self.config.every;
        }
    }

    /// One sweep through every kind; `all` says whether the dedup keys and the files
    /// that were never finished are looked at, too.
    async fn sweep(&self, all: bool) {
        let mut sweep = Sweep { started_ms: self.clock.now_ms(), ..Sweep::default() };
        for kind in Kind::ALL.into_iter().filter(|kind| all || *kind != Kind::DedupKeys) {
            if let Err(error) = self.sweep_kind(kind, &mut sweep).await {
                tracing::warn!(kind = kind.as_str(), %error, "retention stopped; it is tried again at the next sweep");
                sweep.failed = Some(error.to_string());
                break;
            }
        }
        if let Err(error) = self.tidy_shelf(all).await {
            tracing::warn!(%error, "files were not removed; it is tried again at the next sweep");
            sweep.failed.get_or_insert_with(|| error.to_string());
        }
        sweep.ended_ms = self.clock.now_ms();
        let removed: u64 = sweep.removed.values().sum();
        if removed > 0 {
            tracing::info!(removed, took_ms = sweep.ended_ms - sweep.started_ms, "rows past their limits were removed");
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(sweep);
    }

    /// Removes files that nobody wants any more.
    async fn tidy_shelf(&self, all: bool) -> Result<(), ShelfError> {
        let store_failed = |error: StoreError| ShelfError::Storage(error.to_string());
        loop {
            let unwanted = self.store.unwanted_objects(FILES).await.map_err(store_failed)?;
            let mut removed = Vec::with_capacity(unwanted.len());
            for (id, object) in &unwanted {
                self.shelf.remove(object).await?;
                removed.push(id.clone());
            }
            if !removed.is_empty() {
                self.store.objects_removed(&removed).await.map_err(store_failed)?;
            }
            if removed.len() < FILES as usize {
                break;
            }
        }
        if all {
            self.shelf.sweep(self.clock.now_ms() - UNFINISHED_MS).await?;
        }
        Ok(())
    }

    async fn sweep_kind(&self, kind: Kind, sweep: &mut Sweep) -> Result<(), StoreError> {
        let limits = self.limits(kind);
        if limits == Limits::default() {
            return Ok(());
        }
        let horizon = self.store.horizon(kind, &limits, sweep.started_ms).await?;
        let (mut piece, mut cursor) = (PIECE, Cursor::default());
        loop {
            let begun = Instant::now();
            let done = self.store.remove(kind, &horizon, &cursor, piece).await?;
            let took = begun.elapsed();
            *sweep.removed.entry(kind).or_default() += done.rows;
            *sweep.owed.entry(kind).or_default() += done.owed;
            let Some(next) = done.next else { return Ok(()) };
            cursor = next;
            piece = next_piece(piece, took);
            tokio::time::sleep((took * REST).min(LONGEST_REST)).await;
        }
    }

    fn limits(&self, kind: Kind) -> Limits {
        self.config.limits.get(&kind).copied().unwrap_or_default()
    }
}

/// How many rows to take after a piece that took so long.
fn next_piece(piece: u32, took: Duration) -> u32 {
    let (least, most) = PIECES;
    let next = if took > LONG {
        piece / 2
    } else if took < SHORT {
        piece * 2
    } else {
        piece
    };
    next.clamp(least, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_shrink_when_they_are_felt_and_stay_bounded() {
        assert_eq!(next_piece(128, Duration::from_millis(30)), 64);
        assert_eq!(next_piece(128, Duration::from_millis(10)), 128);
        assert_eq!(next_piece(128, Duration::from_millis(1)), 256);
        assert_eq!(next_piece(16, Duration::from_secs(1)), 16);
        assert_eq!(next_piece(512, Duration::ZERO), 512);
    }

    #[test]
    fn dedup_keys_outlive_events_and_what_whatsapp_may_deliver_again() {
        let age = |kind| default_limits(kind).age_ms.unwrap_or_default();
        assert!(age(Kind::DedupKeys) >= age(Kind::Events).max(31 * DAY_MS));
        assert!(age(Kind::Runs) >= age(Kind::Deliveries));
    }
}
