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
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use warest_model::clock::Millis;
use warest_model::fault::FaultKind;
use warest_model::id::SessionId;
use warest_model::job::SendJob;
use warest_store::{Store, StoreError};

/// What was asked for longer ago is not sent again: nobody waits for it.
const OLDEST_MS: Millis = 24 * 3_600_000;
/// What the library has to bring a message to its recipient.
const LIBRARY_MS: Millis = 1_000;
/// Most messages that are looked up at once.
const MOST: u32 = 1_000;
/// Pause before another attempt.
const PAUSE: Duration = Duration::from_secs(1);

/// What is to be sent again, oldest first.
pub(crate) struct Again {
    sessions: Mutex<HashMap<SessionId, Waiting>>,
}

type Waiting = Arc<AsyncMutex<VecDeque<SendJob>>>;

impl Again {
    /// Reads what an earlier process left.
    pub(crate) async fn load(store: &dyn Store, now_ms: Millis) -> Result<Self, StoreError> {
        let again = Self { sessions: Mutex::default() };
        for job in store.unreadable_jobs(now_ms - OLDEST_MS, Millis::MAX, MOST).await? {
            again.add(job);
        }
        Ok(again)
    }

    /// Adds a message that is not there yet. The session, if it had none.
    fn add(&self, job: SendJob) -> Option<SessionId> {
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

    fn sessions(&self) -> Vec<SessionId> {
        self.lock().keys().cloned().collect()
    }

    fn of(&self, session: &SessionId) -> Option<Waiting> {
        self.lock().get(session).cloned()
    }

    fn forget(&self, session: &SessionId) {
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
            while sender.connected(&session).await && !sender.send_again(&session).await {
                tokio::time::sleep(PAUSE).await;
            }
        });
    }

    /// Sends again what a session left; who comes meanwhile waits. False if it
    /// cannot be done now.
    pub(super) async fn send_again(&self, session: &SessionId) -> bool {
        let Some(waiting) = self.again.of(session) else { return true };
        let mut waiting = waiting.lock().await;
        while let Some(job) = waiting.front() {
            let sent = self.links.send(&job.session, &job.effect, &job.message_id).await;
            match sent {
                Ok(()) => tracing::info!(%session, job = %job.id, "a message that could not be read was sent again"),
                Err(fault) if fault.kind == FaultKind::Fail => {
                    tracing::warn!(%session, job = %job.id, %fault, "a message cannot be sent again");
                }
                Err(fault) => {
                    tracing::debug!(%session, job = %job.id, %fault, "a message is sent again later");
                    return false;
                }
            }
            if let Err(error) = self.store.sent_again(&job.id).await {
                // It is sent once more at the next start.
                tracing::warn!(%session, job = %job.id, %error, "a repeat was not noted");
            }
            waiting.pop_front();
        }
        self.again.forget(session);
        true
    }
}
