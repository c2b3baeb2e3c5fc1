//! Jobs that are not in line: scheduled, wedged, listed; and what receipts say.

use super::queue::{job_of, take_positions};
use super::{SqliteStore, all, or_not_found, text};
use crate::Result;
use crate::codec::{encode_fault, parse};
use crate::query::{JobFilter, Page};
use crate::traits::JobBook;
use async_trait::async_trait;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use sqlx::{QueryBuilder, Row};
use warest_model::clock::Millis;
use warest_model::fault::Fault;
use warest_model::id::{JobId, SessionId};
use warest_model::job::{Hold, Receipt, ReceiptKind, SendJob};

#[async_trait]
impl JobBook for SqliteStore {
    async fn jobs(&self, filter: &JobFilter, page: &Page) -> Result<Vec<SendJob>> {
        let mut sql = QueryBuilder::<Sqlite>::new(super::queue::select_jobs!("WHERE 1 = 1"));
        if let Some(owner) = &filter.owner {
            sql.push(" AND session_no IN (SELECT no FROM sessions WHERE owner = ").push_bind(owner.as_str()).push(")");
        }
        if let Some(session) = &filter.session {
            sql.push(" AND session = ").push_bind(session.as_str());
        }
        if let Some(state) = filter.state {
            // As text, so that the indexes of single states can be used.
            sql.push(" AND state = '").push(state.as_str()).push("'");
        }
        if let Some(chat) = &filter.chat {
            sql.push(" AND chat = ").push_bind(chat);
        }
        if let Some(bulk) = &filter.bulk {
            sql.push(" AND bulk = ").push_bind(bulk.as_str());
        }
        if let Some(before) = &page.before {
            // Identifiers sort by time, and keep their place when a job's
            // position in line changes.
            sql.push(" AND id < ").push_bind(before);
        }
        sql.push(" ORDER BY id DESC LIMIT ").push_bind(page.limit.clamp(1, 500));
        all(sql.build().fetch_all(self.readers()).await?, job_of)
    }

    async fn reschedule_job(&self, id: &JobId, due_ms: Millis) -> Result<()> {
        let id = id.clone();
        self.write(move |db| {
            Box::pin(async move {
                let done = sqlx::query(
                    "UPDATE jobs SET state = 'scheduled', due_ms = ?
                     WHERE id = ? AND state IN ('scheduled', 'queued', 'waiting')",
                )
                .bind(due_ms)
                .bind(id.as_str())
                .execute(db)
                .await?;
                or_not_found("send job", done.rows_affected())
            })
        })
        .await
    }

    async fn release_due(&self, now_ms: Millis, limit: u32) -> Result<Vec<SessionId>> {
        self.write(move |db| {
            Box::pin(async move {
                let rows = sqlx::query(
                    "SELECT id, session FROM jobs WHERE state = 'scheduled' AND due_ms <= ?
                     ORDER BY due_ms, id LIMIT ?",
                )
                .bind(now_ms)
                .bind(limit)
                .fetch_all(&mut *db)
                .await?;
                let due: Vec<(String, SessionId)> =
                    all(rows, |row| Ok((text(row, "id")?.to_owned(), parse("send job", text(row, "session")?)?)))?;
                let (ids, sessions): (Vec<_>, Vec<_>) = due.into_iter().unzip();
                line_up(db, &ids).await?;
                Ok(sessions)
            })
        })
        .await
    }

    async fn next_due(&self) -> Result<Option<Millis>> {
        Ok(sqlx::query_scalar("SELECT min(due_ms) FROM jobs WHERE state = 'scheduled'")
            .fetch_one(self.readers())
            .await?)
    }

    async fn wedge_job(&self, id: &JobId, attempts: u32, fault: &Fault) -> Result<()> {
        let (id, fault) = (id.clone(), encode_fault(fault));
        self.write(move |db| {
            Box::pin(async move {
                let done = sqlx::query(
                    "UPDATE jobs SET state = 'wedged', attempts = ?, fault = ? WHERE id = ? AND state = 'queued'",
                )
                .bind(attempts)
                .bind(fault)
                .bind(id.as_str())
                .execute(db)
                .await?;
                or_not_found("send job", done.rows_affected())
            })
        })
        .await
    }

