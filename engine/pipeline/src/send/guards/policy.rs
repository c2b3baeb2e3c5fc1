//! What each guard is set to: the installation's settings, and over them what a
//! session has tuned.
//!
//! Both are read by the same reader from the same JSON, field by field, so that
//! a session that tunes one field follows the installation in all others.

use super::quiet_hours::{TimeOfDay, Zone};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Longest cooldown, typing or gap: a day, in milliseconds.
const DAY_MS: u64 = 86_400_000;
/// Longest quota window: 30 days, in milliseconds.
const WINDOW_MS: u64 = 30 * DAY_MS;
/// Most STOP or START words.
const WORDS: usize = 64;
/// Longest word, in characters.
const WORD_CHARS: usize = 64;
/// Longest confirmation, in characters.
const CONFIRMATION_CHARS: usize = 1_000;

/// Whose messages a guard looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Those that were queued by REST, alone or in bulk.
    Direct,
    /// Those of reactors and action lists, too.
    All,
}

/// What becomes of a REST send that a guard does not let through yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It is queued and waits.
    Delay,
    /// It is refused, and nothing is queued.
    Refuse,
}

/// Pause between two messages to the same recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cooldown {
    /// Whether it is on.
    pub enabled: bool,
    /// The pause, in milliseconds.
    pub ms: u64,
    /// Whose messages.
    pub scope: Scope,
    /// Delayed or refused.
    pub mode: Mode,
}

/// Messages of a session within a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quota {
    /// Whether it is on.
    pub enabled: bool,
    /// Most messages within a window.
    pub max: u64,
    /// How long a window is, in milliseconds.
    pub window_ms: u64,
    /// Whose messages.
    pub scope: Scope,
    /// Delayed or refused.
    pub mode: Mode,
}

/// Sending as a person types.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pacing {
    /// Whether it is on.
    pub enabled: bool,
    /// How fast is typed.
    pub chars_per_second: f64,
    /// Shortest time of typing, in milliseconds.
    pub min_typing_ms: u64,
    /// Longest time of typing, in milliseconds.
    pub max_typing_ms: u64,
    /// Rest after a message, in milliseconds.
    pub gap_ms: u64,
    /// Part of both that is random, 0 to 1.
    pub jitter: f64,
}

/// Chats that the session may open within 24 hours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewChats {
    /// Whether it is on.
    pub enabled: bool,
    /// For a session that has warmed up.
    pub per_day: u32,
    /// For a session that was just made.
    pub warm_up_from: u32,
    /// Days in which the one grows to the other.
    pub warm_up_days: u32,
    /// Delayed or refused.
    pub mode: Mode,
}

/// Hours in which nobody is written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuietHours {
    /// Whether they are kept.
    pub enabled: bool,
    /// Their beginning; may be later than their end, then they span midnight.
    pub from: TimeOfDay,
    /// Their end.
    pub to: TimeOfDay,
    /// Where the clock hangs.
    pub time_zone: Zone,
    /// Whose messages.
    pub scope: Scope,
    /// Delayed or refused.
    pub mode: Mode,
}

/// The list of those who want nothing any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OptOut {
    /// Whether words are heard and the list is kept.
    pub enabled: bool,
    /// Words that put their sender on the list.
    pub stop_words: Vec<String>,
    /// Words that take their sender off it.
    pub start_words: Vec<String>,
    /// What is answered to a STOP word; nothing if absent.
    pub confirmation: Option<String>,
}

/// All guards of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// Pause between two messages to the same recipient.
    pub cooldown: Cooldown,
    /// Messages of a session within a window.
    pub quota: Quota,
    /// Sending as a person types.
    pub pacing: Pacing,
    /// Chats that the session may open within 24 hours.
    pub new_chats: NewChats,
    /// Hours in which nobody is written to.
    pub quiet_hours: QuietHours,
    /// The list of those who want nothing any more.
    pub opt_out: OptOut,
}

