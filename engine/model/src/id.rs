//! Identifiers. Each is a prefix and a ULID, so that they sort by time and say
//! what they name; sessions keep the names that people give them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An identifier that does not have the shape it should have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must look like {shape}")]
pub struct IdError {
    what: &'static str,
    shape: &'static str,
}

/// An identifier that can be made from a moment and 80 bits.
pub trait Born {
    /// The identifier of what was born at `at_ms`; only the low 80 bits of
    /// `random` count.
    fn born(at_ms: i64, random: u128) -> Self;
}

macro_rules! ulid_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A new identifier for something that happened at `now_ms`.
            pub fn new(now_ms: i64) -> Self {
                Self::born(now_ms, rand::random())
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The moment that it was made at, as it says itself.
            pub fn made_ms(&self) -> i64 {
                let ulid = ulid::Ulid::from_string(&self.0[$prefix.len()..]);
                ulid.map_or(0, |ulid| i64::try_from(ulid.timestamp_ms()).unwrap_or(0))
            }
        }

        impl Born for $name {
            fn born(at_ms: i64, random: u128) -> Self {
                Self(format!(concat!($prefix, "{}"), ulid::Ulid::from_parts(at_ms.max(0) as u64, random)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix($prefix)
                    .filter(|rest| rest.len() == 26 && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
                    .map(|_| Self(text.to_owned()))
                    .ok_or(IdError { what: stringify!($name), shape: concat!($prefix, "<ULID>") })
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    )*};
}

ulid_ids! {
    /// One event of the log; the same on every delivery attempt.
    EventId = "evt_";
    /// One durable execution of a plan.
    RunId = "run_";
    /// One flow script.
    FlowId = "flw_";
    /// One webhook target of a session.
    TargetId = "tgt_";
    /// One event owed to one webhook target.
    DeliveryId = "dlv_";
    /// One outgoing stanza in a session's queue.
    JobId = "job_";
    /// One bulk of messages.
    BulkId = "blk_";
    /// One file in the engine's storage.
    MediaId = "med_";
    /// One user (tenant).
    UserId = "usr_";
}

/// The name of a session: `[A-Za-z0-9._-]{1,64}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(String);

impl SessionId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SessionId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits =
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if fits { Ok(Self(text.to_owned())) } else { Err(IdError { what: "sessionId", shape: "[A-Za-z0-9._-]{1,64}" }) }
    }
}

impl TryFrom<String> for SessionId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> String {
        id.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_sort_by_time_and_survive_text() {
        let early = EventId::new(1_000);
        let late = EventId::new(2_000);
        assert!(early < late);
        assert_eq!(early.as_str().parse::<EventId>().unwrap(), early);
        assert_eq!((early.made_ms(), late.made_ms()), (1_000, 2_000));
        assert!("run_01HF5QZVQSK3T1SH4Z2RCB2DQB".parse::<EventId>().is_err());
    }

    #[test]
    fn session_names_are_strict() {
        assert!("support-bot.1".parse::<SessionId>().is_ok());
        for bad in ["", "a b", "a/b", "é", &"x".repeat(65)] {
            assert!(bad.parse::<SessionId>().is_err(), "{bad:?}");
        }
    }
}
