//! Retention.

use super::*;
use std::collections::BTreeSet;
use warest_model::delivery::{Delivery, DeliveryState};
use warest_model::id::DeliveryId;
use warest_store::{Cursor, Decision, JobEnd, Kind, Limits, Progress};

const DAY: i64 = 86_400_000;

/// An event that was recorded `days` ago.
fn aged_event(days: i64) -> Event {
    let ts_ms = NOW - days * DAY;
    Event { id: EventId::new(ts_ms), ts_ms, ..new_event("s", "628111") }
}

fn days(days: i64) -> Limits {
    Limits { age_ms: Some(days * DAY), ..Limits::default() }
}

/// Removes what is past `limits`, two rows at a time; answers (removed, owed).
async fn sweep(store: &dyn Store, kind: Kind, limits: &Limits) -> (u64, u64) {
    let horizon = store.horizon(kind, limits, NOW).await.unwrap();
    let (mut cursor, mut removed, mut owed) = (Cursor::default(), 0, 0);
    loop {
        let piece = store.remove(kind, &horizon, &cursor, 2).await.unwrap();
        assert!(piece.rows + piece.owed <= 2, "a piece is bounded: {piece:?}");
        (removed, owed) = (removed + piece.rows, owed + piece.owed);
        match piece.next {
            Some(next) => cursor = next,
            None => return (removed, owed),
        }
    }
}

async fn there(store: &dyn Store, events: &[&Event]) -> Vec<bool> {
    let mut there = Vec::new();
    for event in events {
        there.push(store.event(event.id.as_str()).await.unwrap().is_some());
    }
    there
}

async fn end_delivery(store: &dyn Store, target: &TargetId, state: DeliveryState, days: i64) -> DeliveryId {
    let pending = store.pending_deliveries(target, None, 0, 1).await.unwrap().remove(0);
    let ended = Delivery { state, ended_ms: Some(NOW - days * DAY), ..pending };
    store.record_attempt(super::outbox::report(&ended, None)).await.unwrap();
    ended.id
}

async fn end_run(store: &dyn Store, run: &RunId, days: i64) {
    let version = store.run(run).await.unwrap().unwrap().version;
    let (state, ended_ms) = (RunState::Done, Some(NOW - days * DAY));
    let progress = Progress { run: run.clone(), version, steps: vec![], jobs: vec![], state, wake_ms: None, ended_ms };
    store.save_progress(progress).await.unwrap();
}

pub async fn what_is_owed_outlives_every_limit(driver: &mut impl Driver) {
    let store = driver.store();
    let target = ReactorRef::Target(new_target("s").id);
    let ReactorRef::Target(target_id) = &target else { unreachable!() };
    let free = aged_event(40);
    let (to_plugin, to_target, dead, running) = (aged_event(39), aged_event(38), aged_event(37), aged_event(36));
    let young = aged_event(29);
    store.append(vec![owed(&free, &[]), owed(&to_plugin, &[plugin("echo")])]).await.unwrap();
    store.append(vec![owed(&dead, std::slice::from_ref(&target))]).await.unwrap();
    let dead_id = end_delivery(store, target_id, DeliveryState::Dead, 36).await;
    store.append(vec![owed(&to_target, std::slice::from_ref(&target)), owed(&running, &[])]).await.unwrap();
    let run = new_run("s", "flow:x", Some(&running));
    store.start_run(run.clone()).await.unwrap();
    store.append(vec![owed(&young, &[])]).await.unwrap();
    let all = [&free, &to_plugin, &to_target, &dead, &running, &young];

    for limits in [days(30), Limits { rows: Some(1), ..Limits::default() }] {
        let (_, owed) = sweep(store, Kind::Events, &limits).await;
        assert_eq!(owed, 4, "{limits:?}");
        assert_eq!(there(store, &all).await, [false, true, true, true, true, true], "{limits:?}");
    }
    // A dead delivery is listed, and may be replayed, until its own limit.
    assert_eq!(sweep(store, Kind::DeadDeliveries, &days(90)).await, (0, 0));
    assert!(store.delivery(&dead_id).await.unwrap().is_some());

    // Once nothing is owed any more, they go.
    let dispatch = store.dispatches(&plugin("echo"), None, 0, 1).await.unwrap().remove(0);
    store.decide(&dispatch, Decision::default()).await.unwrap();
    end_delivery(store, target_id, DeliveryState::Delivered, 0).await;
    end_run(store, &run.run.id, 0).await;
    assert_eq!(sweep(store, Kind::DeadDeliveries, &days(30)).await, (1, 0));
    assert_eq!(sweep(store, Kind::Events, &days(30)).await, (4, 0));
    assert_eq!(there(store, &all).await, [false, false, false, false, false, true]);
}