const STOP_WORDS: [&str; 12] = [
    "stop",
    "unsubscribe",
    "opt out",
    "berhenti",
    "stop promo",
    "baja",
    "parar",
    "arrêt",
    "abmelden",
    "стоп",
    "退订",
    "إيقاف",
];
const START_WORDS: [&str; 9] = ["start", "unstop", "subscribe", "opt in", "mulai", "alta", "anmelden", "старт", "订阅"];

impl Default for Policy {
    /// Only the opt-out list is on.
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let (scope, mode) = (Scope::Direct, Mode::Delay);
        Self {
            cooldown: Cooldown { enabled: false, ms: 3_000, scope, mode },
            quota: Quota { enabled: false, max: 500, window_ms: 60_000, scope, mode: Mode::Refuse },
            pacing: Pacing {
                enabled: false,
                chars_per_second: 15.0,
                min_typing_ms: 800,
                max_typing_ms: 8_000,
                gap_ms: 1_500,
                jitter: 0.3,
            },
            new_chats: NewChats { enabled: false, per_day: 50, warm_up_from: 5, warm_up_days: 21, mode },
            quiet_hours: QuietHours {
                enabled: false,
                from: TimeOfDay::from_hour(21),
                to: TimeOfDay::from_hour(7),
                time_zone: Zone::default(),
                scope,
                mode,
            },
            opt_out: OptOut {
                enabled: true,
                stop_words: words(&STOP_WORDS),
                start_words: words(&START_WORDS),
                confirmation: None,
            },
        }
    }
}

/// Settings that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}`: {why}")]
pub struct PolicyError {
    path: String,
    why: String,
}

impl PolicyError {
    fn new(path: impl Into<String>, why: impl Into<String>) -> Self {
        Self { path: path.into(), why: why.into() }
    }
}

/// What is tuned: for each guard, some of its fields.
pub type Tuning = Map<String, Value>;

impl Policy {
    /// This policy with some fields tuned.
    pub fn tuned(&self, tuning: &Tuning) -> Result<Self, PolicyError> {
        // All that is in a policy has a JSON form.
        let mut whole = serde_json::to_value(self).unwrap_or_default();
        for (guard, fields) in tuning {
            let Some(guarded) = whole.get_mut(guard).and_then(Value::as_object_mut) else {
                return Err(PolicyError::new(
                    guard,
                    "is no guard; use cooldown, quota, pacing, newChats, quietHours or optOut",
                ));
            };
            let Value::Object(fields) = fields else {
                return Err(PolicyError::new(guard, "an object with the fields to tune is expected"));
            };
            guarded.extend(fields.clone());
        }
        let policy: Self = serde_path_to_error::deserialize(whole)
            .map_err(|error| PolicyError::new(error.path().to_string(), error.into_inner().to_string()))?;
        policy.check()?;
        Ok(policy)
    }

    fn check(&self) -> Result<(), PolicyError> {
        let within = |path: &str, value: u64, least: u64, most: u64| {
            let fits = (least..=most).contains(&value);
            if fits { Ok(()) } else { Err(PolicyError::new(path, format!("{value} is given; use {least} to {most}"))) }
        };
        within("cooldown.ms", self.cooldown.ms, 1, DAY_MS)?;
        within("quota.max", self.quota.max, 1, 1_000_000_000)?;
        within("quota.windowMs", self.quota.window_ms, 1, WINDOW_MS)?;
        let pacing = &self.pacing;
        within("pacing.maxTypingMs", pacing.max_typing_ms, 0, 60_000)?;
        within("pacing.minTypingMs", pacing.min_typing_ms, 0, pacing.max_typing_ms)?;
        within("pacing.gapMs", pacing.gap_ms, 0, 3_600_000)?;
        if !(1.0..=1_000.0).contains(&pacing.chars_per_second) {
            return Err(PolicyError::new("pacing.charsPerSecond", "use 1 to 1000"));
        }
        if !(0.0..=1.0).contains(&pacing.jitter) {
            return Err(PolicyError::new("pacing.jitter", "use 0 to 1"));
        }
        let chats = &self.new_chats;
        within("newChats.perDay", chats.per_day.into(), 1, 1_000_000)?;
        within("newChats.warmUpFrom", chats.warm_up_from.into(), 1, chats.per_day.into())?;
        within("newChats.warmUpDays", chats.warm_up_days.into(), 0, 365)?;
        if self.quiet_hours.from == self.quiet_hours.to {
            return Err(PolicyError::new(
                "quietHours.to",
                "is the same as `from`; switch quiet hours off with `enabled`",
            ));
        }
        check_words("optOut.stopWords", &self.opt_out.stop_words)?;
        check_words("optOut.startWords", &self.opt_out.start_words)?;
        let confirmation = self.opt_out.confirmation.as_deref().unwrap_or("-");
        within("optOut.confirmation (its length)", confirmation.chars().count() as u64, 1, CONFIRMATION_CHARS as u64)
    }
}

