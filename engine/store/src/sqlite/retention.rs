//! Removing what is past its limits.
//!
//! Rows of a kind are walked in the order of their positions, without an index
//! of their own: ids begin with the moment at which they were made, so the
//! unique index on them tells from which position on nothing can be too old.
//! What to remove is looked for by a reader and decided by the writer, in one
//! statement with the same condition, so that a row which became owed meanwhile
//! stays.

use super::{SqliteStore, number};
use crate::Result;
use crate::codec::{decode_job, decode_run};
use crate::upkeep::{Cursor, FileSize, Horizon, Kind, Limits, MOST_COUNTED, Measure, Removed, Upkeep};
use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use warest_model::clock::Millis;
use warest_model::id::{DeliveryId, EventId, JobId, MediaId, RunId};

/// Rows whose size stands for that of all.
const SAMPLE: i64 = 64;
/// Messages that one sweep removes for being too many.
const MOST_OVER: u64 = 50_000;

/// What is asked of a kind. `?1` is the cutoff, `?2` the last position that is
/// too many, `?3` and `?4` bound the positions.
struct Statements {
    /// Last position of those made before an id; many may be made in one moment.
    aged: &'static str,
    /// First and last position.
    ends: &'static str,
    find: &'static str,
    delete: &'static str,
    rows: &'static str,
    oldest: &'static str,
    removable: &'static str,
    /// Mean size of rows at positions `?1`, `?1 + ?2`, … (`?3` of them).
    size: &'static str,
}

macro_rules! statements {
    ($table:literal, $mine:literal, $past:literal, $size:literal) => {
        Statements {
            aged: concat!(
                "SELECT max(seq) FROM (SELECT seq FROM ",
                $table,
                " WHERE id < ? ORDER BY id DESC LIMIT 256)"
            ),
            ends: concat!("SELECT min(seq) AS first, max(seq) AS last FROM ", $table),
            find: concat!(
                "SELECT t.seq, (",
                $mine,
                ") AS mine, (",
                $mine,
                " AND ",
                $past,
                ") AS removable FROM ",
                $table,
                " t
                 WHERE t.seq > ?3 AND t.seq <= ?4 ORDER BY t.seq LIMIT ?5"
            ),
            delete: concat!(
                "DELETE FROM ",
                $table,
                " AS t WHERE t.seq > ?3 AND t.seq <= ?4 AND ",
                $mine,
                " AND ",
                $past
            ),
            rows: concat!("SELECT count(*) AS many FROM ", $table, " t WHERE ", $mine),
            oldest: concat!("SELECT * FROM ", $table, " t WHERE ", $mine, " ORDER BY t.seq LIMIT 1"),
            removable: concat!(
                "SELECT count(*) AS many FROM (SELECT 1 FROM ",
                $table,
                " t
                 WHERE t.seq > ?3 AND t.seq <= ?4 AND ",
                $mine,
                " AND ",
                $past,
                " LIMIT ?5)"
            ),
            size: concat!(
                "WITH RECURSIVE points (n, at) AS (
                     SELECT 1, ?1 UNION ALL SELECT n + 1, at + ?2 FROM points WHERE n < ?3
                 )
                 SELECT avg((SELECT ",
                $size,
                " FROM ",
                $table,
                " t WHERE t.seq >= points.at ORDER BY t.seq LIMIT 1))
                 AS size FROM points"
            ),
        }
    };
}

const EVENTS: Statements = statements!(
    "events",
    "1",
    "(t.ts_ms < ?1 OR t.seq <= ?2)
     AND NOT EXISTS (SELECT 1 FROM dispatches d WHERE d.event = t.id)
     AND NOT EXISTS (SELECT 1 FROM deliveries y WHERE y.event = t.id AND y.state <> 'delivered')
     AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.event = t.id AND r.state = 'active')",
    "length(t.record) + length(t.session) + length(t.kind) + length(t.chat) + 40"
);
const RUNS: Statements = statements!(
    "runs",
    "t.state <> 'active'",
    "(coalesce(t.ended_ms, 0) < ?1 OR t.seq <= ?2)
     AND NOT EXISTS (SELECT 1 FROM dispatches d WHERE d.event = t.event)
     AND NOT EXISTS (SELECT 1 FROM deliveries y WHERE y.event = t.event AND 'target:' || y.target = t.by_reactor)",
    "length(t.record) + length(t.by_reactor) + 80
     + coalesce((SELECT sum(length(s.record) + length(s.path) + 40) FROM steps s WHERE s.run = t.id), 0)"
);
const JOBS: Statements = statements!(
    "jobs",
    "t.state IN ('sent', 'failed', 'cancelled')",
    "(coalesce(t.ended_ms, 0) < ?1 OR t.seq <= ?2)",
    "length(t.record) + length(t.session) + length(t.chat) + 60"
);
const DELIVERIES: Statements = statements!(
    "deliveries",
    "t.state = 'delivered'",
    "(coalesce(t.ended_ms, 0) < ?1 OR t.seq <= ?2)",
    "length(t.session) + length(t.chat) + coalesce(length(t.error), 0) + 140"
);
const DEAD: Statements = statements!(
    "deliveries",
    "t.state = 'dead'",
    "(coalesce(t.ended_ms, 0) < ?1 OR t.seq <= ?2)",
    "length(t.session) + length(t.chat) + coalesce(length(t.error), 0) + 140"
);

