//! The SQLite driver: the suite of all drivers, and what is its own.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod conformance;

use async_trait::async_trait;
use conformance::{Driver, name, new_event, new_job, new_target, owed, plugin};
use futures::future::join_all;
use std::path::PathBuf;
use warest_store::secret::{Cipher, MasterKey};
use warest_store::sqlite::{SqliteOptions, SqliteStore};
use warest_store::{EventLog, Reactors, SendQueue, Store, StoreError};

struct Sqlite {
    folder: tempfile::TempDir,
    store: SqliteStore,
}

impl Sqlite {
    fn file(&self) -> PathBuf {
        self.folder.path().join("warest.db")
    }
}

fn cipher() -> Cipher {
    Cipher::new(&MasterKey::from_bytes([7; 32]))
}

async fn open() -> Sqlite {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("warest.db"), cipher()).await.unwrap();
    Sqlite { folder, store }
}

#[async_trait]
impl Driver for Sqlite {
    fn store(&self) -> &dyn Store {
        &self.store
    }

    async fn restart(&mut self) {
        self.store.close().await.unwrap();
        self.store = SqliteStore::open(self.file(), cipher()).await.unwrap();
    }
}

conformance!(super::open);

#[tokio::test]
async fn another_master_key_is_refused_at_start() {
    let sqlite = open().await;
    sqlite.store.close().await.unwrap();
    let other = Cipher::new(&MasterKey::from_bytes([8; 32]));
    assert!(matches!(SqliteStore::open(sqlite.file(), other).await, Err(StoreError::WrongKey)));
    SqliteStore::open(sqlite.file(), cipher()).await.unwrap();
}

#[tokio::test]
async fn what_was_answered_survives_without_a_clean_close() {
    let sqlite = open().await;
    let event = new_event("s", "628111");
    sqlite.store.append(vec![owed(&event, &[])]).await.unwrap();
    // A second process opens what the first has not closed, as after a crash.
    let second = SqliteStore::open(sqlite.file(), cipher()).await.unwrap();
    assert_eq!(second.event(event.id.as_str()).await.unwrap(), Some(event));
}

#[tokio::test]
async fn a_closed_store_finishes_what_it_took_and_refuses_the_rest() {
    let sqlite = open().await;
    let events: Vec<_> = (0..50).map(|_| new_event("s", "")).collect();
    let appends = join_all(events.iter().map(|event| sqlite.store.append(vec![owed(event, &[])])));
    let (results, closed) = futures::join!(appends, sqlite.store.close());
    closed.unwrap();
    let late = sqlite.store.append(vec![owed(&new_event("s", ""), &[])]).await;
    assert!(matches!(late, Err(StoreError::Closed)), "{late:?}");
    assert!(matches!(sqlite.store.event("evt_").await, Err(StoreError::Closed)));
    sqlite.store.close().await.unwrap();
    let again = SqliteStore::open(sqlite.file(), cipher()).await.unwrap();
    for (event, result) in events.iter().zip(results) {
        let there = again.event(event.id.as_str()).await.unwrap().is_some();
        assert_eq!(there, result.is_ok(), "an event is there if, and only if, the caller was told so");
    }
}

#[tokio::test]
async fn a_full_queue_makes_callers_wait_and_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions { waiting: 1, batch: 2, readers: 1, ..SqliteOptions::new(folder.path().join("x.db")) };
    let store = SqliteStore::open_with(options, cipher()).await.unwrap();
    let queued = join_all((0..100).map(|_| store.queue_job(new_job("s", "")))).await;
    assert!(queued.into_iter().all(|seq| seq.is_ok()));
    assert_eq!(store.queue_len(&name("s")).await.unwrap(), 100);
}

#[tokio::test]
async fn secrets_are_not_in_the_file() {
    let sqlite = open().await;
    let target = new_target("s");
    sqlite.store.set_targets(&name("s"), std::slice::from_ref(&target)).await.unwrap();
    let event = new_event("in-the-clear", "");
    sqlite.store.append(vec![owed(&event, &[plugin("echo")])]).await.unwrap();
    sqlite.store.close().await.unwrap();
    let bytes = std::fs::read(sqlite.file()).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("in-the-clear"), "the search finds what is there");
    assert!(!holds(&target.secret));
}

#[tokio::test]
async fn a_damaged_record_is_told_as_such() {
    let sqlite = open().await;
    let event = new_event("s", "");
    sqlite.store.append(vec![owed(&event, &[])]).await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(sqlite.file());
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("UPDATE events SET record = x'ffff'").execute(&pool).await.unwrap();
    let read = sqlite.store.event(event.id.as_str()).await;
    assert!(matches!(read, Err(StoreError::Corrupt { what: "event", .. })), "{read:?}");
}
