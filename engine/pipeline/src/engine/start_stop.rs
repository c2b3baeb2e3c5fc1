//! The start and the end of an engine's life.
//!
//! A start goes on with old work without a burst: the schedulers of what is owed
//! start a few at a time, sessions connect with a bound and some jitter, and
//! waits that ended long ago are over in batches (see `Runner::keep_time`). None
//! of that holds up new work. An end takes no new work, lets what is under way
//! end, and leaves the rest in its rows.

use super::{Engine, Prepared};
use crate::directory::SessionEntry;
use crate::error::EngineError;
use futures::StreamExt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use warest_link::Links;
use warest_model::session::SessionState;
use warest_store::StoreError;

/// Schedulers that start without a pause between them.
const TOGETHER: usize = 8;
/// Longest pause after so many.
const PAUSE: Duration = Duration::from_millis(80);
/// Wait after the store failed.
const STORE_RETRY: Duration = Duration::from_millis(500);
/// A session that takes longer to connect gives its place to the next.
const CONNECT_PLACE: Duration = Duration::from_secs(20);
/// Spread of the sessions that had to wait for a place.
const CONNECT_SPREAD: Duration = Duration::from_millis(250);
/// Part of the deadline that is kept for closing the links.
const FAREWELL: u32 = 4;

impl Prepared {
    /// Adds the links and goes on with old work at once, where nobody has to be
    /// let in between.
    pub async fn start(self, links: Arc<dyn Links>) -> Result<Arc<Engine>, EngineError> {
        let engine = self.build(links);
        engine.resume();
        Ok(engine)
    }
}

impl Engine {
    /// Goes on, in the background, with what an earlier process left undone, and
    /// connects every session that was on.
    pub fn resume(self: &Arc<Self>) {
        let engine = self.clone();
        self.tasks.spawn(async move {
            let stop = engine.stop.clone();
            tokio::select! {
                () = stop.cancelled() => {}
                () = engine.go_on() => {}
            }
        });
    }

    async fn go_on(&self) {
        fail::fail_point!("resume.before");
        self.tasks.spawn(self.runner.clone().keep_time(self.stop.clone()));
        self.tasks.spawn(self.keeper.clone().run(self.stop.clone()));
        self.tasks.spawn(self.collector.clone().run(self.tasks.clone(), self.stop.clone()));
        for feed in &self.sinks {
            self.tasks.spawn(feed.clone().run(self.stop.clone()));
        }
        self.sender.resume();
        tokio::join!(
            until_done("dispatches", || self.dispatcher.resume()),
            until_done("deliveries", || self.deliverer.resume()),
            self.connect_all(),
        );
    }

    /// Connects every session that was on.
    async fn connect_all(&self) {
        let places = self.config.connect_concurrency.max(1);
        let on = self.directory.sessions().into_iter().filter(|entry| entry.session.enabled);
        let connecting = futures::stream::iter(on.enumerate());
        connecting
            .for_each_concurrent(places, |(index, entry)| async move {
                if index >= places {
                    tokio::time::sleep(at_most(CONNECT_SPREAD)).await;
                }
                self.connect_one(&entry).await;
            })
            .await;
    }

    /// Connects one session and keeps its place until it is open, or will not be
    /// by itself, or takes too long.
    async fn connect_one(&self, entry: &SessionEntry) {
        let id = &entry.session.id;
        // It may have been stopped or removed while it waited.
        if self.directory.session(id).is_none_or(|now| !now.session.enabled) {
            return;
        }
        if let Err(error) = self.connect(id).await {
            tracing::error!(session = %id, %error, "a session could not be restored");
            return;
        }
        let settled = |state| {
            matches!(state, SessionState::Open | SessionState::Qr | SessionState::PairingCode | SessionState::LoggedOut)
        };
        self.wait_status(entry, CONNECT_PLACE, |status| settled(status.state)).await;
    }

    /// Stops taking new work, lets what is under way end, and closes the links,
    /// all of it within `deadline`. What is left is resumed by the next start.
    pub async fn shutdown(&self, deadline: Duration) {
        let end = Instant::now() + deadline;
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout_at(end - deadline / FAREWELL, self.tasks.wait()).await.is_err() {
            tracing::warn!("work was still under way at the deadline; the next start resumes it");
        }
        // Callers that wait for a job are told that it stays queued.
        self.sender.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
        if tokio::time::timeout_at(end, self.links.shutdown()).await.is_err() {
            tracing::warn!("the links did not close in time");
        }
    }
}

/// Pauses after every few of many schedulers that start; `index` counts them.
pub(crate) async fn stagger(index: usize) {
    if index > 0 && index.is_multiple_of(TOGETHER) {
        tokio::time::sleep(at_most(PAUSE)).await;
    }
}

fn at_most(most: Duration) -> Duration {
    most.mul_f64(rand::random::<f64>())
}

/// Tries again until the store answers.
async fn until_done<F: Future<Output = Result<(), StoreError>>>(what: &str, mut resume: impl FnMut() -> F) {
    while let Err(error) = resume().await {
        tracing::warn!(%error, what, "old work could not be read; trying again");
        tokio::time::sleep(STORE_RETRY).await;
    }
}
