//! Deliver: events reach their webhook receivers, and their answers become runs.
//!
//! One scheduler per target over its outbox, one lane per chat in it (or per
//! delivery, where a target does without order), so that a receiver sees the
//! events of a chat in order and a dead one delays nobody. An answer's plan is
//! saved with the end of its delivery, under the pair (target, event): a receiver
//! that answers the same event twice, or is sent it twice, starts one run.
//!
//! A target that a pause has passed of is tried by one attempt at a time. One
//! that has failed for days is stopped, with an event; what is owed to it waits.

mod attempt;
mod payload;
pub mod post;
mod schedule;
pub mod sign;

use crate::directory::Directory;
use crate::dispatch::Dispatcher;
use crate::files::Urls;
use crate::intake::event_of;
use crate::lanes::{self, Lanes, Row, Work, Worked};
use crate::run::Runner;
use crate::wakeups::Wakeups;
use async_trait::async_trait;
use attempt::Next;
use post::Poster;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use warest_model::clock::{Millis, SharedClock};
use warest_model::delivery::{Delivery, DeliveryState};
use warest_model::event::{Event, EventKind};
use warest_model::id::{DeliveryId, TargetId};
use warest_model::reactor::ReactorRef;
use warest_model::target::{DeliveryOrder, PayloadShape, Target};
use warest_store::{NewEvent, Store, StoreError};

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
    /// Requests to one target at once, unless it has a number of its own.
    pub concurrency: usize,
    /// The shape of what is sent, unless a target has one of its own.
    pub payload: PayloadShape,
    /// Whether the targets of a session get an event at the same time, or one
    /// after another.
    pub parallel_targets: bool,
    /// A target without a success for this long is stopped, in milliseconds;
    /// none is if absent.
    pub stop_after_ms: Option<Millis>,
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
            payload: PayloadShape::Seed,
            parallel_targets: true,
            stop_after_ms: Some(5 * 24 * 60 * MINUTE as Millis),
        }
    }
}

/// Wait before an attempt that could not be recorded is made again.
const STORE_RETRY_MS: Millis = 500;
/// The webhook stage.
pub struct Deliverer {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: SharedClock,
    pub(crate) directory: Arc<Directory>,
    pub(crate) runner: Runner,
    pub(crate) wakeups: Arc<Wakeups>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) live: broadcast::Sender<Arc<Event>>,
    pub(crate) poster: Poster,
    pub(crate) urls: Urls,
    pub(crate) config: DeliverConfig,
    pub(crate) country_code: Arc<str>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl Deliverer {
    /// Says that something is owed to a target.
    pub fn wake(self: &Arc<Self>, target: &TargetId) {
        self.wakeups.ensure_target(target, || self.start(target, false, None));
    }

    /// Has a target's scheduler begin anew, after what is under way: its options
    /// have changed, or it is used again. With `at_once`, what waits for another
    /// attempt does not wait any longer.
    pub fn restart(self: &Arc<Self>, target: &TargetId, at_once: bool) {
        self.wakeups.restart_target(target, |before| self.start(target, at_once, Some(before)));
    }

    fn start(self: &Arc<Self>, target: &TargetId, at_once: bool, before: Option<Lanes>) -> Lanes {
        let options = self.directory.options(target);
        let concurrency = options.concurrency.map_or(self.config.concurrency, |most| most as usize);
        let outbox = TargetOutbox {
            deliverer: self.clone(),
            target: target.clone(),
            order: options.order,
            at_once,
            probe: Mutex::default(),
        };
        let stop = self.stop.child_token();
        lanes::spawn_after(before, Arc::new(outbox), concurrency, self.clock.clone(), &self.tasks, stop)
    }

    /// Starts the schedulers of every target that something is owed to.
    pub async fn resume(self: &Arc<Self>) -> Result<(), StoreError> {
        for (index, target) in self.store.owed_targets().await?.iter().enumerate() {
            crate::engine::stagger(index).await;
            self.wake(target);
        }
        Ok(())
    }

    /// Tells everybody of an event that was appended.
    pub(crate) fn announce(self: &Arc<Self>, new: NewEvent) {
        for reactor in &new.owed {
            match reactor {
                ReactorRef::Target(target) => self.wake(target),
                other => self.dispatcher.wake(other),
            }
        }
        // Nobody watching is no failure.
        let _ = self.live.send(Arc::new(new.event));
    }

    /// The event that says what became of a target. The target itself is not
    /// told: it would be told that it cannot be told.
    pub(crate) fn notice(&self, target: &Target, state: &str, reason: &str) -> NewEvent {
        let data = json!({
            "state": state,
            "status": state,
            "targetId": target.id,
            "reason": reason,
            "failingSince": target.health.failing_since_ms,
            "tags": ["webhook", state],
        });
        let itself = ReactorRef::Target(target.id.clone());
        let mut owed = self.directory.owed(&target.session, EventKind::WebhookStatus);
        owed.retain(|reactor| *reactor != itself);
        let event = event_of(&target.session, EventKind::WebhookStatus, None, data, self.clock.now_ms());
        NewEvent { event, dedup: None, owed, consent: None, changes: Vec::new() }
    }
}

