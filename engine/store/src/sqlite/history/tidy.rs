//! Tidying up: what would be too much for one transaction is put on a list in the
//! one that decides it, and worked off in pieces by a task of the store's, each
//! followed by a pause several times as long. After a crash the list is there still.

use super::messages::{self, Found};
use super::{chats, seq_after, words};
use crate::Result;
use crate::error::StoreError;
use crate::sqlite::{Inner, SqliteStore, media};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use std::sync::Weak;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use warest_model::clock::Millis;
use warest_model::jid::Jid;

/// Rows of one piece.
const PIECE: i64 = 128;
/// How many times as long as a piece the pause after it is.
const REST: u32 = 4;
/// Longest pause.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// What of a session goes with it, beside its chats and files.
const OWNED: [&str; 4] = [
    "DELETE FROM contacts WHERE no IN (SELECT no FROM contacts WHERE session_no = ? LIMIT 1000)",
    "DELETE FROM labels WHERE session_no = ?",
    "DELETE FROM labelled WHERE session_no = ?",
    "DELETE FROM early_changes WHERE session_no = ?",
];

impl SqliteStore {
    /// Has the list worked off, if there may be something on it.
    pub(in crate::sqlite) fn tidy_if(&self, left: bool) {
        if left {
            // One that is there already does for both.
            let _ = self.inner.untidy.try_send(());
        }
    }
}

/// Works the list off whenever it is told to, as long as there is a store.
pub(in crate::sqlite) async fn run(store: Weak<Inner>, mut untidy: mpsc::Receiver<()>) {
    while untidy.recv().await.is_some() {
        loop {
            let begun = Instant::now();
            let done = {
                let Some(inner) = store.upgrade() else { return };
                next(&SqliteStore { inner }).await
            };
            match done {
                Ok(true) => tokio::time::sleep((begun.elapsed() * REST).min(LONGEST_REST)).await,
                Ok(false) => break,
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, "tidying up stopped; it goes on with the next change or start");
                    break;
                }
            }
        }
    }
}

/// Looks first, so that the writer is left alone where there is nothing.
async fn next(store: &SqliteStore) -> Result<bool> {
    let untidy: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM chats_cleared) OR EXISTS (SELECT 1 FROM chats_gone)
             OR EXISTS (SELECT 1 FROM sessions_gone)",
    )
    .fetch_one(store.readers())
    .await?;
    match untidy {
        true => store.write(|db| Box::pin(async move { piece(db).await })).await,
        false => Ok(false),
    }
}

/// Works off a piece; whether there was something.
async fn piece(db: &mut SqliteConnection) -> Result<bool> {
    let cleared = sqlx::query("SELECT no, starred_too, below_seq FROM chats_cleared LIMIT 1");
    if let Some(row) = cleared.fetch_optional(&mut *db).await? {
        clear_piece(db, row.try_get("no")?, row.try_get("starred_too")?, row.try_get("below_seq")?).await?;
        return Ok(true);
    }
    let gone = sqlx::query("SELECT no, into_no FROM chats_gone LIMIT 1");
    if let Some(row) = gone.fetch_optional(&mut *db).await? {
        gone_piece(db, row.try_get("no")?, row.try_get("into_no")?).await?;
        return Ok(true);
    }
    match sqlx::query_scalar("SELECT no FROM sessions_gone LIMIT 1").fetch_optional(&mut *db).await? {
        Some(of) => session_piece(db, of).await.map(|()| true),
        None => Ok(false),
    }
}

/// Removes what was written into a chat up to a moment; whether something is left.
pub(super) async fn clear(
    db: &mut SqliteConnection,
    of: i64,
    jid: &Jid,
    up_to_ms: Millis,
    starred_too: bool,
) -> Result<bool> {
    let Some(no) = chats::find(db, of, jid).await? else { return Ok(false) };
    let below = seq_after(up_to_ms);
    sqlx::query(
        "UPDATE chats SET
             cleared_ms = max(coalesce(cleared_ms, ?2), ?2),
             unread = min(unread, (SELECT count(*) FROM (
                 SELECT 1 FROM messages INDEXED BY messages_received
                 WHERE chat_no = ?1 AND from_me = 0 AND seq >= ?3 LIMIT 1000)))
         WHERE no = ?1",
    )
    .bind(no)
    .bind(up_to_ms)
    .bind(below)
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "INSERT INTO chats_cleared (no, starred_too, below_seq) VALUES (?, ?, ?)
         ON CONFLICT (no, starred_too) DO UPDATE SET below_seq = max(below_seq, excluded.below_seq)",
    )
    .bind(no)
    .bind(starred_too)
    .bind(below)
    .execute(&mut *db)
    .await?;
    clear_piece(db, no, starred_too, below).await
}

/// Whether something is left.
async fn clear_piece(db: &mut SqliteConnection, no: i64, starred_too: bool, below: i64) -> Result<bool> {
    let done = sqlx::query(
        "DELETE FROM messages WHERE seq IN (
             SELECT seq FROM messages INDEXED BY messages_chat
             WHERE chat_no = ? AND seq < ? AND (starred = 0 OR ?) ORDER BY seq LIMIT ?)",
    )
    .bind(no)
    .bind(below)
    .bind(starred_too)
    .bind(PIECE)
    .execute(&mut *db)
    .await?;
    if done.rows_affected() >= PIECE.unsigned_abs() {
        return Ok(true);
    }
    sqlx::query("DELETE FROM chats_cleared WHERE no = ? AND starred_too = ?")
        .bind(no)
        .bind(starred_too)
        .execute(db)
        .await?;
    Ok(false)
}

