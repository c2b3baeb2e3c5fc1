#![allow(clippy::unwrap_used)]
//! The scheduler over a table in memory.

use super::*;
use std::collections::BTreeMap;
use std::sync::Mutex;
use tokio_util::task::TaskTracker;
use warest_model::clock::{Clock, SystemClock};

#[derive(Clone)]
struct Line {
    seq: i64,
    lane: &'static str,
    due_ms: Millis,
    written_ms: Millis,
}

impl Row for Line {
    fn seq(&self) -> i64 {
        self.seq
    }
    fn lane(&self) -> String {
        self.lane.to_owned()
    }
    fn due_ms(&self) -> Millis {
        self.due_ms
    }
    fn written_ms(&self) -> Millis {
        self.written_ms
    }
    fn urgent(&self) -> bool {
        !self.lane.starts_with("later")
    }
}

/// Rows that are owed; what was worked on, in order. The lane "stuck" never ends.
#[derive(Default)]
struct Table {
    owed: Mutex<BTreeMap<i64, Line>>,
    worked: Mutex<Vec<(i64, &'static str)>>,
    again: Mutex<BTreeMap<i64, u32>>,
    /// Rows whose first attempt panics.
    panics: Mutex<Vec<i64>>,
    done: Notify,
}

impl Table {
    fn add(&self, seq: i64, lane: &'static str) {
        self.owed.lock().unwrap().insert(seq, Line { seq, lane, due_ms: 0, written_ms: 0 });
    }

    fn of_lane(&self, lane: &str) -> Vec<i64> {
        self.worked.lock().unwrap().iter().filter(|(_, of)| *of == lane).map(|(seq, _)| *seq).collect()
    }

    async fn wait_for(&self, enough: impl Fn(&Self) -> bool) {
        tokio::time::timeout(Duration::from_secs(20), async {
            while !enough(self) {
                self.done.notified().await;
            }
        })
        .await
        .unwrap();
    }
}

#[async_trait]
impl Work for Table {
    type Row = Line;

    async fn fetch(&self, lane: Option<&str>, after: i64, limit: u32) -> Result<Vec<Line>, StoreError> {
        let owed = self.owed.lock().unwrap();
        let rows = owed.range(after + 1..).map(|(_, row)| row);
        Ok(rows.filter(|row| lane.is_none_or(|lane| lane == row.lane)).take(limit as usize).cloned().collect())
    }

