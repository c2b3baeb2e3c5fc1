//! Deliveries: events owed to webhook targets.

use crate::clock::Millis;
use crate::id::{DeliveryId, EventId, SessionId, TargetId};
use crate::jid::Jid;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Where a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is to be attempted when due.
    Pending,
    /// The receiver answered with a success.
    Delivered,
    /// Given up; its row stays, with the reason.
    Dead,
}

impl DeliveryState {
    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

/// A name that no state has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("use pending, delivered or dead")]
pub struct UnknownState;

impl FromStr for DeliveryState {
    type Err = UnknownState;
    fn from_str(text: &str) -> Result<Self, UnknownState> {
        [Self::Pending, Self::Delivered, Self::Dead]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(UnknownState)
    }
}

/// One event owed to one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// `dlv_`+ULID.
    pub id: DeliveryId,
    /// Position in the outbox, given by the store.
    pub seq: i64,
    /// The event.
    pub event: EventId,
    /// The session it belongs to.
    pub session: SessionId,
    /// The chat whose order it keeps.
    pub chat: Option<Jid>,
    /// Where to.
    pub target: TargetId,
    /// Where it is.
    pub state: DeliveryState,
    /// How often it was tried, in all.
    pub attempts: u32,
    /// How far it is in the schedule: attempts since it was last owed, without
    /// those that a pause followed.
    pub tries: u32,
    /// Not before this moment.
    pub due_ms: Millis,
    /// HTTP status of the last answer, if there was one.
    pub status: Option<u16>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// When the event was recorded.
    pub created_ms: Millis,
    /// When it ended.
    pub ended_ms: Option<Millis>,
}

/// One request of a delivery, and what came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Counted from 1; goes on counting when a delivery is replayed.
    pub number: u32,
    /// When it began.
    pub at_ms: Millis,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Why it failed.
    pub error: Option<String>,
    /// The beginning of the answer, of at most [`crate::limits::ANSWER_KEPT_BYTES`].
    pub answer: String,
}
