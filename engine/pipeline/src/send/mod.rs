//! Send: jobs leave a session's queue through its link.
//!
//! One scheduler per session; within it one lane per chat, so that a chat keeps
//! its order and a slow one delays nobody. A job is repeated only where the
//! repeat is recognisable: it carries the message id it was born with. Its end
//! and the progress of its run are one transaction.
//!
//! What WhatsApp answers decides what follows: a lock on writing to strangers
//! (463) holds the chat, a limit on the rate (429) holds the session, what may
//! pass is tried again, what will not is a failure. A message that was tried as
//! often as it may be is wedged: it leaves the line, so that its chat goes on,
//! and waits for a person. A job that a step of a run waits for fails instead,
//! since its plan says what happens then.

mod again;
mod change;
mod claims;
mod config;
pub mod guards;
mod holds;
mod prepare;
mod record;
mod timekeeper;

pub use config::SendConfig;
pub use timekeeper::KEY_LIFE_MS;

use self::guards::decide::moment;
use self::guards::{Admission, Guards, Outlook};
use crate::crash::crash_point;
use crate::deliver::Deliverer;
use crate::directory::Directory;
use crate::files::Attacher;
use crate::lanes::{self, Row, Work, Worked};
use crate::run::Runner;
use crate::wakeups::Wakeups;
pub(crate) use again::Again;
use async_trait::async_trait;
use claims::Claims;
pub(crate) use holds::Holds;
use holds::{Pass, Trial};
use prepare::Prepared;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use warest_link::{Links, Sent};
use warest_model::clock::{Millis, SharedClock};
use warest_model::fault::{Fault, FaultKind, KEYS_NOT_STORED, NOT_CONNECTED, OVERLIMIT, REACH_OUT_LOCKED};
use warest_model::id::{JobId, SessionId};
use warest_model::job::{JobState, SendJob};
use warest_model::plan::Effect;
use warest_model::session::SessionState;
use warest_store::{JobEnd, Left, Store, StoreError};

/// Longest wait between attempts.
const LONGEST_WAIT_MS: f64 = 300_000.0;
/// Wait before an end that could not be saved is saved again.
const STORE_RETRY_MS: Millis = 500;
/// Wait after the link said that it is not connected.
const RECONNECT_MS: Millis = 250;
/// Wait for somebody who has the job in hand.
const CLAIM_MS: Millis = 50;
/// A message that a guard holds for longer leaves the line meanwhile, so that
/// what answers in its chat is not held with it.
const IN_LINE_MS: Millis = 15_000;

/// The fourth stage.
pub struct Sender {
    store: Arc<dyn Store>,
    clock: SharedClock,
    links: Arc<dyn Links>,
    runner: Runner,
    guards: Arc<Guards>,
    attacher: Attacher,
    directory: Arc<Directory>,
    deliverer: Arc<Deliverer>,
    wakeups: Arc<Wakeups>,
    config: SendConfig,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Callers that wait for the end of a job.
    pub(crate) waiting: Mutex<HashMap<JobId, oneshot::Sender<JobEnd>>>,
    claims: Claims,
    holds: Holds,
    again: Again,
    /// Wakes the timekeeper.
    timer: Notify,
    /// How many jobs of bulks have ended.
    bulk_ends: AtomicU64,
}

/// What a sender works with.
pub(crate) struct Around {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: SharedClock,
    pub(crate) links: Arc<dyn Links>,
    pub(crate) runner: Runner,
    pub(crate) guards: Arc<Guards>,
    pub(crate) attacher: Attacher,
    pub(crate) directory: Arc<Directory>,
    pub(crate) deliverer: Arc<Deliverer>,
    pub(crate) holds: Holds,
    pub(crate) again: Again,
    pub(crate) wakeups: Arc<Wakeups>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

/// What becomes of a job that was not sent.
enum Next {
    Fail,
    Wedge,
    At(Millis),
}

impl Sender {
    /// A sender with no session started.
    pub(crate) fn new(around: Around, config: SendConfig) -> Self {
        let Around {
            store,
            clock,
            links,
            runner,
            guards,
            attacher,
            directory,
            deliverer,
            holds,
            again,
            wakeups,
            tasks,
            stop,
        } = around;
        Self {
            holds,
            again,
            store,
            clock,
            links,
            runner,
            guards,
            attacher,
            directory,
            deliverer,
            wakeups,
            config,
            tasks,
            stop,
            waiting: Mutex::default(),
            claims: Claims::default(),
            timer: Notify::new(),
            bulk_ends: AtomicU64::new(0),
        }
    }

