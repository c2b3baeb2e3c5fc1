//! Deliveries.

use super::*;
use std::collections::BTreeSet;
use warest_model::delivery::{Delivery, DeliveryState};
use warest_store::{RunFilter, StoreError};

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
    let tried = Delivery { attempts: 1, due_ms: NOW + 50, status: Some(503), error: Some("busy".into()), ..pending };
    let first = new_run("s", &by, Some(&event));
    driver.store().record_attempt(&tried, Some(first.clone())).await.unwrap();
    driver.restart().await;
    let store = driver.store();
    assert_eq!(store.delivery(&tried.id).await.unwrap(), Some(tried.clone()));
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
    store.record_attempt(&delivered, Some(second.clone())).await.unwrap();
    assert_eq!(store.delivery(&delivered.id).await.unwrap(), Some(delivered.clone()));
    assert!(store.pending_deliveries(&target.id, None, 0, 1).await.unwrap().is_empty());
    let answering = RunFilter { event: Some(event.id.to_string()), ..RunFilter::default() };
    let runs = store.runs(&answering, &warest_store::Page { before: None, limit: 10 }).await.unwrap();
    assert_eq!(runs, [first.run], "a repeated answer starts no second run");
    assert_eq!(store.queue_len(&name("s")).await.unwrap(), 0);

    let dead = Delivery { state: DeliveryState::Dead, ..delivered.clone() };
    let third = new_run("s", "target:other", Some(&event));
    let third_id = third.run.id.clone();
    assert!(matches!(store.record_attempt(&dead, Some(third)).await, Err(StoreError::NotFound { .. })));
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
        store.record_attempt(&dead, None).await.unwrap();
    }
    let named: BTreeSet<_> = store.owed_targets().await.unwrap().into_iter().collect();
    assert_eq!(named, targets[1..].iter().map(|target| target.id.clone()).collect());
}
