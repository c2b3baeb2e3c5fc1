//! Chats as they are written, and the names of people.

use super::{clip, contacts, seq_after, tidy};
use crate::Result;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use warest_model::clock::Millis;
use warest_model::history::{ChatPatch, Contact};
use warest_model::jid::Jid;

/// Longest name of a chat, in characters.
const NAME_CHARS: usize = 255;

/// Whether an address is a person's LID.
pub(super) fn is_lid(jid: &Jid) -> bool {
    jid.server() == "lid"
}

/// Whether an address is a person's, by phone or by LID.
pub(super) fn is_person(jid: &Jid) -> bool {
    matches!(jid.server(), "lid" | "s.whatsapp.net")
}

/// The name that somebody is kept under, and the other that they have: the phone
/// address before the LID, where both are known.
pub(super) async fn names(db: &mut SqliteConnection, of: i64, jid: &Jid) -> Result<(String, Option<String>)> {
    let given = jid.as_str().to_owned();
    if !is_person(jid) {
        return Ok((given, None));
    }
    let column = if is_lid(jid) {
        "SELECT jid, lid FROM contacts WHERE session_no = ? AND lid = ?"
    } else {
        "SELECT jid, lid FROM contacts WHERE session_no = ? AND jid = ?"
    };
    let known: Option<(Option<String>, Option<String>)> =
        sqlx::query_as(column).bind(of).bind(&given).fetch_optional(db).await?;
    Ok(match known {
        Some((Some(phone), Some(lid))) => (phone, Some(lid)),
        _ => (given, None),
    })
}

/// The chat of an address.
pub(super) async fn find(db: &mut SqliteConnection, of: i64, jid: &Jid) -> Result<Option<i64>> {
    let found: Option<Option<i64>> = sqlx::query_scalar(
        "SELECT coalesce(
             (SELECT no FROM chats WHERE session_no = ?1 AND jid = ?2),
             (SELECT no FROM chats WHERE session_no = ?1 AND lid = ?2))",
    )
    .bind(of)
    .bind(jid.as_str())
    .fetch_optional(db)
    .await?;
    Ok(found.flatten())
}

/// Makes the chat of an address that has none.
pub(super) async fn create(db: &mut SqliteConnection, of: i64, jid: &Jid, at_ms: Millis) -> Result<i64> {
    let (name, other) = names(db, of, jid).await?;
    let lid = other.or_else(|| is_lid(jid).then(|| name.clone()));
    let no = sqlx::query_scalar(
        "INSERT INTO chats (session_no, jid, lid, created_ms, updated_ms) VALUES (?, ?, ?, ?4, ?4)
         ON CONFLICT (session_no, jid) DO UPDATE SET lid = coalesce(excluded.lid, lid) RETURNING no",
    )
    .bind(of)
    .bind(name)
    .bind(lid)
    .bind(at_ms)
    .fetch_one(db)
    .await?;
    Ok(no)
}

/// Something about a chat; whether something is left to tidy up.
pub(super) async fn change(
    db: &mut SqliteConnection,
    of: i64,
    jid: &Jid,
    patch: ChatPatch,
    at_ms: Millis,
) -> Result<bool> {
    let mut left = false;
    if let Some(lid) = patch.lid.filter(|lid| is_lid(lid) && is_person(jid) && !is_lid(jid)) {
        let pair = Contact { jid: Some(jid.clone()), lid: Some(lid), ..Contact::default() };
        left = contacts::learn(db, of, pair).await?;
    }
    let no = match find(db, of, jid).await? {
        Some(no) => no,
        None => create(db, of, jid, at_ms).await?,
    };
    sqlx::query(
        "UPDATE chats SET
             name = coalesce(?2, name),
             archived = coalesce(?3, archived),
             pinned_ms = CASE WHEN ?4 THEN ?5 ELSE pinned_ms END,
             muted_until_ms = CASE WHEN ?6 THEN ?7 ELSE muted_until_ms END,
             unread = coalesce(?8, unread),
             marked_unread = coalesce(?9, marked_unread),
             ephemeral_seconds = CASE WHEN ?10 THEN ?11 ELSE ephemeral_seconds END,
             updated_ms = max(updated_ms, ?12)
         WHERE no = ?1",
    )
    .bind(no)
    .bind(patch.name.map(|name| clip(name, NAME_CHARS)))
    .bind(patch.archived)
    .bind(patch.pinned_ms.is_some())
    .bind(patch.pinned_ms.flatten())
    .bind(patch.muted_until_ms.is_some())
    .bind(patch.muted_until_ms.flatten())
    .bind(patch.unread)
    .bind(patch.marked_unread)
    .bind(patch.ephemeral_seconds.is_some())
    .bind(patch.ephemeral_seconds.flatten())
    .bind(at_ms)
    .execute(db)
    .await?;
    Ok(left)
}

/// What came into a chat up to a moment was read.
pub(super) async fn read(db: &mut SqliteConnection, of: i64, jid: &Jid, at_ms: Millis) -> Result<()> {
    let Some(no) = find(db, of, jid).await? else { return Ok(()) };
    sqlx::query(
        "UPDATE chats SET
             unread = min(unread, (SELECT count(*) FROM (
                 SELECT 1 FROM messages INDEXED BY messages_received
                 WHERE chat_no = ?1 AND from_me = 0 AND seq >= ?2 LIMIT 1000))),
             marked_unread = 0,
             read_ms = max(coalesce(read_ms, ?3), ?3),
             updated_ms = max(updated_ms, ?3)
         WHERE no = ?1",
    )
    .bind(no)
    .bind(seq_after(at_ms))
    .bind(at_ms)
    .execute(db)
    .await?;
    Ok(())
}

/// A phone address and a LID are one person's: so are the chats, the labels and
/// what is left to be moved. Whether something is left to tidy up.
pub(super) async fn unite(db: &mut SqliteConnection, of: i64, phone: &Jid, lid: &Jid) -> Result<bool> {
    let row = sqlx::query(
        "SELECT (SELECT no FROM chats WHERE session_no = ?1 AND jid = ?2) AS by_phone,
                (SELECT no FROM chats WHERE session_no = ?1 AND jid = ?3) AS by_lid",
    )
    .bind(of)
    .bind(phone.as_str())
    .bind(lid.as_str())
    .fetch_one(&mut *db)
    .await?;
    let (by_phone, by_lid): (Option<i64>, Option<i64>) = (row.try_get("by_phone")?, row.try_get("by_lid")?);
    let left = match (by_phone, by_lid) {
        (Some(one), Some(other)) => tidy::merge(db, one, other).await?,
        _ => false,
    };
    sqlx::query("UPDATE chats SET lid = NULL WHERE session_no = ?1 AND lid = ?2 AND jid NOT IN (?3, ?2)")
        .bind(of)
        .bind(lid.as_str())
        .bind(phone.as_str())
        .execute(&mut *db)
        .await?;
    sqlx::query("UPDATE chats SET jid = ?2, lid = ?3 WHERE session_no = ?1 AND jid IN (?2, ?3)")
        .bind(of)
        .bind(phone.as_str())
        .bind(lid.as_str())
        .execute(&mut *db)
        .await?;
    sqlx::query("UPDATE OR REPLACE labelled SET chat = ? WHERE session_no = ? AND chat = ?")
        .bind(phone.as_str())
        .bind(of)
        .bind(lid.as_str())
        .execute(db)
        .await?;
    Ok(left)
}