fn check_words(path: &str, words: &[String]) -> Result<(), PolicyError> {
    if words.len() > WORDS {
        return Err(PolicyError::new(path, format!("takes at most {WORDS} words")));
    }
    let fits = |word: &String| !word.trim().is_empty() && word.chars().count() <= WORD_CHARS;
    if !words.iter().all(fits) {
        return Err(PolicyError::new(path, format!("each word has 1 to {WORD_CHARS} characters")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn tuning(value: Value) -> Tuning {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_session_tunes_fields_and_follows_the_installation_in_the_rest() {
        let mine = tuning(json!({ "cooldown": { "enabled": true }, "quietHours": { "timeZone": "Asia/Jakarta" } }));
        let mut installation = Policy::default();
        installation.cooldown.ms = 7;
        let policy = installation.tuned(&mine).unwrap();
        assert_eq!((policy.cooldown.enabled, policy.cooldown.ms), (true, 7));
        assert_eq!(policy.quiet_hours.from, TimeOfDay::from_hour(21));
        assert_eq!(serde_json::to_value(&policy).unwrap()["quietHours"]["timeZone"], "Asia/Jakarta");
        assert_eq!(Policy::default().tuned(&Tuning::new()).unwrap(), Policy::default());
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        for (bad, path) in [
            (json!({ "cooldowns": {} }), "cooldowns"),
            (json!({ "cooldown": 5 }), "cooldown"),
            (json!({ "cooldown": { "ms": "x" } }), "cooldown.ms"),
            (json!({ "cooldown": { "ms": 0 } }), "cooldown.ms"),
            (json!({ "cooldown": { "scope": "some" } }), "cooldown.scope"),
            (json!({ "cooldown": { "seconds": 5 } }), "cooldown.seconds"),
            (json!({ "quota": { "max": -1 } }), "quota.max"),
            (json!({ "quota": { "windowMs": 2_592_000_001_u64 } }), "quota.windowMs"),
            (json!({ "pacing": { "jitter": 2 } }), "pacing.jitter"),
            (json!({ "pacing": { "charsPerSecond": 0 } }), "pacing.charsPerSecond"),
            (json!({ "pacing": { "minTypingMs": 9000 } }), "pacing.minTypingMs"),
            (json!({ "newChats": { "perDay": 0 } }), "newChats.perDay"),
            (json!({ "newChats": { "warmUpFrom": 51 } }), "newChats.warmUpFrom"),
            (json!({ "quietHours": { "from": "25:00" } }), "quietHours.from"),
            (json!({ "quietHours": { "from": "07:00" } }), "quietHours.to"),
            (json!({ "quietHours": { "timeZone": "Mars/Base" } }), "quietHours.timeZone"),
            (json!({ "optOut": { "stopWords": ["  "] } }), "optOut.stopWords"),
            (json!({ "optOut": { "startWords": vec!["x"; 65] } }), "optOut.startWords"),
            (json!({ "optOut": { "confirmation": "" } }), "optOut.confirmation"),
        ] {
            let error = Policy::default().tuned(&tuning(bad.clone())).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{path}")), "{bad}: {error}");
        }
    }
}
