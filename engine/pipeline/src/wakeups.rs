//! Who is told that rows were added.
//!
//! Stages save rows for one another and then wake the partition that owes them.
//! A wake-up that comes before its partition is running is not lost: a
//! scheduler begins by reading everything it owes.

use crate::lanes::Lanes;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use warest_model::id::{SessionId, TargetId};
use warest_model::reactor::ReactorRef;

/// The running schedulers, by partition.
#[derive(Debug, Default)]
pub struct Wakeups {
    sessions: RwLock<HashMap<SessionId, Lanes>>,
    reactors: RwLock<HashMap<ReactorRef, Lanes>>,
    targets: RwLock<HashMap<TargetId, Lanes>>,
}

macro_rules! partition {
    ($field:ident, $key:ty, $wake:ident, $ensure:ident, $drop:ident, $what:literal) => {
        #[doc = concat!("Wakes the scheduler of ", $what, ".")]
        pub fn $wake(&self, key: &$key) {
            if let Some(lanes) = self.$field.read().unwrap_or_else(PoisonError::into_inner).get(key) {
                lanes.wake();
            }
        }

        #[doc = concat!("Starts the scheduler of ", $what, " if it is not running, and wakes it.")]
        pub fn $ensure(&self, key: &$key, start: impl FnOnce() -> Lanes) {
            if self.$field.read().unwrap_or_else(PoisonError::into_inner).contains_key(key) {
                return self.$wake(key);
            }
            let mut all = self.$field.write().unwrap_or_else(PoisonError::into_inner);
            all.entry(key.clone()).or_insert_with(start).wake();
        }

        #[doc = concat!("Stops the scheduler of ", $what, ".")]
        pub fn $drop(&self, key: &$key) {
            if let Some(lanes) = self.$field.write().unwrap_or_else(PoisonError::into_inner).remove(key) {
                lanes.stop();
            }
        }
    };
}

impl Wakeups {
    /// Says that a job of a session's lane was changed.
    pub fn nudge_session(&self, session: &SessionId, lane: String, seq: i64) {
        if let Some(lanes) = self.sessions.read().unwrap_or_else(PoisonError::into_inner).get(session) {
            lanes.nudge(lane, seq);
        }
    }

    partition!(sessions, SessionId, session, ensure_session, drop_session, "a session's send queue");
    partition!(reactors, ReactorRef, reactor, ensure_reactor, drop_reactor, "a reactor");
    partition!(targets, TargetId, target, ensure_target, drop_target, "a webhook target");

    /// Has the scheduler of a webhook target, if it is running, replaced by what
    /// `start` makes of it.
    pub fn restart_target(&self, key: &TargetId, start: impl FnOnce(Lanes) -> Lanes) {
        if let Some(lanes) = self.targets.write().unwrap_or_else(PoisonError::into_inner).get_mut(key) {
            *lanes = start(lanes.clone());
        }
    }
}
