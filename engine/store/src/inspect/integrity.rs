//! Whether the file is whole.

use super::{COUNTED, Finding, Looked};
use sqlx::sqlite::SqliteConnection;

pub(super) const NAME: &str = "integrity";

/// SQLite's own check of pages and structure.
pub(super) async fn check(db: &mut SqliteConnection) -> Looked {
    let mut said: Vec<String> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("PRAGMA quick_check({})", COUNTED + 1))).fetch_all(db).await?;
    said.retain(|line| line != "ok");
    Ok(Finding::about(
        "the database file is damaged",
        "stop the engine, keep a copy of the folder, and restore a backup; `sqlite3 warest.sqlite .recover` may save \
         what came after it",
        said,
    ))
}
