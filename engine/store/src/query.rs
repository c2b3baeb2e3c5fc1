//! Filters of the lists that the API shows.

use warest_model::event::EventKind;
use warest_model::id::{SessionId, UserId};
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
    /// Only this kind.
    pub kind: Option<EventKind>,
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
