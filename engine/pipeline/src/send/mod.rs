//! Send: jobs leave a session's queue through its link.
//!
//! One scheduler per session; within it one lane per chat, so that a chat keeps
//! its order and a slow one delays nobody. A job is repeated only where the
//! repeat is recognisable: it carries the message id it was born with. Its end
//! and the progress of its run are one transaction.

pub mod guards;

use self::guards::{Admission, Guards};
use crate::crash::crash_point;
use crate::lanes::{self, Row, Work, Worked};
use crate::run::Runner;
use crate::wakeups::Wakeups;
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use warest_link::Links;
use warest_model::clock::{Millis, SharedClock};
use warest_model::fault::{Fault, FaultKind};
use warest_model::id::{JobId, SessionId};
use warest_model::job::{JobState, SendJob};
use warest_model::session::SessionState;
use warest_store::{JobEnd, Store, StoreError};

/// How a session's queue works.
#[derive(Debug, Clone)]
pub struct SendConfig {
    /// Chats of one session that send at once.
    pub concurrency: usize,
    /// Most jobs that may wait in one session's queue.
    pub max_queued: u64,
    /// Attempts after the first that failed in a way that may pass.
    pub max_retries: u32,
    /// Wait before the second attempt, in milliseconds.
    pub retry_delay_ms: u64,
    /// By which the wait grows with each attempt.
    pub backoff_factor: f64,
    /// Part of the wait that is random, 0 to 1.
    pub jitter: f64,
}

impl Default for SendConfig {
    fn default() -> Self {
        Self {
            concurrency: 8,
            max_queued: 100_000,
            max_retries: 5,
            retry_delay_ms: 521,
            backoff_factor: 2.0,
            jitter: 0.2,
        }
    }
}

/// Longest wait between attempts.
const LONGEST_WAIT_MS: f64 = 300_000.0;
/// Wait before an end that could not be saved is saved again.
const STORE_RETRY_MS: Millis = 500;
/// Wait after the link said that it is not connected.
const RECONNECT_MS: Millis = 250;

/// The fourth stage.
pub struct Sender {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: SharedClock,
    pub(crate) links: Arc<dyn Links>,
    pub(crate) runner: Runner,
    pub(crate) guards: Arc<Guards>,
    pub(crate) wakeups: Arc<Wakeups>,
    pub(crate) config: SendConfig,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    /// Callers that wait for the end of a job.
    pub(crate) waiting: Mutex<HashMap<JobId, oneshot::Sender<JobEnd>>>,
}

impl Sender {
    /// Starts a session's queue.
    pub fn start(self: &Arc<Self>, session: &SessionId) {
        self.wakeups.ensure_session(session, || {
            let queue = Queue { sender: self.clone(), session: session.clone() };
            let concurrency = self.config.concurrency;
            lanes::spawn(Arc::new(queue), concurrency, self.clock.clone(), &self.tasks, self.stop.child_token())
        });
    }

    /// Stops a session's queue; its jobs stay.
    pub fn stop_session(&self, session: &SessionId) {
        self.wakeups.drop_session(session);
    }