const MESSAGES: Statements = Statements {
    // The counts of chats know it.
    rows: "SELECT coalesce(sum(messages), 0) AS many FROM chats",
    ..statements!(
        "messages",
        "1",
        "t.seq <= ?4",
        "length(t.body) + length(t.text) * 3 + length(t.id) + length(t.sender) + coalesce(length(t.mentions), 0) + 120"
    )
};

/// The statements of a kind that has positions.
fn statements(kind: Kind) -> Option<&'static Statements> {
    match kind {
        Kind::Events => Some(&EVENTS),
        Kind::Runs => Some(&RUNS),
        Kind::Jobs => Some(&JOBS),
        Kind::Deliveries => Some(&DELIVERIES),
        Kind::DeadDeliveries => Some(&DEAD),
        Kind::Messages => Some(&MESSAGES),
        Kind::DedupKeys | Kind::Media => None,
    }
}

/// An id as rows of this kind got it at `ms`.
fn id_at(kind: Kind, ms: Millis) -> String {
    match kind {
        Kind::Events | Kind::DedupKeys => EventId::new(ms).into(),
        Kind::Runs => RunId::new(ms).into(),
        Kind::Jobs => JobId::new(ms).into(),
        Kind::Deliveries | Kind::DeadDeliveries => DeliveryId::new(ms).into(),
        Kind::Messages | Kind::Media => MediaId::new(ms).into(),
    }
}

#[async_trait]
impl Upkeep for SqliteStore {
    async fn horizon(&self, kind: Kind, limits: &Limits, now_ms: Millis) -> Result<Horizon> {
        let cutoff_ms = limits.age_ms.map_or(Millis::MIN, |age| now_ms.saturating_sub(age));
        let none = Horizon { now_ms, cutoff_ms, over: 0, until: 0 };
        let sql = match (kind, statements(kind)) {
            (Kind::Media, _) => return Ok(Horizon { over: self.files_over(limits).await?, ..none }),
            (_, None) => return Ok(none),
            (Kind::Messages, Some(sql)) => {
                let over = self.messages_over(sql, limits).await?;
                let aged = limits.age_ms.map_or(0, |_| super::history::seq(cutoff_ms) - 1);
                return Ok(Horizon { over, until: aged.max(over), ..none });
            }
            (_, Some(sql)) => sql,
        };
        let aged: Option<i64> = match limits.age_ms {
            None => None,
            Some(_) => sqlx::query_scalar(sql.aged).bind(id_at(kind, cutoff_ms)).fetch_one(self.readers()).await?,
        };
        let over = match (limits.rows, limits.bytes) {
            (None, None) => 0,
            (rows, bytes) => {
                let (_, last) = self.ends(sql).await?;
                let fits = match bytes {
                    // A row is never taken for nothing.
                    Some(bytes) => Some(bytes / self.mean_size(sql).await?.max(1)),
                    None => None,
                };
                let most = rows.into_iter().chain(fits).min().unwrap_or(u64::MAX);
                last.saturating_sub(i64::try_from(most).unwrap_or(i64::MAX)).max(0)
            }
        };
        Ok(Horizon { over, until: aged.unwrap_or(0).max(over), ..none })
    }

