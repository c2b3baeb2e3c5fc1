//! Sessions that do not send for now, because WhatsApp limits their rate (429).
//!
//! A held session sends nothing until the hold is over; then one message is
//! tried. If it goes out the session goes on, if it is refused the hold begins
//! again and is twice as long, up to [`LONGEST_MS`]. Holds are rows, so that a
//! restart does not begin by pressing on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use warest_model::clock::Millis;
use warest_model::id::SessionId;
use warest_model::job::Hold;
use warest_store::{Store, StoreError};

/// Longest wait of a held session before one message is tried.
const LONGEST_MS: Millis = 3_600_000;
/// Wait for the outcome of another job's trial.
const TRIAL_MS: Millis = 500;

/// The held sessions of this process.
pub(crate) struct Holds {
    store: Arc<dyn Store>,
    held: Mutex<HashMap<SessionId, Held>>,
}

struct Held {
    hold: Hold,
    on_trial: bool,
}

/// Whether a session may send.
pub(crate) enum Pass<'a> {
    /// It may.
    Free,
    /// It may send this one, to see whether it is let.
    Trial(Trial<'a>),
    /// Not before this moment. `since_ms` is when the hold began.
    Held { since_ms: Millis, until_ms: Millis },
}

/// The one message that is tried; another may be when this is dropped.
pub(crate) struct Trial<'a> {
    holds: &'a Holds,
    session: SessionId,
}

impl Holds {
    /// The holds that an earlier process left.
    pub(crate) async fn load(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let rows = store.holds().await?;
        let held = rows.into_iter().map(|(session, hold)| (session, Held { hold, on_trial: false }));
        Ok(Self { held: Mutex::new(held.collect()), store })
    }

    /// Asks for leave to send.
    pub(crate) fn pass(&self, session: &SessionId, now_ms: Millis) -> Pass<'_> {
        let mut held = self.lock();
        let Some(one) = held.get_mut(session) else { return Pass::Free };
        let since_ms = one.hold.since_ms;
        // A clock that was set back does not make a hold longer than it was.
        let until_ms = one.hold.until_ms.min(now_ms + one.hold.wait_ms);
        one.hold.until_ms = until_ms;
        if until_ms > now_ms {
            return Pass::Held { since_ms, until_ms };
        }
        if one.on_trial {
            return Pass::Held { since_ms, until_ms: now_ms + TRIAL_MS };
        }
        one.on_trial = true;
        Pass::Trial(Trial { holds: self, session: session.clone() })
    }

    /// Until when a session is held, if it is.
    pub(crate) fn until(&self, session: &SessionId, now_ms: Millis) -> Option<Millis> {
        let held = self.lock();
        let hold = held.get(session)?.hold;
        Some(hold.until_ms.min(now_ms + hold.wait_ms)).filter(|until_ms| *until_ms > now_ms)
    }

    /// WhatsApp refused: holds the session for `first_ms`, or for twice as long
    /// as before. Until when.
    pub(crate) async fn hold(&self, session: &SessionId, first_ms: Millis, now_ms: Millis) -> Millis {
        let hold = {
            let mut held = self.lock();
            let before = held.get(session).map(|one| one.hold);
            // What was under way when the hold began hears of it, too: that is
            // the same refusal, not another.
            if let Some(hold) = before.filter(|hold| hold.until_ms > now_ms) {
                return hold.until_ms;
            }
            let wait_ms = before.map_or(first_ms, |hold| hold.wait_ms.saturating_mul(2)).clamp(1, LONGEST_MS);
            let since_ms = before.map_or(now_ms, |hold| hold.since_ms);
            let hold = Hold { since_ms, until_ms: now_ms + wait_ms, wait_ms };
            held.insert(session.clone(), Held { hold, on_trial: false });
            hold
        };
        tracing::warn!(%session, wait_ms = hold.wait_ms, "WhatsApp limits this account's rate; its queue is held");
        self.save(session, Some(hold)).await;
        hold.until_ms
    }

    /// A message went out: the session goes on.
    pub(crate) async fn release(&self, session: &SessionId) {
        let held = self.lock().remove(session).is_some();
        if held {
            tracing::info!(%session, "the queue of this session is no longer held");
            self.save(session, None).await;
        }
    }

    async fn save(&self, session: &SessionId, hold: Option<Hold>) {
        if let Err(error) = self.store.set_hold(session, hold).await {
            tracing::warn!(%session, %error, "a hold was not saved; it is forgotten at a restart");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if let Some(one) = self.holds.lock().get_mut(&self.session) {
            one.on_trial = false;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use warest_store::secret::{Cipher, MasterKey};
    use warest_store::sqlite::SqliteStore;

    async fn holds() -> (tempfile::TempDir, Holds, SessionId) {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("x.db"), Cipher::new(&MasterKey::random())).await.unwrap();
        (folder, Holds::load(Arc::new(store)).await.unwrap(), "s".parse().unwrap())
    }

    fn held_until(pass: Pass<'_>) -> Option<Millis> {
        match pass {
            Pass::Held { until_ms, .. } => Some(until_ms),
            Pass::Free | Pass::Trial(_) => None,
        }
    }

    #[tokio::test]
    async fn a_hold_ends_with_one_trial_and_doubles_when_that_is_refused() {
        let (_folder, holds, s) = holds().await;
        assert!(matches!(holds.pass(&s, 0), Pass::Free));
        assert_eq!(holds.hold(&s, 100, 0).await, 100);
        assert_eq!(holds.hold(&s, 100, 50).await, 100, "what was under way is the same refusal");
        assert_eq!(held_until(holds.pass(&s, 99)), Some(100));
        let trial = holds.pass(&s, 100);
        assert!(matches!(trial, Pass::Trial(_)));
        assert_eq!(held_until(holds.pass(&s, 100)), Some(100 + TRIAL_MS), "one at a time");
        assert_eq!(holds.hold(&s, 100, 110).await, 310);
        drop(trial);
        assert_eq!(held_until(holds.pass(&s, 309)), Some(310));
        // A trial that told nothing leaves it to the next.
        drop(holds.pass(&s, 310));
        assert!(matches!(holds.pass(&s, 310), Pass::Trial(_)));
        holds.release(&s).await;
        assert!(matches!(holds.pass(&s, 310), Pass::Free));
        let other = "t".parse().unwrap();
        assert!(matches!(holds.pass(&other, 0), Pass::Free));
    }

    #[tokio::test]
    async fn a_hold_is_an_hour_at_most_and_outlives_a_restart() {
        let (_folder, holds, s) = holds().await;
        let mut now = 0;
        for _ in 0..20 {
            now = holds.hold(&s, 60_000, now).await;
        }
        let until = holds.hold(&s, 60_000, now).await;
        assert_eq!(until - now, LONGEST_MS);
        let restarted = Holds::load(holds.store.clone()).await.unwrap();
        assert_eq!(held_until(restarted.pass(&s, now + 1)), Some(until));
        // A clock that is set back by a day does not make it a day longer.
        let back = now - 86_400_000;
        assert_eq!(held_until(restarted.pass(&s, back)), Some(back + LONGEST_MS));
    }
}
