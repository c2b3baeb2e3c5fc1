//! The decision: policy, counts and clock in, verdict out. Nothing else.

use super::new_chats::DAY_MS;
use super::policy::{Mode, Policy, Scope};
use chrono::{DateTime, SecondsFormat, Utc};
use std::time::Duration;
use warest_model::clock::Millis;
use warest_model::fault::Fault;
use warest_store::Openings;

/// Which guard does not let a message through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Quiet hours.
    QuietHours,
    /// The budget of new chats.
    NewChats,
    /// The quota window.
    Quota,
    /// The recipient's cooldown.
    Cooldown,
    /// The line of messages that are typed one after the other.
    Turn,
    /// It is being typed.
    Typing,
}

/// That a message has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// For which guard.
    pub guard: Guard,
    /// Until when.
    pub until_ms: Millis,
}

impl Hold {
    /// What the job's row and a client are told.
    pub fn fault(&self) -> Fault {
        let (code, why) = self.why();
        Fault::retry(code, format!("{why}; it is sent from {} on", moment(self.until_ms)))
    }

    /// What a client is told whose message is not taken.
    pub fn refusal(&self) -> Fault {
        let (code, why) = self.why();
        Fault::retry(code, format!("{why}; nothing is queued, send it again from {} on", moment(self.until_ms)))
    }

    fn why(&self) -> (&'static str, &'static str) {
        match self.guard {
            Guard::QuietHours => ("guard_quiet_hours", "it is quiet hours"),
            Guard::NewChats => ("guard_new_chats", "the session has opened as many new chats as it may in 24 hours"),
            Guard::Quota => ("guard_quota", "the session's quota of this window is used up"),
            Guard::Cooldown => ("guard_cooldown", "this recipient was written to a moment ago"),
            Guard::Turn => (super::pacing::TURN, "other messages of the session come first"),
            Guard::Typing => (super::pacing::TYPING, "it is being typed"),
        }
    }
}

/// A moment as people read it.
pub(in crate::send) fn moment(at_ms: Millis) -> String {
    let at = DateTime::<Utc>::from_timestamp_millis(at_ms).unwrap_or_default();
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// What a decision is made from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts {
    /// Whether REST queued it, not a run.
    pub direct: bool,
    /// Whether the recipient wants nothing any more.
    pub opted_out: bool,
    /// Whether the counting guards let it through before, and counted it.
    pub admitted: bool,
    /// Of a person to whom nobody wrote and who did not write: what the budget
    /// looks like.
    pub opening: Option<Opening>,
    /// The quota window.
    pub quota: Option<Window>,
    /// Until when the recipient is left alone.
    pub cooldown_until_ms: Option<Millis>,
}

/// The budget of new chats, for a chat that would be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// What is gone of it.
    pub openings: Openings,
    /// How much it is.
    pub most: u32,
}

/// A window of counted messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Messages in it.
    pub used: u64,
    /// When it ends.
    pub reset_ms: Millis,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may be sent, as far as these guards are concerned.
    Pass,
    /// It waits.
    Wait(Hold),
    /// It is never sent.
    OptedOut,
}

impl Scope {
    /// Whether a message is looked at.
    pub fn covers(self, direct: bool) -> bool {
        direct || self == Self::All
    }
}

/// Decides about one message. Of several guards that hold it, the one that does
/// so for longest is named, so that it wakes once.
pub fn decide(policy: &Policy, facts: &Facts, now_ms: Millis) -> Verdict {
    if facts.opted_out && policy.opt_out.enabled {
        return Verdict::OptedOut;
    }
    let holds = [quiet(policy, facts, now_ms), new_chat(policy, facts), quota(policy, facts), cooldown(policy, facts)];
    let longest = holds.into_iter().flatten().filter(|hold| hold.until_ms > now_ms).max_by_key(|hold| hold.until_ms);
    longest.map_or(Verdict::Pass, Verdict::Wait)
}

fn quiet(policy: &Policy, facts: &Facts, now_ms: Millis) -> Option<Hold> {
    let hours = &policy.quiet_hours;
    let looks = hours.enabled && hours.scope.covers(facts.direct);
    let until_ms = looks.then(|| hours.until(now_ms)).flatten()?;
    Some(Hold { guard: Guard::QuietHours, until_ms })
}

fn new_chat(policy: &Policy, facts: &Facts) -> Option<Hold> {
    let opening = facts.opening.filter(|_| policy.new_chats.enabled && !facts.admitted)?;
    let full_since = opening.openings.full_since_ms?;
    Some(Hold { guard: Guard::NewChats, until_ms: full_since + DAY_MS })
}

fn quota(policy: &Policy, facts: &Facts) -> Option<Hold> {
    let quota = &policy.quota;
    let looks = quota.enabled && quota.scope.covers(facts.direct) && !facts.admitted;
    let window = facts.quota.filter(|window| looks && window.used >= quota.max)?;
    Some(Hold { guard: Guard::Quota, until_ms: window.reset_ms })
}

fn cooldown(policy: &Policy, facts: &Facts) -> Option<Hold> {
    let cooldown = &policy.cooldown;
    let looks = cooldown.enabled && cooldown.scope.covers(facts.direct) && !facts.admitted;
    Some(Hold { guard: Guard::Cooldown, until_ms: facts.cooldown_until_ms.filter(|_| looks)? })
}

/// Whether a REST send that has to wait for this guard is refused instead.
pub fn refuses(policy: &Policy, guard: Guard) -> bool {
    let mode = match guard {
        Guard::QuietHours => policy.quiet_hours.mode,
        Guard::NewChats => policy.new_chats.mode,
        Guard::Quota => policy.quota.mode,
        Guard::Cooldown => policy.cooldown.mode,
        Guard::Turn | Guard::Typing => Mode::Delay,
    };
    mode == Mode::Refuse
}

