//! Events owed to webhook targets.

use super::{SqliteStore, all, number, or_not_found, text};
use crate::Result;
use crate::codec::{chat_of, corrupt, encode_event, parse};
use crate::query::{DeliveryFilter, Page, ReplayRange};
use crate::traits::{AttemptReport, Outbox, Recorded, Replayed};
use async_trait::async_trait;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row};
use std::collections::BTreeSet;
use warest_model::clock::Millis;
use warest_model::delivery::{Attempt, Delivery, DeliveryState};
use warest_model::id::{DeliveryId, TargetId};

const WHAT: &str = "delivery";
/// Attempts that are kept of one delivery.
const ATTEMPTS_KEPT: u32 = 200;

#[async_trait]
impl Outbox for SqliteStore {
    async fn pending_deliveries(
        &self,
        target: &TargetId,
        lane: Option<&str>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Delivery>> {
        let rows = match lane {
            None => sqlx::query(
                "SELECT * FROM deliveries WHERE state = 'pending' AND target = ? AND seq > ? ORDER BY seq LIMIT ?",
            )
            .bind(target.as_str()),
            Some(chat) => sqlx::query(
                "SELECT * FROM deliveries
                 WHERE state = 'pending' AND target = ? AND chat = ? AND seq > ? ORDER BY seq LIMIT ?",
            )
            .bind(target.as_str())
            .bind(chat),
        };
        all(rows.bind(after).bind(limit).fetch_all(self.readers()).await?, delivery_of)
    }

    async fn owed_targets(&self) -> Result<Vec<TargetId>> {
        // Steps from one target to the next in the index, however much is owed.
        let rows = sqlx::query(
            "WITH RECURSIVE owed (owed_to) AS (
                 SELECT min(target) FROM deliveries WHERE state = 'pending'
                 UNION ALL
                 SELECT (SELECT min(target) FROM deliveries WHERE state = 'pending' AND target > owed.owed_to)
                 FROM owed WHERE owed.owed_to IS NOT NULL
             )
             SELECT owed_to FROM owed WHERE owed_to IS NOT NULL",
        )
        .fetch_all(self.readers())
        .await?;
        all(rows, |row| parse(WHAT, text(row, "owed_to")?))
    }

    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>> {
        sqlx::query("SELECT * FROM deliveries WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(self.readers())
            .await?
            .as_ref()
            .map(delivery_of)
            .transpose()
    }

    async fn deliveries(&self, filter: &DeliveryFilter, page: &Page) -> Result<Vec<Delivery>> {
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT * FROM deliveries WHERE 1 = 1");
        if let Some(owner) = &filter.owner {
            sql.push(" AND session_no IN (SELECT no FROM sessions WHERE owner = ").push_bind(owner.as_str()).push(")");
        }
        if let Some(session) = &filter.session {
            sql.push(" AND session = ").push_bind(session.as_str());
        }
        if let Some(target) = &filter.target {
            sql.push(" AND target = ").push_bind(target.as_str());
        }
        push_state(&mut sql, filter.state);
        if let Some(event) = &filter.event {
            sql.push(" AND event = ").push_bind(event.as_str());
        }
        push_span(&mut sql, filter.since_ms, filter.until_ms);
        if let Some(before) = &page.before {
            sql.push(" AND seq < (SELECT seq FROM deliveries WHERE id = ").push_bind(before).push(")");
        }
        sql.push(" ORDER BY seq DESC LIMIT ").push_bind(page.limit.clamp(1, 500));
        all(sql.build().fetch_all(self.readers()).await?, delivery_of)
    }

    async fn attempts(&self, delivery: &DeliveryId) -> Result<Vec<Attempt>> {
        let rows = sqlx::query("SELECT * FROM delivery_attempts WHERE delivery = ? ORDER BY number")
            .bind(delivery.as_str())
            .fetch_all(self.readers())
            .await?;
        all(rows, attempt_of)
    }

    async fn record_attempt(&self, report: AttemptReport) -> Result<Recorded> {
        self.write(move |db| Box::pin(async move { record(db, report).await })).await
    }

    async fn replay_delivery(&self, id: &DeliveryId, now_ms: Millis) -> Result<()> {
        let id = id.clone();
        self.write(move |db| {
            Box::pin(async move { or_not_found(WHAT, u64::from(replay(db, id.as_str(), now_ms).await?)) })
        })
        .await
    }

    async fn replay_deliveries(&self, range: &ReplayRange, limit: u32, now_ms: Millis) -> Result<Replayed> {
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT id, target, created_ms FROM deliveries WHERE session = ");
        // A session of the same name that was removed had another number.
        sql.push_bind(range.session.as_str()).push(" AND session_no = (SELECT no FROM sessions WHERE id = ");
        sql.push_bind(range.session.as_str()).push(")");
        if let Some(target) = &range.target {
            sql.push(" AND target = ").push_bind(target.as_str());
        }
        push_state(&mut sql, Some(range.state));
        push_span(&mut sql, Some(range.from_ms), Some(range.to_ms));
        sql.push(" ORDER BY seq LIMIT ").push_bind(i64::from(limit) + 1);
        let rows: Vec<(String, String, Millis)> = sql.build_query_as().fetch_all(self.readers()).await?;
        let rest_from_ms = rows.get(limit as usize).map(|(_, _, created_ms)| *created_ms);
        let chosen: Vec<_> = rows.into_iter().take(limit as usize).collect();
        self.write(move |db| {
            Box::pin(async move {
                let (mut targets, mut count) = (BTreeSet::new(), 0);
                for (id, target, _) in chosen {
                    // One that changed meanwhile, or cannot be delivered, is left as it is.
                    if replay(db, &id, now_ms).await? {
                        targets.insert(target);
                        count += 1;
                    }
                }
                let targets = targets.iter().map(|id| parse(WHAT, id)).collect::<Result<Vec<TargetId>>>()?;
                Ok(Replayed { targets, count, rest_from_ms })
            })
        })
        .await
    }
}

fn push_state(sql: &mut QueryBuilder<Sqlite>, state: Option<DeliveryState>) {
    // Written out, so that the partial indexes are found.
    sql.push(match state {
        None => "",
        Some(DeliveryState::Pending) => " AND state = 'pending'",
        Some(DeliveryState::Delivered) => " AND state = 'delivered'",
        Some(DeliveryState::Dead) => " AND state = 'dead'",
    });
}

fn push_span(sql: &mut QueryBuilder<Sqlite>, since_ms: Option<Millis>, until_ms: Option<Millis>) {
    if let Some(since_ms) = since_ms {
        sql.push(" AND created_ms >= ").push_bind(since_ms);
    }
    if let Some(until_ms) = until_ms {
        sql.push(" AND created_ms < ").push_bind(until_ms);
    }
}

async fn record(db: &mut SqliteConnection, report: AttemptReport) -> Result<Recorded> {
    let AttemptReport { delivery, attempt, run, target } = report;
    let done = sqlx::query(
        "UPDATE deliveries
         SET state = ?, attempts = ?, tries = ?, due_ms = ?, status = ?, error = ?, ended_ms = ?
         WHERE id = ? AND state = 'pending'",
    )
    .bind(delivery.state.as_str())
    .bind(delivery.attempts)
    .bind(delivery.tries)
    .bind(delivery.due_ms)
    .bind(delivery.status)
    .bind(delivery.error)
    .bind(delivery.ended_ms)
    .bind(delivery.id.as_str())
    .execute(&mut *db)
    .await?;
    or_not_found(WHAT, done.rows_affected())?;
    if let Some(attempt) = attempt {
        write_attempt(db, &delivery.id, attempt).await?;
    }
    if let Some(run) = run {
        // A run of the same target and event stays as it is.
        super::runs::insert(db, run).await?;
    }
    let Some(mut target) = target else { return Ok(Recorded::default()) };
    let (changed, noticed) = super::targets::apply(db, &delivery.target, &target).await?;
    if noticed && let Some(notice) = target.notice.take() {
        super::events::append(db, encode_event(&notice.event), notice).await?;
    }
    Ok(Recorded { target: changed, noticed })
}

async fn write_attempt(db: &mut SqliteConnection, delivery: &DeliveryId, attempt: Attempt) -> Result<()> {
    let took_ms = i64::try_from(attempt.took_ms).map_err(|error| corrupt(WHAT, error))?;
    // An attempt whose end was not saved before a crash is made again.
    sqlx::query(
        "INSERT OR REPLACE INTO delivery_attempts (delivery, number, at_ms, took_ms, status, error, answer)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(delivery.as_str())
    .bind(attempt.number)
    .bind(attempt.at_ms)
    .bind(took_ms)
    .bind(attempt.status)
    .bind(attempt.error)
    .bind(attempt.answer)
    .execute(&mut *db)
    .await?;
    if attempt.number > ATTEMPTS_KEPT {
        sqlx::query("DELETE FROM delivery_attempts WHERE delivery = ? AND number <= ?")
            .bind(delivery.as_str())
            .bind(attempt.number - ATTEMPTS_KEPT)
            .execute(db)
            .await?;
    }
    Ok(())
}

/// Owes a delivery again, as the last in line: whoever reads what is owed only
/// moves forward. Whether there was one to replay.
async fn replay(db: &mut SqliteConnection, id: &str, now_ms: Millis) -> Result<bool> {
    let there: Option<i64> = sqlx::query_scalar(
        "SELECT seq FROM deliveries d WHERE id = ? AND state IN ('delivered', 'dead')
             AND EXISTS (SELECT 1 FROM targets t WHERE t.id = d.target AND t.url <> '')
             AND EXISTS (SELECT 1 FROM events e WHERE e.id = d.event)",
    )
    .bind(id)
    .fetch_optional(&mut *db)
    .await?;
    if there.is_none() {
        return Ok(false);
    }
    // The place is taken from the counter that new rows take theirs from.
    let seq: i64 =
        sqlx::query_scalar("UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'deliveries' RETURNING seq")
            .fetch_one(&mut *db)
            .await?;
    sqlx::query(
        "UPDATE deliveries
         SET seq = ?, state = 'pending', tries = 0, due_ms = ?, status = NULL, error = NULL, ended_ms = NULL
         WHERE id = ?",
    )
    .bind(seq)
    .bind(now_ms)
    .bind(id)
    .execute(db)
    .await?;
    Ok(true)
}

fn attempt_of(row: &SqliteRow) -> Result<Attempt> {
    Ok(Attempt {
        number: number(row, WHAT, "number")?,
        at_ms: row.try_get("at_ms")?,
        took_ms: number(row, WHAT, "took_ms")?,
        status: status_of(row)?,
        error: row.try_get("error")?,
        answer: row.try_get("answer")?,
    })
}

fn status_of(row: &SqliteRow) -> Result<Option<u16>> {
    let status: Option<i64> = row.try_get("status")?;
    status.map(u16::try_from).transpose().map_err(|error| corrupt(WHAT, error))
}

fn delivery_of(row: &SqliteRow) -> Result<Delivery> {
    let state = match row.try_get("state")? {
        "pending" => DeliveryState::Pending,
        "delivered" => DeliveryState::Delivered,
        "dead" => DeliveryState::Dead,
        other => return Err(corrupt(WHAT, format!("its state is {other:?}"))),
    };
    Ok(Delivery {
        id: parse(WHAT, text(row, "id")?)?,
        seq: row.try_get("seq")?,
        event: parse(WHAT, text(row, "event")?)?,
        session: parse(WHAT, text(row, "session")?)?,
        chat: chat_of(WHAT, row.try_get("chat")?)?,
        target: parse(WHAT, text(row, "target")?)?,
        state,
        attempts: number(row, WHAT, "attempts")?,
        tries: number(row, WHAT, "tries")?,
        due_ms: row.try_get("due_ms")?,
        status: status_of(row)?,
        error: row.try_get("error")?,
        created_ms: row.try_get("created_ms")?,
        ended_ms: row.try_get("ended_ms")?,
    })
}
