//! Bulks of messages.

use super::queue::{state_of, take_positions};
use super::{SqliteStore, all, chat_text, number, or_exists, or_not_found, text};
use crate::Result;
use crate::codec::{encode_fault, encode_job, parse};
use crate::traits::{BulkRecord, Bulks};
use async_trait::async_trait;
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{QueryBuilder, Row};
use warest_model::clock::Millis;
use warest_model::fault::Fault;
use warest_model::id::{BulkId, SessionId};
use warest_model::job::{Bulk, SendJob};

/// Jobs written by one statement.
const ROWS: usize = 200;

#[async_trait]
impl Bulks for SqliteStore {
    async fn add_bulk(&self, bulk: &Bulk, jobs: Vec<SendJob>) -> Result<()> {
        let bulk = bulk.clone();
        // Encoding happens here, not in the writer.
        let rows: Vec<_> = jobs.into_iter().map(|job| (encode_job(&job), job)).collect();
        self.write(move |db| {
            Box::pin(async move {
                sqlx::query("INSERT INTO bulks (id, session, total, created_ms, cancelled_ms) VALUES (?, ?, ?, ?, ?)")
                    .bind(bulk.id.as_str())
                    .bind(bulk.session.as_str())
                    .bind(bulk.total)
                    .bind(bulk.created_ms)
                    .bind(bulk.cancelled_ms)
                    .execute(&mut *db)
                    .await
                    .map_err(or_exists("bulk"))?;
                let session_no: Option<i64> = sqlx::query_scalar("SELECT no FROM sessions WHERE id = ?")
                    .bind(bulk.session.as_str())
                    .fetch_optional(&mut *db)
                    .await?;
                for rows in rows.chunks(ROWS) {
                    let mut sql = QueryBuilder::<Sqlite>::new(
                        "INSERT INTO jobs (id, session, session_no, chat, state, attempts, due_ms, message_id, bulk,
                                           record) ",
                    );
                    sql.push_values(rows, |mut row, (record, job)| {
                        row.push_bind(job.id.as_str())
                            .push_bind(job.session.as_str())
                            .push_bind(session_no)
                            .push_bind(chat_text(job.chat.as_ref()))
                            .push_bind(job.state.as_str())
                            .push_bind(job.attempts)
                            .push_bind(job.due_ms)
                            .push_bind(job.effect.is_message().then_some(&job.message_id))
                            .push_bind(bulk.id.as_str())
                            .push_bind(record);
                    });
                    sql.build().execute(&mut *db).await.map_err(or_exists("send job"))?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn bulk(&self, id: &BulkId) -> Result<Option<BulkRecord>> {
        // One snapshot for both.
        let mut db = self.readers().begin().await?;
        let row = sqlx::query("SELECT id, session, total, created_ms, cancelled_ms FROM bulks WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&mut *db)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let states = sqlx::query(
            "SELECT state, count(*) AS jobs, count(delivered_ms) AS delivered, count(read_ms) AS been_read
             FROM jobs WHERE bulk = ? GROUP BY state",
        )
        .bind(id.as_str())
        .fetch_all(&mut *db)
        .await?;
        let states = all(states, |row| {
            let count = |column| number::<u64>(row, "bulk", column);
            Ok((state_of(row)?, count("jobs")?, count("delivered")?, count("been_read")?))
        })?;
        Ok(Some(BulkRecord {
            bulk: bulk_of(&row)?,
            delivered: states.iter().map(|(_, _, delivered, _)| delivered).sum(),
            read: states.iter().map(|(_, _, _, read)| read).sum(),
            states: states.into_iter().map(|(state, jobs, ..)| (state, jobs)).collect(),
        }))
    }

    async fn waiting_sessions(&self) -> Result<Vec<SessionId>> {
        // Steps from one name to the next in the index, however much waits.
        let rows = sqlx::query(
            "WITH RECURSIVE waiting (name) AS (
                 SELECT min(session) FROM jobs WHERE state = 'waiting'
                 UNION ALL
                 SELECT (SELECT min(session) FROM jobs WHERE state = 'waiting' AND session > waiting.name)
                 FROM waiting WHERE waiting.name IS NOT NULL
             )
             SELECT name FROM waiting WHERE name IS NOT NULL",
        )
        .fetch_all(self.readers())
        .await?;
        all(rows, |row| parse("send job", text(row, "name")?))
    }

    async fn feed_bulks(&self, session: &SessionId, window: u32) -> Result<u64> {
        let session = session.clone();
        self.write(move |db| {
            Box::pin(async move {
                let in_line: i64 = sqlx::query_scalar(
                    "SELECT count(*) FROM jobs WHERE state = 'queued' AND bulk IS NOT NULL AND session = ?",
                )
                .bind(session.as_str())
                .fetch_one(&mut *db)
                .await?;
                let room = i64::from(window) - in_line;
                if room <= 0 {
                    return Ok(0);
                }
                let ids: Vec<String> = sqlx::query_scalar(
                    "SELECT id FROM jobs WHERE state = 'waiting' AND session = ? ORDER BY seq LIMIT ?",
                )
                .bind(session.as_str())
                .bind(room)
                .fetch_all(&mut *db)
                .await?;
                if ids.is_empty() {
                    return Ok(0);
                }
                let first = take_positions(db, ids.len()).await?;
                for (id, seq) in ids.iter().zip(first..) {
                    sqlx::query("UPDATE jobs SET seq = ?, state = 'queued' WHERE id = ?")
                        .bind(seq)
                        .bind(id)
                        .execute(&mut *db)
                        .await?;
                }
                Ok(ids.len() as u64)
            })
        })
        .await
    }

    async fn cancel_bulk(&self, id: &BulkId, fault: &Fault, now_ms: Millis) -> Result<u64> {
        let (id, fault) = (id.clone(), encode_fault(fault));
        self.write(move |db| {
            Box::pin(async move {
                let bulk = sqlx::query("UPDATE bulks SET cancelled_ms = coalesce(cancelled_ms, ?) WHERE id = ?")
                    .bind(now_ms)
                    .bind(id.as_str())
                    .execute(&mut *db)
                    .await?;
                or_not_found("bulk", bulk.rows_affected())?;
                let jobs = sqlx::query(
                    "UPDATE jobs SET state = 'cancelled', fault = ?, ended_ms = ?
                     WHERE bulk = ? AND state IN ('scheduled', 'waiting', 'wedged')",
                )
                .bind(fault)
                .bind(now_ms)
                .bind(id.as_str())
                .execute(&mut *db)
                .await?;
                Ok(jobs.rows_affected())
            })
        })
        .await
    }
}

fn bulk_of(row: &SqliteRow) -> Result<Bulk> {
    Ok(Bulk {
        id: parse("bulk", text(row, "id")?)?,
        session: parse("bulk", text(row, "session")?)?,
        total: number(row, "bulk", "total")?,
        created_ms: row.try_get("created_ms")?,
        cancelled_ms: row.try_get("cancelled_ms")?,
    })
}
