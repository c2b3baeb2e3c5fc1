//! Looking at a store from outside is bounded in time.
#![allow(clippy::unwrap_used, missing_docs)]

use sqlx::{ConnectOptions, Connection};
use std::time::Duration;
use warest_store::inspect::{Inspector, Options, Outcome};
use warest_store::secret::{Cipher, MasterKey};
use warest_store::sqlite::SqliteStore;

#[tokio::test]
async fn a_check_that_takes_too_long_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (path, cipher) = (folder.path().join("warest.db"), Cipher::new(&MasterKey::from_bytes([7; 32])));
    SqliteStore::open(&path, cipher.clone()).await.unwrap().close().await.unwrap();
    let mut database = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    sqlx::query(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
         INSERT INTO reactor_state SELECT 'plugin:x', 's', '', i, '' FROM n",
    )
    .execute(&mut database)
    .await
    .unwrap();
    sqlx::query("INSERT INTO sessions (id, owner, label, enabled, created_ms) VALUES ('s', '', '', 0, 0)")
        .execute(&mut database)
        .await
        .unwrap();
    database.close().await.unwrap();
    for (each, through) in [(Duration::ZERO, false), (Duration::from_secs(60), true)] {
        let mut inspector = Inspector::open(&path, &Options { each, repair: false }).await.unwrap();
        let outcome = inspector.check("state_session", None, 0).await;
        assert_eq!(matches!(outcome, Outcome::Sound), through, "{outcome:?}");
        assert_eq!(matches!(outcome, Outcome::Unknown(_)), !through, "{outcome:?}");
    }
}
