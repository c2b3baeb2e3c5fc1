//! Filters of the lists that the API shows.

use warest_model::clock::Millis;
use warest_model::delivery::DeliveryState;
use warest_model::event::EventKind;
use warest_model::id::{BulkId, EventId, SessionId, TargetId, UserId};
use warest_model::job::JobState;
use warest_model::run::RunState;

/// How much of a list, and from where. Lists are newest first.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Only rows older than the one with this id.
    pub before: Option<String>,
    /// At most this many rows (1 to 500).
    pub limit: u32,
}

/// Which events.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only this tenant's; all if absent.
    pub owner: Option<UserId>,
    /// Only this session's.
    pub session: Option<SessionId>,
    /// Only these kinds; all if empty.
    pub kinds: Vec<EventKind>,
    /// Only this chat.
    pub chat: Option<String>,
}

/// Which runs.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Only this tenant's; all if absent.
    pub owner: Option<UserId>,
    /// Only this session's.
    pub session: Option<SessionId>,
    /// Only in this state.
    pub state: Option<RunState>,
    /// Only those that answer this event.
    pub event: Option<String>,
}

/// Which deliveries.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Only this tenant's; all if absent.
    pub owner: Option<UserId>,
    /// Only this session's.
    pub session: Option<SessionId>,
    /// Only those owed to this target.
    pub target: Option<TargetId>,
    /// Only in this state.
    pub state: Option<DeliveryState>,
    /// Only those of this event.
    pub event: Option<EventId>,
    /// Only those created at this moment or later.
    pub since_ms: Option<Millis>,
    /// Only those created before this moment.
    pub until_ms: Option<Millis>,
}

/// Which deliveries of a session are owed again, oldest first.
#[derive(Debug, Clone)]
pub struct ReplayRange {
    /// The session.
    pub session: SessionId,
    /// Only those owed to this target.
    pub target: Option<TargetId>,
    /// `Delivered` or `Dead`.
    pub state: DeliveryState,
    /// Created at this moment or later.
    pub from_ms: Millis,
    /// Created before this moment.
    pub to_ms: Millis,
}

/// Which jobs.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Only this tenant's; all if absent.
    pub owner: Option<UserId>,
    /// Only this session's.
    pub session: Option<SessionId>,
    /// Only in this state.
    pub state: Option<JobState>,
    /// Only to this chat.
    pub chat: Option<String>,
    /// Only of this bulk.
    pub bulk: Option<BulkId>,
}
