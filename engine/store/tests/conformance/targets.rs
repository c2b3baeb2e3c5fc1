//! Webhook targets.

use super::outbox::{owe, report};
use super::*;
use warest_model::delivery::{Delivery, DeliveryState};
use warest_model::target::{DeliveryOrder, OldSecret, Outcome, PayloadShape, REFUSED_PAUSE_MS};
use warest_store::{AttemptReport, EventFilter, Page, Resumed, StoreError, TargetReport};

pub async fn targets_are_set_and_updated(driver: &mut impl Driver) {
    let store = driver.store();
    let (one, two, three, other) = (new_target("s"), new_target("s"), new_target("s"), new_target("t"));
    store.set_targets(&name("s"), &[one.clone(), two.clone()], NOW).await.unwrap();
    store.set_targets(&name("t"), std::slice::from_ref(&other), NOW).await.unwrap();
    let to = [&one, &two, &other].map(|target| ReactorRef::Target(target.id.clone()));
    store.append(vec![owed(&new_event("s", ""), &to)]).await.unwrap();
    let given_up = store.pending_deliveries(&one.id, None, 0, 1).await.unwrap().remove(0);

    let two = Target { url: "https://example.com/new".into(), secret: "another".into(), ..two };
    store.set_targets(&name("s"), &[two.clone(), three.clone()], NOW + 5).await.unwrap();
    let two = Target {
        url: "https://example.com/newer".into(),
        secret: "a third".into(),
        old_secret: Some(OldSecret { secret: "another".into(), until_ms: NOW + 9 }),
        options: TargetOptions {
            enabled: false,
            events: Some(vec![EventKind::MessageReceived, EventKind::WebhookStatus]),
            payload: Some(PayloadShape::Node),
            order: DeliveryOrder::None,
            concurrency: Some(3),
        },
        ..two
    };
    let told = Target { health: TargetHealth { failures: 7, ..TargetHealth::default() }, ..two.clone() };
    store.update_target(&told, None).await.unwrap();
    driver.restart().await;
    let store = driver.store();
    let s = name("s");
    assert!(store.targets(Some(&s)).await.unwrap() == [two.clone(), three], "oldest first, as set; health is not");
    assert_eq!(store.targets(None).await.unwrap().len(), 3);
    assert!(store.target(&two.id).await.unwrap() == Some(two.clone()));
    assert!(store.target(&one.id).await.unwrap().is_none());
    assert!(store.pending_deliveries(&one.id, None, 0, 10).await.unwrap().is_empty());
    let given_up = store.delivery(&given_up.id).await.unwrap().unwrap();
    assert_eq!((given_up.state, given_up.ended_ms), (DeliveryState::Dead, Some(NOW + 5)), "it stays listed");
    assert_eq!(store.pending_deliveries(&two.id, None, 0, 10).await.unwrap().len(), 1);
    assert!(matches!(store.update_target(&one, None).await, Err(StoreError::NotFound { .. })));

    for session in [&other.session, &s] {
        let url = "https://evil.example".to_owned();
        let stolen = Target { url, session: session.clone(), ..other.clone() };
        assert!(matches!(store.set_targets(&s, &[stolen], NOW).await, Err(StoreError::Exists { .. })));
    }
    assert!(store.target(&other.id).await.unwrap() == Some(other), "a target stays with its session");
    assert_eq!(store.targets(Some(&s)).await.unwrap().len(), 2, "and what was refused changed nothing");
}

pub async fn targets_are_added_and_removed(driver: &mut impl Driver) {
    let store = driver.store();
    let default = Target { is_default: true, ..new_target("s") };
    let elsewhere = Target { is_default: true, ..new_target("t") };
    store.add_target(&default, NOW).await.unwrap();
    store.add_target(&elsewhere, NOW).await.unwrap();
    let of_default = owe(store, &default, 1).await.remove(0);
    let (one, two) = (new_target("s"), new_target("s"));
    store.add_target(&one, NOW).await.unwrap();
    store.add_target(&two, NOW).await.unwrap();
    assert!(store.targets(None).await.unwrap() == [elsewhere, one.clone(), two.clone()], "the default gives way");
    assert_eq!(store.delivery(&of_default.id).await.unwrap().unwrap().state, DeliveryState::Dead);
    let again = Target { url: "https://example.com/other".into(), ..one.clone() };
    assert!(matches!(store.add_target(&again, NOW).await, Err(StoreError::Exists { .. })));
    assert!(store.target(&one.id).await.unwrap() == Some(one.clone()));
    let owed = owe(store, &one, 2).await;
    store.delete_target(&one.id, NOW).await.unwrap();
    assert!(matches!(store.delete_target(&one.id, NOW).await, Err(StoreError::NotFound { .. })));
    assert!(store.targets(Some(&name("s"))).await.unwrap() == [two]);
    for delivery in owed {
        assert_eq!(store.delivery(&delivery.id).await.unwrap().unwrap().state, DeliveryState::Dead);
    }
}

