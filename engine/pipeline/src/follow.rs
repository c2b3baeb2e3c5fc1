//! Following the event log: everything behind a position, in the order of the
//! log, and then what is appended, without a gap or a repeat.
//!
//! A follower reads the store until nothing follows, and then hears the `Tail`:
//! one task that reads what was appended, once for all followers, and exists only
//! while there are any. A follower that lags behind the tail's bounded buffer
//! reads the store again from where it was, so being slow costs reads, never
//! events and never memory.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{Mutex, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use warest_model::event::Event;
use warest_model::id::EventId;
use warest_store::{EventFilter, LogEntry, Store, StoreError};

/// Entries that a follower may lag behind before it reads the store again.
const BUFFER: usize = 256;
/// Entries of one read.
const PAGE: u32 = 64;
/// Pause after a read that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// What is appended, in the order of the log.
pub(crate) struct Tail {
    store: Arc<dyn Store>,
    /// Says that something was appended; its own order is nobody's.
    live: broadcast::Sender<Arc<Event>>,
    entries: broadcast::Sender<Arc<LogEntry>>,
    /// Whether there is a task.
    running: Mutex<bool>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Tail {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        live: broadcast::Sender<Arc<Event>>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let entries = broadcast::channel(BUFFER).0;
        Arc::new(Self { store, live, entries, running: Mutex::default(), tasks, stop })
    }

    /// Hears every entry that a read of the store after this call does not see.
    async fn hear(self: &Arc<Self>) -> Result<broadcast::Receiver<Arc<LogEntry>>, StoreError> {
        let mut running = self.running.lock().await;
        if !*running {
            let live = self.live.subscribe();
            let at = self.store.log_end().await?;
            self.tasks.spawn(self.clone().run(live, at));
            *running = true;
        }
        // Under the lock, so that the task cannot end unheard in between.
        Ok(self.entries.subscribe())
    }

    async fn run(self: Arc<Self>, mut live: broadcast::Receiver<Arc<Event>>, mut at: i64) {
        let mut failed = false;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE), if failed => {}
                heard = live.recv() => if let Err(RecvError::Closed) = heard { return },
            }
            // One read serves all that was appended meanwhile.
            while !matches!(live.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
            failed = false;
            if let Err(error) = self.read_on(&mut at).await {
                tracing::warn!(%error, "the log could not be read for its followers; trying again");
                failed = true;
            }
            let mut running = self.running.lock().await;
            if self.entries.receiver_count() == 0 {
                *running = false;
                return;
            }
        }
    }

    async fn read_on(&self, at: &mut i64) -> Result<(), StoreError> {
        loop {
            let page = self.store.events_after(&EventFilter::default(), *at, PAGE).await?;
            *at = page.upto;
            for entry in page.entries {
                // Nobody listening any more is no failure.
                let _ = self.entries.send(Arc::new(entry));
            }
            if !page.more {
                return Ok(());
            }
        }
    }
}

/// Where a follower begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// With what is appended from now on.
    Now,
    /// With the oldest event that is kept.
    Oldest,
    /// Behind this event.
    After(EventId),
    /// Behind this position.
    Behind(i64),
}

/// What a follower sees.
#[derive(Debug, Clone, PartialEq)]
pub enum Followed {
    /// The next entry that fits.
    Entry(Arc<LogEntry>),
    /// Events may be missing here: they are not kept any more, or the place to
    /// go on from is not known. What follows begins with the oldest that is kept.
    Gap,
}

/// One follower of the log.
pub struct Follower {
    store: Arc<dyn Store>,
    filter: EventFilter,
    /// The position up to which everything was seen; 0 before the first.
    at: i64,
    /// Whether what is kept is wanted, wherever it begins.
    from_oldest: bool,
    page: VecDeque<Arc<LogEntry>>,
    gap: bool,
    /// Whether the store is read, not the tail heard.
    reading: bool,
    tail: broadcast::Receiver<Arc<LogEntry>>,
}

impl Follower {
    pub(crate) async fn new(tail: &Arc<Tail>, filter: EventFilter, begin: Begin) -> Result<Self, StoreError> {
        let store = tail.store.clone();
        let heard = tail.hear().await?;
        let position = match begin {
            Begin::Now => Some(store.log_end().await?),
            Begin::Oldest => Some(0),
            Begin::After(ref id) => store.event_position(id.as_str()).await?,
            Begin::Behind(at) => Some(at),
        };
        let (at, gap) = (position.unwrap_or(0), position.is_none());
        let from_oldest = gap || begin == Begin::Oldest;
        Ok(Self { store, filter, at, from_oldest, page: VecDeque::new(), gap, reading: true, tail: heard })
    }

    /// What is followed.
    pub fn filter(&self) -> &EventFilter {
        &self.filter
    }

    /// Follows something else from here on.
    pub fn set_filter(&mut self, filter: EventFilter) {
        self.page.retain(|entry| filter.fits(entry));
        self.filter = filter;
    }

    /// Waits for what comes next. A call that is dropped midway loses nothing.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn next(&mut self) -> Result<Followed, StoreError> {
        loop {
            if std::mem::take(&mut self.gap) {
                return Ok(Followed::Gap);
            }
            if let Some(entry) = self.ready() {
                return Ok(Followed::Entry(entry));
            }
            if self.reading {
                let page = self.store.events_after(&self.filter, self.at, PAGE).await?;
                // Retention has overtaken this follower.
                self.gap = !self.from_oldest && page.oldest > self.at + 1;
                self.from_oldest = false;
                self.at = page.upto;
                self.page = page.entries.into_iter().map(Arc::new).collect();
                self.reading = page.more;
                continue;
            }
            match self.tail.recv().await {
                Ok(entry) => self.hear(entry),
                Err(RecvError::Lagged(_)) => self.reading = true,
                Err(RecvError::Closed) => return Err(StoreError::Closed),
            }
        }
    }

    /// What comes next, if it is here already.
    pub fn ready(&mut self) -> Option<Arc<LogEntry>> {
        // What is missing is told before what follows.
        if self.gap {
            return None;
        }
        while self.page.is_empty() && !self.reading {
            match self.tail.try_recv() {
                Ok(entry) => self.hear(entry),
                Err(TryRecvError::Lagged(_)) => self.reading = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        self.page.pop_front()
    }

    /// Takes an entry of the tail, unless it was read from the store already or
    /// does not fit.
    fn hear(&mut self, entry: Arc<LogEntry>) {
        if entry.seq > self.at {
            self.at = entry.seq;
            self.page.extend(self.filter.fits(&entry).then_some(entry));
        }
    }
}
