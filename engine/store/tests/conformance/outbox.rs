//! Deliveries.

use super::*;
use std::collections::BTreeSet;
use warest_model::delivery::{Attempt, Delivery, DeliveryState};
use warest_store::{AttemptReport, DeliveryFilter, Page, ReplayRange, Replayed, RunFilter, StoreError};

/// A report that says nothing of the target.
pub fn report(delivery: &Delivery, run: Option<NewRun>) -> AttemptReport {
    AttemptReport { delivery: delivery.clone(), attempt: None, run, target: None }
}

/// Has `count` events owed to a target, and answers their deliveries.
pub async fn owe(store: &dyn Store, target: &Target, count: usize) -> Vec<Delivery> {
    for index in 0..count {
        let event = Event { ts_ms: NOW + index as i64, ..new_event(target.session.as_str(), "628111") };
        store.append(vec![owed(&event, &[ReactorRef::Target(target.id.clone())])]).await.unwrap();
    }
    store.pending_deliveries(&target.id, None, 0, 1_000).await.unwrap()
}

async fn end(store: &dyn Store, delivery: &Delivery, state: DeliveryState) -> Delivery {
    let ended = Delivery { state, ended_ms: Some(NOW + 9), attempts: 3, tries: 3, ..delivery.clone() };
    store.record_attempt(report(&ended, None)).await.unwrap();
    ended
}

pub async fn deliveries_wait_in_lanes(driver: &mut impl Driver) {
    let store = driver.store();
    let (one, two) = (new_target("s"), new_target("s"));
    let lanes = ["628111", "628222", ""];
    let events: Vec<_> = (0..9).map(|index| new_event("s", lanes[index % 3])).collect();
    let to = [ReactorRef::Target(one.id.clone()), ReactorRef::Target(two.id)];
    store.append(events.iter().map(|event| owed(event, &to)).collect()).await.unwrap();
    let ids = |found: &[Delivery]| found.iter().map(|delivery| delivery.event.clone()).collect::<Vec<_>>();
    let all = store.pending_deliveries(&one.id, None, 0, 100).await.unwrap();
    assert_eq!(ids(&all), events.iter().map(|event| event.id.clone()).collect::<Vec<_>>());
    assert_eq!(store.pending_deliveries(&one.id, None, all[3].seq, 2).await.unwrap(), all[4..6]);
    let first = &all[0];
    assert_eq!((first.state, first.attempts, first.due_ms), (DeliveryState::Pending, 0, NOW));
    assert_eq!((&first.session, &first.chat, first.created_ms), (&name("s"), &Some(jid("628111")), NOW));
    for (lane, chat) in lanes.into_iter().enumerate() {
        let chat = if chat.is_empty() { String::new() } else { jid(chat).to_string() };
        let expected: Vec<_> = all.iter().skip(lane).step_by(3).cloned().collect();
        assert_eq!(store.pending_deliveries(&one.id, Some(&chat), 0, 100).await.unwrap(), expected);
        let later = store.pending_deliveries(&one.id, Some(&chat), expected[0].seq, 1).await.unwrap();
        assert_eq!(later, expected[1..2]);
    }
}

pub async fn an_attempt_is_recorded_with_its_run(driver: &mut impl Driver) {
    let target = new_target("s");
    let event = new_event("s", "628111");
    driver.store().append(vec![owed(&event, &[ReactorRef::Target(target.id.clone())])]).await.unwrap();
    let pending = driver.store().pending_deliveries(&target.id, None, 0, 1).await.unwrap().remove(0);
    let by = ReactorRef::Target(target.id.clone()).to_string();
    // The first answer carried actions, but its acknowledgement was lost.
    let tried =
        Delivery { attempts: 1, tries: 1, due_ms: NOW + 50, status: Some(503), error: Some("busy".into()), ..pending };
    let first = new_run("s", &by, Some(&event));
    let line = Attempt {
        number: 1,
        at_ms: NOW,
        took_ms: 7,
        status: Some(503),
        error: Some("busy".into()),
        answer: "{\"bu\"".into(),
    };
    driver
        .store()
        .record_attempt(AttemptReport { attempt: Some(line.clone()), ..report(&tried, Some(first.clone())) })
        .await
        .unwrap();
    driver.restart().await;
    let store = driver.store();
    assert_eq!(store.delivery(&tried.id).await.unwrap(), Some(tried.clone()));
    assert_eq!(store.attempts(&tried.id).await.unwrap(), [line]);
    assert_eq!(store.pending_deliveries(&target.id, None, 0, 1).await.unwrap(), std::slice::from_ref(&tried));

    let delivered = Delivery {
        state: DeliveryState::Delivered,
        attempts: 2,
        status: Some(200),
        error: None,
        ended_ms: Some(NOW + 51),
        ..tried
    };
    let second = NewRun { jobs: vec![new_job("s", "628111")], ..new_run("s", &by, Some(&event)) };
    store.record_attempt(report(&delivered, Some(second.clone()))).await.unwrap();
    assert_eq!(store.delivery(&delivered.id).await.unwrap(), Some(delivered.clone()));
    assert!(store.pending_deliveries(&target.id, None, 0, 1).await.unwrap().is_empty());
    let answering = RunFilter { event: Some(event.id.to_string()), ..RunFilter::default() };
    let runs = store.runs(&answering, &warest_store::Page { before: None, limit: 10 }).await.unwrap();
    assert_eq!(runs, [first.run], "a repeated answer starts no second run");
    assert_eq!(store.queue_len(&name("s")).await.unwrap(), 0);

    let dead = Delivery { state: DeliveryState::Dead, ..delivered.clone() };
    let third = new_run("s", "target:other", Some(&event));
    let third_id = third.run.id.clone();
    assert!(matches!(store.record_attempt(report(&dead, Some(third))).await, Err(StoreError::NotFound { .. })));
    assert_eq!(store.delivery(&delivered.id).await.unwrap(), Some(delivered));
    assert!(store.run(&third_id).await.unwrap().is_none());
}

