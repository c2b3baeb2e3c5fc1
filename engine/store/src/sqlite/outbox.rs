//! Events owed to webhook targets.

use super::{SqliteStore, all, number, or_not_found, text};
use crate::Result;
use crate::codec::{chat_of, corrupt, parse};
use crate::traits::{NewRun, Outbox};
use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use warest_model::delivery::{Delivery, DeliveryState};
use warest_model::id::{DeliveryId, TargetId};

const WHAT: &str = "delivery";

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

    async fn record_attempt(&self, delivery: &Delivery, run: Option<NewRun>) -> Result<()> {
        let delivery = delivery.clone();
        self.write(move |db| {
            Box::pin(async move {
                let done = sqlx::query(
                    "UPDATE deliveries
                     SET state = ?, attempts = ?, due_ms = ?, status = ?, error = ?, ended_ms = ?
                     WHERE id = ? AND state = 'pending'",
                )
                .bind(delivery.state.as_str())
                .bind(delivery.attempts)
                .bind(delivery.due_ms)
                .bind(delivery.status)
                .bind(delivery.error)
                .bind(delivery.ended_ms)
                .bind(delivery.id.as_str())
                .execute(&mut *db)
                .await?;
                or_not_found(WHAT, done.rows_affected())?;
                if let Some(run) = run {
                    // A run of the same target and event stays as it is.
                    super::runs::insert(db, run).await?;
                }
                Ok(())
            })
        })
        .await
    }
}

fn delivery_of(row: &SqliteRow) -> Result<Delivery> {
    let state = match row.try_get("state")? {
        "pending" => DeliveryState::Pending,
        "delivered" => DeliveryState::Delivered,
        "dead" => DeliveryState::Dead,
        other => return Err(corrupt(WHAT, format!("its state is {other:?}"))),
    };
    let status: Option<i64> = row.try_get("status")?;
    Ok(Delivery {
        id: parse(WHAT, text(row, "id")?)?,
        seq: row.try_get("seq")?,
        event: parse(WHAT, text(row, "event")?)?,
        session: parse(WHAT, text(row, "session")?)?,
        chat: chat_of(WHAT, row.try_get("chat")?)?,
        target: parse(WHAT, text(row, "target")?)?,
        state,
        attempts: number(row, WHAT, "attempts")?,
        due_ms: row.try_get("due_ms")?,
        status: status.map(u16::try_from).transpose().map_err(|error| corrupt(WHAT, error))?,
        error: row.try_get("error")?,
        created_ms: row.try_get("created_ms")?,
        ended_ms: row.try_get("ended_ms")?,
    })
}