    /// The end of a job, once it comes. Ask before queueing it.
    pub fn watch(&self, job: &JobId) -> oneshot::Receiver<JobEnd> {
        let (tell, told) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, tell| !tell.is_closed());
        waiting.insert(job.clone(), tell);
        told
    }

    /// Waits until the session can send. False if the engine stops first.
    async fn connected(&self, session: &SessionId) -> bool {
        loop {
            let Some(mut status) = self.links.status(session) else {
                tokio::select! {
                    () = self.stop.cancelled() => return false,
                    () = tokio::time::sleep(std::time::Duration::from_millis(500)) => continue,
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return false,
                open = status.wait_for(|status| status.state == SessionState::Open) => {
                    if open.is_ok() {
                        return true;
                    }
                    // The link was replaced; look again.
                }
            }
        }
    }

    async fn attempt(&self, mut job: SendJob) -> Worked<SendJob> {
        if !self.connected(&job.session).await {
            return Worked::Again(job);
        }
        match self.guards.admit(self.links.as_ref(), &job, self.clock.now_ms()).await {
            Ok(Admission::Pass) => {}
            Ok(Admission::Refuse(fault)) => return self.end(job, JobState::Failed, Some(fault)).await,
            Ok(Admission::Wait { until_ms, why }) => return self.hold_back(job, until_ms, why).await,
            Err(error) => {
                tracing::warn!(job = %job.id, %error, "the guards could not be asked; asking again");
                return Worked::Again(SendJob { due_ms: self.clock.now_ms() + STORE_RETRY_MS, ..job });
            }
        }
        crash_point!("send.before");
        let sent = self.links.send(&job.session, &job.effect, &job.message_id).await;
        crash_point!("send.acked");
        let now = self.clock.now_ms();
        let fault = match sent {
            Ok(()) => return self.end(job, JobState::Sent, None).await,
            // It never left, for no fault of its own; that is no attempt.
            Err(fault) if fault.code == "not_connected" => {
                job.due_ms = now + RECONNECT_MS;
                return Worked::Again(job);
            }
            Err(fault) if fault.code == "keys_not_stored" => {
                job.due_ms = now + STORE_RETRY_MS;
                return Worked::Again(job);
            }
            Err(fault) => fault,
        };
        job.attempts += 1;
        let again = fault.kind != FaultKind::Fail && job.attempts <= self.config.max_retries;
        if !again {
            return self.end(job, JobState::Failed, Some(fault)).await;
        }
        job.due_ms = now + self.backoff(job.attempts);
        tracing::debug!(job = %job.id, code = %fault.code, attempts = job.attempts, "a send is tried again");
        if let Err(error) = self.store.defer_job(&job.id, job.attempts, job.due_ms, &fault).await {
            tracing::warn!(job = %job.id, %error, "an attempt was not recorded");
        }
        job.fault = Some(fault);
        Worked::Again(job)
    }

    /// Keeps a job until a guard lets it through. That is no attempt.
    async fn hold_back(&self, mut job: SendJob, until_ms: Millis, why: Fault) -> Worked<SendJob> {
        tracing::debug!(job = %job.id, code = %why.code, until_ms, "a guard holds a job");
        if let Err(error) = self.store.defer_job(&job.id, job.attempts, until_ms, &why).await {
            // It waits all the same; only its row does not show it.
            tracing::warn!(job = %job.id, %error, "a guard's wait was not recorded");
        }
        job.due_ms = until_ms;
        job.fault = Some(why);
        Worked::Again(job)
    }

    /// The wait after the `attempts`-th attempt.
    fn backoff(&self, attempts: u32) -> Millis {
        let config = &self.config;
        let grown = config.retry_delay_ms as f64 * config.backoff_factor.powi(attempts.saturating_sub(1) as i32);
        let spread = 1.0 + config.jitter * (rand::random::<f64>() * 2.0 - 1.0);
        (grown.min(LONGEST_WAIT_MS) * spread) as Millis
    }

    async fn end(&self, job: SendJob, state: JobState, fault: Option<Fault>) -> Worked<SendJob> {
        let attempts = job.attempts + u32::from(state == JobState::Sent);
        let end = JobEnd { job: job.id.clone(), state, attempts, fault, ended_ms: self.clock.now_ms() };
        match self.runner.job_ended(&job, end.clone()).await {
            // Ended before, or removed with its session.
            Ok(()) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => {
                tracing::warn!(job = %job.id, %error, "the end of a job was not saved; saving it again");
                // Sending it again is harmless: it carries the same message id.
                return Worked::Again(SendJob { due_ms: self.clock.now_ms() + STORE_RETRY_MS, ..job });
            }
        }
        crash_point!("send.committed");
        let tell = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&job.id);
        if let Some(tell) = tell {
            // A caller that gave up waiting reads the job's row.
            let _ = tell.send(end);
        }
        Worked::Done
    }
}

struct Queue {
    sender: Arc<Sender>,
    session: SessionId,
}

impl Row for SendJob {
    fn seq(&self) -> i64 {
        self.seq
    }

    fn lane(&self) -> String {
        self.chat.as_ref().map_or(String::new(), |chat| chat.to_string())
    }

    fn due_ms(&self) -> Millis {
        self.due_ms
    }

    fn written_ms(&self) -> Millis {
        self.created_ms
    }
}

#[async_trait]
impl Work for Queue {
    type Row = SendJob;

    async fn fetch(&self, lane: Option<&str>, after: i64, limit: u32) -> Result<Vec<SendJob>, StoreError> {
        self.sender.store.queued_jobs(&self.session, lane, after, limit).await
    }

    async fn work(&self, row: SendJob) -> Worked<SendJob> {
        self.sender.attempt(row).await
    }
}
