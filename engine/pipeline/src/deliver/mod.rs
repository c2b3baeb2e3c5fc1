//! Deliver: events reach their webhook receivers, and their answers become runs.
//!
//! One scheduler per target over its outbox, one lane per chat in it, so that a
//! receiver sees the events of a chat in order and a dead one delays nobody. An
//! answer's plan is saved with the end of its delivery, under the pair (target,
//! event): a receiver that answers the same event twice starts one run.

pub mod post;
pub mod sign;

use crate::crash::crash_point;
use crate::directory::Directory;
use crate::lanes::{self, Row, Work, Worked};
use crate::run::{Runner, failed_run, new_run};
use crate::wakeups::Wakeups;
use async_trait::async_trait;
use post::{Answer, Letter, Poster};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use warest_model::action::ActionContext;
use warest_model::clock::{Millis, SharedClock};
use warest_model::delivery::{Delivery, DeliveryState};
use warest_model::event::Event;
use warest_model::id::TargetId;
use warest_model::limits::clip_error;
use warest_model::reactor::{ReactorRef, Target};
use warest_model::run::RunCause;
use warest_react::{event_body, reply};
use warest_store::{NewRun, Store, StoreError};

/// How webhooks are delivered. The names are those of the environment.
#[derive(Debug, Clone)]
pub struct DeliverConfig {
    /// Attempts after the first, at short intervals.
    pub retries: u32,
    /// First short interval, in milliseconds; doubles with each attempt.
    pub backoff_ms: u64,
    /// Most random milliseconds added to an interval.
    pub jitter_ms: u64,
    /// Intervals after the short ones, in milliseconds; then the delivery is dead.
    pub long_schedule_ms: Vec<u64>,
    /// Waited after each send action of an answer that does not say, in milliseconds.
    pub actions_delay_ms: u64,
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// Chats of one target that are delivered at once.
    pub concurrency: usize,
}

impl Default for DeliverConfig {
    fn default() -> Self {
        const MINUTE: u64 = 60_000;
        Self {
            retries: 3,
            backoff_ms: 800,
            jitter_ms: 300,
            long_schedule_ms: [1, 5, 30, 120, 360, 720].map(|minutes| minutes * MINUTE).to_vec(),
            actions_delay_ms: 1_200,
            timeout: Duration::from_secs(10),
            concurrency: 16,
        }
    }
}