    async fn unwedge(&self, session: &SessionId, job: Option<&JobId>, now_ms: Millis, limit: u32) -> Result<u64> {
        let (session, job) = (session.clone(), job.map(|job| job.to_string()));
        self.write(move |db| {
            Box::pin(async move {
                let ids: Vec<String> = sqlx::query_scalar(
                    "SELECT id FROM jobs WHERE state = 'wedged' AND session = ?1 AND (?2 IS NULL OR id = ?2)
                     ORDER BY id LIMIT ?3",
                )
                .bind(session.as_str())
                .bind(job)
                .bind(limit)
                .fetch_all(&mut *db)
                .await?;
                for id in &ids {
                    sqlx::query("UPDATE jobs SET attempts = 0, due_ms = ? WHERE id = ?")
                        .bind(now_ms)
                        .bind(id)
                        .execute(&mut *db)
                        .await?;
                }
                line_up(db, &ids).await?;
                Ok(ids.len() as u64)
            })
        })
        .await
    }

    async fn record_receipts(&self, session: &SessionId, receipts: Vec<Receipt>) -> Result<()> {
        let session = session.clone();
        self.write(move |db| {
            Box::pin(async move {
                for receipt in receipts {
                    record(db, &session, &receipt).await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn unreadable_jobs(&self, since_ms: Millis, until_ms: Millis, limit: u32) -> Result<Vec<SendJob>> {
        let sql = super::queue::select_jobs!("WHERE unreadable_ms BETWEEN ? AND ? ORDER BY unreadable_ms, seq LIMIT ?");
        let rows = sqlx::query(sql).bind(since_ms).bind(until_ms).bind(limit).fetch_all(self.readers()).await?;
        all(rows, job_of)
    }

    async fn sent_again(&self, id: &JobId) -> Result<()> {
        let id = id.clone();
        self.write_one(move |db| {
            Box::pin(async move {
                let noted = sqlx::query("UPDATE jobs SET unreadable_ms = NULL WHERE id = ?").bind(id.as_str());
                noted.execute(db).await?;
                Ok(())
            })
        })
        .await
    }

    async fn holds(&self) -> Result<Vec<(SessionId, Hold)>> {
        let rows = sqlx::query("SELECT session, since_ms, until_ms, wait_ms FROM send_holds")
            .fetch_all(self.readers())
            .await?;
        all(rows, |row| {
            let hold = Hold {
                since_ms: row.try_get("since_ms")?,
                until_ms: row.try_get("until_ms")?,
                wait_ms: row.try_get("wait_ms")?,
            };
            Ok((parse("hold", text(row, "session")?)?, hold))
        })
    }

    async fn set_hold(&self, session: &SessionId, hold: Option<Hold>) -> Result<()> {
        let session = session.clone();
        self.write(move |db| {
            Box::pin(async move {
                let change = match hold {
                    Some(hold) => sqlx::query(
                        "INSERT OR REPLACE INTO send_holds (session, since_ms, until_ms, wait_ms) VALUES (?, ?, ?, ?)",
                    )
                    .bind(session.as_str())
                    .bind(hold.since_ms)
                    .bind(hold.until_ms)
                    .bind(hold.wait_ms),
                    None => sqlx::query("DELETE FROM send_holds WHERE session = ?").bind(session.as_str()),
                };
                change.execute(db).await?;
                Ok(())
            })
        })
        .await
    }
}

/// Puts jobs at the end of the line in this order; those of a bulk where its
/// others wait for room.
async fn line_up(db: &mut SqliteConnection, ids: &[String]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let first = take_positions(db, ids.len()).await?;
    for (id, seq) in ids.iter().zip(first..) {
        sqlx::query("UPDATE jobs SET seq = ?, state = iif(bulk IS NULL, 'queued', 'waiting') WHERE id = ?")
            .bind(seq)
            .bind(id)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

async fn record(db: &mut SqliteConnection, session: &SessionId, receipt: &Receipt) -> Result<()> {
    if receipt.kind == ReceiptKind::Unreadable {
        // Another device may have it already.
        sqlx::query("UPDATE jobs SET unreadable_ms = ? WHERE session = ? AND message_id = ? AND delivered_ms IS NULL")
            .bind(receipt.at_ms)
            .bind(session.as_str())
            .bind(&receipt.message_id)
            .execute(db)
            .await?;
        return Ok(());
    }
    // What was read was delivered, and what was played was read.
    let at = |reached: bool| reached.then_some(receipt.at_ms);
    sqlx::query(
        "UPDATE jobs SET delivered_ms = coalesce(delivered_ms, ?), read_ms = coalesce(read_ms, ?),
                         played_ms = coalesce(played_ms, ?), unreadable_ms = NULL
         WHERE session = ? AND message_id = ?",
    )
    .bind(receipt.at_ms)
    .bind(at(receipt.kind != ReceiptKind::Delivered))
    .bind(at(receipt.kind == ReceiptKind::Played))
    .bind(session.as_str())
    .bind(&receipt.message_id)
    .execute(db)
    .await?;
    Ok(())
}