pub async fn a_run_outlives_the_delivery_it_answered(driver: &mut impl Driver) {
    let store = driver.store();
    let target = new_target("s");
    let event = aged_event(50);
    store.append(vec![owed(&event, &[ReactorRef::Target(target.id.clone())])]).await.unwrap();
    let mut answered = new_run("s", &ReactorRef::Target(target.id.clone()).to_string(), Some(&event));
    answered.jobs = vec![];
    let (alone, active) = (new_run("s", "api", None), new_run("s", "api", None));
    for run in [&answered, &alone, &active] {
        let at = NOW - 50 * DAY;
        let mut run = run.clone();
        run.run.id = RunId::new(at);
        run.run.created_ms = at;
        store.start_run(run).await.unwrap();
    }
    let all = store.runs(&Default::default(), &warest_store::Page { before: None, limit: 10 }).await.unwrap();
    let [active, alone, answered] = [&all[0].id, &all[1].id, &all[2].id];
    end_run(store, answered, 45).await;
    end_run(store, alone, 45).await;

    assert_eq!(sweep(store, Kind::Runs, &days(46)).await, (0, 2), "it counts from the end");
    // The receiver may answer the same event once more: that must meet the run.
    assert_eq!(sweep(store, Kind::Runs, &days(30)).await, (1, 1));
    assert!(store.run(alone).await.unwrap().is_none());
    end_delivery(store, &target.id, DeliveryState::Delivered, 44).await;
    assert_eq!(sweep(store, Kind::Runs, &days(30)).await, (0, 1));
    assert_eq!(sweep(store, Kind::Deliveries, &days(30)).await, (1, 0));
    assert_eq!(sweep(store, Kind::Runs, &days(30)).await, (1, 0));
    assert!(store.run(answered).await.unwrap().is_none());
    assert_eq!(store.run(active).await.unwrap().unwrap().steps.len(), 2, "an active run keeps its journal");
}

pub async fn the_newest_rows_are_kept(driver: &mut impl Driver) {
    let store = driver.store();
    let events: Vec<Event> = (0..10).map(|_| new_event("s", "")).collect();
    store.append(events.iter().map(|event| owed(event, &[])).collect()).await.unwrap();
    let none = Limits::default();
    assert_eq!(sweep(store, Kind::Events, &none).await, (0, 0), "no limit, nothing removed");
    let rows = |rows| Limits { rows: Some(rows), ..none };
    assert_eq!(sweep(store, Kind::Events, &rows(10)).await, (0, 0));
    assert_eq!(sweep(store, Kind::Events, &rows(7)).await, (3, 0));
    let all: Vec<&Event> = events.iter().collect();
    assert_eq!(there(store, &all).await, [vec![false; 3], vec![true; 7]].concat());

    let horizon = store.horizon(Kind::Events, &none, NOW).await.unwrap();
    let bytes = store.measure(Kind::Events, &horizon).await.unwrap().bytes;
    let half = Limits { bytes: Some(bytes / 2), ..none };
    assert_eq!(sweep(store, Kind::Events, &half).await, (4, 0), "3 of 7 equal rows fit into half their size");
}

pub async fn a_sweep_goes_in_small_pieces(driver: &mut impl Driver) {
    let store = driver.store();
    let events: Vec<Event> = (0..7).map(|_| aged_event(40)).collect();
    store.append(events.iter().map(|event| owed(event, &[])).collect()).await.unwrap();
    let horizon = store.horizon(Kind::Events, &days(30), NOW).await.unwrap();
    let first = store.remove(Kind::Events, &horizon, &Cursor::default(), 3).await.unwrap();
    assert_eq!((first.rows, first.owed), (3, 0));
    let second = store.remove(Kind::Events, &horizon, &first.next.unwrap(), 3).await.unwrap();
    assert_eq!(second.rows, 3);
    let third = store.remove(Kind::Events, &horizon, &second.next.unwrap(), 3).await.unwrap();
    assert_eq!((third.rows, third.next), (1, None));
}

