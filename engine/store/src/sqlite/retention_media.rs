//! Letting go of files that are past their limits, the oldest first; and of those
//! whose own time is over.
//!
//! The row says `gone` from then on. Its object is removed by whoever has the shelf.

use super::{SqliteStore, number};
use crate::Result;
use crate::upkeep::{Cursor, Horizon, Limits, MOST_COUNTED, Measure, Removed};
use sqlx::sqlite::Sqlite;
use sqlx::{QueryBuilder, Row};

impl SqliteStore {
    /// Up to which position there are too many files, or too many bytes of them.
    pub(super) async fn files_over(&self, limits: &Limits) -> Result<i64> {
        let mut over = 0;
        if let Some(rows) = limits.rows {
            let first = sqlx::query_scalar(
                "SELECT seq FROM media INDEXED BY media_stored WHERE state = 'stored' ORDER BY seq DESC LIMIT 1 OFFSET ?",
            );
            let first = first.bind(i64::try_from(rows).unwrap_or(i64::MAX));
            over = first.fetch_optional(self.readers()).await?.unwrap_or(0);
        }
        if let Some(bytes) = limits.bytes {
            let first = sqlx::query_scalar(
                "SELECT seq FROM (
                     SELECT seq, sum(size) OVER (ORDER BY seq DESC) AS bytes
                     FROM media INDEXED BY media_stored WHERE state = 'stored')
                 WHERE bytes > ? ORDER BY seq DESC LIMIT 1",
            );
            let first: Option<i64> =
                first.bind(i64::try_from(bytes).unwrap_or(i64::MAX)).fetch_optional(self.readers()).await?;
            over = over.max(first.unwrap_or(0));
        }
        Ok(over)
    }

    /// Lets go of up to `batch` files.
    pub(super) async fn remove_files(&self, horizon: &Horizon, from: &Cursor, batch: u32) -> Result<Removed> {
        let mut past: Vec<i64> = sqlx::query_scalar(
            "SELECT seq FROM media INDEXED BY media_expires
             WHERE state = 'stored' AND expires_ms IS NOT NULL AND expires_ms <= ? LIMIT ?",
        )
        .bind(horizon.now_ms)
        .bind(batch)
        .fetch_all(self.readers())
        .await?;
        let mut next = (past.len() == batch as usize).then(|| from.clone());
        if next.is_none() {
            let oldest: Vec<(i64, bool)> = sqlx::query_as(
                "SELECT seq, created_ms < ?1 OR seq <= ?2 FROM media INDEXED BY media_stored
                 WHERE state = 'stored' AND seq > ?3 ORDER BY seq LIMIT ?4",
            )
            .bind(horizon.cutoff_ms)
            .bind(horizon.over)
            .bind(from.seq)
            .bind(batch - past.len() as u32)
            .fetch_all(self.readers())
            .await?;
            // They are in the order of their age: behind one that stays, all do.
            let (full, removable) =
                (past.len() + oldest.len() == batch as usize, oldest.iter().filter(|(_, past)| *past));
            past.extend(removable.map(|(seq, _)| *seq));
            next = match oldest.last() {
                Some((seq, true)) if full => Some(Cursor { seq: *seq, ..Cursor::default() }),
                _ => None,
            };
        }
        if past.is_empty() {
            return Ok(Removed { rows: 0, owed: 0, next: None });
        }
        let rows = self
            .write(move |db| {
                Box::pin(async move {
                    let mut sql = QueryBuilder::<Sqlite>::new(
                        "UPDATE media SET state = 'gone', fault = NULL WHERE state = 'stored' AND seq IN (",
                    );
                    let mut list = sql.separated(", ");
                    for seq in past {
                        list.push_bind(seq);
                    }
                    sql.push(")");
                    Ok(sql.build().execute(db).await?.rows_affected())
                })
            })
            .await?;
        Ok(Removed { rows, owed: 0, next })
    }

    /// How many files there are on the shelf, and how large they are.
    pub(super) async fn measure_files(&self, horizon: &Horizon) -> Result<Measure> {
        let row = sqlx::query(
            "SELECT count(*) AS many, coalesce(sum(size), 0) AS bytes,
                    (SELECT created_ms FROM media WHERE state = 'stored' ORDER BY seq LIMIT 1) AS oldest
             FROM media INDEXED BY media_stored WHERE state = 'stored'",
        )
        .fetch_one(self.readers())
        .await?;
        let removable = sqlx::query(
            "SELECT count(*) AS many FROM (
                 SELECT 1 FROM media WHERE state = 'stored'
                     AND (created_ms < ?1 OR seq <= ?2 OR coalesce(expires_ms <= ?3, 0)) ORDER BY seq LIMIT ?4)",
        )
        .bind(horizon.cutoff_ms)
        .bind(horizon.over)
        .bind(horizon.now_ms)
        .bind(MOST_COUNTED as i64)
        .fetch_one(self.readers())
        .await?;
        Ok(Measure {
            rows: number(&row, "count", "many")?,
            bytes: number(&row, "count", "bytes")?,
            oldest_ms: row.try_get("oldest")?,
            removable: number(&removable, "count", "many")?,
        })
    }
}
