//! Faults that tests switch on: drop, delay, duplicate, reorder, disconnect, nack, iq, refuse, ban,
//! and those of the media host and of app state; each for one account or all, in one direction or
//! both, and always for a bounded number of times.

use crate::account::lock;
use crate::error::SimnetError;
use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Rules at once.
const RULES: usize = 100;
/// Times a rule may strike.
const COUNT: u32 = 10_000;
/// The longest delay.
const DELAY_MS: u64 = 60_000;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultKind {
    /// A message stanza is not passed on (and, from the companion, not acknowledged).
    Drop,
    /// A message stanza and all behind it wait `ms`.
    Delay,
    /// A message stanza is passed on twice.
    Duplicate,
    /// A message stanza changes places with the next one.
    Reorder,
    /// The connection is cut instead of passing on a message stanza.
    Disconnect,
    /// A message stanza from the companion is acknowledged with the error `code` and not passed on.
    Nack,
    /// A message stanza from the companion reaches its recipient unreadable: the phone asks for it
    /// again.
    Garble,
    /// A request of the companion (an IQ) is answered with the error `code`.
    Iq,
    /// A login is answered with `<failure reason="503">`.
    Refuse,
    /// Live connections are cut and a login is answered with `<failure reason="403">`.
    Ban,
    /// An upload (`out`) or a download (`in`) of a file fails as `how` says.
    Media,
    /// An app-state patch of a companion is answered with a conflict.
    Conflict,
}

/// How a file's way to or from the media host fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaFault {
    /// The answer is the status `code`, 500 when absent.
    Status,
    /// It is cut off on the way.
    Truncate,
    /// It stands still for `ms` before every piece.
    Stall,
    /// A download has a wrong byte in it.
    Corrupt,
}

impl FaultKind {
    /// Whether it strikes message stanzas on their way.
    fn is_of_messages(self) -> bool {
        !matches!(self, Self::Nack | Self::Refuse | Self::Ban | Self::Media | Self::Conflict)
    }
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the network to the companion.
    In,
    /// From the companion to the network.
    Out,
}

/// A rule: what goes wrong, for whom and how often.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Whose companions; all when absent.
    #[serde(default)]
    pub phone: Option<String>,
    /// How often, 1 to 10,000.
    pub count: u32,
    /// Milliseconds, for `delay` and `reorder` (how long to wait for a next one).
    #[serde(default)]
    pub ms: Option<u64>,
    /// Which way; both when absent.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// The error of `nack`, 400 to 599: 463 (a lock on writing to strangers), 429 (too fast), …; the
    /// status of `media`.
    #[serde(default)]
    pub code: Option<u16>,
    /// Only requests of this namespace, for `iq`: `w:g2`, `w:profile:picture`, ….
    #[serde(default)]
    pub namespace: Option<String>,
    /// How a file fails, for `media`.
    #[serde(default)]
    pub how: Option<MediaFault>,
    /// Only messages to this phone, for `nack`.
    #[serde(default)]
    pub to: Option<String>,
}

impl Fault {
    /// A rule for `phone`, both ways, with nothing further said.
    pub fn new(kind: FaultKind, phone: &str, count: u32) -> Self {
        Self {
            kind,
            phone: Some(phone.to_owned()),
            count,
            ms: None,
            direction: None,
            code: None,
            namespace: None,
            how: None,
            to: None,
        }
    }

    /// How long the rule waits.
    pub(crate) fn wait(&self) -> Duration {
        Duration::from_millis(self.ms.unwrap_or(200))
    }
}

/// The rules in force.
#[derive(Default)]
pub(crate) struct Faults {
    rules: Mutex<Vec<Fault>>,
    active: AtomicUsize,
}

