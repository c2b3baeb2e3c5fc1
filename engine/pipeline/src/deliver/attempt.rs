//! One attempt of one delivery: may it be made now, the request, and what its
//! answer means for the delivery, for the target and for the chat.

use super::post::{Answer, Letter, Posted};
use super::{Deliverer, payload, schedule};
use crate::crash::crash_point;
use crate::directory::SessionEntry;
use crate::run::{failed_run, new_run};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};
use warest_model::action::ActionContext;
use warest_model::clock::Millis;
use warest_model::delivery::{Attempt, Delivery, DeliveryState};
use warest_model::event::Event;
use warest_model::limits::clip_error;
use warest_model::reactor::ReactorRef;
use warest_model::run::RunCause;
use warest_model::target::{Outcome, REFUSED_PAUSE_MS, Standing, Target};
use warest_react::reply;
use warest_store::{AttemptReport, DeliveryFilter, NewEvent, NewRun, Page, StoreError, TargetReport};

/// How long a target that waits for a person is not looked at. Whoever has it
/// used again restarts its scheduler.
const REST_MS: Millis = 3_600_000;
/// Pause between looks at whether the targets before have had their attempt.
const TURN_MS: Millis = 50;

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It has ended.
    Over,
    /// It is looked at again at this moment.
    At(Millis),
}

