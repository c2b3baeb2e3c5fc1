//! Durable truth: what the engine knows, and the only place where it is kept.
//!
//! The traits here say in the engine's own words what can be asked and changed;
//! each method that changes something is one transaction. [`sqlite`] implements
//! them on SQLite; [`keystore`] keeps the WhatsApp credentials of each session,
//! encrypted by [`secret`]. What may be forgotten is in the [`cache`].
//!
//! Laws kept here: an event and what it is owed to are appended in one
//! transaction; a decision, its state writes and "seen" are one transaction; a
//! finished job and the progress of its run are one transaction.

pub mod cache;
mod codec;
mod command_books;
mod error;
mod guard_book;
mod history;
pub mod inspect;
pub mod keystore;
mod log;
pub mod media;
mod query;
pub mod secret;
pub mod sqlite;
mod traits;
mod upkeep;

pub use codec::encode_event;
pub use command_books::CommandBooks;
pub use error::StoreError;
pub use guard_book::{ChatBudget, GuardBook, Opened, Openings, OptOut, QuotaUse, Standing};
pub use history::{
    ChatFilter, ChatOrder, History, Labelled, MOST_LOOKED_AT, MOST_TOTAL, MessageFilter, MessageRecord, Messages,
    Slice, Start, Total,
};
pub use log::{LogEntry, LogPage};
pub use media::{MediaDirection, MediaFile, MediaRow, MediaRows, MediaState};
pub use query::{DeliveryFilter, EventFilter, JobFilter, Page, ReplayRange, RunFilter};
pub use traits::{
    AttemptReport, BulkRecord, Bulks, Consent, Decision, Dispatch, EventLog, Idempotency, JobBook, JobEnd, KeyState,
    Left, NewEvent, NewRun, Outbox, Progress, Reactors, Recorded, Registry, Replayed, Resumed, RunRecord, Runs,
    SendQueue, SessionChange, Sinks, Store, TargetReport, Targets,
};
pub use upkeep::{Cursor, FileSize, Horizon, Kind, Limits, MOST_COUNTED, Measure, Removed, Upkeep};

/// The result of asking the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
