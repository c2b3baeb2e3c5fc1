//! Requests with an idempotency key, and the answers kept for them.

use super::{SqliteStore, number, or_not_found};
use crate::Result;
use crate::traits::{Idempotency, KeyState};
use async_trait::async_trait;
use sqlx::Row;
use warest_model::clock::Millis;
use warest_model::id::UserId;

#[async_trait]
impl Idempotency for SqliteStore {
    async fn begin_key(
        &self,
        user: &UserId,
        key: &str,
        fingerprint: [u8; 32],
        now_ms: Millis,
        ttl_ms: Millis,
    ) -> Result<KeyState> {
        let (user, key) = (user.clone(), key.to_owned());
        self.write(move |db| {
            Box::pin(async move {
                sqlx::query("DELETE FROM idempotency WHERE user = ? AND key = ? AND created_ms <= ?")
                    .bind(user.as_str())
                    .bind(&key)
                    .bind(now_ms - ttl_ms)
                    .execute(&mut *db)
                    .await?;
                let begun = sqlx::query(
                    "INSERT OR IGNORE INTO idempotency (user, key, fingerprint, created_ms) VALUES (?, ?, ?, ?)",
                )
                .bind(user.as_str())
                .bind(&key)
                .bind(fingerprint.as_slice())
                .bind(now_ms)
                .execute(&mut *db)
                .await?;
                let row = sqlx::query(
                    "SELECT fingerprint, created_ms, status, body FROM idempotency WHERE user = ? AND key = ?",
                )
                .bind(user.as_str())
                .bind(&key)
                .fetch_one(db)
                .await?;
                if row.try_get::<&[u8], _>("fingerprint")? != fingerprint {
                    return Ok(KeyState::Other);
                }
                match row.try_get::<Option<i64>, _>("status")? {
                    None => {
                        let first = begun.rows_affected() == 1;
                        Ok(KeyState::Begun { at_ms: row.try_get("created_ms")?, first })
                    }
                    Some(_) => Ok(KeyState::Answered {
                        status: number(&row, "answer", "status")?,
                        body: row.try_get::<Option<Vec<u8>>, _>("body")?.unwrap_or_default(),
                    }),
                }
            })
        })
        .await
    }

    async fn answer_key(&self, user: &UserId, key: &str, status: u16, body: Vec<u8>) -> Result<()> {
        let (user, key) = (user.clone(), key.to_owned());
        self.write(move |db| {
            Box::pin(async move {
                let done = sqlx::query(
                    "UPDATE idempotency SET status = ?, body = ? WHERE user = ? AND key = ? AND status IS NULL",
                )
                .bind(status)
                .bind(body)
                .bind(user.as_str())
                .bind(&key)
                .execute(db)
                .await?;
                or_not_found("idempotency key", done.rows_affected())
            })
        })
        .await
    }

    async fn free_key(&self, user: &UserId, key: &str) -> Result<()> {
        let (user, key) = (user.clone(), key.to_owned());
        self.write(move |db| {
            Box::pin(async move {
                sqlx::query("DELETE FROM idempotency WHERE user = ? AND key = ? AND status IS NULL")
                    .bind(user.as_str())
                    .bind(&key)
                    .execute(db)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    async fn purge_keys(&self, before_ms: Millis, limit: u32) -> Result<u64> {
        self.write(move |db| {
            Box::pin(async move {
                let done = sqlx::query(
                    "DELETE FROM idempotency WHERE rowid IN
                         (SELECT rowid FROM idempotency WHERE created_ms < ? ORDER BY created_ms LIMIT ?)",
                )
                .bind(before_ms)
                .bind(limit)
                .execute(db)
                .await?;
                Ok(done.rows_affected())
            })
        })
        .await
    }
}