    /// Goes on with what was left, and keeps time from now on.
    pub(crate) fn resume(self: &Arc<Self>) {
        self.begin_again();
        self.tasks.spawn(self.clone().keep_time());
    }

    /// Says that jobs were stored that are not in line yet.
    pub(crate) fn stored(&self) {
        self.timer.notify_one();
    }

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
        self.again.forget(session);
    }

    /// What holds up a message besides its guards.
    pub(crate) async fn outlook(
        &self,
        session: &SessionId,
        effect: &Effect,
        now_ms: Millis,
    ) -> Result<Outlook, StoreError> {
        if let Some(until_ms) = self.holds.until(session, now_ms) {
            let why = format!("WhatsApp limits the rate of this account; it is tried from {} on", moment(until_ms));
            return Ok(Outlook::Later { until_ms, why: Fault::retry(OVERLIMIT, why) });
        }
        let Some(chat) = effect.chat() else { return Ok(Outlook::Clear) };
        let head = self.store.queued_jobs(session, Some(chat.as_str()), 0, 1).await?.pop();
        Ok(match head.filter(|head| head.due_ms > now_ms) {
            Some(SendJob { due_ms, .. }) => {
                let why = format!("an earlier message to this chat waits until {}", moment(due_ms));
                Outlook::Later { until_ms: due_ms, why: Fault::retry("chat_waits", why) }
            }
            None => Outlook::Clear,
        })
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

    /// Works on the job at the head of its lane.
    async fn attempt(&self, mut job: SendJob) -> Worked<SendJob> {
        if !self.connected(&job.session).await {
            return Worked::Again(job);
        }
        if !self.send_again(&job.session).await {
            return Worked::Again(SendJob { due_ms: self.clock.now_ms() + RECONNECT_MS, ..job });
        }
        let now = self.clock.now_ms();
        let Some(_claim) = self.claims.take(&job.id) else {
            return Worked::Again(SendJob { due_ms: now + CLAIM_MS, ..job });
        };
        if self.claims.is_disturbed(&job.session) {
            match self.store.job(&job.id).await {
                Ok(Some(read)) if read.state == JobState::Queued && read.seq == job.seq => job = read,
                // It was cancelled, or has another place in line by now.
                Ok(_) => return Worked::Done,
                Err(error) => {
                    tracing::warn!(job = %job.id, %error, "the store did not answer; trying again");
                    return Worked::Again(SendJob { due_ms: now + STORE_RETRY_MS, ..job });
                }
            }
        }
        let trial = match self.holds.pass(&job.session, now) {
            Pass::Free => None,
            Pass::Trial(trial) => Some(trial),
            Pass::Held { since_ms, until_ms } => return self.held(job, since_ms, until_ms, now).await,
        };
        match self.guards.admit(self.links.as_ref(), &job, now).await {
            Ok(Admission::Pass) => self.perform(job, trial).await,
            Ok(Admission::Refuse(fault)) => self.end(job, JobState::Failed, Some(fault)).await,
            Ok(Admission::Wait { until_ms, why }) => self.hold_back(job, until_ms, why).await,
            Err(error) => {
                tracing::warn!(job = %job.id, %error, "the guards could not be asked; asking again");
                Worked::Again(SendJob { due_ms: self.clock.now_ms() + STORE_RETRY_MS, ..job })
            }
        }
    }

    /// Sends a job that may be sent now; on `trial` if its session was held.
    async fn perform(&self, mut job: SendJob, trial: Option<Trial<'_>>) -> Worked<SendJob> {
        let sent = match self.prepare(&job).await {
            Ok(ready) => {
                crash_point!("send.before");
                let sent = self.links.send(&job.session, ready.outgoing(&job)).await;
                crash_point!("send.acked");
                sent.map(|sent| (sent, ready))
            }
            Err(fault) => Err(fault),
        };
        let now = self.clock.now_ms();
        let fault = match sent {
            Ok((sent, ready)) => {
                if trial.is_some() {
                    self.holds.release(&job.session).await;
                }
                return self.sent(job, &sent, &ready).await;
            }
            // It never left, for no fault of its own; that is no attempt.
            Err(fault) if fault.code == NOT_CONNECTED => {
                job.due_ms = now + RECONNECT_MS;
                return Worked::Again(job);
            }
            Err(fault) if fault.code == KEYS_NOT_STORED => {
                job.due_ms = now + STORE_RETRY_MS;
                return Worked::Again(job);
            }
            Err(fault) => fault,
        };
        job.attempts += 1;
        job.due_ms = match self.next(&job, &fault, now).await {
            Next::Fail => return self.end(job, JobState::Failed, Some(fault)).await,
            Next::Wedge => return self.wedge(job, fault).await,
            Next::At(due_ms) => due_ms,
        };
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
        } else if job.step.is_none() && until_ms - self.clock.now_ms() > IN_LINE_MS {
            match self.store.reschedule_job(&job.id, until_ms).await {
                Ok(()) | Err(StoreError::NotFound { .. }) => {
                    self.bulk_moved(&job);
                    self.stored();
                    return Worked::Done;
                }
                Err(error) => tracing::warn!(job = %job.id, %error, "a held message stays in line"),
            }
        }
        job.due_ms = until_ms;
        job.fault = Some(why);
        Worked::Again(job)
    }

