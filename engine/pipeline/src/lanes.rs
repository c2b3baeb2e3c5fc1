//! The lane scheduler: in order within a lane, in parallel across lanes, from
//! rows that a crash cannot lose.
//!
//! Each stage of the pipeline has partitions (a reactor, a session, a webhook
//! target), and each partition runs one [`spawn`]ed scheduler over the rows it
//! owes. The rows are the queue; memory holds only a bounded window of them:
//!
//! - a *cursor* walks the partition's rows in order and deals them to lanes;
//! - a lane holds at most `LANE_WINDOW` rows; what lies beyond is *spilled*:
//!   left in the store and fetched again when the lane has drained;
//! - when all lanes together hold `WINDOW` rows the cursor stops.
//!
//! So one slow lane costs the others nothing, and a restart is cursor zero. The
//! store commits rows in the order of their positions, which is what lets the
//! cursor only move forward. Lanes whose head is not urgent let the others go
//! first.

use crate::deadlines::Deadlines;
use async_trait::async_trait;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{self, JoinSet};
use tokio_util::sync::CancellationToken;
use warest_model::clock::{Millis, SharedClock};
use warest_store::StoreError;

/// Most rows one lane holds in memory.
const LANE_WINDOW: usize = 32;
/// Most rows all lanes of a partition hold in memory.
const WINDOW: usize = 4_096;
/// Rows fetched at once.
const FETCH: u32 = 256;
/// Wait after the store failed.
const STORE_RETRY: Duration = Duration::from_millis(500);
/// Wait before a row whose task panicked is worked on again, in milliseconds.
const PANIC_PAUSE_MS: Millis = 1_000;

/// A row that waits in a lane.
pub trait Row: Send + 'static {
    /// Its position among the partition's rows.
    fn seq(&self) -> i64;
    /// The lane whose order it keeps.
    fn lane(&self) -> String;
    /// Not before this moment.
    fn due_ms(&self) -> Millis;
    /// When the row was written. If the clock was set back since, a due time of
    /// then is counted from there.
    fn written_ms(&self) -> Millis {
        Millis::MIN
    }
    /// Whether it goes before those of other lanes that are not.
    fn urgent(&self) -> bool {
        true
    }
}

/// What became of a row.
#[derive(Debug)]
pub enum Worked<R> {
    /// It is no longer owed.
    Done,
    /// It stays at the head of its lane until its (new) due time.
    Again(R),
}

/// Where a partition's rows come from and what is done with them.
#[async_trait]
pub trait Work: Send + Sync + 'static {
    /// The row.
    type Row: Row;
    /// Owed rows after `after`, in order; of one lane, or of all.
    async fn fetch(&self, lane: Option<&str>, after: i64, limit: u32) -> Result<Vec<Self::Row>, StoreError>;
    /// Does what one row asks for. Called for one row of a lane at a time.
    async fn work(&self, row: Self::Row) -> Worked<Self::Row>;
}

/// A running scheduler.
#[derive(Debug, Clone)]
pub struct Lanes {
    wake: Arc<Notify>,
    nudged: Arc<Mutex<HashSet<(String, i64)>>>,
    stop: CancellationToken,
    ended: CancellationToken,
}

impl Lanes {
    /// Says that rows may have been added.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Says that a row was changed from outside: if its lane waits for it, it is
    /// worked on at once, whatever its due time was.
    pub fn nudge(&self, lane: String, seq: i64) {
        self.nudged.lock().unwrap_or_else(PoisonError::into_inner).insert((lane, seq));
        self.wake.notify_one();
    }

