//! Sinks: streams outside that are told everything in the event log, in its
//! order, at least once.
//!
//! A sink's place in the log is a row. It is saved after the sink has taken what
//! lies before it, and not for every event: what was taken since comes again
//! after a crash, under the same ids. A sink that fails holds up nobody; it is
//! tried again until it takes the same events.

use crate::crash::crash_point;
use crate::follow::{Begin, Followed, Follower, Tail};
use async_trait::async_trait;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use warest_model::clock::{Millis, SharedClock};
use warest_store::{EventFilter, LogEntry, Store, StoreError};

/// Most events that a sink is given at once.
const BATCH: usize = 128;
/// Longest time for which a place is not saved.
const SAVE_EVERY: Duration = Duration::from_millis(250);
/// Pauses after a failure, from the first to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));
/// What a stop gives a sink to end what it is about.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A stream outside.
#[async_trait]
pub trait Sink: Send + Sync {
    /// What it is known by, in the store and to people. Holds no secret.
    fn name(&self) -> &str;
    /// Takes events, in this order: all or none. After an error the same come
    /// again, whether it took them or not.
    async fn put(&self, entries: &[Arc<LogEntry>]) -> Result<(), String>;
}

/// How a sink stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkStatus {
    /// Its name.
    pub name: String,
    /// The newest event it took since the start.
    pub last_event: Option<String>,
    /// Positions of the log that it has yet to take.
    pub behind: u64,
    /// Why it does not take events now, and since when.
    pub failing: Option<(String, Millis)>,
    /// How often, since the start, it was so late that retention had removed
    /// events it had yet to take.
    pub gaps: u64,
}

/// Where a sink stands, in the log and otherwise.
#[derive(Debug, Default)]
struct Place {
    /// None until it was read.
    at: Option<i64>,
    last_event: Option<String>,
    failing: Option<(String, Millis)>,
    gaps: u64,
}

/// What feeds one sink.
pub(crate) struct Feed {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) tail: Arc<Tail>,
    pub(crate) clock: SharedClock,
    place: Mutex<Place>,
}

impl Feed {
    pub(crate) fn new(sink: Arc<dyn Sink>, store: Arc<dyn Store>, tail: Arc<Tail>, clock: SharedClock) -> Self {
        Self { sink, store, tail, clock, place: Mutex::default() }
    }

    /// How the sink stands.
    pub(crate) async fn status(&self) -> Result<SinkStatus, StoreError> {
        let end = self.store.log_end().await?;
        let place = self.place();
        Ok(SinkStatus {
            name: self.sink.name().to_owned(),
            last_event: place.last_event.clone(),
            behind: place.at.map_or(0, |at| end.saturating_sub(at)).try_into().unwrap_or(0),
            failing: place.failing.clone(),
            gaps: place.gaps,
        })
    }

    /// Feeds the sink until stopped.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut pause = PAUSES.0;
        loop {
            let follower = tokio::select! {
                () = stop.cancelled() => return,
                follower = self.begin() => follower,
            };
            match follower {
                Ok((follower, at)) => return self.feed(follower, at, &stop).await,
                Err(error) => self.unread(&error),
            }
            if !rest(&mut pause, &stop).await {
                return;
            }
        }
    }

    /// Follows the log from where the sink is. A new one begins with what comes
    /// from now on.
    async fn begin(&self) -> Result<(Follower, i64), StoreError> {
        let at = match self.store.sink_position(self.sink.name()).await? {
            Some(at) => at,
            None => {
                let at = self.store.log_end().await?;
                self.store.set_sink_position(self.sink.name(), at, self.clock.now_ms()).await?;
                at
            }
        };
        self.place().at = Some(at);
        Ok((Follower::new(&self.tail, EventFilter::default(), Begin::Behind(at)).await?, at))
    }

    async fn feed(&self, mut follower: Follower, mut saved: i64, stop: &CancellationToken) {
        let mut save_at = Instant::now() + SAVE_EVERY;
        let mut pause = PAUSES.0;
        let mut at = saved;
        loop {
            if at > saved && Instant::now() >= save_at {
                saved = self.save(at, saved).await;
                save_at = Instant::now() + SAVE_EVERY;
            }
            let batch = tokio::select! {
                () = stop.cancelled() => break,
                batch = self.next(&mut follower) => batch,
                () = tokio::time::sleep_until(save_at), if at > saved => continue,
            };
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => {
                    self.unread(&error);
                    if !rest(&mut pause, stop).await {
                        break;
                    }
                    continue;
                }
            };
            if !self.give(&batch, stop).await {
                break;
            }
            crash_point!("sink.before_commit");
            pause = PAUSES.0;
            if let Some(last) = batch.last() {
                at = last.seq;
                let mut place = self.place();
                (place.at, place.last_event) = (Some(at), Some(last.event.id.to_string()));
            }
        }
        if at > saved {
            self.save(at, saved).await;
        }
    }

    /// Waits for the next event, and takes what else is there.
    async fn next(&self, follower: &mut Follower) -> Result<Vec<Arc<LogEntry>>, StoreError> {
        let first = loop {
            match follower.next().await? {
                Followed::Entry(entry) => break entry,
                Followed::Gap => {
                    self.place().gaps += 1;
                    tracing::error!(
                        sink = self.sink.name(),
                        "events were removed by retention before the sink took them; it goes on with the oldest kept"
                    );
                }
            }
        };
        let mut batch = vec![first];
        while batch.len() < BATCH {
            let Some(entry) = follower.ready() else { break };
            batch.push(entry);
        }
        Ok(batch)
    }

    /// Gives a batch to the sink until it takes it. False if it is to stop.
    async fn give(&self, batch: &[Arc<LogEntry>], stop: &CancellationToken) -> bool {
        let late = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::pin!(late);
        let mut pause = PAUSES.0;
        loop {
            let put = tokio::select! {
                () = &mut late => return false,
                put = self.sink.put(batch) => put,
            };
            match put {
                Ok(()) => {
                    if self.place().failing.take().is_some() {
                        tracing::info!(sink = self.sink.name(), "the sink takes events again");
                    }
                    return true;
                }
                Err(error) => self.failed(&error),
            }
            if !rest(&mut pause, stop).await {
                return false;
            }
        }
    }

    /// Saves the place `at`; answers what is saved then.
    async fn save(&self, at: i64, saved: i64) -> i64 {
        match self.store.set_sink_position(self.sink.name(), at, self.clock.now_ms()).await {
            Ok(()) => at,
            Err(error) => {
                tracing::warn!(sink = self.sink.name(), %error, "the place of a sink was not saved; trying again");
                saved
            }
        }
    }

    fn unread(&self, error: &StoreError) {
        tracing::warn!(sink = self.sink.name(), %error, "the log could not be read for a sink; trying again");
    }

    fn failed(&self, error: &str) {
        let mut place = self.place();
        let since = place.failing.as_ref().map_or_else(|| self.clock.now_ms(), |(_, since)| *since);
        // Once for each outage, not for each attempt.
        if place.failing.is_none() {
            tracing::warn!(sink = self.sink.name(), error, "the sink does not take events; trying again");
        }
        place.failing = Some((error.to_owned(), since));
    }

    fn place(&self) -> std::sync::MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Pauses, longer each time. False if it is to stop.
async fn rest(pause: &mut Duration, stop: &CancellationToken) -> bool {
    let rest = *pause;
    *pause = (*pause * 2).min(PAUSES.1);
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(rest) => true,
    }
}