/// Whether a quota window of this length is kept in the store. A cache may be
/// emptied, at a restart for one: that may cost a window of minutes twice, but
/// must not give a day's quota twice.
pub fn is_durable(window: Duration) -> bool {
    window > Duration::from_secs(600)
}

#[cfg(test)]
mod tests {
    use super::super::policy::{Cooldown, Quota};
    use super::super::quiet_hours::TimeOfDay;
    use super::*;

    const NOW: Millis = 1_772_366_400_000; // 2026-03-01T12:00:00Z

    fn all_on() -> Policy {
        let mut policy = Policy::default();
        policy.cooldown.enabled = true;
        policy.quota = Quota { enabled: true, max: 3, ..policy.quota };
        policy.new_chats.enabled = true;
        policy.quiet_hours.enabled = true;
        policy
    }

    fn facts() -> Facts {
        let opening = Opening { openings: Openings { used: 1, full_since_ms: None }, most: 5 };
        Facts {
            direct: true,
            opening: Some(opening),
            quota: Some(Window { used: 2, reset_ms: NOW + 50 }),
            ..Facts::default()
        }
    }

    fn hold(guard: Guard, after: Millis) -> Verdict {
        Verdict::Wait(Hold { guard, until_ms: NOW + after })
    }

    #[test]
    fn each_guard_holds_by_itself_and_only_when_it_is_on() {
        let quiet_at_noon = |policy: &mut Policy| {
            policy.quiet_hours.from = TimeOfDay::from_hour(11);
            policy.quiet_hours.to = TimeOfDay::from_hour(13);
        };
        assert_eq!(decide(&all_on(), &facts(), NOW), Verdict::Pass);
        let mut at_noon = all_on();
        quiet_at_noon(&mut at_noon);
        assert_eq!(decide(&at_noon, &facts(), NOW), hold(Guard::QuietHours, 3_600_000));
        let full = Opening { openings: Openings { used: 5, full_since_ms: Some(NOW - DAY_MS + 9) }, most: 5 };
        let used_up = Facts { opening: Some(full), ..facts() };
        assert_eq!(decide(&all_on(), &used_up, NOW), hold(Guard::NewChats, 9));
        let no_quota = Facts { quota: Some(Window { used: 3, reset_ms: NOW + 50 }), ..facts() };
        assert_eq!(decide(&all_on(), &no_quota, NOW), hold(Guard::Quota, 50));
        let hot = Facts { cooldown_until_ms: Some(NOW + 7), ..facts() };
        assert_eq!(decide(&all_on(), &hot, NOW), hold(Guard::Cooldown, 7));
        let cooled = Facts { cooldown_until_ms: Some(NOW), ..facts() };
        assert_eq!(decide(&all_on(), &cooled, NOW), Verdict::Pass, "what has ended holds nobody");

        let mut off = Policy::default();
        quiet_at_noon(&mut off);
        let worst = Facts { opening: Some(full), quota: no_quota.quota, cooldown_until_ms: Some(NOW + 7), ..facts() };
        assert_eq!(decide(&off, &worst, NOW), Verdict::Pass);
        assert_eq!(decide(&at_noon, &worst, NOW), hold(Guard::QuietHours, 3_600_000), "the longest is named");
    }

    #[test]
    fn answers_of_reactors_are_held_only_where_it_is_asked_for() {
        let busy = Facts {
            direct: false,
            quota: Some(Window { used: 3, reset_ms: NOW + 50 }),
            cooldown_until_ms: Some(NOW + 7),
            ..Facts::default()
        };
        assert_eq!(decide(&all_on(), &busy, NOW), Verdict::Pass);
        let mut all = all_on();
        all.cooldown = Cooldown { scope: Scope::All, ..all.cooldown };
        assert_eq!(decide(&all, &busy, NOW), hold(Guard::Cooldown, 7));
        all.quota.scope = Scope::All;
        assert_eq!(decide(&all, &busy, NOW), hold(Guard::Quota, 50));
    }

    #[test]
    fn who_was_counted_is_not_counted_again_but_still_heard() {
        let full = Opening { openings: Openings { used: 5, full_since_ms: Some(NOW) }, most: 5 };
        let again = Facts {
            admitted: true,
            opening: Some(full),
            quota: Some(Window { used: 3, reset_ms: NOW + 50 }),
            cooldown_until_ms: Some(NOW + 7),
            ..facts()
        };
        assert_eq!(decide(&all_on(), &again, NOW), Verdict::Pass);
        let mut night = all_on();
        (night.quiet_hours.from, night.quiet_hours.to) = (TimeOfDay::from_hour(12), TimeOfDay::from_hour(13));
        assert_eq!(decide(&night, &again, NOW), hold(Guard::QuietHours, 3_600_000));
        assert_eq!(decide(&night, &Facts { opted_out: true, ..again }, NOW), Verdict::OptedOut);
        let mut deaf = all_on();
        deaf.opt_out.enabled = false;
        assert_eq!(decide(&deaf, &Facts { opted_out: true, ..facts() }, NOW), Verdict::Pass);
    }

    #[test]
    fn a_hold_says_until_when() {
        let fault = Hold { guard: Guard::Quota, until_ms: NOW }.fault();
        assert_eq!(fault.code, "guard_quota");
        assert!(fault.message.ends_with("from 2026-03-01T12:00:00Z on"), "{}", fault.message);
    }

    #[test]
    fn a_day_of_quota_is_kept_where_a_restart_does_not_reach() {
        assert!(!is_durable(Duration::from_secs(60)) && is_durable(Duration::from_secs(86_400)));
    }
}
