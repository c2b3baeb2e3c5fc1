//! Messages that a recipient's device could not read, and that an earlier
//! process has not sent again.
//!
//! A device that cannot read a message asks for it once. The protocol library
//! answers by itself, but tells the server at once that it has heard: a crash in
//! between would lose the message. So the asking is a row first, and what a
//! process finds at its start is sent again, before anything else of that
//! session: as the same message, which a phone shows once.

use super::Sender;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Mutex as AsyncMutex;
use warest_model::clock::Millis;
use warest_model::fault::FaultKind;
use warest_model::id::SessionId;
use warest_model::job::SendJob;
use warest_store::{Store, StoreError};

/// What was asked for longer ago is not sent again: nobody waits for it.
const OLDEST_MS: Millis = 24 * 3_600_000;
/// Most messages that are sent again at a start.
const MOST: u32 = 1_000;

/// What is to be sent again, oldest first.
pub(crate) struct Again {
    sessions: Mutex<HashMap<SessionId, Waiting>>,
}

type Waiting = Arc<AsyncMutex<Vec<SendJob>>>;

impl Again {
    /// Reads what an earlier process left.
    pub(crate) async fn load(store: &dyn Store, now_ms: Millis) -> Result<Self, StoreError> {
        let mut sessions: HashMap<SessionId, Vec<SendJob>> = HashMap::new();
        for job in store.unreadable_jobs(now_ms - OLDEST_MS, MOST).await? {
            sessions.entry(job.session.clone()).or_default().push(job);
        }
        let waiting = |(session, mut jobs): (_, Vec<SendJob>)| {
            // Taken from the end.
            jobs.reverse();
            (session, Arc::new(AsyncMutex::new(jobs)))
        };
        Ok(Self { sessions: Mutex::new(sessions.into_iter().map(waiting).collect()) })
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

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, Waiting>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sender {
    /// Has every session send again what it left, once it is connected.
    pub(super) fn begin_again(self: &Arc<Self>) {
        for session in self.again.sessions() {
            let sender = self.clone();
            self.tasks.spawn(async move {
                while sender.connected(&session).await && !sender.send_again(&session).await {
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            });
        }
    }

    /// Sends again what a session left; who comes meanwhile waits. False if it
    /// cannot be done now.
    pub(super) async fn send_again(&self, session: &SessionId) -> bool {
        let Some(waiting) = self.again.of(session) else { return true };
        let mut waiting = waiting.lock().await;
        while let Some(job) = waiting.last() {
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
            waiting.pop();
        }
        self.again.forget(session);
        true
    }
}