    /// Takes no further rows. What is under way ends by itself.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}

/// Starts a scheduler that works on up to `concurrency` lanes at once.
pub fn spawn<W: Work>(
    work: Arc<W>,
    concurrency: usize,
    clock: SharedClock,
    tasks: &tokio_util::task::TaskTracker,
    stop: CancellationToken,
) -> Lanes {
    spawn_after(None, work, concurrency, clock, tasks, stop)
}

/// Like [`spawn`], but stops a scheduler of the same partition, and begins once
/// nothing of it is under way any more.
pub fn spawn_after<W: Work>(
    before: Option<Lanes>,
    work: Arc<W>,
    concurrency: usize,
    clock: SharedClock,
    tasks: &tokio_util::task::TaskTracker,
    stop: CancellationToken,
) -> Lanes {
    let handle = Lanes { wake: Arc::default(), nudged: Arc::default(), stop, ended: CancellationToken::new() };
    let scheduler = Scheduler {
        work,
        concurrency,
        timers: Deadlines::new(clock.clone()),
        clock,
        lanes: HashMap::new(),
        nudged: handle.nudged.clone(),
        ready: Ready::default(),
        tickets: 0,
        held: 0,
        cursor: 0,
        more: true,
        running: JoinSet::new(),
        under_way: HashMap::new(),
    };
    let (wake, stop, ended) = (handle.wake.clone(), handle.stop.clone(), handle.ended.clone());
    tasks.spawn(async move {
        // Also if it panics: who comes after must not wait for ever.
        let _ended = ended.drop_guard();
        if let Some(before) = before {
            before.stop.cancel();
            before.ended.cancelled().await;
        }
        scheduler.run(wake, stop).await;
    });
    handle
}

struct Lane<R> {
    rows: VecDeque<R>,
    /// Rows after this position were left in the store.
    spilled_after: Option<i64>,
    /// Whether a row of it is under way, waits for a timer, or is in `ready`.
    busy: bool,
    /// The timer it waits for. Other timers of its name are of the past.
    timer: Option<u64>,
}

/// Lanes that can be worked on.
#[derive(Default)]
struct Ready {
    urgent: VecDeque<String>,
    others: VecDeque<String>,
}

impl Ready {
    fn push(&mut self, key: String, urgent: bool) {
        if urgent { self.urgent.push_back(key) } else { self.others.push_back(key) }
    }

    fn pop(&mut self) -> Option<String> {
        self.urgent.pop_front().or_else(|| self.others.pop_front())
    }
}

struct Scheduler<W: Work> {
    work: Arc<W>,
    concurrency: usize,
    clock: SharedClock,
    lanes: HashMap<String, Lane<W::Row>>,
    nudged: Arc<Mutex<HashSet<(String, i64)>>>,
    ready: Ready,
    timers: Deadlines<(String, u64)>,
    /// The number of the last timer.
    tickets: u64,
    /// Rows in `lanes`.
    held: usize,
    cursor: i64,
    /// Whether there may be rows past the cursor.
    more: bool,
    running: JoinSet<Worked<W::Row>>,
    /// The lane and the position of each task's row.
    under_way: HashMap<task::Id, (String, i64)>,
}

impl<W: Work> Scheduler<W> {
    async fn run(mut self, wake: Arc<Notify>, stop: CancellationToken) {
        loop {
            let mut failed = false;
            if self.more && self.held < WINDOW {
                failed = self.feed().await.is_err();
            }
            self.fire_timers();
            self.fire_nudges();
            self.start_ready().await;
            let hungry = self.more && self.held < WINDOW;
            // Look again at least every second: a clock may be set.
            let timer = self.timers.next().map(|wait| Duration::from_millis(wait.clamp(1, 1_000) as u64));
            tokio::select! {
                () = stop.cancelled() => break,
                () = wake.notified() => self.more = true,
                Some(ended) = self.running.join_next_with_id() => match ended {
                    Ok((id, worked)) => {
                        if let Some((lane, _)) = self.under_way.remove(&id) {
                            self.ended(lane, worked).await;
                        }
                    }
                    Err(error) => {
                        // A panic in a stage is a bug. Its row stays owed, and
                        // must not hold up its lane until the next start.
                        if let Some((lane, seq)) = self.under_way.remove(&error.id()) {
                            tracing::error!(%error, lane, seq, "a pipeline task panicked; its row is tried again");
                            self.panicked(lane, seq);
                        }
                    }
                },
                () = tokio::time::sleep(timer.unwrap_or_default()), if timer.is_some() => {}
                () = tokio::time::sleep(STORE_RETRY), if failed => {}
                () = std::future::ready(()), if hungry && !failed => {}
            }
        }
        // What is under way has effects; let it end rather than be cut off.
        while self.running.join_next().await.is_some() {}
    }

