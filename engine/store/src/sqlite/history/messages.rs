//! Messages as they are written.

use super::{OF_ONE_MS, chats, clip, early, seq, words};
use crate::Result;
use crate::error::StoreError;
use crate::sqlite::media;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use warest_model::clock::Millis;
use warest_model::history::{Message, MessageStatus};
use warest_model::jid::Jid;
use warest_model::limits;
use warest_model::plan::MessageKey;

/// Longest id that is kept, in bytes; WhatsApp's have 32.
const ID_BYTES: usize = 255;
/// Longest name that somebody goes by, in characters.
const NAME_CHARS: usize = 255;
/// Most people named in a message.
const MENTIONS: usize = 1_024;
/// Messages of one id that are told apart.
const NAMESAKES: i64 = 20;
/// Milliseconds that a message is moved on by, at most, when there is no place.
const CROWDED_MS: i64 = 1_000;

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub seq: i64,
    pub chat_no: i64,
}

/// The message that a key names. `strict`: its author must be the one of the key
/// under that name or one that is known to be theirs; anybody can write a message
/// with the id of somebody else's.
pub(super) async fn find(db: &mut SqliteConnection, of: i64, key: &MessageKey, strict: bool) -> Result<Option<Found>> {
    let rows = sqlx::query(
        "SELECT seq, chat_no, participant, sender FROM messages INDEXED BY messages_id
         WHERE session_no = ?1 AND id = ?2 AND from_me = ?3 AND chat_no = coalesce(
             (SELECT no FROM chats WHERE session_no = ?1 AND jid = ?4),
             (SELECT no FROM chats WHERE session_no = ?1 AND lid = ?4))
         ORDER BY seq LIMIT ?5",
    )
    .bind(of)
    .bind(&key.id)
    .bind(key.from_me)
    .bind(key.remote_jid.as_str())
    .bind(NAMESAKES)
    .fetch_all(&mut *db)
    .await?;
    let author = key.participant.as_ref().filter(|_| !key.from_me);
    let mut unsure = None;
    for row in rows {
        let found = Found { seq: row.try_get("seq")?, chat_no: row.try_get("chat_no")? };
        let Some(author) = author else { return Ok(Some(found)) };
        let known: [Option<&str>; 2] = [row.try_get("participant")?, row.try_get("sender")?];
        if known.contains(&Some(author.as_str())) {
            return Ok(Some(found));
        }
        let (name, other) = chats::names(db, of, author).await?;
        let theirs = |of: &str| of == name || other.as_deref() == Some(of);
        if known.into_iter().flatten().any(theirs) {
            return Ok(Some(found));
        }
        // Under two kinds of names it may be the same person.
        if known.into_iter().flatten().all(|of| !of.ends_with(author.server())) {
            unsure = unsure.or(Some(found));
        }
    }
    Ok(unsure.filter(|_| !strict))
}

/// Adds a message, or completes one that is known.
pub(super) async fn add(
    db: &mut SqliteConnection,
    of: i64,
    message: Message,
    live: bool,
    heads: &[String],
) -> Result<()> {
    if message.key.id.is_empty() || message.key.id.len() > ID_BYTES {
        return Ok(());
    }
    let around = sqlx::query(
        "SELECT c.no, c.cleared_ms, c.read_ms,
                EXISTS (SELECT 1 FROM messages m WHERE m.session_no = ?1 AND m.id = ?3) AS seen,
                EXISTS (SELECT 1 FROM early_changes e WHERE e.session_no = ?1 AND e.id = ?3) AS early
         FROM (SELECT coalesce(
             (SELECT no FROM chats WHERE session_no = ?1 AND jid = ?2),
             (SELECT no FROM chats WHERE session_no = ?1 AND lid = ?2)) AS no) found
         LEFT JOIN chats c ON c.no = found.no",
    )
    .bind(of)
    .bind(message.key.remote_jid.as_str())
    .bind(&message.key.id)
    .fetch_one(&mut *db)
    .await?;
    let chat_no: Option<i64> = around.try_get("no")?;
    let (cleared_ms, read_ms): (Option<Millis>, Option<Millis>) =
        (around.try_get("cleared_ms")?, around.try_get("read_ms")?);
    if around.try_get("seen")?
        && let Some(found) = find(db, of, &message.key, false).await?
    {
        return complete(db, of, &found, &message, live, heads).await;
    }
    if !live && !message.starred && cleared_ms.is_some_and(|cleared| message.ts_ms <= cleared) {
        return Ok(());
    }
    let chat_no = match chat_no {
        Some(no) => no,
        None => chats::create(db, of, &message.key.remote_jid, message.ts_ms).await?,
    };
    if let Some(media) = &message.media {
        media::of_message(db, of, &message.key, media, live).await?;
    }
    let seq = insert(db, of, chat_no, &message).await?;
    index(db, &Found { seq, chat_no }, heads).await?;
    if live && !message.key.from_me && read_ms.is_none_or(|read| message.ts_ms > read) {
        let count = sqlx::query("UPDATE chats SET unread = unread + 1 WHERE no = ?").bind(chat_no);
        count.execute(&mut *db).await?;
    }
    if around.try_get("early")? {
        early::catch_up(db, of, &message.key.id).await?;
    }
    Ok(())
}

