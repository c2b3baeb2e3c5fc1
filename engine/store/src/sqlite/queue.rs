//! The send queues: jobs in line, and their ends.

use super::{SqliteStore, all, chat_text, events, history, number, or_exists, or_not_found, text};
use crate::Result;
use crate::codec::{corrupt, decode_fault, decode_job, encode_fault, encode_job, parse};
use crate::error::StoreError;
use crate::traits::{JobEnd, Progress, SendQueue};
use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use warest_model::clock::Millis;
use warest_model::fault::Fault;
use warest_model::id::{JobId, SessionId};
use warest_model::job::{JobState, Receipts, SendJob};

/// The columns that [`job_of`] reads, from jobs that fit.
macro_rules! select_jobs {
    ($rest:literal) => {
        concat!(
            "SELECT seq, state, attempts, due_ms, ended_ms, fault, bulk, delivered_ms, read_ms, played_ms, record
             FROM jobs ",
            $rest
        )
    };
}
pub(super) use select_jobs;

#[async_trait]
impl SendQueue for SqliteStore {
    async fn queue_job(&self, job: SendJob) -> Result<i64> {
        self.write(move |db| Box::pin(async move { insert(db, job).await })).await
    }

    async fn job(&self, id: &JobId) -> Result<Option<SendJob>> {
        sqlx::query(select_jobs!("WHERE id = ?"))
            .bind(id.as_str())
            .fetch_optional(self.readers())
            .await?
            .as_ref()
            .map(job_of)
            .transpose()
    }

    async fn queued_jobs(
        &self,
        session: &SessionId,
        chat: Option<&str>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<SendJob>> {
        let rows = match chat {
            None => {
                sqlx::query(select_jobs!("WHERE state = 'queued' AND session = ? AND seq > ? ORDER BY seq LIMIT ?"))
                    .bind(session.as_str())
            }
            Some(chat) => sqlx::query(select_jobs!(
                "WHERE state = 'queued' AND session = ? AND chat = ? AND seq > ? ORDER BY seq LIMIT ?"
            ))
            .bind(session.as_str())
            .bind(chat),
        };
        all(rows.bind(after).bind(limit).fetch_all(self.readers()).await?, job_of)
    }

    async fn queue_len(&self, session: &SessionId) -> Result<u64> {
        // Each from an index of its own, none of which holds jobs that ended.
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM jobs WHERE state = 'queued' AND session = ?1)
                  + (SELECT count(*) FROM jobs WHERE state = 'waiting' AND session = ?1)
                  + (SELECT count(*) FROM jobs WHERE state = 'scheduled' AND session = ?1)
                  + (SELECT count(*) FROM jobs WHERE state = 'wedged' AND session = ?1) AS open",
        )
        .bind(session.as_str())
        .fetch_one(self.readers())
        .await?;
        number(&row, "queue", "open")
    }

    async fn defer_job(&self, id: &JobId, attempts: u32, due_ms: Millis, fault: &Fault) -> Result<()> {
        let (id, fault) = (id.clone(), encode_fault(fault));
        self.write(move |db| {
            Box::pin(async move {
                let done = sqlx::query(
                    "UPDATE jobs SET attempts = ?, due_ms = ?, fault = ? WHERE id = ? AND state = 'queued'",
                )
                .bind(attempts)
                .bind(due_ms)
                .bind(fault)
                .bind(id.as_str())
                .execute(db)
                .await?;
                or_not_found("send job", done.rows_affected())
            })
        })
        .await
    }

    async fn finish_job(&self, end: JobEnd, progress: Option<Progress>) -> Result<()> {
        let JobEnd { job, state, attempts, fault, ended_ms, left } = end;
        let event = left.event.map(|new| events::prepare(*new));
        let changes = history::prepare(left.changes);
        let untidy = self
            .write(move |db| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "UPDATE jobs SET state = ?, attempts = ?, fault = ?, ended_ms = ?
                         WHERE id = ? AND ended_ms IS NULL RETURNING session",
                    )
                    .bind(state.as_str())
                    .bind(attempts)
                    .bind(fault.as_ref().map(encode_fault))
                    .bind(ended_ms)
                    .bind(job.as_str())
                    .fetch_optional(&mut *db)
                    .await?;
                    let session: String = match done {
                        Some(row) => row.try_get("session")?,
                        None => return Err(StoreError::NotFound { what: "send job" }),
                    };
                    if let Some(progress) = progress {
                        super::runs::save(db, progress).await?;
                    }
                    let mut untidy = history::apply(db, &session, changes).await?;
                    if let Some(event) = event {
                        untidy |= events::append_whole(db, event).await?.1;
                    }
                    Ok(untidy)
                })
            })
            .await?;
        self.tidy_if(untidy);
        Ok(())
    }
}

/// Queues a job; its position.
pub(super) async fn insert(db: &mut SqliteConnection, job: SendJob) -> Result<i64> {
    let done = sqlx::query(
        "INSERT INTO jobs (id, session, session_no, chat, state, attempts, due_ms, ended_ms, fault, message_id, bulk,
                           record)
         VALUES (?1, ?2, (SELECT no FROM sessions WHERE id = ?2), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )
    .bind(job.id.as_str())
    .bind(job.session.as_str())
    .bind(chat_text(job.chat.as_ref()))
    .bind(job.state.as_str())
    .bind(job.attempts)
    .bind(job.due_ms)
    .bind(job.ended_ms)
    .bind(job.fault.as_ref().map(encode_fault))
    .bind(job.effect.is_message().then_some(&job.message_id))
    .bind(job.bulk.as_ref().map(|bulk| bulk.as_str()))
    .bind(encode_job(&job))
    .execute(db)
    .await
    .map_err(or_exists("send job"))?;
    Ok(done.last_insert_rowid())
}

/// Takes `count` positions at the end of all lines; the first of them. As an
/// insert does, so that whoever reads in their order never finds one behind.
pub(super) async fn take_positions(db: &mut SqliteConnection, count: usize) -> Result<i64> {
    let last: i64 = sqlx::query_scalar("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'jobs' RETURNING seq")
        .bind(count as i64)
        .fetch_one(db)
        .await?;
    Ok(last - count as i64 + 1)
}

/// Reads a state.
pub(super) fn state_of(row: &SqliteRow) -> Result<JobState> {
    let state = text(row, "state")?;
    JobState::from_name(state).ok_or_else(|| corrupt("send job", format!("its state is {state:?}")))
}

pub(super) fn job_of(row: &SqliteRow) -> Result<SendJob> {
    let fault: Option<&[u8]> = row.try_get("fault")?;
    let bulk: Option<&str> = row.try_get("bulk")?;
    Ok(SendJob {
        seq: row.try_get("seq")?,
        state: state_of(row)?,
        attempts: number(row, "send job", "attempts")?,
        due_ms: row.try_get("due_ms")?,
        fault: fault.map(decode_fault).transpose()?,
        bulk: bulk.map(|bulk| parse("send job", bulk)).transpose()?,
        receipts: Receipts {
            delivered_ms: row.try_get("delivered_ms")?,
            read_ms: row.try_get("read_ms")?,
            played_ms: row.try_get("played_ms")?,
        },
        ended_ms: row.try_get("ended_ms")?,
        ..decode_job(row.try_get("record")?)?
    })
}