/// Whether an attempt may be made.
enum Gate<'a> {
    /// Yes; the guard holds off others while a target recovers.
    Open(Box<Target>, Option<MutexGuard<'a, ()>>),
    /// Not before this moment.
    Shut(Millis),
    /// Never.
    Walled(&'static str),
}

impl Deliverer {
    /// Attempts a delivery that is due. `probe` is its target's.
    pub(super) async fn attempt(
        self: &Arc<Self>,
        delivery: &mut Delivery,
        probe: &Mutex<()>,
    ) -> Result<Next, StoreError> {
        if let Some(at) = self.turn(delivery).await? {
            return Ok(Next::At(at));
        }
        let (target, _guard) = match self.gate(delivery, probe).await {
            Gate::Open(target, guard) => (target, guard),
            Gate::Shut(at) => return Ok(Next::At(at)),
            Gate::Walled(why) => return self.give_up(delivery, why).await,
        };
        let found = self.store.event(delivery.event.as_str()).await?;
        let entry = self.directory.session(&delivery.session);
        let (Some(event), Some(entry)) = (found, entry) else {
            return self.give_up(delivery, "the event or its session is gone").await;
        };
        delivery.attempts += 1;
        let (body, at_ms) = (self.body(&target, &event, &entry), self.clock.now_ms());
        let info = entry.info();
        let letter = Letter {
            url: &target.url,
            secrets: &target.secrets(at_ms),
            event: event.kind.as_str(),
            event_id: event.id.as_str(),
            session: &info,
            attempt: delivery.attempts,
            preflight: false,
            body: &body,
            now_ms: at_ms,
        };
        let posted = self.poster.post(&letter, None).await;
        crash_point!("deliver.answered");
        self.settle(delivery, &target, &event, &body, posted, at_ms).await
    }

    /// What a target is sent about an event.
    fn body(&self, target: &Target, event: &Event, entry: &SessionEntry) -> Value {
        let shape = target.options.payload.unwrap_or(self.config.payload);
        let mut body = payload::body(shape, event, &entry.info());
        self.urls.add(&mut body["data"], self.clock.now_ms());
        body
    }

    /// When targets are served one after another: a later moment, while one
    /// before this one has yet to make its first attempt at the same event. One
    /// that is at rest is not waited for, and none for longer than an attempt
    /// may take.
    async fn turn(&self, delivery: &Delivery) -> Result<Option<Millis>, StoreError> {
        if self.config.parallel_targets || delivery.attempts > 0 {
            return Ok(None);
        }
        let now = self.clock.now_ms();
        let targets = self.directory.targets(&delivery.session);
        let before = targets.iter().take_while(|target| target.id != delivery.target);
        let before: Vec<&Target> = before.filter(|target| target.standing(now) == Standing::Ok).collect();
        let longest = self.config.timeout.as_millis() as Millis * before.len() as Millis;
        if now >= delivery.created_ms + longest {
            return Ok(None);
        }
        let filter = DeliveryFilter { event: Some(delivery.event.clone()), ..DeliveryFilter::default() };
        let page = Page { before: None, limit: 500 };
        let waits = self.store.deliveries(&filter, &page).await?.iter().any(|other| {
            let is_new = other.state == DeliveryState::Pending && other.attempts == 0;
            is_new && before.iter().any(|target| target.id == other.target)
        });
        Ok(waits.then_some(now + TURN_MS))
    }

    async fn gate<'a>(&self, delivery: &Delivery, probe: &'a Mutex<()>) -> Gate<'a> {
        let mut guard = None;
        loop {
            let now = self.clock.now_ms();
            let Some(target) = self.directory.target(&delivery.session, &delivery.target) else {
                return Gate::Walled("its target was removed");
            };
            match target.standing(now) {
                Standing::Ok => return Gate::Open(Box::new(target), None),
                Standing::Recovering if guard.is_some() => return Gate::Open(Box::new(target), guard),
                Standing::Recovering => {
                    guard = Some(probe.lock().await);
                    if self.stop.is_cancelled() {
                        return Gate::Shut(now);
                    }
                }
                Standing::Paused => return Gate::Shut(target.health.paused_until_ms),
                Standing::Off | Standing::Stopped => return Gate::Shut(now + REST_MS),
                Standing::NoUrl => return Gate::Walled("the target has no URL any more"),
            }
        }
    }

    /// Ends a delivery without a request.
    async fn give_up(self: &Arc<Self>, delivery: &mut Delivery, why: &str) -> Result<Next, StoreError> {
        (delivery.state, delivery.error) = (DeliveryState::Dead, Some(why.to_owned()));
        delivery.ended_ms = Some(self.clock.now_ms());
        self.record(AttemptReport { delivery: delivery.clone(), attempt: None, run: None, target: None }).await
    }

    async fn settle(
        self: &Arc<Self>,
        delivery: &mut Delivery,
        target: &Target,
        event: &Event,
        body: &Value,
        posted: Posted,
        at_ms: Millis,
    ) -> Result<Next, StoreError> {
        let now = self.clock.now_ms();
        let Posted { answer, took, excerpt } = posted;
        let (status, outcome) = (answer.status(), answer.outcome());
        let mut run = None;
        let (state, error) = match answer {
            Answer::Accepted { body: answer, .. } => {
                run = self.run_of(event, delivery, body, &answer);
                (DeliveryState::Delivered, None)
            }
            // A pause is no failed try: the schedule is for receivers that are down.
            Answer::Refused { status } => {
                delivery.due_ms = now + REFUSED_PAUSE_MS;
                (DeliveryState::Pending, Some(format!("the receiver answered {status}; it is paused for 15 minutes")))
            }
            Answer::Gone { status } => {
                (DeliveryState::Dead, Some(format!("the receiver answered {status}; its URL was emptied")))
            }
            Answer::Never { error, .. } => (DeliveryState::Dead, Some(error)),
            Answer::Later { error, after, .. } => {
                delivery.tries += 1;
                let wait = schedule::wait(&self.config, delivery.tries, after);
                delivery.due_ms = now + wait.unwrap_or_default();
                (if wait.is_some() { DeliveryState::Pending } else { DeliveryState::Dead }, Some(error))
            }
        };
        delivery.status = status;
        delivery.state = state;
        delivery.error = error.as_deref().map(clip_error);
        delivery.ended_ms = (state != DeliveryState::Pending).then_some(now);
        let attempt = Attempt {
            number: delivery.attempts,
            at_ms,
            took_ms: took.as_millis() as u64,
            status,
            error: delivery.error.clone(),
            answer: excerpt,
        };
        let target = self.news(target, outcome, now);
        self.record(AttemptReport { delivery: delivery.clone(), attempt: Some(attempt), run, target }).await
    }

    /// What an outcome says of its target, if that is anything new.
    fn news(&self, target: &Target, outcome: Outcome, now: Millis) -> Option<TargetReport> {
        // Others may have said something while this one was under way.
        let target = &self.directory.target(&target.session, &target.id).filter(|there| there.url == target.url)?;
        let health = &target.health;
        if health.after(outcome, now) == *health && outcome != Outcome::Gone {
            return None;
        }
        let too_long = |since: Millis| self.config.stop_after_ms.is_some_and(|longest| now - since >= longest);
        let notice = match outcome {
            Outcome::Answered => None,
            Outcome::Gone => Some(self.notice(target, "gone", "the receiver answered 404 or 410; its URL was emptied")),
            Outcome::Failed | Outcome::Refused | Outcome::Rejected => {
                let stops = health.stopped_ms.is_none() && health.failing_since_ms.is_some_and(too_long);
                stops
                    .then(|| self.notice(target, "stopped", "no attempt has succeeded for too long; resume the target"))
            }
        };
        Some(TargetReport { url: target.url.clone(), outcome, now_ms: now, notice })
    }

    fn run_of(&self, event: &Event, delivery: &Delivery, body: &Value, answer: &[u8]) -> Option<NewRun> {
        let context = ActionContext { country_code: self.country_code.to_string(), chat: event.answered_in() };
        let by = ReactorRef::Target(delivery.target.clone()).to_string();
        let cause = RunCause { by, event: Some(event.id.clone()) };
        let (session, chat, now) = (&event.session, event.chat.as_ref(), self.clock.now_ms());
        match reply::parse_answer(answer, body, &context, self.config.actions_delay_ms) {
            Ok(plan) if plan.is_empty() => None,
            Ok(plan) => Some(new_run(session, chat, cause, plan, now)),
            Err(fault) => {
                tracing::info!(webhook_target = %delivery.target, event = %event.id, code = %fault.code, "an answer was refused");
                Some(failed_run(session, chat, cause, fault, now))
            }
        }
    }

    async fn record(self: &Arc<Self>, report: AttemptReport) -> Result<Next, StoreError> {
        let (delivery, run) = (report.delivery.clone(), report.run.clone());
        let notice: Option<NewEvent> = report.target.as_ref().and_then(|target| target.notice.clone());
        crash_point!("deliver.before_commit");
        let recorded = match self.store.record_attempt(report).await {
            Ok(recorded) => recorded,
            Err(StoreError::NotFound { .. }) => return Ok(Next::Over),
            Err(error) => return Err(error),
        };
        crash_point!("deliver.committed");
        if let Some(run) = run {
            self.runner.started(&run);
        }
        if recorded.target.is_some()
            && let Err(error) = self.directory.reload_target(&delivery.session, &delivery.target).await
        {
            tracing::warn!(webhook_target = %delivery.target, %error, "a target could not be read again");
        }
        if let Some(notice) = notice.filter(|_| recorded.noticed) {
            tracing::warn!(webhook_target = %delivery.target, session = %delivery.session, "a webhook target is not used any more");
            self.announce(notice);
        }
        Ok(if delivery.state == DeliveryState::Pending { Next::At(delivery.due_ms) } else { Next::Over })
    }
}
