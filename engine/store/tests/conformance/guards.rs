//! What the guards must not forget.

use super::*;
use futures::future::join_all;
use warest_store::{ChatBudget, Consent, Opened, Openings, OptOut, Page, StoreError};

const ANA: &str = "628111";
const BOB: &str = "628222";

fn page(limit: u32, before: Option<i64>) -> Page {
    Page { before: before.map(|seq| seq.to_string()), limit }
}

fn entry(owner: &UserId, phone: &str) -> OptOut {
    let (session, event, confirmation) = (None, None, None);
    OptOut { seq: 0, owner: owner.clone(), address: jid(phone), session, event, confirmation, created_ms: NOW }
}

async fn two_sessions(store: &dyn Store) -> UserId {
    let owner = UserId::new(NOW);
    for id in ["s", "t"] {
        store.add_session(&new_session(id, &owner)).await.unwrap();
    }
    store.add_session(&new_session("other", &UserId::new(NOW))).await.unwrap();
    owner
}

pub async fn an_opt_out_comes_with_its_event(driver: &mut impl Driver) {
    let store = driver.store();
    let owner = two_sessions(store).await;
    let (lid, event, job) = (jid("777@lid"), new_event("s", ANA), new_job("s", ANA));
    let addresses = vec![jid(ANA), lid.clone()];
    let out = Consent::Out { addresses: addresses.clone(), confirmation: Some(Box::new(job.clone())) };
    let stop = NewEvent { dedup: Some("stop".into()), consent: Some(out.clone()), ..owed(&event, &[]) };
    assert_eq!(store.append(vec![stop.clone()]).await.unwrap(), [true]);
    driver.restart().await;
    let store = driver.store();
    for (session, address) in [("s", jid(ANA)), ("t", jid(ANA)), ("t", lid)] {
        let standing = store.standing(&name(session), &address).await.unwrap();
        assert!(standing.opted_out, "{session} {address}: every session of the tenant");
        assert_eq!(standing.confirmation.as_ref(), Some(&job.id));
    }
    assert!(!store.standing(&name("other"), &jid(ANA)).await.unwrap().opted_out, "another tenant's list");
    assert!(!store.standing(&name("s"), &jid(BOB)).await.unwrap().opted_out);
    let queued = store.queued_jobs(&name("s"), None, 0, 9).await.unwrap();
    assert_eq!(queued.iter().map(|job| &job.id).collect::<Vec<_>>(), [&job.id]);

    // Once more: they are on the list, so nothing is confirmed.
    let again = Consent::Out { addresses: addresses.clone(), confirmation: Some(Box::new(new_job("s", ANA))) };
    let more = NewEvent { consent: Some(again), ..owed(&new_event("s", ANA), &[]) };
    store.append(vec![more]).await.unwrap();
    assert_eq!(store.queue_len(&name("s")).await.unwrap(), 1);
    let listed = store.opt_outs(Some(&owner), &page(9, None)).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|row| row.event == Some(event.id.clone()) && row.session == Some(name("s"))));

    let start = NewEvent { consent: Some(Consent::In { addresses }), ..owed(&new_event("t", ANA), &[]) };
    store.append(vec![start]).await.unwrap();
    assert!(!store.standing(&name("s"), &jid(ANA)).await.unwrap().opted_out);
    // A redelivery of the first message says nothing new.
    assert_eq!(store.append(vec![stop]).await.unwrap(), [false]);
    assert!(!store.standing(&name("s"), &jid(ANA)).await.unwrap().opted_out);
}

pub async fn opt_outs_are_listed_and_removed(driver: &mut impl Driver) {
    let store = driver.store();
    let (ana, bob) = (UserId::new(NOW), UserId::new(NOW));
    let phones = ["628111", "628222", "628333"];
    let entries: Vec<_> = phones.iter().map(|phone| entry(&ana, phone)).collect();
    assert_eq!(store.opt_out(entries.clone()).await.unwrap(), 3);
    assert_eq!(store.opt_out(entries).await.unwrap(), 0, "they are on it");
    assert_eq!(store.opt_out(vec![entry(&bob, "628111")]).await.unwrap(), 1);
    let names = |rows: &[OptOut]| rows.iter().map(|row| row.address.user().to_owned()).collect::<Vec<_>>();
    let first = store.opt_outs(Some(&ana), &page(2, None)).await.unwrap();
    assert_eq!(names(&first), ["628333", "628222"], "newest first");
    let rest = store.opt_outs(Some(&ana), &page(2, Some(first[1].seq))).await.unwrap();
    assert_eq!(names(&rest), ["628111"]);
    assert_eq!(store.opt_outs(None, &page(9, None)).await.unwrap().len(), 4);
    store.opt_in(&ana, &jid("628111")).await.unwrap();
    assert!(matches!(store.opt_in(&ana, &jid("628111")).await, Err(StoreError::NotFound { .. })));
    assert_eq!(store.opt_outs(Some(&bob), &page(9, None)).await.unwrap().len(), 1);
}