fn said(target: &Target, delivery: &Delivery, outcome: Outcome, notice: Option<NewEvent>) -> AttemptReport {
    let target = TargetReport { url: target.url.clone(), outcome, now_ms: NOW, notice };
    AttemptReport { target: Some(target), ..report(delivery, None) }
}

pub async fn an_attempt_changes_its_targets_health(driver: &mut impl Driver) {
    let store = driver.store();
    let target = new_target("s");
    store.add_target(&target, NOW).await.unwrap();
    let owed = owe(store, &target, 3).await;
    let refused = store.record_attempt(said(&target, &owed[0], Outcome::Refused, None)).await.unwrap();
    let (url, health) = refused.target.unwrap();
    assert_eq!((url, health.paused_until_ms), (target.url.clone(), NOW + REFUSED_PAUSE_MS));
    assert_eq!(store.target(&target.id).await.unwrap().unwrap().health, health);

    let elsewhere = Target { url: "https://example.com/before".into(), ..target.clone() };
    let stale = store.record_attempt(said(&elsewhere, &owed[0], Outcome::Gone, None)).await.unwrap();
    assert!(stale.target.is_none(), "what is known of one URL says nothing of another");
    assert_eq!(store.target(&target.id).await.unwrap().unwrap().url, target.url);

    let dead = Delivery { state: DeliveryState::Dead, ended_ms: Some(NOW), ..owed[1].clone() };
    store.record_attempt(said(&target, &dead, Outcome::Failed, None)).await.unwrap();
    let late = store.record_attempt(said(&target, &dead, Outcome::Failed, None)).await;
    assert!(matches!(late, Err(StoreError::NotFound { .. })));
    assert_eq!(store.target(&target.id).await.unwrap().unwrap().health.failures, 1, "the second said nothing");

    let notice = super::owed(&new_event("s", ""), &[]);
    let gone = store.record_attempt(said(&target, &owed[2], Outcome::Gone, Some(notice.clone()))).await.unwrap();
    assert!(gone.noticed);
    assert_eq!(gone.target.unwrap().0, "");
    let emptied = store.target(&target.id).await.unwrap().unwrap();
    assert_eq!((emptied.url.as_str(), &emptied.secret), ("", &target.secret), "the secret is kept");
    assert_eq!(store.event(notice.event.id.as_str()).await.unwrap(), Some(notice.event));
}

pub async fn a_target_is_stopped_once_and_resumed(driver: &mut impl Driver) {
    let store = driver.store();
    let target = new_target("s");
    store.add_target(&target, NOW).await.unwrap();
    let watching = new_target("s");
    let owed_to = owe(store, &target, 1).await.remove(0);
    let notice = || super::owed(&new_event("s", ""), &[ReactorRef::Target(watching.id.clone())]);
    let stopped = store.record_attempt(said(&target, &owed_to, Outcome::Failed, Some(notice()))).await.unwrap();
    assert!(stopped.noticed);
    assert_eq!(stopped.target.unwrap().1.stopped_ms, Some(NOW));
    let again = store.record_attempt(said(&target, &owed_to, Outcome::Failed, Some(notice()))).await.unwrap();
    assert!(!again.noticed, "once");
    driver.restart().await;
    let store = driver.store();
    let health = store.target(&target.id).await.unwrap().unwrap().health;
    assert_eq!((health.stopped_ms, health.failing_since_ms, health.failures), (Some(NOW), Some(NOW), 2));
    let told = || async { store.pending_deliveries(&watching.id, None, 0, 10).await.unwrap().len() };
    assert_eq!(told().await, 1, "the notice is owed to others");
    assert_eq!(store.pending_deliveries(&target.id, None, 0, 10).await.unwrap().len(), 1, "what is owed is kept");

    store.update_target(&target, Some(Resumed { notice: Some(notice()) })).await.unwrap();
    assert_eq!(store.target(&target.id).await.unwrap().unwrap().health, TargetHealth::default());
    assert_eq!(told().await, 2);
    let all = Page { before: None, limit: 10 };
    let events = store.events(&EventFilter::default(), &all).await.unwrap();
    assert_eq!(events.len(), 3, "the first event and two notices");
}