    async fn remove(&self, kind: Kind, horizon: &Horizon, from: &Cursor, batch: u32) -> Result<Removed> {
        let sql = match (kind, statements(kind)) {
            (_, Some(sql)) => sql,
            (Kind::Media, None) => return self.remove_files(horizon, from, batch).await,
            (_, None) => return self.remove_keys(horizon.cutoff_ms, from, batch).await,
        };
        let Horizon { cutoff_ms, over, until, .. } = *horizon;
        let after = from.seq;
        let rows = sqlx::query(sql.find)
            .bind(cutoff_ms)
            .bind(over)
            .bind(after)
            .bind(until)
            .bind(batch)
            .fetch_all(self.readers())
            .await?;
        let Some(last) = rows.last() else { return Ok(Removed { rows: 0, owed: 0, next: None }) };
        let last: i64 = last.try_get("seq")?;
        let count = |column| rows.iter().filter(|row| row.try_get::<bool, _>(column).unwrap_or(false)).count() as u64;
        let (mine, removable) = (count("mine"), count("removable"));
        let removed = match removable {
            0 => 0,
            _ => {
                self.write(move |db| {
                    Box::pin(async move {
                        let done = sqlx::query(sql.delete).bind(cutoff_ms).bind(over).bind(after).bind(last);
                        Ok(done.execute(db).await?.rows_affected())
                    })
                })
                .await?
            }
        };
        let next = (rows.len() == batch as usize).then(|| Cursor { seq: last, ..Cursor::default() });
        Ok(Removed { rows: removed, owed: mine.saturating_sub(removed), next })
    }

    async fn measure(&self, kind: Kind, horizon: &Horizon) -> Result<Measure> {
        let sql = match (kind, statements(kind)) {
            (_, Some(sql)) => sql,
            (Kind::Media, None) => return self.measure_files(horizon).await,
            (_, None) => return self.measure_keys(horizon.cutoff_ms).await,
        };
        let rows: u64 = number(&sqlx::query(sql.rows).fetch_one(self.readers()).await?, "count", "many")?;
        if rows == 0 {
            return Ok(Measure::default());
        }
        let oldest = sqlx::query(sql.oldest).fetch_optional(self.readers()).await?;
        let removable = sqlx::query(sql.removable)
            .bind(horizon.cutoff_ms)
            .bind(horizon.over)
            .bind(0)
            .bind(horizon.until)
            .bind(MOST_COUNTED as i64)
            .fetch_one(self.readers())
            .await?;
        Ok(Measure {
            rows,
            bytes: rows.saturating_mul(self.mean_size(sql).await?),
            oldest_ms: oldest.as_ref().map(|row| made_at(kind, row)).transpose()?,
            removable: number(&removable, "count", "many")?,
        })
    }

    async fn file_size(&self) -> Result<FileSize> {
        let pragma = async |sql: &'static str| -> Result<u64> {
            let value: i64 = sqlx::query_scalar(sql).fetch_one(self.readers()).await?;
            Ok(value.max(0).unsigned_abs())
        };
        let page = pragma("PRAGMA page_size").await?;
        let mut log = self.path().as_os_str().to_owned();
        log.push("-wal");
        Ok(FileSize {
            bytes: pragma("PRAGMA page_count").await?.saturating_mul(page),
            free_bytes: pragma("PRAGMA freelist_count").await?.saturating_mul(page),
            // There is none before the first change.
            log_bytes: tokio::fs::metadata(log).await.map_or(0, |log| log.len()),
        })
    }
}

impl SqliteStore {
    /// First and last position.
    async fn ends(&self, sql: &Statements) -> Result<(i64, i64)> {
        let row = sqlx::query(sql.ends).fetch_one(self.readers()).await?;
        let (first, last): (Option<i64>, Option<i64>) = (row.try_get("first")?, row.try_get("last")?);
        Ok((first.unwrap_or(0), last.unwrap_or(0)))
    }