async fn insert(db: &mut SqliteConnection, of: i64, chat_no: i64, message: &Message) -> Result<i64> {
    let mentions: Vec<&str> = message.mentions.iter().take(MENTIONS).map(Jid::as_str).collect();
    let mentions = (!mentions.is_empty()).then(|| serde_json::json!(mentions).to_string());
    for crowded_ms in 0..CROWDED_MS {
        let from = seq(message.ts_ms) + crowded_ms * OF_ONE_MS;
        // Nothing is inserted where the millisecond is full.
        let done = sqlx::query(
            "INSERT INTO messages (seq, session_no, chat_no, id, from_me, participant, sender, push_name, ts_ms,
                 content_type, text, media, quoted, mentions, status, starred, edited_ms, revoked_ms, pinned_until_ms,
                 body)
             SELECT place.seq, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21
             FROM (SELECT coalesce(max(seq), ?1 - 1) + 1 AS seq FROM messages WHERE seq >= ?1 AND seq < ?2) place
             WHERE place.seq < ?2 RETURNING seq",
        )
        .bind(from)
        .bind(from + OF_ONE_MS)
        .bind(of)
        .bind(chat_no)
        .bind(&message.key.id)
        .bind(message.key.from_me)
        .bind(message.key.participant.as_ref().map(Jid::as_str))
        .bind(message.sender.as_str())
        .bind(message.push_name.clone().map(|name| clip(name, NAME_CHARS)))
        .bind(message.ts_ms)
        .bind(&message.content_type)
        .bind(text(&message.text))
        .bind(message.media.as_ref().map(|media| media.id.as_str()))
        .bind(message.quoted.as_ref().filter(|id| id.len() <= ID_BYTES))
        .bind(&mentions)
        .bind(message.status as i64)
        .bind(message.starred)
        .bind(message.edited_ms)
        .bind(message.revoked_ms)
        .bind(message.pinned_until_ms)
        .bind(&message.body)
        .fetch_optional(&mut *db)
        .await?;
        if let Some(row) = done {
            return Ok(row.try_get("seq")?);
        }
    }
    // A second has room for two thousand million.
    Err(StoreError::Database("there are too many messages of one moment".to_owned()))
}

/// A message that is known comes again: what later changes made of it stays.
async fn complete(
    db: &mut SqliteConnection,
    of: i64,
    found: &Found,
    message: &Message,
    live: bool,
    heads: &[String],
) -> Result<()> {
    let named = message.push_name.clone().map(|name| clip(name, NAME_CHARS));
    let row = sqlx::query(
        "UPDATE messages SET status = max(status, ?2), push_name = coalesce(push_name, ?3),
             revoked_ms = coalesce(revoked_ms, ?4)
         WHERE seq = ?1
         RETURNING length(body) = 0 AND revoked_ms IS NULL AND edited_ms IS NULL AS empty,
                   revoked_ms IS NOT NULL AND length(body) > 0 AS taken_back",
    )
    .bind(found.seq)
    .bind(message.status as i64)
    .bind(named)
    .bind(message.revoked_ms)
    .fetch_one(&mut *db)
    .await?;
    if row.try_get("taken_back")? {
        return take_back(db, found).await;
    }
    if row.try_get("empty")? && !message.body.is_empty() {
        // It could not be read before.
        if let Some(media) = &message.media {
            media::of_message(db, of, &message.key, media, live).await?;
        }
        sqlx::query("UPDATE messages SET content_type = ?, text = ?, media = ?, body = ? WHERE seq = ?")
            .bind(&message.content_type)
            .bind(text(&message.text))
            .bind(message.media.as_ref().map(|media| media.id.as_str()))
            .bind(&message.body)
            .bind(found.seq)
            .execute(&mut *db)
            .await?;
        index(db, found, heads).await?;
    }
    Ok(())
}

