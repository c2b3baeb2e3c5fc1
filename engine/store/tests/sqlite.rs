//! The SQLite driver: the suite of all drivers, and what is its own.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod conformance;

use async_trait::async_trait;
use conformance::{Driver, NOW, name, new_event, new_job, new_target, owed, plugin};
use futures::future::join_all;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use std::path::PathBuf;
use warest_model::id::UserId;
use warest_model::target::{OldSecret, Target};
use warest_store::secret::{Cipher, MasterKey};
use warest_store::sqlite::{SqliteOptions, SqliteStore};
use warest_store::{DeliveryFilter, EventLog, Outbox, Page, SendQueue, Store, StoreError, Targets};

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
    let old = OldSecret { secret: "an-old-secret".to_owned(), until_ms: i64::MAX };
    let target = Target { old_secret: Some(old), ..new_target("s") };
    sqlite.store.add_target(&target, 0).await.unwrap();
    let event = new_event("in-the-clear", "");
    sqlite.store.append(vec![owed(&event, &[plugin("echo")])]).await.unwrap();
    sqlite.store.close().await.unwrap();
    let bytes = std::fs::read(sqlite.file()).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("in-the-clear"), "the search finds what is there");
    assert!(!holds(&target.secret));
    assert!(!holds("an-old-secret"));
}

#[tokio::test]
async fn a_damaged_record_is_told_as_such() {
    let sqlite = open().await;
    let event = new_event("s", "");
    sqlite.store.append(vec![owed(&event, &[])]).await.unwrap();
    let options = SqliteConnectOptions::new().filename(sqlite.file());
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("UPDATE events SET record = x'ffff'").execute(&pool).await.unwrap();
    let read = sqlite.store.event(event.id.as_str()).await;
    assert!(matches!(read, Err(StoreError::Corrupt { what: "event", .. })), "{read:?}");
}

#[tokio::test]
async fn a_database_of_the_first_schema_goes_on_with_its_targets_and_deliveries() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("warest.db");
    let all = sqlx::migrate!("migrations/sqlite");
    let first = Migrator::with_migrations(all.migrations.iter().take(1).cloned().collect());
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    first.run(&pool).await.unwrap();
    let (target, event, owner) = (new_target("s"), new_event("s", ""), UserId::new(NOW));
    let sealed = cipher().seal(format!("targets/secret/{}", target.id).as_bytes(), target.secret.as_bytes()).unwrap();
    let (id, event_id) = (target.id.as_str(), event.id.as_str());
    let insert = "INSERT INTO sessions VALUES (7, 's', ?, '', 1, NULL, 0)";
    sqlx::query(insert).bind(owner.as_str()).execute(&pool).await.unwrap();
    let insert = "INSERT INTO targets VALUES (1, ?, 's', ?, ?, 0, 0)";
    sqlx::query(insert).bind(id).bind(&target.url).bind(sealed).execute(&pool).await.unwrap();
    let insert = "INSERT INTO events VALUES (1, ?, 's', 7, 'message_received', '', 0, x'')";
    sqlx::query(insert).bind(event_id).execute(&pool).await.unwrap();
    let insert = "INSERT INTO deliveries
        VALUES (1, 'dlv_01HF5QZVQSK3T1SH4Z2RCB2DQB', ?, 's', '', ?, 'pending', 4, 5, 503, 'busy', 1, NULL)";
    sqlx::query(insert).bind(event_id).bind(id).execute(&pool).await.unwrap();
    pool.close().await;

    let store = SqliteStore::open(file, cipher()).await.unwrap();
    assert!(store.targets(None).await.unwrap() == std::slice::from_ref(&target), "with the defaults for what is new");
    let filter = DeliveryFilter { owner: Some(owner), ..DeliveryFilter::default() };
    let found = store.deliveries(&filter, &Page { before: None, limit: 9 }).await.unwrap();
    assert_eq!(found, store.pending_deliveries(&target.id, None, 0, 9).await.unwrap(), "its owner sees it");
    assert_eq!((found[0].attempts, found[0].tries), (4, 4), "its schedule goes on where it stood");
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_and_those_beside_it_are_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let sqlite = open().await;
    let mut files = 0;
    for file in std::fs::read_dir(sqlite.folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.path());
        files += 1;
    }
    assert!(files >= 2, "the log is beside it");
}