    /// Deals the next rows to their lanes.
    async fn feed(&mut self) -> Result<(), StoreError> {
        let rows = match self.work.fetch(None, self.cursor, FETCH).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(%error, "the store did not answer; trying again");
                return Err(error);
            }
        };
        self.more = rows.len() == FETCH as usize;
        for row in rows {
            self.cursor = self.cursor.max(row.seq());
            self.deal(row);
        }
        Ok(())
    }

    fn deal(&mut self, row: W::Row) {
        let key = row.lane();
        let lane = self.lanes.entry(key.clone()).or_insert_with(|| Lane {
            rows: VecDeque::new(),
            spilled_after: None,
            busy: false,
            timer: None,
        });
        if lane.spilled_after.is_some() {
            return;
        }
        if lane.rows.len() >= LANE_WINDOW {
            lane.spilled_after = lane.rows.back().map(Row::seq);
            return;
        }
        lane.rows.push_back(row);
        self.held += 1;
        self.schedule(key);
    }

    /// Puts a lane in line if it has a row and is not in line yet.
    fn schedule(&mut self, key: String) {
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        if lane.busy {
            return;
        }
        let Some(head) = lane.rows.front() else { return };
        lane.busy = true;
        let (due, written) = (head.due_ms(), head.written_ms());
        let now = if due < written { self.clock.now_ms() } else { self.clock.now_ms().max(written) };
        if due <= now {
            self.ready.push(key, head.urgent());
        } else {
            self.wait(key, due, due - now);
        }
    }

    fn fire_timers(&mut self) {
        while let Some((key, ticket)) = self.timers.pop() {
            if self.lanes.get(&key).is_some_and(|lane| lane.timer == Some(ticket)) {
                self.fire(key);
            }
        }
    }

    fn fire_nudges(&mut self) {
        let nudged = std::mem::take(&mut *self.nudged.lock().unwrap_or_else(PoisonError::into_inner));
        for (key, seq) in nudged {
            let waits =
                |lane: &Lane<W::Row>| lane.timer.is_some() && lane.rows.front().is_some_and(|row| row.seq() == seq);
            if self.lanes.get(&key).is_some_and(waits) {
                self.fire(key);
            }
        }
    }

    /// Lets a lane wait until `due`, which is `wait` from now.
    fn wait(&mut self, key: String, due: Millis, wait: Millis) {
        self.tickets += 1;
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.timer = Some(self.tickets);
        }
        self.timers.push(due, wait, (key, self.tickets));
    }

    /// Makes a lane ready that waited.
    fn fire(&mut self, key: String) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.timer = None;
            let urgent = lane.rows.front().is_none_or(Row::urgent);
            self.ready.push(key, urgent);
        }
    }

    async fn start_ready(&mut self) {
        while self.running.len() < self.concurrency {
            let Some(key) = self.ready.pop() else { return };
            let Some(lane) = self.lanes.get_mut(&key) else { continue };
            let Some(row) = lane.rows.pop_front() else {
                // Only a lane that a panic emptied waits without a row.
                if let Some(after) = lane.spilled_after {
                    lane.busy = false;
                    self.refill(&key, after).await;
                    self.schedule(key);
                }
                continue;
            };
            self.held -= 1;
            let seq = row.seq();
            let work = self.work.clone();
            let task = self.running.spawn(async move { work.work(row).await });
            self.under_way.insert(task.id(), (key, seq));
        }
    }

    async fn ended(&mut self, key: String, worked: Worked<W::Row>) {
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        lane.busy = false;
        if let Worked::Again(row) = worked {
            lane.rows.push_front(row);
            self.held += 1;
        } else if lane.rows.is_empty() {
            match lane.spilled_after {
                Some(after) => self.refill(&key, after).await,
                None => {
                    self.lanes.remove(&key);
                    return;
                }
            }
        }
        self.schedule(key);
    }

    /// Forgets the rows of a lane from a lost one on, to fetch them anew after a
    /// pause.
    fn panicked(&mut self, key: String, seq: i64) {
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        self.held -= lane.rows.len();
        lane.rows.clear();
        lane.spilled_after = Some(seq - 1);
        self.wait(key, self.clock.now_ms() + PANIC_PAUSE_MS, PANIC_PAUSE_MS);
    }

    /// Fetches what was spilled. Rows past the cursor are left to [`feed`],
    /// so that none is dealt twice.
    async fn refill(&mut self, key: &str, after: i64) {
        let limit = LANE_WINDOW as u32;
        let rows = loop {
            match self.work.fetch(Some(key), after, limit).await {
                Ok(rows) => break rows,
                Err(error) => {
                    tracing::warn!(%error, "the store did not answer; trying again");
                    tokio::time::sleep(STORE_RETRY).await;
                }
            }
        };
        let all = rows.len() < LANE_WINDOW;
        let cursor = self.cursor;
        let Some(lane) = self.lanes.get_mut(key) else { return };
        lane.rows.extend(rows.into_iter().filter(|row| row.seq() <= cursor));
        self.held += lane.rows.len();
        lane.spilled_after = match (all, lane.rows.back()) {
            (true, _) | (false, None) => None,
            (false, Some(last)) => Some(last.seq()),
        };
        if lane.rows.is_empty() {
            self.lanes.remove(key);
        }
    }
}

#[cfg(test)]
#[path = "lanes_tests.rs"]
mod tests;