/// A chat goes with all that is in it; whether something is left.
pub(super) async fn delete_chat(db: &mut SqliteConnection, of: i64, jid: &Jid) -> Result<bool> {
    let Some(no) = chats::find(db, of, jid).await? else { return Ok(false) };
    sqlx::query(
        "DELETE FROM labelled WHERE session_no = ?1
         AND chat IN (SELECT jid FROM chats WHERE no = ?2 UNION SELECT lid FROM chats WHERE no = ?2)",
    )
    .bind(of)
    .bind(no)
    .execute(&mut *db)
    .await?;
    leave(db, no, None).await?;
    gone_piece(db, no, None).await
}

/// Two chats turn out to be one: the smaller goes into the larger. Whether something
/// is left.
pub(super) async fn merge(db: &mut SqliteConnection, one: i64, other: i64) -> Result<bool> {
    let small: i64 = sqlx::query_scalar("SELECT no FROM chats WHERE no IN (?, ?) ORDER BY messages, no LIMIT 1")
        .bind(one)
        .bind(other)
        .fetch_one(&mut *db)
        .await?;
    let large = if small == one { other } else { one };
    sqlx::query(
        "UPDATE chats SET
             name = coalesce(chats.name, o.name),
             unread = chats.unread + o.unread,
             marked_unread = max(chats.marked_unread, o.marked_unread),
             archived = min(chats.archived, o.archived),
             pinned_ms = coalesce(chats.pinned_ms, o.pinned_ms),
             muted_until_ms = coalesce(chats.muted_until_ms, o.muted_until_ms),
             ephemeral_seconds = coalesce(chats.ephemeral_seconds, o.ephemeral_seconds),
             read_ms = coalesce(max(chats.read_ms, o.read_ms), chats.read_ms, o.read_ms),
             cleared_ms = coalesce(max(chats.cleared_ms, o.cleared_ms), chats.cleared_ms, o.cleared_ms),
             created_ms = min(chats.created_ms, o.created_ms),
             updated_ms = max(chats.updated_ms, o.updated_ms)
         FROM (SELECT * FROM chats WHERE no = ?2) o WHERE chats.no = ?1",
    )
    .bind(large)
    .bind(small)
    .execute(&mut *db)
    .await?;
    leave(db, small, Some(large)).await?;
    gone_piece(db, small, Some(large)).await
}

/// Takes a chat out of the list, and notes what becomes of its messages.
async fn leave(db: &mut SqliteConnection, no: i64, into: Option<i64>) -> Result<()> {
    sqlx::query("DELETE FROM chats WHERE no = ?").bind(no).execute(&mut *db).await?;
    sqlx::query("INSERT INTO chats_gone (no, into_no) VALUES (?, ?)").bind(no).bind(into).execute(&mut *db).await?;
    // What was still to go into it goes where it went.
    sqlx::query("UPDATE chats_gone SET into_no = ? WHERE into_no = ?").bind(into).bind(no).execute(db).await?;
    Ok(())
}

/// Whether something is left.
async fn gone_piece(db: &mut SqliteConnection, no: i64, into: Option<i64>) -> Result<bool> {
    let rows = match into {
        None => {
            let some = "DELETE FROM messages WHERE seq IN (
                            SELECT seq FROM messages INDEXED BY messages_chat WHERE chat_no = ? ORDER BY seq LIMIT ?)";
            sqlx::query(some).bind(no).bind(PIECE).execute(&mut *db).await?.rows_affected()
        }
        Some(into) => move_piece(db, no, into).await?,
    };
    if rows >= PIECE.unsigned_abs() {
        return Ok(true);
    }
    sqlx::query("DELETE FROM chats_gone WHERE no = ?").bind(no).execute(db).await?;
    Ok(false)
}

/// Moves messages into another chat; one that is there already goes. How many there
/// were.
async fn move_piece(db: &mut SqliteConnection, no: i64, into: i64) -> Result<u64> {
    let rows = sqlx::query(
        "SELECT m.seq, m.text, EXISTS (
             SELECT 1 FROM messages o
             WHERE o.session_no = m.session_no AND o.id = m.id AND o.from_me = m.from_me AND o.chat_no = ?2) AS there
         FROM messages m INDEXED BY messages_chat WHERE m.chat_no = ?1 ORDER BY m.seq LIMIT ?3",
    )
    .bind(no)
    .bind(into)
    .bind(PIECE)
    .fetch_all(&mut *db)
    .await?;
    for row in &rows {
        let found = Found { seq: row.try_get("seq")?, chat_no: into };
        if row.try_get("there")? {
            sqlx::query("DELETE FROM messages WHERE seq = ?").bind(found.seq).execute(&mut *db).await?;
            continue;
        }
        sqlx::query("UPDATE messages SET chat_no = ? WHERE seq = ?")
            .bind(into)
            .bind(found.seq)
            .execute(&mut *db)
            .await?;
        messages::index(db, &found, &words::heads(row.try_get("text")?)).await?;
    }
    Ok(rows.len() as u64)
}

/// A piece of a session that is gone.
async fn session_piece(db: &mut SqliteConnection, of: i64) -> Result<()> {
    let chats: Vec<i64> = sqlx::query_scalar("SELECT no FROM chats WHERE session_no = ? LIMIT ?")
        .bind(of)
        .bind(PIECE)
        .fetch_all(&mut *db)
        .await?;
    for no in &chats {
        leave(db, *no, None).await?;
    }
    let mut rows = chats.len() as u64;
    if rows == 0 {
        for sql in OWNED {
            rows += sqlx::query(sql).bind(of).execute(&mut *db).await?.rows_affected();
        }
    }
    if rows == 0 {
        rows = media::forget_piece(db, of, PIECE).await?;
    }
    if rows == 0 {
        sqlx::query("DELETE FROM sessions_gone WHERE no = ?").bind(of).execute(db).await?;
    }
    Ok(())
}
