//! Whether the plugins' components are what was uploaded.

use super::{Finding, Looked};
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteConnection;

pub(super) const NAME: &str = "plugins";

/// Compares each component with its hash and size.
pub(super) async fn check(db: &mut SqliteConnection) -> Looked {
    let plugins: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT name, sha256, size FROM plugins ORDER BY name").fetch_all(&mut *db).await?;
    let mut wrong = Vec::new();
    for (name, sha256, size) in plugins {
        let component: Option<Vec<u8>> = sqlx::query_scalar("SELECT component FROM plugin_components WHERE name = ?")
            .bind(&name)
            .fetch_optional(&mut *db)
            .await?;
        let whole = component.is_some_and(|component| {
            hex::encode(Sha256::digest(&component)) == sha256 && i64::try_from(component.len()) == Ok(size)
        });
        if !whole {
            wrong.push(name);
        }
    }
    let what = "plugins whose component is missing or not the one that was uploaded";
    Ok(Finding::about(what, "upload them again (POST /api/v1/plugins)", wrong))
}
