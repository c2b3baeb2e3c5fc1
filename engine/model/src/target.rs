//! Webhook targets: the receivers of a session, what a person chose for each of
//! them, and what deliveries have learnt about its health.
//!
//! [`TargetHealth::after`] is the contract's rule of pauses and the circuit, as a
//! function of health, outcome and time; the store applies it where it records
//! an attempt.

use crate::clock::Millis;
use crate::event::EventKind;
use crate::id::{SessionId, TargetId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Failures in a row that open a target's circuit.
pub const CIRCUIT_FAILURES: u32 = 5;
/// How long an open circuit stays open, in milliseconds.
pub const CIRCUIT_PAUSE_MS: Millis = 60_000;
/// A target that answered 401 or 403 is left alone for this long, in milliseconds.
pub const REFUSED_PAUSE_MS: Millis = 15 * 60_000;

/// A webhook receiver of a session.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// `tgt_`+ULID.
    pub id: TargetId,
    /// The session whose events it is owed.
    pub session: SessionId,
    /// Where to; empty when a 404 or 410 answer emptied it.
    pub url: String,
    /// Key of the signature, together with the username. Encrypted at rest.
    pub secret: String,
    /// The secret before, while both are in use.
    pub old_secret: Option<OldSecret>,
    /// Whether it is the installation's default receiver, which sessions without
    /// a receiver of their own have.
    pub is_default: bool,
    /// What a person chose.
    pub options: TargetOptions,
    /// What deliveries have learnt.
    pub health: TargetHealth,
}

/// A secret that is being replaced. Encrypted at rest.
#[derive(Clone, PartialEq, Eq)]
pub struct OldSecret {
    /// The secret.
    pub secret: String,
    /// It signs, beside the new one, before this moment.
    pub until_ms: Millis,
}

/// What a person chose for a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetOptions {
    /// Whether it is owed events.
    pub enabled: bool,
    /// The events it wants; those of the contract's catalogue if absent.
    pub events: Option<Vec<EventKind>>,
    /// The shape of what it is sent; the installation's if absent.
    pub payload: Option<PayloadShape>,
    /// Which order deliveries keep.
    pub order: DeliveryOrder,
    /// Requests at once; the installation's if absent.
    pub concurrency: Option<u32>,
}

impl Default for TargetOptions {
    fn default() -> Self {
        Self { enabled: true, events: None, payload: None, order: DeliveryOrder::Chat, concurrency: None }
    }
}

/// A name that is none of those which a field takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("use {0}")]
pub struct UnknownName(&'static str);

macro_rules! named {
    ($(#[$doc:meta])* $name:ident, $names:literal { $($(#[$of:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
        pub enum $name { $($(#[$of])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// The wire name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;
            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text { $($text => Ok(Self::$variant),)+ _ => Err(UnknownName($names)) }
            }
        }
    };
}

named! {
    /// The shape of `data` in what a receiver is sent.
    PayloadShape, "seed or node" {
        /// As the engine's documentation has it.
        #[default]
        Seed = "seed",
        /// As receivers written for the Node server expect it.
        Node = "node",
    }
}

named! {
    /// Which order the deliveries of a target keep.
    DeliveryOrder, "chat or none" {
        /// Events of one chat one after another, in the order of the log.
        #[default]
        Chat = "chat",
        /// Each on its own: one that has to wait holds up no other.
        None = "none",
    }
}

/// What deliveries have learnt about a target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetHealth {
    /// Not used before this moment (after a 401 or 403, or an open circuit). A
    /// moment that has passed means that one attempt at a time is made until
    /// one succeeds; 0 if there is nothing to recover from.
    pub paused_until_ms: Millis,
    /// Failures in a row that count for the circuit.
    pub failures: u32,
    /// Since when no attempt has succeeded, if the last one did not.
    pub failing_since_ms: Option<Millis>,
    /// When it was stopped for failing too long; it stays so until a person
    /// resumes it.
    pub stopped_ms: Option<Millis>,
}

/// What an attempt says about its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// 2xx.
    Answered,
    /// No answer, 429 or 5xx.
    Failed,
    /// 401 or 403.
    Refused,
    /// 404 or 410.
    Gone,
    /// Anything else: that delivery is given up, the target is used on.
    Rejected,
}

impl TargetHealth {
    /// The health after an attempt that ended at `now_ms`.
    pub fn after(&self, outcome: Outcome, now_ms: Millis) -> Self {
        let failing = Self { failing_since_ms: self.failing_since_ms.or(Some(now_ms)), ..self.clone() };
        match outcome {
            // What was under way when a pause began does not end it.
            Outcome::Answered => Self {
                paused_until_ms: if self.paused_until_ms > now_ms { self.paused_until_ms } else { 0 },
                failures: 0,
                failing_since_ms: None,
                stopped_ms: self.stopped_ms,
            },
            Outcome::Failed => {
                let failures = self.failures.saturating_add(1);
                let opened = if failures >= CIRCUIT_FAILURES { now_ms + CIRCUIT_PAUSE_MS } else { 0 };
                Self { failures, paused_until_ms: self.paused_until_ms.max(opened), ..failing }
            }
            Outcome::Refused => {
                Self { paused_until_ms: self.paused_until_ms.max(now_ms + REFUSED_PAUSE_MS), ..failing }
            }
            Outcome::Gone | Outcome::Rejected => failing,
        }
    }
}

/// How a target stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is used.
    Ok,
    /// A pause has passed: one attempt at a time, until one succeeds.
    Recovering,
    /// It is left alone until `paused_until_ms`.
    Paused,
    /// It failed for too long, and waits for a person to resume it.
    Stopped,
    /// A person switched it off.
    Off,
    /// A 404 or 410 answer emptied its URL.
    NoUrl,
}

