//! Labels, as they are written and read.

use super::chats::names;
use super::clip;
use crate::Result;
use crate::codec;
use crate::history::{Labelled, Slice};
use crate::sqlite::{all, number};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use warest_model::history::Label;
use warest_model::id::SessionId;
use warest_model::jid::Jid;

/// Longest name or id, in characters.
const CHARS: usize = 255;

/// A label was made or changed.
pub(super) async fn put(db: &mut SqliteConnection, of: i64, label: Label) -> Result<()> {
    sqlx::query(
        "INSERT INTO labels (session_no, id, name, color) VALUES (?, ?, ?, ?)
         ON CONFLICT (session_no, id) DO UPDATE SET name = excluded.name, color = excluded.color",
    )
    .bind(of)
    .bind(clip(label.id, CHARS))
    .bind(clip(label.name, CHARS))
    .bind(label.color)
    .execute(db)
    .await?;
    Ok(())
}

/// A label went, from everything it was on.
pub(super) async fn delete(db: &mut SqliteConnection, of: i64, id: &str) -> Result<()> {
    for sql in [
        "DELETE FROM labels WHERE session_no = ? AND id = ?",
        "DELETE FROM labelled WHERE session_no = ? AND label = ?",
    ] {
        sqlx::query(sql).bind(of).bind(id).execute(&mut *db).await?;
    }
    Ok(())
}

/// A label on something, or off it.
pub(super) async fn set(
    db: &mut SqliteConnection,
    of: i64,
    label: &str,
    chat: &Jid,
    message: Option<String>,
    on: bool,
) -> Result<()> {
    let (chat, _) = names(db, of, chat).await?;
    let sql = if on {
        "INSERT OR IGNORE INTO labelled (session_no, label, chat, message) VALUES (?, ?, ?, ?)"
    } else {
        "DELETE FROM labelled WHERE session_no = ? AND label = ? AND chat = ? AND message = ?"
    };
    sqlx::query(sql)
        .bind(of)
        .bind(clip(label.to_owned(), CHARS))
        .bind(chat)
        .bind(clip(message.unwrap_or_default(), CHARS))
        .execute(db)
        .await?;
    Ok(())
}

/// Every label of a session, by name.
pub(super) async fn all_of(db: &SqlitePool, session: &SessionId) -> Result<Vec<Label>> {
    let rows = sqlx::query(
        "SELECT id, name, color FROM labels WHERE session_no = (SELECT no FROM sessions WHERE id = ?)
         ORDER BY name COLLATE NOCASE, id LIMIT 1000",
    );
    all(rows.bind(session.as_str()).fetch_all(db).await?, label_of)
}

/// What has a label.
pub(super) async fn labelled(
    db: &SqlitePool,
    session: &SessionId,
    label: &str,
    page: &Slice,
) -> Result<(Vec<Labelled>, u64)> {
    let total = sqlx::query(
        "SELECT count(*) AS many FROM labelled
         WHERE session_no = (SELECT no FROM sessions WHERE id = ?) AND label = ?",
    );
    let total = total.bind(session.as_str()).bind(label).fetch_one(db).await?;
    let rows = sqlx::query(
        "SELECT chat, message FROM labelled
         WHERE session_no = (SELECT no FROM sessions WHERE id = ?) AND label = ?
         ORDER BY chat, message LIMIT ? OFFSET ?",
    )
    .bind(session.as_str())
    .bind(label)
    .bind(page.limit.clamp(1, 1_000))
    .bind(i64::try_from(page.offset).unwrap_or(i64::MAX))
    .fetch_all(db)
    .await?;
    let read = |row: &SqliteRow| {
        let message: String = row.try_get("message")?;
        let chat = codec::jid("label", row.try_get("chat")?)?;
        Ok(Labelled { chat, message: Some(message).filter(|message| !message.is_empty()) })
    };
    Ok((all(rows, read)?, number(&total, "count", "many")?))
}

/// The labels on something.
pub(super) async fn on(db: &SqlitePool, session: &SessionId, chat: &Jid, message: Option<&str>) -> Result<Vec<Label>> {
    let rows = sqlx::query(
        "WITH of (no) AS (SELECT no FROM sessions WHERE id = ?1)
         SELECT l.id, l.name, l.color FROM of
         JOIN labelled d INDEXED BY labelled_chat ON d.session_no = of.no AND d.message = ?3
             AND d.chat IN (?2, (SELECT jid FROM contacts WHERE session_no = of.no AND lid = ?2))
         JOIN labels l ON l.session_no = of.no AND l.id = d.label
         ORDER BY l.name COLLATE NOCASE, l.id",
    )
    .bind(session.as_str())
    .bind(chat.as_str())
    .bind(message.unwrap_or_default())
    .fetch_all(db)
    .await?;
    all(rows, label_of)
}

fn label_of(row: &SqliteRow) -> Result<Label> {
    Ok(Label { id: row.try_get("id")?, name: row.try_get("name")?, color: number(row, "label", "color")? })
}
