//! The send queues.

use super::{SqliteStore, all, chat_text, number, or_exists, or_not_found};
use crate::Result;
use crate::codec::{corrupt, decode_fault, decode_job, encode_fault, encode_job};
use crate::traits::{JobEnd, Progress, SendQueue};
use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use warest_model::clock::Millis;
use warest_model::fault::Fault;
use warest_model::id::{JobId, SessionId};
use warest_model::job::{JobState, SendJob};

#[async_trait]
impl SendQueue for SqliteStore {
    async fn queue_job(&self, job: SendJob) -> Result<i64> {
        self.write(move |db| Box::pin(async move { insert(db, job).await })).await
    }

    async fn job(&self, id: &JobId) -> Result<Option<SendJob>> {
        sqlx::query("SELECT seq, state, attempts, due_ms, ended_ms, fault, record FROM jobs WHERE id = ?")
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
            None => sqlx::query(
                "SELECT seq, state, attempts, due_ms, ended_ms, fault, record FROM jobs
                 WHERE state = 'queued' AND session = ? AND seq > ? ORDER BY seq LIMIT ?",
            )
            .bind(session.as_str()),
            Some(chat) => sqlx::query(
                "SELECT seq, state, attempts, due_ms, ended_ms, fault, record FROM jobs
                 WHERE state = 'queued' AND session = ? AND chat = ? AND seq > ? ORDER BY seq LIMIT ?",
            )
            .bind(session.as_str())
            .bind(chat),
        };
        all(rows.bind(after).bind(limit).fetch_all(self.readers()).await?, job_of)
    }

    async fn queue_len(&self, session: &SessionId) -> Result<u64> {
        let row = sqlx::query("SELECT count(*) AS waiting FROM jobs WHERE state = 'queued' AND session = ?")
            .bind(session.as_str())
            .fetch_one(self.readers())
            .await?;
        number(&row, "queue", "waiting")
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
        self.write(move |db| {
            Box::pin(async move {
                let done = sqlx::query(
                    "UPDATE jobs SET state = ?, attempts = ?, fault = ?, ended_ms = ?
                     WHERE id = ? AND state = 'queued'",
                )
                .bind(end.state.as_str())
                .bind(end.attempts)
                .bind(end.fault.as_ref().map(encode_fault))
                .bind(end.ended_ms)
                .bind(end.job.as_str())
                .execute(&mut *db)
                .await?;
                or_not_found("send job", done.rows_affected())?;
                match progress {
                    Some(progress) => super::runs::save(db, progress).await,
                    None => Ok(()),
                }
            })
        })
        .await
    }
}

/// Queues a job; its position.
pub(super) async fn insert(db: &mut SqliteConnection, job: SendJob) -> Result<i64> {
    let done = sqlx::query(
        "INSERT INTO jobs (id, session, chat, state, attempts, due_ms, ended_ms, fault, record)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(job.id.as_str())
    .bind(job.session.as_str())
    .bind(chat_text(job.chat.as_ref()))
    .bind(job.state.as_str())
    .bind(job.attempts)
    .bind(job.due_ms)
    .bind(job.ended_ms)
    .bind(job.fault.as_ref().map(encode_fault))
    .bind(encode_job(&job))
    .execute(db)
    .await
    .map_err(or_exists("send job"))?;
    Ok(done.last_insert_rowid())
}

fn job_of(row: &SqliteRow) -> Result<SendJob> {
    let state = match row.try_get("state")? {
        "queued" => JobState::Queued,
        "sent" => JobState::Sent,
        "failed" => JobState::Failed,
        other => return Err(corrupt("send job", format!("its state is {other:?}"))),
    };
    let fault: Option<&[u8]> = row.try_get("fault")?;
    Ok(SendJob {
        seq: row.try_get("seq")?,
        state,
        attempts: number(row, "send job", "attempts")?,
        due_ms: row.try_get("due_ms")?,
        fault: fault.map(decode_fault).transpose()?,
        ended_ms: row.try_get("ended_ms")?,
        ..decode_job(row.try_get("record")?)?
    })
}
