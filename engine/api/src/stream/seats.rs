//! How many streams there are, of each user and in all.

use super::{StreamLimits, Transport};
use crate::error::ApiError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use warest_model::id::UserId;

/// Seconds after which a stream may have ended.
const RETRY_AFTER: u64 = 5;

/// The seats of all streams. Cheap to clone.
#[derive(Clone)]
pub struct Seats {
    per_user: usize,
    total: usize,
    taken: Arc<Mutex<HashMap<UserId, usize>>>,
    all: TaskTracker,
}

impl Seats {
    /// As many seats as the limits say.
    pub fn new(limits: &StreamLimits) -> Self {
        Self { per_user: limits.per_user, total: limits.total, taken: Arc::default(), all: TaskTracker::new() }
    }

    /// Takes a seat, which is free again once it is dropped.
    pub(super) fn take(&self, user: &UserId, transport: Transport) -> Result<Seat, ApiError> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_user = taken.get(user).copied().unwrap_or(0);
        if of_user >= self.per_user {
            let message = format!("you have {of_user} streams open, which is the most; close one, or try again later");
            return Err(ApiError::new(transport.too_many(), message).retry_after(RETRY_AFTER));
        }
        if self.all.len() >= self.total {
            let message = "the server has as many streams open as it takes; try again later";
            return Err(ApiError::new(transport.unavailable(), message).retry_after(RETRY_AFTER));
        }
        taken.insert(user.clone(), of_user + 1);
        Ok(Seat { user: user.clone(), taken: self.taken.clone(), _counted: self.all.token() })
    }

    /// Waits until every stream has ended.
    pub async fn emptied(&self) {
        self.all.close();
        self.all.wait().await;
    }
}

/// A seat that is taken.
pub(super) struct Seat {
    user: UserId,
    taken: Arc<Mutex<HashMap<UserId, usize>>>,
    _counted: TaskTrackerToken,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.user) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.user)),
        }
    }
}