impl Target {
    /// How it stands at `now_ms`.
    pub fn standing(&self, now_ms: Millis) -> Standing {
        match &self.health {
            _ if self.url.is_empty() => Standing::NoUrl,
            _ if !self.options.enabled => Standing::Off,
            health if health.stopped_ms.is_some() => Standing::Stopped,
            health if health.paused_until_ms > now_ms => Standing::Paused,
            health if health.paused_until_ms > 0 => Standing::Recovering,
            _ => Standing::Ok,
        }
    }

    /// Whether it is owed an event of this kind. One that is paused or stopped
    /// is: what is owed to it waits.
    pub fn hears(&self, kind: EventKind) -> bool {
        !self.url.is_empty()
            && self.options.enabled
            && self.options.events.as_ref().map_or(kind.is_default(), |events| events.contains(&kind))
    }

    /// The secrets that sign at `now_ms`, the one in use first.
    pub fn secrets(&self, now_ms: Millis) -> Vec<&str> {
        let old = self.old_secret.as_ref().filter(|old| now_ms < old.until_ms);
        std::iter::once(self.secret.as_str()).chain(old.map(|old| old.secret.as_str())).collect()
    }
}

impl fmt::Debug for Target {
    // The secret stays out of logs, and so does the URL, which may hold one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("id", &self.id)
            .field("session", &self.session)
            .field("options", &self.options)
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for OldSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OldSecret").field("until_ms", &self.until_ms).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_700_000_000_000;

    #[test]
    fn five_failures_in_a_row_open_the_circuit_and_a_success_closes_it() {
        let mut health = TargetHealth::default();
        for failures in 1..CIRCUIT_FAILURES {
            health = health.after(Outcome::Failed, NOW);
            assert_eq!((health.failures, health.paused_until_ms), (failures, 0));
        }
        let broken = health.after(Outcome::Answered, NOW);
        assert_eq!(broken, TargetHealth::default(), "in a row means in a row");
        let open = health.after(Outcome::Failed, NOW);
        assert_eq!(open.paused_until_ms, NOW + CIRCUIT_PAUSE_MS);
        let later = open.paused_until_ms;
        let again = open.after(Outcome::Failed, later);
        assert_eq!(again.paused_until_ms, later + CIRCUIT_PAUSE_MS, "one failed probe opens it again");
        assert_eq!(again.failing_since_ms, Some(NOW));
        assert_eq!(open.after(Outcome::Answered, later), TargetHealth::default());
    }

    #[test]
    fn a_refusal_pauses_and_an_answer_to_an_earlier_request_does_not_end_that() {
        let refused = TargetHealth::default().after(Outcome::Refused, NOW);
        assert_eq!((refused.paused_until_ms, refused.failures), (NOW + REFUSED_PAUSE_MS, 0));
        let answered = refused.after(Outcome::Answered, NOW + 1);
        assert_eq!(answered.paused_until_ms, NOW + REFUSED_PAUSE_MS);
        assert_eq!(answered.failing_since_ms, None);
        let failed = refused.after(Outcome::Failed, NOW + 1);
        assert_eq!(failed.paused_until_ms, NOW + REFUSED_PAUSE_MS, "a shorter pause does not shorten it");
        let stopped = TargetHealth { stopped_ms: Some(NOW), ..refused };
        assert_eq!(stopped.after(Outcome::Answered, NOW + 1).stopped_ms, Some(NOW), "only a person resumes it");
    }
}