pub async fn a_budget_of_chats_is_never_overdrawn(driver: &mut impl Driver) {
    let s = name("s");
    two_sessions(driver.store()).await;
    driver.store().append(vec![owed(&new_event("s", ANA), &[])]).await.unwrap();
    let budget = ChatBudget { most: 3, since_ms: NOW - 1_000 };
    let open = async |store: &dyn Store, phone: String, at_ms| {
        store.open_chat(&name("s"), &jid(&phone), at_ms, Some(budget)).await.unwrap()
    };
    let store = driver.store();
    assert_eq!(open(store, ANA.to_owned(), NOW).await, Opened::Known, "they wrote first");
    store.open_chat(&s, &jid("628900"), NOW - 1_000, None).await.unwrap();
    let all = join_all((0..9).map(|n| open(store, format!("62833{n}"), NOW + n))).await;
    assert_eq!(all.iter().filter(|opened| **opened == Opened::New).count(), 3, "{all:?}");
    assert!(all.iter().all(|opened| matches!(opened, Opened::New | Opened::Full { .. })), "{all:?}");
    driver.restart().await;
    let store = driver.store();
    let openings = store.openings(&s, budget).await.unwrap();
    assert_eq!(openings.used, 3);
    let since_ms = openings.full_since_ms.unwrap();
    assert_eq!(open(store, "628444".to_owned(), NOW).await, Opened::Full { since_ms });
    assert!(store.standing(&s, &jid(ANA)).await.unwrap().known);
    assert!(!store.standing(&s, &jid("628444")).await.unwrap().known);
    assert!(!store.standing(&name("t"), &jid(ANA)).await.unwrap().known, "another account");
    let larger = ChatBudget { most: 4, ..budget };
    assert_eq!(store.openings(&s, larger).await.unwrap(), Openings { used: 3, full_since_ms: None });
    // A day later the first of them no longer counts.
    let later = ChatBudget { since_ms, ..budget };
    let opened = store.open_chat(&s, &jid("628444"), NOW + 9_000, Some(later)).await.unwrap();
    assert_eq!(opened, Opened::New);
}

pub async fn a_quota_holds_through_a_restart(driver: &mut impl Driver) {
    two_sessions(driver.store()).await;
    let take = async |store: &dyn Store, at_ms| store.take_quota(&name("s"), at_ms, 1_000, 2).await.unwrap();
    let store = driver.store();
    assert!(take(store, NOW).await.taken);
    let second = take(store, NOW + 500).await;
    assert_eq!((second.used, second.reset_ms, second.taken), (2, NOW + 1_000, true));
    driver.restart().await;
    let store = driver.store();
    let third = take(store, NOW + 999).await;
    assert_eq!((third.used, third.reset_ms, third.taken), (2, NOW + 1_000, false));
    assert_eq!(store.quota_use(&name("s"), NOW + 999, 1_000).await.unwrap().used, 2);
    assert_eq!(store.quota_use(&name("t"), NOW, 1_000).await.unwrap().used, 0);
    assert_eq!(store.quota_use(&name("s"), NOW + 1_000, 1_000).await.unwrap().used, 0);
    let next = take(store, NOW + 1_000).await;
    assert_eq!((next.used, next.reset_ms, next.taken), (1, NOW + 2_000, true));
    // The clock was set back by more than a window.
    assert!(take(store, NOW - 5_000).await.taken);
}

pub async fn what_guards_know_goes_with_its_session(driver: &mut impl Driver) {
    let store = driver.store();
    let owner = two_sessions(store).await;
    let s = name("s");
    store.set_guard_settings(&s, "{}").await.unwrap();
    store.set_guard_settings(&s, "{\"pacing\":{}}").await.unwrap();
    assert!(matches!(store.set_guard_settings(&name("nobody"), "{}").await, Err(StoreError::NotFound { .. })));
    store.open_chat(&s, &jid(ANA), NOW, None).await.unwrap();
    store.take_quota(&s, NOW, 1_000, 9).await.unwrap();
    store.opt_out(vec![entry(&owner, BOB)]).await.unwrap();
    driver.restart().await;
    let store = driver.store();
    assert_eq!(store.guard_settings().await.unwrap(), [(s.clone(), "{\"pacing\":{}}".to_owned())]);
    store.delete_session(&s, 1).await.unwrap();
    store.add_session(&new_session("s", &owner)).await.unwrap();
    assert_eq!(store.guard_settings().await.unwrap(), []);
    assert!(!store.standing(&s, &jid(ANA)).await.unwrap().known);
    assert_eq!(store.quota_use(&s, NOW, 1_000).await.unwrap().used, 0);
    assert!(store.standing(&s, &jid(BOB)).await.unwrap().opted_out, "the list is the tenant's and stays");
}
