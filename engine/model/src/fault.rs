//! Why something failed, in the three ways that matter to whoever decides what
//! happens next.

use serde::{Deserialize, Serialize};

/// The code of a send that never left, for want of a connection.
pub const NOT_CONNECTED: &str = "not_connected";
/// The code of a send whose keys could not be stored, so that it never left.
pub const KEYS_NOT_STORED: &str = "keys_not_stored";
/// The code of WhatsApp's limit on the rate of an account (429).
pub const OVERLIMIT: &str = "overlimit";
/// The code of WhatsApp's lock on writing to people who never wrote (463).
pub const REACH_OUT_LOCKED: &str = "reach_out_locked";
/// The code of a job that a person cancelled.
pub const CANCELLED: &str = "cancelled";

/// What may be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// It did not happen; trying later may work.
    Retry,
    /// It did not happen and never will as it stands.
    Fail,
    /// It may have happened. Repeating it is safe only where the repeat is
    /// recognisable (a send that carries the same message id).
    Unknown,
}

/// A failure: its kind, a stable machine-readable code, and a sentence that
/// says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Fault {
    /// What may be done about it.
    pub kind: FaultKind,
    /// Stable, snake_case: `not_connected`, `plan_too_large`, `guest_deadline`…
    pub code: String,
    /// For people.
    pub message: String,
}

impl Fault {
    /// A failure that may pass.
    pub fn retry(code: &str, message: impl Into<String>) -> Self {
        Self::new(FaultKind::Retry, code, message)
    }

    /// A failure that stays.
    pub fn fail(code: &str, message: impl Into<String>) -> Self {
        Self::new(FaultKind::Fail, code, message)
    }

    /// A failure after which the effect may have happened.
    pub fn unknown(code: &str, message: impl Into<String>) -> Self {
        Self::new(FaultKind::Unknown, code, message)
    }

    fn new(kind: FaultKind, code: &str, message: impl Into<String>) -> Self {
        let message = crate::limits::clip_error(&message.into());
        Self { kind, code: code.to_owned(), message }
    }
}
