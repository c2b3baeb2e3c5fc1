//! The event log read forward, for those who follow it.

use super::{all, text};
use crate::codec::parse;
use crate::{EventFilter, LogEntry, LogPage, Result};
use sqlx::sqlite::{Sqlite, SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row};
use warest_model::id::{EventId, UserId};

/// Positions that one read looks at, so that a filter that nothing fits does not
/// hold a connection for the length of the log.
const STRETCH: i64 = 5_000;

/// See [`EventLog::events_after`](crate::EventLog::events_after).
pub(super) async fn after(db: &SqlitePool, filter: &EventFilter, after: i64, limit: u32) -> Result<LogPage> {
    let (first, newest, end): (Option<i64>, Option<i64>, Option<i64>) = sqlx::query_as(
        "SELECT (SELECT min(seq) FROM events WHERE seq > ?), (SELECT max(seq) FROM events),
                (SELECT seq FROM sqlite_sequence WHERE name = 'events')",
    )
    .bind(after)
    .fetch_one(db)
    .await?;
    let (Some(first), Some(newest)) = (first, newest) else {
        // What there was up to the end is gone.
        let end = end.unwrap_or(0).max(after);
        return Ok(LogPage { upto: end, oldest: end + 1, ..LogPage::default() });
    };
    // Nothing up to `newest` can become visible later, so reading up to it in a
    // second statement misses nothing.
    let end = newest.min(first + STRETCH - 1);
    let limit = limit.clamp(1, 500);
    let mut sql = QueryBuilder::<Sqlite>::new(
        "SELECT e.seq, s.owner, e.record FROM events e LEFT JOIN sessions s ON s.no = e.session_no WHERE e.seq >= ",
    );
    sql.push_bind(first).push(" AND e.seq <= ").push_bind(end);
    if let Some(owner) = &filter.owner {
        sql.push(" AND s.owner = ").push_bind(owner.as_str());
    }
    if let Some(session) = &filter.session {
        sql.push(" AND e.session = ").push_bind(session.as_str());
    }
    if !filter.kinds.is_empty() {
        let mut kinds = sql.push(" AND e.kind IN (").separated(", ");
        for kind in &filter.kinds {
            kinds.push_bind(kind.as_str());
        }
        sql.push(")");
    }
    if let Some(chat) = &filter.chat {
        sql.push(" AND e.chat = ").push_bind(chat);
    }
    sql.push(" ORDER BY e.seq LIMIT ").push_bind(limit);
    let entries = all(sql.build().fetch_all(db).await?, entry_of)?;
    let upto = match entries.last() {
        Some(last) if entries.len() >= limit as usize => last.seq,
        _ => end,
    };
    Ok(LogPage { entries, upto, more: upto < newest, oldest: first })
}

/// See [`EventLog::event_position`](crate::EventLog::event_position).
pub(super) async fn position(db: &SqlitePool, id: &str) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar("SELECT seq FROM events WHERE id = ?").bind(id).fetch_optional(db).await?)
}

/// See [`EventLog::log_end`](crate::EventLog::log_end).
pub(super) async fn end(db: &SqlitePool) -> Result<i64> {
    // SQLite keeps it here, also when the newest event is not kept any more.
    let end = sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'events'");
    Ok(end.fetch_optional(db).await?.unwrap_or(0))
}

/// See [`EventLog::newest_event`](crate::EventLog::newest_event).
pub(super) async fn newest(db: &SqlitePool, owner: Option<&UserId>) -> Result<Option<EventId>> {
    let row = match owner {
        None => sqlx::query("SELECT id FROM events ORDER BY seq DESC LIMIT 1"),
        // One step in the index for each session, however long the log is.
        Some(owner) => sqlx::query(
            "SELECT id FROM events WHERE seq = (
                 SELECT max((SELECT max(e.seq) FROM events e WHERE e.session = s.id AND e.session_no = s.no))
                 FROM sessions s WHERE s.owner = ?)",
        )
        .bind(owner.as_str()),
    };
    row.fetch_optional(db).await?.as_ref().map(|row| parse("event", text(row, "id")?)).transpose()
}

fn entry_of(row: &SqliteRow) -> Result<LogEntry> {
    let owner: Option<&str> = row.try_get("owner")?;
    Ok(LogEntry {
        seq: row.try_get("seq")?,
        owner: owner.map(|owner| parse("session", owner)).transpose()?,
        event: super::events::event_of(row)?,
    })
}
