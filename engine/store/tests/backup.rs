//! Copies of a database, and what a restored one is put through.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

// Only its nouns are used here.
#[allow(dead_code)]
mod conformance;

use conformance::{NOW, name, new_event, new_job, new_run, new_session, new_target, new_user, owed, plugin};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use warest_model::delivery::DeliveryState;
use warest_model::job::JobState;
use warest_model::reactor::ReactorRef;
use warest_model::run::RunState;
use warest_store::secret::{Cipher, MasterKey};
use warest_store::sqlite::SqliteStore;
use warest_store::sqlite::recovery::{Held, check_key, copy, inspect, size_of};
use warest_store::{EventLog, Outbox, Page, Registry, RunFilter, Runs, SendQueue, StoreError};

fn cipher() -> Cipher {
    Cipher::new(&MasterKey::from_bytes([7; 32]))
}

async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, cipher()).await.unwrap()
}

fn folder() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("warest.sqlite"), folder.path().join("copy"));
    (folder, from, to)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_made_under_load_is_whole_and_has_what_was_there_before() {
    let (_folder, from, to) = folder();
    let store = Arc::new(open(&from).await);
    let before: Vec<_> = (0..200).map(|_| new_event("s", "628111")).collect();
    store.append(before.iter().map(|event| owed(event, &[])).collect()).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let (store, stop) = (store.clone(), stop.clone());
        async move {
            let mut written = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                // An event and its dispatch: a copy has both or neither.
                store.append(vec![owed(&new_event("s", "628222"), &[plugin("echo")])]).await.unwrap();
                written += 1;
            }
            written
        }
    });
    copy(&from, &to).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    assert!(load.await.unwrap() > 0, "the engine went on meanwhile");

    let contents = inspect(&to).await.unwrap();
    assert!(contents.counts["events"] >= 200 && contents.schema >= 5, "{contents:?}");
    check_key(&to, &cipher()).await.unwrap();
    let restored = open(&to).await;
    for event in &before {
        assert_eq!(restored.event(event.id.as_str()).await.unwrap().as_ref(), Some(event));
    }
    let owed = restored.dispatches(&plugin("echo"), None, 0, 1_000_000).await.unwrap().len() as u64;
    assert_eq!(owed, contents.counts["events"] - 200);
}

#[tokio::test]
async fn a_copy_that_cannot_be_used_is_told_as_such() {
    let (_folder, from, to) = folder();
    let store = open(&from).await;
    let events = (0..500).map(|_| owed(&new_event("s", "628111"), &[])).collect();
    store.append(events).await.unwrap();
    assert!(size_of(&from).await.unwrap() > 50_000);
    copy(&from, &to).await.unwrap();
    let other = Cipher::new(&MasterKey::from_bytes([8; 32]));
    assert!(matches!(check_key(&to, &other).await, Err(StoreError::WrongKey)));

    let whole = std::fs::read(&to).unwrap();
    for (case, bytes) in [("cut", &whole[..whole.len() / 2]), ("no database", b"hello".as_slice()), ("empty", b"")] {
        std::fs::write(&to, bytes).unwrap();
        let refused = inspect(&to).await;
        assert!(matches!(refused, Err(StoreError::Corrupt { what: "backup", .. })), "{case}: {refused:?}");
    }
    let mut changed = whole.clone();
    changed[whole.len() / 2..whole.len() / 2 + 4_096].fill(0xa5);
    std::fs::write(&to, changed).unwrap();
    assert!(inspect(&to).await.is_err(), "a page was overwritten");

    std::fs::write(&to, whole).unwrap();
    inspect(&to).await.unwrap();
    let pool = sqlx::SqlitePool::connect_with(sqlx::sqlite::SqliteConnectOptions::new().filename(&to)).await.unwrap();
    sqlx::query(
        "UPDATE _sqlx_migrations SET version = 9999 WHERE version = (SELECT max(version) FROM _sqlx_migrations)",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    let newer = inspect(&to).await.unwrap_err().to_string();
    assert!(newer.contains("9999"), "{newer}");
}

#[tokio::test]
async fn what_is_held_back_is_listed_and_does_not_happen() {
    let (_folder, from, _) = folder();
    let store = open(&from).await;
    let target = new_target("s").id;
    let event = new_event("s", "628111");
    store.append(vec![owed(&event, &[plugin("echo"), ReactorRef::Target(target.clone())])]).await.unwrap();
    let delivery = store.pending_deliveries(&target, None, 0, 1).await.unwrap().remove(0).id;
    let (job, waiting) = (new_job("s", "628111"), new_run("s", "api", None));
    store.queue_job(job.clone()).await.unwrap();
    store.start_run(warest_store::NewRun { wake_ms: Some(NOW), ..waiting.clone() }).await.unwrap();

    let held = store.hold_all(NOW + 5).await.unwrap();
    assert_eq!(held, Held { jobs: 1, deliveries: 1, runs: 1, dispatches: 1 });
    assert!(store.dispatches(&plugin("echo"), None, 0, 10).await.unwrap().is_empty());
    assert!(store.pending_deliveries(&target, None, 0, 10).await.unwrap().is_empty());
    assert_eq!(store.queue_len(&name("s")).await.unwrap(), 0);
    assert!(store.waiting_runs(10).await.unwrap().is_empty());

    let code = |fault: Option<warest_model::fault::Fault>| fault.map(|fault| fault.code).unwrap_or_default();
    let ended = store.run(&waiting.run.id).await.unwrap().unwrap().run;
    assert_eq!((ended.state, ended.ended_ms), (RunState::Failed, Some(NOW + 5)));
    assert_eq!(code(ended.fault), "held_by_restore");
    let of_event = RunFilter { event: Some(event.id.to_string()), ..RunFilter::default() };
    let undecided = store.runs(&of_event, &Page { before: None, limit: 10 }).await.unwrap().remove(0);
    assert_eq!((undecided.state, undecided.cause.by.as_str()), (RunState::Failed, "plugin:echo"));
    let job = store.job(&job.id).await.unwrap().unwrap();
    assert_eq!((job.state, code(job.fault)), (JobState::Failed, "held_by_restore".to_owned()));
    let delivery = store.delivery(&delivery).await.unwrap().unwrap();
    assert_eq!(delivery.state, DeliveryState::Dead);
    assert!(delivery.error.unwrap().contains("restore"));
    assert_eq!(store.hold_all(NOW + 6).await.unwrap(), Held::default());
}

#[tokio::test]
async fn unpaired_sessions_have_no_credentials_and_stay_off() {
    let (_folder, from, _) = folder();
    let store = open(&from).await;
    let owner = new_user("u");
    store.add_user(&owner, [1; 32]).await.unwrap();
    let mut session = new_session("s", &owner.id);
    session.me = Some("628111@s.whatsapp.net".to_owned());
    store.add_session(&session).await.unwrap();
    store.keystore(&session.id, std::sync::Arc::new(|_, _, _| {})).await.unwrap();
    assert_eq!(store.unpair_all().await.unwrap(), 1);
    let after = store.session(&session.id).await.unwrap().unwrap();
    assert_eq!((after.me, after.enabled), (None, false));
    assert_eq!(store.unpair_all().await.unwrap(), 0);
}