impl Faults {
    /// Adds a rule.
    pub(crate) fn add(&self, fault: Fault) -> Result<(), SimnetError> {
        if fault.count == 0 || fault.count > COUNT {
            return Err(SimnetError::Invalid(format!("count must be 1 to {COUNT}")));
        }
        if fault.ms.is_some_and(|ms| ms > DELAY_MS) {
            return Err(SimnetError::Invalid(format!("ms must be at most {DELAY_MS}")));
        }
        let coded = match fault.kind {
            FaultKind::Nack | FaultKind::Iq => fault.code.is_some(),
            FaultKind::Media => fault.code.is_none() || matches!(fault.how, None | Some(MediaFault::Status)),
            _ => fault.code.is_none(),
        };
        if !coded || fault.code.is_some_and(|code| !(400..=599).contains(&code)) {
            let what = "nack and iq take a code of 400 to 599, media may, nothing else does";
            return Err(SimnetError::Invalid(what.to_owned()));
        }
        if fault.how.is_some() && fault.kind != FaultKind::Media {
            return Err(SimnetError::Invalid("how is for media only".into()));
        }
        let mut rules = lock(&self.rules);
        if rules.len() >= RULES {
            return Err(SimnetError::Invalid(format!("{RULES} faults are in force already: DELETE /faults first")));
        }
        rules.push(fault);
        self.active.store(rules.len(), Ordering::Release);
        Ok(())
    }

    /// Removes all rules; returns how many there were.
    pub(crate) fn clear(&self) -> usize {
        let mut rules = lock(&self.rules);
        self.active.store(0, Ordering::Release);
        std::mem::take(&mut *rules).len()
    }

    /// The rules in force, with the strikes they have left.
    pub(crate) fn list(&self) -> Vec<Fault> {
        lock(&self.rules).clone()
    }

    /// The error that a message stanza from a companion of `phone` is answered with now.
    pub(crate) fn nack(&self, phone: &str, to: Option<&str>) -> Option<u16> {
        self.take(|rule| {
            rule.kind == FaultKind::Nack
                && rule.phone.as_deref().is_none_or(|only| only == phone)
                && rule.to.as_deref().is_none_or(|only| to == Some(only))
        })?
        .code
    }

    /// The error that a request of a companion of `phone` is answered with now.
    pub(crate) fn iq(&self, phone: &str, namespace: &str) -> Option<u16> {
        self.take(|rule| {
            rule.kind == FaultKind::Iq
                && rule.phone.as_deref().is_none_or(|only| only == phone)
                && rule.namespace.as_deref().is_none_or(|only| only == namespace)
        })?
        .code
    }

    /// The rule that strikes a message stanza now, using up one of its times.
    pub(crate) fn strike(&self, phone: &str, direction: Direction) -> Option<Fault> {
        self.take(|rule| {
            rule.kind.is_of_messages()
                && rule.phone.as_deref().is_none_or(|only| only == phone)
                && rule.direction.is_none_or(|only| only == direction)
                && (rule.kind != FaultKind::Garble || direction == Direction::Out)
        })
    }

    /// The rule that spoils an upload (`Out`) or download (`In`) now. Whose it is may be unknown.
    pub(crate) fn media(&self, phone: Option<&str>, direction: Direction) -> Option<Fault> {
        self.take(|rule| {
            rule.kind == FaultKind::Media
                && rule.phone.as_deref().is_none_or(|only| phone == Some(only))
                && rule.direction.is_none_or(|only| only == direction)
        })
    }

    /// Whether an app-state patch from a companion of `phone` conflicts now.
    pub(crate) fn conflict(&self, phone: &str) -> bool {
        self.take(|rule| rule.kind == FaultKind::Conflict && rule.phone.as_deref().is_none_or(|only| only == phone))
            .is_some()
    }

    /// The rule that refuses a login now.
    pub(crate) fn refuse(&self, phone: &str) -> Option<Fault> {
        self.take(|rule| {
            matches!(rule.kind, FaultKind::Refuse | FaultKind::Ban)
                && rule.phone.as_deref().is_none_or(|only| only == phone)
        })
    }

    fn take(&self, matches: impl Fn(&Fault) -> bool) -> Option<Fault> {
        if self.active.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut rules = lock(&self.rules);
        let at = rules.iter().position(matches)?;
        let rule = rules.get_mut(at)?;
        rule.count -= 1;
        let struck = rule.clone();
        if struck.count == 0 {
            rules.remove(at);
            self.active.store(rules.len(), Ordering::Release);
        }
        Some(struck)
    }
}