    async fn work(&self, row: Line) -> Worked<Line> {
        if row.lane == "stuck" {
            std::future::pending::<()>().await;
        }
        tokio::task::yield_now().await;
        let panics = self.panics.lock().unwrap().pop_if(|seq| *seq == row.seq).is_some();
        assert!(!panics, "row {} panics once, as the test asks", row.seq);
        if let Some(times) = self.again.lock().unwrap().get_mut(&row.seq).filter(|times| **times > 0) {
            *times -= 1;
            return Worked::Again(Line { due_ms: SystemClock.now_ms() + 5, ..row });
        }
        self.owed.lock().unwrap().remove(&row.seq);
        self.worked.lock().unwrap().push((row.seq, row.lane));
        self.done.notify_one();
        Worked::Done
    }
}

fn start(table: &Arc<Table>) -> Lanes {
    spawn(table.clone(), 8, Arc::new(SystemClock), &TaskTracker::new(), CancellationToken::new())
}

#[tokio::test]
async fn a_lane_keeps_its_order_far_past_what_memory_holds() {
    let table = Arc::new(Table::default());
    for seq in 1..=2_000 {
        table.add(seq, if seq % 3 == 0 { "b" } else { "a" });
    }
    start(&table);
    table.wait_for(|table| table.owed.lock().unwrap().is_empty()).await;
    for lane in ["a", "b"] {
        let order = table.of_lane(lane);
        assert!(order.is_sorted() && order.windows(2).all(|pair| pair[0] != pair[1]), "{lane}: {order:?}");
    }
    assert_eq!(table.worked.lock().unwrap().len(), 2_000);
}

#[tokio::test]
async fn rows_added_later_are_worked_once() {
    let table = Arc::new(Table::default());
    let lanes = start(&table);
    for seq in 1..=500 {
        table.add(seq, "a");
        lanes.wake();
        if seq % 7 == 0 {
            tokio::task::yield_now().await;
        }
    }
    table.wait_for(|table| table.worked.lock().unwrap().len() >= 500).await;
    assert_eq!(table.of_lane("a"), (1..=500).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stuck_lane_with_a_long_backlog_holds_up_nobody() {
    let table = Arc::new(Table::default());
    for seq in 1..=20_000 {
        table.add(seq, "stuck");
    }
    for seq in 20_001..=20_100 {
        table.add(seq, "a");
    }
    start(&table);
    table.wait_for(|table| table.of_lane("a").len() == 100).await;
}

#[tokio::test]
async fn a_row_that_is_tried_again_stays_at_the_head_of_its_lane() {
    let table = Arc::new(Table::default());
    table.again.lock().unwrap().insert(1, 3);
    for seq in 1..=5 {
        table.add(seq, "a");
    }
    start(&table);
    table.wait_for(|table| table.owed.lock().unwrap().is_empty()).await;
    assert_eq!(table.of_lane("a"), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn rows_of_before_the_clock_was_set_back_are_not_late() {
    let table = Arc::new(Table::default());
    let then = SystemClock.now_ms() + 3_600_000;
    for (seq, due_ms) in [(1, then), (2, then + 5), (3, SystemClock.now_ms() + 5)] {
        table.owed.lock().unwrap().insert(seq, Line { seq, lane: "a", due_ms, written_ms: then });
    }
    start(&table);
    table.wait_for(|table| table.owed.lock().unwrap().is_empty()).await;
    assert_eq!(table.of_lane("a"), [1, 2, 3]);
}

#[tokio::test]
async fn a_panic_holds_up_its_lane_for_a_moment_and_costs_no_row() {
    let table = Arc::new(Table::default());
    table.panics.lock().unwrap().push(3);
    for seq in 1..=100 {
        table.add(seq, if seq % 2 == 0 { "b" } else { "a" });
    }
    start(&table);
    table.wait_for(|table| table.owed.lock().unwrap().is_empty()).await;
    assert_eq!(table.of_lane("a"), (1..=100).step_by(2).collect::<Vec<_>>());
    assert_eq!(table.of_lane("b"), (2..=100).step_by(2).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_successor_begins_once_nothing_of_the_one_before_is_under_way() {
    let table = Arc::new(Table::default());
    for seq in 1..=1_000 {
        table.add(seq, if seq % 2 == 0 { "b" } else { "a" });
    }
    let mut lanes = start(&table);
    for done in (50..1_000).step_by(50) {
        table.wait_for(|table| table.worked.lock().unwrap().len() >= done).await;
        let (clock, stop) = (Arc::new(SystemClock), CancellationToken::new());
        lanes = spawn_after(Some(lanes), table.clone(), 8, clock, &TaskTracker::new(), stop);
    }
    table.wait_for(|table| table.owed.lock().unwrap().is_empty()).await;
    assert_eq!(table.of_lane("a"), (1..=1_000).step_by(2).collect::<Vec<_>>());
    assert_eq!(table.of_lane("b"), (2..=1_000).step_by(2).collect::<Vec<_>>());
}

#[tokio::test]
async fn lanes_that_are_not_urgent_let_the_others_go_first() {
    let table = Arc::new(Table::default());
    for (seq, lane) in ["later 1", "later 2", "later 3", "a", "b"].into_iter().enumerate() {
        table.add(seq as i64 + 1, lane);
    }
    spawn(table.clone(), 1, Arc::new(SystemClock), &TaskTracker::new(), CancellationToken::new());
    table.wait_for(|table| table.owed.lock().unwrap().is_empty()).await;
    let order: Vec<_> = table.worked.lock().unwrap().iter().map(|(seq, _)| *seq).collect();
    assert_eq!(order, [4, 5, 1, 2, 3]);
}

#[tokio::test]
async fn a_nudge_ends_the_wait_of_a_lane_and_its_timer_does_no_more() {
    let table = Arc::new(Table::default());
    let soon = SystemClock.now_ms() + 300;
    table
        .owed
        .lock()
        .unwrap()
        .insert(1, Line { seq: 1, lane: "a", due_ms: SystemClock.now_ms() + 3_600_000, written_ms: 0 });
    table.owed.lock().unwrap().insert(2, Line { seq: 2, lane: "b", due_ms: soon, written_ms: 0 });
    let lanes = start(&table);
    table.wait_for(|table| table.of_lane("b") == [2]).await;
    assert!(table.of_lane("a").is_empty(), "it is not due for an hour");
    for (lane, seq) in [("b", 2), ("of nobody", 1), ("a", 1)] {
        lanes.nudge(lane.to_owned(), seq);
    }
    table.wait_for(|table| table.of_lane("a") == [1]).await;
}