/// A target that answered 401 or 403 is left alone for this long.
const REFUSED_PAUSE_MS: Millis = 15 * 60_000;
/// Failures in a row that open a target's circuit.
const CIRCUIT_FAILURES: u32 = 5;
/// How long an open circuit stays open.
const CIRCUIT_PAUSE_MS: Millis = 60_000;
/// Wait before an attempt that could not be recorded is made again.
const STORE_RETRY_MS: Millis = 500;
/// Longest `Retry-After` that is honoured.
const LONGEST_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// The webhook stage.
pub struct Deliverer {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: SharedClock,
    pub(crate) directory: Arc<Directory>,
    pub(crate) runner: Runner,
    pub(crate) wakeups: Arc<Wakeups>,
    pub(crate) poster: Poster,
    pub(crate) config: DeliverConfig,
    pub(crate) country_code: Arc<str>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl Deliverer {
    /// Says that something is owed to a target.
    pub fn wake(self: &Arc<Self>, target: &TargetId) {
        self.wakeups.ensure_target(target, || {
            let outbox = TargetOutbox { deliverer: self.clone(), target: target.clone() };
            let concurrency = self.config.concurrency;
            lanes::spawn(Arc::new(outbox), concurrency, self.clock.clone(), &self.tasks, self.stop.child_token())
        });
    }

    /// Starts the schedulers of every target that something is owed to.
    pub async fn resume(self: &Arc<Self>) -> Result<(), StoreError> {
        for target in self.store.owed_targets().await? {
            self.wake(&target);
        }
        Ok(())
    }

    async fn attempt(&self, delivery: &mut Delivery) -> Result<Ended, StoreError> {
        let now = self.clock.now_ms();
        let target = self.directory.target(&delivery.target);
        let Some(target) = target.filter(|target| !target.url.is_empty()) else {
            return self
                .record(delivery, DeliveryState::Dead, Some("the target has no URL any more".into()), None)
                .await;
        };
        if target.paused_until_ms > now {
            delivery.due_ms = target.paused_until_ms;
            return Ok(Ended::Waits);
        }
        let found = self.store.event(delivery.event.as_str()).await?;
        let entry = self.directory.session(&delivery.session);
        let (Some(event), Some(entry)) = (found, entry) else {
            return self
                .record(delivery, DeliveryState::Dead, Some("the event or its session is gone".into()), None)
                .await;
        };
        delivery.attempts += 1;
        let info = entry.info();
        let body = event_body(&event, &info);
        let letter = Letter {
            url: &target.url,
            secret: &target.secret,
            event: event.kind.as_str(),
            event_id: event.id.as_str(),
            session: &info,
            attempt: delivery.attempts,
            preflight: false,
            body: &body,
            now_ms: now,
        };
        let (answer, _) = self.poster.post(&letter, None).await;
        crash_point!("deliver.answered");
        self.settle(delivery, target, &event, &body, answer).await
    }

    async fn settle(
        &self,
        delivery: &mut Delivery,
        target: Target,
        event: &Event,
        body: &Value,
        answer: Answer,
    ) -> Result<Ended, StoreError> {
        let now = self.clock.now_ms();
        match answer {
            Answer::Accepted { status, body: answer } => {
                delivery.status = Some(status);
                self.health(target, |target| target.failures = 0).await?;
                let run = self.run_of(event, delivery, body, &answer);
                self.record(delivery, DeliveryState::Delivered, None, run).await
            }
            Answer::Refused { status } => {
                delivery.status = Some(status);
                delivery.due_ms = now + REFUSED_PAUSE_MS;
                // A pause is no failed attempt: the schedule is for receivers that are down.
                delivery.attempts -= 1;
                self.health(target, |target| target.paused_until_ms = now + REFUSED_PAUSE_MS).await?;
                let error = format!("the receiver answered {status}; it is paused for 15 minutes");
                self.record(delivery, DeliveryState::Pending, Some(error), None).await
            }
            Answer::Gone { status } => {
                delivery.status = Some(status);
                self.health(target, |target| target.url.clear()).await?;
                let error = format!("the receiver answered {status}; its URL was emptied");
                self.record(delivery, DeliveryState::Dead, Some(error), None).await
            }
            Answer::Never { status, error } => {
                delivery.status = status;
                self.record(delivery, DeliveryState::Dead, Some(error), None).await
            }
            Answer::Later { status, error, after } => {
                delivery.status = status;
                self.health(target, |target| {
                    target.failures += 1;
                    if target.failures >= CIRCUIT_FAILURES {
                        target.paused_until_ms = now + CIRCUIT_PAUSE_MS;
                        target.failures = 0;
                    }
                })
                .await?;
                match self.next_attempt(delivery.attempts, after) {
                    Some(wait) => {
                        delivery.due_ms = now + wait;
                        self.record(delivery, DeliveryState::Pending, Some(error), None).await
                    }
                    None => self.record(delivery, DeliveryState::Dead, Some(error), None).await,
                }
            }
        }
    }

    /// The wait after the `attempts`-th attempt; `None` when they are used up.
    fn next_attempt(&self, attempts: u32, after: Option<Duration>) -> Option<Millis> {
        let config = &self.config;
        let interval = if attempts <= config.retries {
            config.backoff_ms.saturating_mul(1 << attempts.saturating_sub(1).min(20))
        } else {
            *config.long_schedule_ms.get((attempts - config.retries - 1) as usize)?
        };
        let jitter = if config.jitter_ms == 0 { 0 } else { rand::random_range(0..=config.jitter_ms) };
        let asked = after.map_or(0, |after| after.min(LONGEST_AFTER).as_millis() as u64);
        Some((interval + jitter).max(asked) as Millis)
    }

    /// Changes what is known of a target's health, if that changes anything.
    async fn health(&self, mut target: Target, change: impl FnOnce(&mut Target)) -> Result<(), StoreError> {
        let before = target.clone();
        change(&mut target);
        if target == before {
            return Ok(());
        }
        match self.store.update_target(&target).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        if let Err(error) = self.directory.reload_targets().await {
            tracing::warn!(target = %target.id, %error, "the targets could not be read again");
        }
        Ok(())
    }

    fn run_of(&self, event: &Event, delivery: &Delivery, body: &Value, answer: &[u8]) -> Option<NewRun> {
        let context = ActionContext { country_code: self.country_code.to_string(), chat: event.chat.clone() };
        let by = ReactorRef::Target(delivery.target.clone()).to_string();
        let cause = RunCause { by, event: Some(event.id.clone()) };
        let (session, chat, now) = (&event.session, event.chat.as_ref(), self.clock.now_ms());
        match reply::parse_answer(answer, body, &context, self.config.actions_delay_ms) {
            Ok(plan) if plan.is_empty() => None,
            Ok(plan) => Some(new_run(session, chat, cause, plan, now)),
            Err(fault) => {
                tracing::info!(target = %delivery.target, event = %event.id, code = %fault.code, "an answer was refused");
                Some(failed_run(session, chat, cause, fault, now))
            }
        }
    }

    async fn record(
        &self,
        delivery: &mut Delivery,
        state: DeliveryState,
        error: Option<String>,
        run: Option<NewRun>,
    ) -> Result<Ended, StoreError> {
        delivery.state = state;
        delivery.error = error.as_deref().map(clip_error);
        delivery.ended_ms = (state != DeliveryState::Pending).then(|| self.clock.now_ms());
        crash_point!("deliver.before_commit");
        match self.store.record_attempt(delivery, run.clone()).await {
            Ok(()) => {}
            Err(StoreError::NotFound { .. }) => return Ok(Ended::Over),
            Err(error) => return Err(error),
        }
        crash_point!("deliver.committed");
        if let Some(run) = run {
            self.runner.started(&run);
        }
        Ok(if state == DeliveryState::Pending { Ended::Waits } else { Ended::Over })
    }
}

enum Ended {
    /// The delivery has ended.
    Over,
    /// It is attempted again when due.
    Waits,
}

struct TargetOutbox {
    deliverer: Arc<Deliverer>,
    target: TargetId,
}

impl Row for Delivery {
    fn seq(&self) -> i64 {
        self.seq
    }

    fn lane(&self) -> String {
        self.chat.as_ref().map_or(String::new(), |chat| chat.to_string())
    }

    fn due_ms(&self) -> Millis {
        self.due_ms
    }
}

#[async_trait]
impl Work for TargetOutbox {
    type Row = Delivery;

    async fn fetch(&self, lane: Option<&str>, after: i64, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        self.deliverer.store.pending_deliveries(&self.target, lane, after, limit).await
    }

    async fn work(&self, mut row: Delivery) -> Worked<Delivery> {
        let before = row.clone();
        match self.deliverer.attempt(&mut row).await {
            Ok(Ended::Over) => Worked::Done,
            Ok(Ended::Waits) => Worked::Again(row),
            Err(error) => {
                tracing::warn!(target = %self.target, %error, "a delivery was not recorded; delivering again");
                Worked::Again(Delivery { due_ms: self.deliverer.clock.now_ms() + STORE_RETRY_MS, ..before })
            }
        }
    }
}