/// A message says something else; what it said later stays.
pub(super) async fn edit(
    db: &mut SqliteConnection,
    found: &Found,
    says: &str,
    body: &[u8],
    at_ms: Millis,
    heads: &[String],
) -> Result<()> {
    let done = sqlx::query(
        "UPDATE messages SET text = ?2, body = ?3, edited_ms = ?4
         WHERE seq = ?1 AND revoked_ms IS NULL AND coalesce(edited_ms, ?4) <= ?4",
    )
    .bind(found.seq)
    .bind(text(says))
    .bind(body)
    .bind(at_ms)
    .execute(&mut *db)
    .await?;
    if done.rows_affected() > 0 {
        index(db, found, heads).await?;
    }
    Ok(())
}

/// A message was taken back: nothing of what it said stays.
pub(super) async fn revoke(db: &mut SqliteConnection, found: &Found, at_ms: Millis) -> Result<()> {
    let mark = sqlx::query("UPDATE messages SET revoked_ms = ? WHERE seq = ? AND revoked_ms IS NULL").bind(at_ms);
    match mark.bind(found.seq).execute(&mut *db).await?.rows_affected() {
        0 => Ok(()),
        _ => take_back(db, found).await,
    }
}

async fn take_back(db: &mut SqliteConnection, found: &Found) -> Result<()> {
    sqlx::query(
        "UPDATE messages SET text = '', body = x'', media = NULL, quoted = NULL, mentions = NULL, pinned_until_ms = NULL
         WHERE seq = ?",
    )
    .bind(found.seq)
    .execute(&mut *db)
    .await?;
    for forget in ["DELETE FROM reactions WHERE message = ?", "DELETE FROM votes WHERE message = ?"] {
        sqlx::query(forget).bind(found.seq).execute(&mut *db).await?;
    }
    index(db, found, &[]).await
}

/// A message goes, for this account.
pub(super) async fn delete(db: &mut SqliteConnection, of: i64, key: &MessageKey) -> Result<()> {
    let Some(found) = find(db, of, key, false).await? else { return Ok(()) };
    sqlx::query("DELETE FROM messages WHERE seq = ?").bind(found.seq).execute(&mut *db).await?;
    sqlx::query(
        "DELETE FROM labelled WHERE session_no = ?1 AND message = ?2
         AND chat IN (SELECT jid FROM chats WHERE no = ?3 UNION SELECT lid FROM chats WHERE no = ?3)",
    )
    .bind(of)
    .bind(&key.id)
    .bind(found.chat_no)
    .execute(db)
    .await?;
    Ok(())
}

/// Has a message found by these beginnings, and by no others.
pub(super) async fn index(db: &mut SqliteConnection, found: &Found, heads: &[String]) -> Result<()> {
    sqlx::query("DELETE FROM message_words WHERE rowid = ?").bind(found.seq).execute(&mut *db).await?;
    if !heads.is_empty() {
        sqlx::query("INSERT INTO message_words (rowid, words) VALUES (?, ?)")
            .bind(found.seq)
            .bind(words::tokens(found.chat_no, heads))
            .execute(db)
            .await?;
    }
    Ok(())
}

/// What is kept of a text.
fn text(text: &str) -> &str {
    match text.char_indices().nth(limits::TEXT_CHARS) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// The status of a number.
pub(super) fn status_of(number: i64) -> Option<MessageStatus> {
    MessageStatus::ALL.into_iter().find(|status| *status as i64 == number)
}
