//! Deliveries: events owed to webhook targets.

use crate::clock::Millis;
use crate::id::{DeliveryId, EventId, SessionId, TargetId};
use crate::jid::Jid;
use serde::{Deserialize, Serialize};

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
    /// How often it was tried.
    pub attempts: u32,
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
