//! What a read of the event log answers, for those who follow it.

use crate::EventFilter;
use warest_model::event::Event;
use warest_model::id::UserId;

/// An event at its place in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// Its position: later events have higher ones.
    pub seq: i64,
    /// Whose session it is of; none if that session was removed since.
    pub owner: Option<UserId>,
    /// The event.
    pub event: Event,
}

/// A stretch of the log, oldest first.
#[derive(Debug, Clone, Default)]
pub struct LogPage {
    /// What fits.
    pub entries: Vec<LogEntry>,
    /// The position up to which the log was looked at: where the next read goes
    /// on, whether or not anything fitted.
    pub upto: i64,
    /// Whether the log goes on behind `upto`.
    pub more: bool,
    /// The position of the oldest event that is kept behind the one after which
    /// was asked for, or at which the next will be. What lay between is gone.
    pub oldest: i64,
}

impl EventFilter {
    /// Whether an entry of the log fits: the same answer that the store gives.
    pub fn fits(&self, entry: &LogEntry) -> bool {
        let event = &entry.event;
        self.owner.as_ref().is_none_or(|owner| entry.owner.as_ref() == Some(owner))
            && self.session.as_ref().is_none_or(|session| event.session == *session)
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && self.chat.as_ref().is_none_or(|chat| event.chat.as_ref().is_some_and(|of| of.as_str() == chat))
    }
}