    /// Bytes of a row, as far as a sample can tell.
    async fn mean_size(&self, sql: &Statements) -> Result<u64> {
        let (first, last) = self.ends(sql).await?;
        let step = ((last - first) / SAMPLE).max(1);
        let points = ((last - first) / step + 1).min(SAMPLE);
        let mean: Option<f64> =
            sqlx::query_scalar(sql.size).bind(first).bind(step).bind(points).fetch_one(self.readers()).await?;
        Ok(mean.unwrap_or(0.0) as u64)
    }

    /// Up to which position there are too many messages. Positions have gaps, so they
    /// are counted from the oldest; a bounded stretch, the rest at the next sweeps.
    async fn messages_over(&self, sql: &Statements, limits: &Limits) -> Result<i64> {
        let fits = match limits.bytes {
            Some(bytes) => Some(bytes / self.mean_size(sql).await?.max(1)),
            None => None,
        };
        let Some(most) = limits.rows.into_iter().chain(fits).min() else { return Ok(0) };
        let there: u64 = number(&sqlx::query(sql.rows).fetch_one(self.readers()).await?, "count", "many")?;
        let excess = there.saturating_sub(most).min(MOST_OVER);
        if excess == 0 {
            return Ok(0);
        }
        let last = sqlx::query_scalar("SELECT seq FROM messages ORDER BY seq LIMIT 1 OFFSET ?").bind(excess as i64 - 1);
        Ok(last.fetch_optional(self.readers()).await?.unwrap_or(0))
    }

    /// Forgets dedup keys that were seen before `cutoff_ms`.
    async fn remove_keys(&self, cutoff_ms: Millis, from: &Cursor, batch: u32) -> Result<Removed> {
        let (session, key) = from.key.clone();
        let rows = sqlx::query(
            "SELECT session, key, seen_ms < ?3 AS removable FROM event_dedup
             WHERE (session, key) > (?1, ?2) ORDER BY session, key LIMIT ?4",
        )
        .bind(&session)
        .bind(&key)
        .bind(cutoff_ms)
        .bind(batch)
        .fetch_all(self.readers())
        .await?;
        let Some(last) = rows.last() else { return Ok(Removed { rows: 0, owed: 0, next: None }) };
        let last: (String, String) = (last.try_get("session")?, last.try_get("key")?);
        let until = last.clone();
        let removed = if rows.iter().any(|row| row.try_get::<bool, _>("removable").unwrap_or(false)) {
            self.write(move |db| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "DELETE FROM event_dedup
                         WHERE (session, key) > (?1, ?2) AND (session, key) <= (?3, ?4) AND seen_ms < ?5",
                    )
                    .bind(session)
                    .bind(key)
                    .bind(until.0)
                    .bind(until.1)
                    .bind(cutoff_ms);
                    Ok(done.execute(db).await?.rows_affected())
                })
            })
            .await?
        } else {
            0
        };
        let next = (rows.len() == batch as usize).then_some(Cursor { seq: 0, key: last });
        Ok(Removed { rows: removed, owed: 0, next })
    }

    async fn measure_keys(&self, cutoff_ms: Millis) -> Result<Measure> {
        let row = sqlx::query(
            "SELECT count(*) AS many, coalesce(sum(length(session) + length(key) + 10), 0) AS bytes,
                    min(seen_ms) AS oldest, coalesce(sum(seen_ms < ?), 0) AS removable
             FROM event_dedup",
        )
        .bind(cutoff_ms)
        .fetch_one(self.readers())
        .await?;
        let removable: u64 = number(&row, "count", "removable")?;
        Ok(Measure {
            rows: number(&row, "count", "many")?,
            bytes: number(&row, "count", "bytes")?,
            oldest_ms: row.try_get("oldest")?,
            removable: removable.min(MOST_COUNTED),
        })
    }
}

/// When a row was made.
fn made_at(kind: Kind, row: &SqliteRow) -> Result<Millis> {
    Ok(match kind {
        Kind::Events | Kind::DedupKeys | Kind::Messages => row.try_get("ts_ms")?,
        Kind::Runs => decode_run(row.try_get("record")?)?.created_ms,
        Kind::Jobs => decode_job(row.try_get("record")?)?.created_ms,
        Kind::Deliveries | Kind::DeadDeliveries | Kind::Media => row.try_get("created_ms")?,
    })
}
