//! How far sinks have taken the event log.

use super::SqliteStore;
use crate::Result;
use crate::traits::Sinks;
use async_trait::async_trait;
use warest_model::clock::Millis;

#[async_trait]
impl Sinks for SqliteStore {
    async fn sink_position(&self, sink: &str) -> Result<Option<i64>> {
        let seq = sqlx::query_scalar("SELECT seq FROM sinks WHERE name = ?").bind(sink);
        Ok(seq.fetch_optional(self.readers()).await?)
    }

    async fn set_sink_position(&self, sink: &str, seq: i64, now_ms: Millis) -> Result<()> {
        let sink = sink.to_owned();
        self.write_one(move |db| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO sinks (name, seq, saved_ms) VALUES (?, ?, ?)
                     ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, saved_ms = excluded.saved_ms",
                )
                .bind(sink)
                .bind(seq)
                .bind(now_ms)
                .execute(db)
                .await?;
                Ok(())
            })
        })
        .await
    }
}