    /// What follows from a fault.
    async fn next(&self, job: &SendJob, fault: &Fault, now: Millis) -> Next {
        let held_until = match fault.code.as_str() {
            OVERLIMIT => {
                let first_ms = self.config.hold_session_ms as Millis;
                Some(self.holds.hold(&job.session, first_ms, now).await)
            }
            REACH_OUT_LOCKED if job.step.is_none() => Some(now + self.config.hold_chat_ms as Millis),
            _ => None,
        };
        // A plan decides by itself whether it waits for a chat to be let.
        let settled = fault.kind == FaultKind::Fail || (job.step.is_some() && fault.code == REACH_OUT_LOCKED);
        if settled {
            return Next::Fail;
        }
        if job.attempts > self.config.max_retries {
            return if may_wedge(job) { Next::Wedge } else { Next::Fail };
        }
        Next::At(held_until.unwrap_or_else(|| now + self.backoff(job.attempts)))
    }

    /// A job whose session is held: it waits, but not for ever.
    async fn held(&self, job: SendJob, since_ms: Millis, until_ms: Millis, now: Millis) -> Worked<SendJob> {
        let waited = now - since_ms.max(job.created_ms);
        if waited < self.config.held_most_ms as Millis {
            return Worked::Again(SendJob { due_ms: until_ms, ..job });
        }
        let fault = Fault::retry(OVERLIMIT, "WhatsApp has limited the rate of this account (429) for too long");
        if may_wedge(&job) { self.wedge(job, fault).await } else { self.end(job, JobState::Failed, Some(fault)).await }
    }

