//! Messages that a recipient's device could not read.
//!
//! A device that cannot read a message asks for it once. The protocol library
//! answers by itself, but tells the server at once that it has heard: a crash in
//! between would lose the message, and so would a message that an earlier process
//! sent, which the library may not know. So the asking is a row first. What a
//! process finds at its start is sent again before anything else of that session;
//! later, what the library has not brought to its recipient within a moment. It
//! is the same message, which a phone shows once.

use super::Sender;
use super::holds::Pass;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use warest_link::Outgoing;
use warest_model::clock::Millis;
use warest_model::fault::{FaultKind, KEYS_NOT_STORED, NOT_CONNECTED, OVERLIMIT};
use warest_model::id::{JobId, SessionId};
use warest_model::job::SendJob;
use warest_model::session::SessionState;
use warest_store::{Store, StoreError};

/// What was asked for longer ago is not sent again: nobody waits for it.
const OLDEST_MS: Millis = 24 * 3_600_000;
/// What the library has to bring a message to its recipient.
const LIBRARY_MS: Millis = 1_000;
/// Most messages that are looked up at once.
const MOST: u32 = 1_000;
/// Pause before another attempt.
const PAUSE: Duration = Duration::from_secs(1);
/// Attempts of one process for one message: others wait behind it.
const ATTEMPTS: u32 = 3;

/// What is to be sent again, oldest first.
pub(crate) struct Again {
    sessions: Mutex<HashMap<SessionId, Waiting>>,
    /// What this process does not try any more; the next one does.
    given_up: Mutex<HashSet<JobId>>,
}

type Waiting = Arc<AsyncMutex<VecDeque<SendJob>>>;

impl Again {
    /// Reads what an earlier process left.
    pub(crate) async fn load(store: &dyn Store, now_ms: Millis) -> Result<Self, StoreError> {
        let again = Self { sessions: Mutex::default(), given_up: Mutex::default() };
        for job in store.unreadable_jobs(now_ms - OLDEST_MS, Millis::MAX, MOST).await? {
            again.add(job);
        }
        Ok(again)
    }

    /// Adds a message that is not there yet. The session, if it had none.
    fn add(&self, job: SendJob) -> Option<SessionId> {
        if self.given_up.lock().unwrap_or_else(PoisonError::into_inner).contains(&job.id) {
            return None;
        }
        let job = SendJob { attempts: 0, ..job };
        let mut sessions = self.lock();
        let is_new = !sessions.contains_key(&job.session);
        let session = is_new.then(|| job.session.clone());
        let waiting = sessions.entry(job.session.clone()).or_default();
        // One that is being worked on is looked up again later.
        if let Ok(mut waiting) = waiting.try_lock()
            && waiting.iter().all(|other| other.id != job.id)
        {
            waiting.push_back(job);
        }
        session
    }

    fn give_up(&self, job: &JobId) {
        let mut given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        if given_up.len() < MOST as usize {
            given_up.insert(job.clone());
        }
    }

    fn sessions(&self) -> Vec<SessionId> {
        self.lock().keys().cloned().collect()
    }

    fn of(&self, session: &SessionId) -> Option<Waiting> {
        self.lock().get(session).cloned()
    }

    pub(super) fn forget(&self, session: &SessionId) {
        self.lock().remove(session);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Waiting>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sender {
    /// Has every session send again what it left, once it is connected.
    pub(super) fn begin_again(self: &Arc<Self>) {
        for session in self.again.sessions() {
            self.spawn_again(session);
        }
    }

    /// Looks for messages that were asked for and have not arrived.
    pub(super) async fn look_again(self: &Arc<Self>, now_ms: Millis) -> Result<(), StoreError> {
        for job in self.store.unreadable_jobs(now_ms - OLDEST_MS, now_ms - LIBRARY_MS, MOST).await? {
            if let Some(session) = self.again.add(job) {
                self.spawn_again(session);
            }
        }
        Ok(())
    }

    fn spawn_again(self: &Arc<Self>, session: SessionId) {
        let sender = self.clone();
        self.tasks.spawn(async move {
            // Until it is done, or the session was removed.
            while sender.again.of(&session).is_some() {
                let connected =
                    sender.links.status(&session).is_some_and(|link| link.borrow().state == SessionState::Open);
                if !connected || !sender.send_again(&session).await {
                    tokio::select! {
                        () = sender.stop.cancelled() => return,
                        () = tokio::time::sleep(PAUSE) => {}
                    }
                }
            }
        });
    }

    /// Sends again what a session left; who comes meanwhile waits. False if it
    /// cannot be done now.
    pub(super) async fn send_again(&self, session: &SessionId) -> bool {
        let Some(waiting) = self.again.of(session) else { return true };
        let mut waiting = waiting.lock().await;
        while let Some(job) = waiting.front_mut() {
            let now = self.clock.now_ms();
            let trial = match self.holds.pass(session, now) {
                Pass::Held { .. } => return false,
                Pass::Free => None,
                Pass::Trial(trial) => Some(trial),
            };
            match self.links.send(session, Outgoing::plain(&job.effect, &job.message_id)).await {
                Ok(_) => {
                    tracing::info!(%session, job = %job.id, "a message that could not be read was sent again");
                    if trial.is_some() {
                        self.holds.release(session).await;
                    }
                    if let Err(error) = self.store.sent_again(&job.id).await {
                        tracing::warn!(%session, job = %job.id, %error, "a repeat was not noted; it comes once more");
                    }
                }
                // Nothing of this session is sent now.
                Err(fault) if fault.code == NOT_CONNECTED || fault.code == KEYS_NOT_STORED => return false,
                Err(fault) if fault.code == OVERLIMIT => {
                    self.holds.hold(session, self.config.hold_session_ms as Millis, self.clock.now_ms()).await;
                    return false;
                }
                Err(fault) => {
                    job.attempts += 1;
                    if fault.kind != FaultKind::Fail && job.attempts < ATTEMPTS {
                        tracing::debug!(%session, job = %job.id, %fault, "a message is sent again later");
                        return false;
                    }
                    tracing::error!(%session, job = %job.id, %fault,
                        "a message that its recipient could not read cannot be sent again; the next start tries");
                    self.again.give_up(&job.id);
                }
            }
            waiting.pop_front();
        }
        self.again.forget(session);
        true
    }
}