struct TargetOutbox {
    deliverer: Arc<Deliverer>,
    target: TargetId,
    order: DeliveryOrder,
    /// Whether what it is owed is due, whatever its schedule says.
    at_once: bool,
    /// Held by the one attempt that is made while the target recovers.
    probe: Mutex<()>,
}

/// A delivery in its lane.
struct Owed {
    delivery: Delivery,
    order: DeliveryOrder,
    /// Not before this moment: when it is due, or when its target is looked at
    /// again.
    at_ms: Millis,
}

impl Row for Owed {
    fn seq(&self) -> i64 {
        self.delivery.seq
    }

    fn lane(&self) -> String {
        match (self.order, &self.delivery.chat) {
            (DeliveryOrder::None, _) => self.delivery.id.to_string(),
            (DeliveryOrder::Chat, Some(chat)) => chat.to_string(),
            (DeliveryOrder::Chat, None) => String::new(),
        }
    }

    fn due_ms(&self) -> Millis {
        self.at_ms
    }

    fn written_ms(&self) -> Millis {
        self.delivery.created_ms
    }
}

impl TargetOutbox {
    async fn rows(&self, lane: Option<&str>, after: i64, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let store = &self.deliverer.store;
        match (self.order, lane) {
            (DeliveryOrder::None, Some(id)) => {
                let Ok(id) = id.parse::<DeliveryId>() else { return Ok(Vec::new()) };
                let found = store.delivery(&id).await?;
                let owed = found.filter(|row| row.state == DeliveryState::Pending && row.seq > after);
                Ok(owed.into_iter().collect())
            }
            _ => store.pending_deliveries(&self.target, lane, after, limit).await,
        }
    }
}

#[async_trait]
impl Work for TargetOutbox {
    type Row = Owed;

    async fn fetch(&self, lane: Option<&str>, after: i64, limit: u32) -> Result<Vec<Owed>, StoreError> {
        let rows = self.rows(lane, after, limit).await?;
        let due = |row: &Delivery| if self.at_once { 0 } else { row.due_ms };
        Ok(rows.into_iter().map(|row| Owed { at_ms: due(&row), order: self.order, delivery: row }).collect())
    }

    async fn work(&self, mut row: Owed) -> Worked<Owed> {
        let before = row.delivery.clone();
        match self.deliverer.attempt(&mut row.delivery, &self.probe).await {
            Ok(Next::Over) => Worked::Done,
            Ok(Next::At(at_ms)) => Worked::Again(Owed { at_ms, ..row }),
            Err(error) => {
                tracing::warn!(webhook_target = %self.target, %error, "a delivery was not recorded; delivering again");
                let at_ms = self.deliverer.clock.now_ms() + STORE_RETRY_MS;
                Worked::Again(Owed { delivery: before, at_ms, ..row })
            }
        }
    }
}