pub async fn owed_targets_are_all_named(driver: &mut impl Driver) {
    let store = driver.store();
    assert_eq!(store.owed_targets().await.unwrap(), []);
    let targets = [new_target("s"), new_target("s"), new_target("t")];
    let to: Vec<_> = targets.iter().map(|target| ReactorRef::Target(target.id.clone())).collect();
    for _ in 0..3 {
        store.append(vec![owed(&new_event("s", ""), &to)]).await.unwrap();
    }
    for delivery in store.pending_deliveries(&targets[0].id, None, 0, 10).await.unwrap() {
        let dead = Delivery { state: DeliveryState::Dead, ended_ms: Some(NOW), ..delivery };
        store.record_attempt(report(&dead, None)).await.unwrap();
    }
    let named: BTreeSet<_> = store.owed_targets().await.unwrap().into_iter().collect();
    assert_eq!(named, targets[1..].iter().map(|target| target.id.clone()).collect());
}

pub async fn deliveries_are_filtered_and_paged(driver: &mut impl Driver) {
    let store = driver.store();
    let (ana, bob) = (UserId::new(NOW), UserId::new(NOW));
    store.add_session(&new_session("s", &ana)).await.unwrap();
    store.add_session(&new_session("t", &bob)).await.unwrap();
    let (one, two, other) = (new_target("s"), new_target("s"), new_target("t"));
    let mine = owe(store, &one, 3).await;
    let second = owe(store, &two, 1).await.remove(0);
    let theirs = owe(store, &other, 1).await.remove(0);
    let dead = end(store, &mine[1], DeliveryState::Dead).await;
    let all = Page { before: None, limit: 10 };
    let found = async |filter: DeliveryFilter, page: &Page| store.deliveries(&filter, page).await.unwrap();
    let newest = [theirs.clone(), second.clone(), mine[2].clone(), dead.clone(), mine[0].clone()];
    assert_eq!(found(DeliveryFilter::default(), &all).await, newest);
    let of_ana = DeliveryFilter { owner: Some(ana), ..DeliveryFilter::default() };
    assert_eq!(found(of_ana.clone(), &all).await, newest[1..]);
    let page = Page { before: Some(second.id.to_string()), limit: 2 };
    assert_eq!(found(of_ana, &page).await, newest[2..4]);
    let only = |target: &Target| DeliveryFilter { target: Some(target.id.clone()), ..DeliveryFilter::default() };
    assert_eq!(found(only(&two), &all).await, [second]);
    let dead_ones = DeliveryFilter { state: Some(DeliveryState::Dead), ..DeliveryFilter::default() };
    assert_eq!(found(dead_ones.clone(), &all).await, std::slice::from_ref(&dead));
    let of_event = DeliveryFilter { event: Some(dead.event.clone()), ..DeliveryFilter::default() };
    assert_eq!(found(of_event, &all).await, [dead]);
    let of_session = DeliveryFilter { session: Some(name("t")), ..dead_ones };
    assert_eq!(found(of_session, &all).await, []);
    let span = DeliveryFilter { since_ms: Some(NOW + 1), until_ms: Some(NOW + 2), ..only(&one) };
    assert_eq!(found(span, &all).await[0].id, mine[1].id);

    // What a session of the same name left behind is not its owner's.
    store.delete_session(&name("s"), 1).await.unwrap();
    store.add_session(&new_session("s", &bob)).await.unwrap();
    let of_bob = DeliveryFilter { owner: Some(bob), ..DeliveryFilter::default() };
    assert_eq!(found(of_bob, &all).await, [theirs]);
}

