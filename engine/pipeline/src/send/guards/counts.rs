//! What the guards count: short windows and marks in the cache, long windows in
//! the store.

use super::Guards;
use super::decide::{Facts, Guard, Hold, Window, is_durable};
use super::policy::{Policy, Scope};
use std::time::Duration;
use warest_model::clock::Millis;
use warest_model::id::SessionId;
use warest_model::jid::Jid;
use warest_model::job::SendJob;
use warest_store::StoreError;
use warest_store::cache::{CacheError, Key};

/// How long it is remembered that a job was counted: longer than its repeats
/// take.
const COUNTED: Duration = Duration::from_secs(3_600);

impl Guards {
    /// What is known about a message, as far as a guard that is on needs it.
    pub(super) async fn facts(
        &self,
        policy: &Policy,
        session: &SessionId,
        chat: &Jid,
        direct: bool,
        is_new: bool,
        now_ms: Millis,
    ) -> Result<Facts, StoreError> {
        let opening = match is_new && policy.new_chats.enabled {
            true => Some(self.opening(policy, session, now_ms).await?),
            false => None,
        };
        let quota = match policy.quota.scope.covers(direct) {
            true => self.window(policy, session, now_ms).await?,
            false => None,
        };
        let cooldown_until_ms = match covers(policy.cooldown.enabled, policy.cooldown.scope, direct) {
            true => self.cooldown(session, chat).await,
            false => None,
        };
        Ok(Facts { direct, opening, quota, cooldown_until_ms, ..Facts::default() })
    }

    /// The quota window of a session; none without a quota, or if nobody can say.
    pub(super) async fn window(
        &self,
        policy: &Policy,
        session: &SessionId,
        now_ms: Millis,
    ) -> Result<Option<Window>, StoreError> {
        let quota = &policy.quota;
        if !quota.enabled {
            return Ok(None);
        }
        let length = Duration::from_millis(quota.window_ms);
        if is_durable(length) {
            let stands = self.store.quota_use(session, now_ms, millis(length)).await?;
            return Ok(Some(Window { used: stands.used, reset_ms: stands.reset_ms }));
        }
        let count = self.cache.count(&quota_key(session), 0, length).await;
        Ok(answer(count).map(|count| Window { used: count.total, reset_ms: count.reset_ms }))
    }

    /// Until when a recipient is left alone.
    async fn cooldown(&self, session: &SessionId, chat: &Jid) -> Option<Millis> {
        let until = answer(self.cache.get(&cooldown_key(session, chat)).await)??;
        Some(Millis::from_be_bytes(until.try_into().ok()?))
    }

    /// Whether a job was counted before. Its repeats are not.
    pub(super) async fn was_admitted(&self, policy: &Policy, job: &SendJob) -> bool {
        counts(policy, job.step.is_none()) && answer(self.cache.get(&counted_key(job)).await).flatten().is_some()
    }

    /// Counts a message; or the hold of a guard whose last place somebody else
    /// took meanwhile.
    pub(super) async fn count(
        &self,
        policy: &Policy,
        facts: &Facts,
        job: &SendJob,
        chat: &Jid,
        now_ms: Millis,
    ) -> Result<Option<Hold>, StoreError> {
        let quota = &policy.quota;
        if covers(quota.enabled, quota.scope, facts.direct)
            && let Some(reset_ms) = self.over_quota(policy, &job.session, now_ms).await?
        {
            return Ok(Some(Hold { guard: Guard::Quota, until_ms: reset_ms.max(now_ms + 1) }));
        }
        let cooldown = &policy.cooldown;
        if covers(cooldown.enabled, cooldown.scope, facts.direct) {
            let until_ms = now_ms.saturating_add_unsigned(cooldown.ms);
            let key = cooldown_key(&job.session, chat);
            let pause = Duration::from_millis(cooldown.ms);
            answer(self.cache.set(&key, &until_ms.to_be_bytes(), pause).await);
        }
        if counts(policy, facts.direct) {
            answer(self.cache.set(&counted_key(job), b"", COUNTED).await);
        }
        Ok(None)
    }

    /// Takes one of the quota; if there is none, when there will be.
    async fn over_quota(
        &self,
        policy: &Policy,
        session: &SessionId,
        now_ms: Millis,
    ) -> Result<Option<Millis>, StoreError> {
        let (max, length) = (policy.quota.max, Duration::from_millis(policy.quota.window_ms));
        if is_durable(length) {
            let stands = self.store.take_quota(session, now_ms, millis(length), max).await?;
            return Ok((!stands.taken).then_some(stands.reset_ms));
        }
        let count = answer(self.cache.count(&quota_key(session), 1, length).await);
        Ok(count.filter(|count| count.total > max).map(|count| count.reset_ms))
    }
}

fn covers(enabled: bool, scope: Scope, direct: bool) -> bool {
    enabled && scope.covers(direct)
}

/// Whether a guard counts such messages at all.
fn counts(policy: &Policy, direct: bool) -> bool {
    covers(policy.quota.enabled, policy.quota.scope, direct)
        || covers(policy.cooldown.enabled, policy.cooldown.scope, direct)
}

fn quota_key(session: &SessionId) -> Key {
    Key::new("quota", &[session.as_str()])
}

fn cooldown_key(session: &SessionId, chat: &Jid) -> Key {
    Key::new("cooldown", &[session.as_str(), chat.as_str()])
}

fn counted_key(job: &SendJob) -> Key {
    Key::new("counted", &[job.id.as_str()])
}

fn millis(length: Duration) -> Millis {
    Millis::try_from(length.as_millis()).unwrap_or(Millis::MAX)
}

/// What the cache said; a cache that fails holds nobody.
fn answer<T>(said: Result<T, CacheError>) -> Option<T> {
    said.inspect_err(|error| tracing::warn!(%error, "a guard could not count")).ok()
}