    async fn wedge(&self, job: SendJob, fault: Fault) -> Worked<SendJob> {
        match self.store.wedge_job(&job.id, job.attempts, &fault).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => {
                tracing::warn!(job = %job.id, %error, "a wedged job was not saved; saving it again");
                return Worked::Again(SendJob { due_ms: self.clock.now_ms() + STORE_RETRY_MS, ..job });
            }
        }
        tracing::warn!(job = %job.id, session = %job.session, code = %fault.code, "a message is wedged");
        self.bulk_moved(&job);
        self.tell(JobEnd::new(&job.id, JobState::Wedged, job.attempts, Some(fault), self.clock.now_ms()));
        Worked::Done
    }

    /// Has bulks fed again once enough of their jobs have left the line.
    fn bulk_moved(&self, job: &SendJob) {
        if job.bulk.is_none() {
            return;
        }
        let ends = self.bulk_ends.fetch_add(1, Ordering::Relaxed) + 1;
        if ends.is_multiple_of(timekeeper::FEED_AFTER) {
            self.timer.notify_one();
        }
    }

    /// Tells the caller who waits for a job that has ended before.
    pub(crate) fn tell_ended(&self, job: &SendJob) {
        if let Some(ended_ms) = job.ended_ms {
            let (state, attempts, fault) = (job.state, job.attempts, job.fault.clone());
            self.tell(JobEnd::new(&job.id, state, attempts, fault, ended_ms));
        }
    }

    /// Tells the caller who waits for a job. One that gave up reads its row.
    fn tell(&self, end: JobEnd) {
        let tell = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&end.job);
        if let Some(tell) = tell {
            let _ = tell.send(end);
        }
    }

    /// The wait after the `attempts`-th attempt.
    fn backoff(&self, attempts: u32) -> Millis {
        let config = &self.config;
        let grown = config.retry_delay_ms as f64 * config.backoff_factor.powi(attempts.saturating_sub(1) as i32);
        let spread = 1.0 + config.jitter * (rand::random::<f64>() * 2.0 - 1.0);
        (grown.min(LONGEST_WAIT_MS) * spread) as Millis
    }

    /// The server took it: the history and the log learn of it with its end.
    async fn sent(&self, job: SendJob, sent: &Sent, ready: &Prepared) -> Worked<SendJob> {
        let now = self.clock.now_ms();
        let left = self.left_by(&job, sent, ready, now);
        self.end_with(job, JobState::Sent, None, left).await
    }

    async fn end(&self, job: SendJob, state: JobState, fault: Option<Fault>) -> Worked<SendJob> {
        self.end_with(job, state, fault, Left::default()).await
    }

    async fn end_with(&self, job: SendJob, state: JobState, fault: Option<Fault>, left: Left) -> Worked<SendJob> {
        let attempts = job.attempts + u32::from(state == JobState::Sent);
        let said = left.event.clone();
        let end = JobEnd { left, ..JobEnd::new(&job.id, state, attempts, fault, self.clock.now_ms()) };
        let saved = match self.runner.job_ended(&job, end.clone()).await {
            Ok(()) => true,
            // Ended before, or removed with its session.
            Err(StoreError::NotFound { .. }) => false,
            Err(error) => {
                tracing::warn!(job = %job.id, %error, "the end of a job was not saved; saving it again");
                // Sending it again is harmless: it carries the same message id.
                return Worked::Again(SendJob { due_ms: self.clock.now_ms() + STORE_RETRY_MS, ..job });
            }
        };
        crash_point!("send.committed");
        if let Some(event) = said.filter(|_| saved) {
            self.deliverer.announce(*event);
        }
        self.bulk_moved(&job);
        self.tell(end);
        Worked::Done
    }
}

/// Whether a job waits for a person when it was tried often enough. What a plan
/// waits for does not, and signs of presence are of the moment.
fn may_wedge(job: &SendJob) -> bool {
    job.step.is_none() && !matches!(job.effect, Effect::Presence { .. })
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
        SendJob::lane(self)
    }

    fn due_ms(&self) -> Millis {
        self.due_ms
    }

    fn written_ms(&self) -> Millis {
        self.created_ms
    }

    fn urgent(&self) -> bool {
        self.bulk.is_none()
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