pub async fn a_replayed_delivery_is_owed_behind_all_others(driver: &mut impl Driver) {
    let target = new_target("s");
    let store = driver.store();
    store.add_target(&target, NOW).await.unwrap();
    let owed = owe(store, &target, 3).await;
    assert!(matches!(store.replay_delivery(&owed[0].id, NOW).await, Err(StoreError::NotFound { .. })), "it waits");
    let dead = end(store, &owed[0], DeliveryState::Dead).await;
    let line = Attempt { number: 3, at_ms: NOW, took_ms: 0, status: None, error: None, answer: String::new() };
    let delivered = Delivery { state: DeliveryState::Delivered, attempts: 3, ..owed[2].clone() };
    let kept = AttemptReport { attempt: Some(line.clone()), ..report(&delivered, None) };
    store.record_attempt(kept).await.unwrap();
    store.replay_delivery(&delivered.id, NOW + 50).await.unwrap();
    store.replay_delivery(&dead.id, NOW + 51).await.unwrap();
    driver.restart().await;
    let store = driver.store();
    let waiting = store.pending_deliveries(&target.id, None, 0, 10).await.unwrap();
    let ids: Vec<_> = waiting.iter().map(|delivery| &delivery.id).collect();
    assert_eq!(ids, [&owed[1].id, &delivered.id, &dead.id]);
    assert!(waiting[1].seq > owed[2].seq, "whoever has read so far meets it again");
    let again = &waiting[2];
    assert_eq!((again.attempts, again.tries, again.due_ms), (3, 0, NOW + 51), "its attempts go on counting");
    assert_eq!((again.ended_ms, &again.error, &again.event), (None, &None, &dead.event));
    assert_eq!(store.attempts(&delivered.id).await.unwrap(), [line], "what was is kept");
    let next = owe(store, &target, 1).await.pop().unwrap();
    assert!(next.seq > again.seq, "a place is given once");

    end(store, again, DeliveryState::Dead).await;
    store.delete_target(&target.id, NOW).await.unwrap();
    let gone = store.replay_delivery(&dead.id, NOW).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })), "there is nowhere to");
}

pub async fn a_range_is_replayed_in_bounded_pieces(driver: &mut impl Driver) {
    let store = driver.store();
    store.add_session(&new_session("s", &UserId::new(NOW))).await.unwrap();
    let (one, two) = (new_target("s"), new_target("s"));
    for target in [&one, &two] {
        store.add_target(target, NOW).await.unwrap();
        for delivery in owe(store, target, 4).await {
            end(store, &delivery, DeliveryState::Dead).await;
        }
    }
    let range = |from_ms, target: Option<&Target>, state| ReplayRange {
        session: name("s"),
        target: target.map(|target| target.id.clone()),
        state,
        from_ms,
        to_ms: NOW + 3,
    };
    let none = store.replay_deliveries(&range(NOW, None, DeliveryState::Delivered), 9, NOW).await.unwrap();
    assert_eq!(none, Replayed { targets: Vec::new(), count: 0, rest_from_ms: None });
    let first = store.replay_deliveries(&range(NOW, Some(&one), DeliveryState::Dead), 2, NOW).await.unwrap();
    assert_eq!(first, Replayed { targets: vec![one.id.clone()], count: 2, rest_from_ms: Some(NOW + 2) });
    let rest = range(NOW + 2, Some(&one), DeliveryState::Dead);
    let rest = store.replay_deliveries(&rest, 2, NOW).await.unwrap();
    assert_eq!((rest.count, rest.rest_from_ms), (1, None), "what was created at the end is not in it");
    let waiting = store.pending_deliveries(&one.id, None, 0, 9).await.unwrap();
    assert!(waiting.windows(2).all(|pair| pair[0].created_ms < pair[1].created_ms), "oldest first");
    assert!(store.pending_deliveries(&two.id, None, 0, 9).await.unwrap().is_empty());
}

pub async fn old_attempts_make_room(driver: &mut impl Driver) {
    let store = driver.store();
    let delivery = owe(store, &new_target("s"), 1).await.remove(0);
    for number in 1..=205 {
        let line = Attempt { number, at_ms: NOW, took_ms: 1, status: Some(403), error: None, answer: String::new() };
        let report = AttemptReport { attempt: Some(line), ..report(&delivery, None) };
        store.record_attempt(report).await.unwrap();
    }
    let numbers: Vec<_> = store.attempts(&delivery.id).await.unwrap().iter().map(|line| line.number).collect();
    assert_eq!(numbers, (6..=205).collect::<Vec<_>>());
}