pub async fn jobs_and_deliveries_go_once_they_ended(driver: &mut impl Driver) {
    let store = driver.store();
    let at = NOW - 50 * DAY;
    let jobs: Vec<SendJob> =
        (0..4).map(|_| SendJob { id: JobId::new(at), created_ms: at, ..new_job("s", "628111") }).collect();
    for job in &jobs {
        store.queue_job(job.clone()).await.unwrap();
    }
    for (job, state, ended) in [(0, JobState::Sent, 40), (1, JobState::Failed, 40), (2, JobState::Sent, 1)] {
        let ended_ms = NOW - ended * DAY;
        let end = JobEnd::new(&jobs[job].id, state, 1, None, ended_ms);
        store.finish_job(end, None).await.unwrap();
    }
    assert_eq!(sweep(store, Kind::Jobs, &days(30)).await, (2, 1));
    let mut left = BTreeSet::new();
    for (index, job) in jobs.iter().enumerate() {
        if store.job(&job.id).await.unwrap().is_some() {
            left.insert(index);
        }
    }
    assert_eq!(left, BTreeSet::from([2, 3]), "one ended lately, one waits");
    assert_eq!(sweep(store, Kind::Jobs, &Limits { rows: Some(0), ..days(30) }).await, (1, 0));
    assert_eq!(store.queue_len(&name("s")).await.unwrap(), 1);

    let target = new_target("s").id;
    let events: Vec<Event> = (0..3).map(|_| aged_event(50)).collect();
    store.append(events.iter().map(|e| owed(e, &[ReactorRef::Target(target.clone())])).collect()).await.unwrap();
    end_delivery(store, &target, DeliveryState::Delivered, 40).await;
    end_delivery(store, &target, DeliveryState::Dead, 40).await;
    assert_eq!(sweep(store, Kind::Deliveries, &days(30)).await, (1, 0));
    assert_eq!(sweep(store, Kind::DeadDeliveries, &days(30)).await, (1, 0));
    assert_eq!(store.pending_deliveries(&target, None, 0, 10).await.unwrap().len(), 1);
}

pub async fn redeliveries_are_recognised_until_their_keys_are_too_old(driver: &mut impl Driver) {
    let store = driver.store();
    let keyed = |days: i64, key: &str| NewEvent { dedup: Some(key.to_owned()), ..owed(&aged_event(days), &[]) };
    let keys = ["a", "b", "c", "d", "e"];
    let first = keys.iter().enumerate().map(|(index, key)| keyed(if index % 2 == 0 { 50 } else { 40 }, key)).collect();
    assert_eq!(store.append(first).await.unwrap(), [true; 5]);
    assert_eq!(sweep(store, Kind::Events, &days(30)).await, (5, 0));
    let again = || keys.iter().map(|key| keyed(0, key)).collect();
    assert_eq!(store.append(again()).await.unwrap(), [false; 5], "the keys outlive the events");
    assert_eq!(sweep(store, Kind::DedupKeys, &days(45)).await, (3, 0));
    assert_eq!(store.append(again()).await.unwrap(), [true, false, true, false, true]);
}

pub async fn what_there_is_is_measured(driver: &mut impl Driver) {
    let store = driver.store();
    for kind in Kind::ALL {
        let horizon = store.horizon(kind, &days(30), NOW).await.unwrap();
        let measured = store.measure(kind, &horizon).await.unwrap();
        assert_eq!(
            (measured.rows, measured.bytes, measured.oldest_ms, measured.removable),
            (0, 0, None, 0),
            "{kind:?}"
        );
    }
    let target = new_target("s").id;
    let to = [plugin("echo"), ReactorRef::Target(target.clone())];
    let old = aged_event(40);
    let new = NewEvent { dedup: Some("k".to_owned()), ..owed(&aged_event(35), &[]) };
    store.append(vec![owed(&old, &to), new]).await.unwrap();
    store.start_run(new_run("s", "api", None)).await.unwrap();
    store.queue_job(new_job("s", "628111")).await.unwrap();
    end_delivery(store, &target, DeliveryState::Dead, 1).await;
    let measure = async |kind| {
        let horizon = store.horizon(kind, &days(30), NOW).await.unwrap();
        store.measure(kind, &horizon).await.unwrap()
    };
    let events = measure(Kind::Events).await;
    assert_eq!((events.rows, events.oldest_ms, events.removable), (2, Some(old.ts_ms), 1));
    assert!((100..10_000).contains(&events.bytes), "{events:?}");
    assert_eq!((measure(Kind::DeadDeliveries).await.rows, measure(Kind::Deliveries).await.rows), (1, 0));
    let keys = measure(Kind::DedupKeys).await;
    assert_eq!((keys.rows, keys.oldest_ms, keys.removable), (1, Some(NOW - 35 * DAY), 1));
    assert!(store.file_size().await.unwrap().bytes > 0);
}
