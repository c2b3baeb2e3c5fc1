//! Messages as they are read: which ones, by [`walk`]; and then those, whole.

use super::read_chats::number_of;
use super::walk::{self, Walk};
use super::{records, seq, seq_after};
use crate::Result;
use crate::history::{MessageFilter, MessageRecord, Messages, Start};
use sqlx::sqlite::{Sqlite, SqlitePool};
use sqlx::{QueryBuilder, Row};
use warest_model::clock::Millis;
use warest_model::id::SessionId;
use warest_model::jid::Jid;
use warest_model::plan::MessageKey;

/// A page of messages.
pub(super) async fn list(db: &SqlitePool, filter: &MessageFilter, from: Start, limit: u32) -> Result<Messages> {
    let mut sql = QueryBuilder::<Sqlite>::new("SELECT no, messages, sent, media, media_sent FROM chats WHERE no = ");
    number_of(&mut sql, &filter.session, &filter.chat);
    let Some(chat) = sql.build().fetch_optional(db).await? else { return Ok(walk::nothing()) };
    let walk = Walk {
        chat_no: chat.try_get("no")?,
        lowest: filter.from_ms.map_or(0, seq),
        below: filter.to_ms.map_or(i64::MAX, seq_after),
        media_only: filter.media_only,
        from_me: filter.from_me,
        messages: (chat.try_get("messages")?, chat.try_get("sent")?),
        media: (chat.try_get("media")?, chat.try_get("media_sent")?),
    };
    let found = match &filter.search {
        Some(search) => walk.search(db, search, from, limit.clamp(1, 500)).await?,
        None => walk.list(db, from, limit.clamp(1, 500)).await?,
    };
    Ok(Messages { list: records::load(db, &found.seqs).await?, total: found.total, next: found.next })
}

/// One message. The oldest of several: nobody can write one with the id of another
/// before that one is known.
pub(super) async fn one(
    db: &SqlitePool,
    session: &SessionId,
    chat: Option<&Jid>,
    id: &str,
) -> Result<Option<MessageRecord>> {
    let mut sql = QueryBuilder::<Sqlite>::new(
        "SELECT m.seq FROM messages m INDEXED BY messages_id JOIN chats c ON c.no = m.chat_no
         WHERE m.session_no = (SELECT no FROM sessions WHERE id = ",
    );
    sql.push_bind(session.as_str().to_owned()).push(") AND m.id = ").push_bind(id.to_owned());
    if let Some(chat) = chat {
        sql.push(" AND m.chat_no = ");
        number_of(&mut sql, session, chat);
    }
    sql.push(" ORDER BY m.seq LIMIT 1");
    let seq: Option<i64> = sql.build_query_scalar().fetch_optional(db).await?;
    Ok(records::load(db, seq.as_slice()).await?.pop())
}

/// The newest message of a chat.
pub(super) async fn last(db: &SqlitePool, session: &SessionId, chat: &Jid) -> Result<Option<MessageRecord>> {
    let mut sql = QueryBuilder::<Sqlite>::new("SELECT last_seq FROM chats WHERE no = ");
    number_of(&mut sql, session, chat);
    let seq: Option<Option<i64>> = sql.build_query_scalar().fetch_optional(db).await?;
    Ok(records::load(db, seq.flatten().as_slice()).await?.pop())
}

/// What came into a chat and was not read.
pub(super) async fn unread(
    db: &SqlitePool,
    session: &SessionId,
    chat: &Jid,
    since_ms: Option<Millis>,
    limit: u32,
) -> Result<Vec<(MessageKey, Millis)>> {
    let mut sql = QueryBuilder::<Sqlite>::new("SELECT no, unread FROM chats WHERE no = ");
    number_of(&mut sql, session, chat);
    let Some(row) = sql.build().fetch_optional(db).await? else { return Ok(Vec::new()) };
    let (no, unread): (i64, i64) = (row.try_get("no")?, row.try_get("unread")?);
    // The newest are those that were not read.
    let rows = sqlx::query(
        "SELECT m.from_me, m.id, m.participant, m.ts_ms, c.jid AS chat
         FROM messages m INDEXED BY messages_received JOIN chats c ON c.no = m.chat_no
         WHERE m.chat_no = ? AND m.from_me = 0 AND m.seq >= ? ORDER BY m.seq DESC LIMIT ?",
    )
    .bind(no)
    .bind(since_ms.map_or(0, seq))
    .bind(unread.min(i64::from(limit.clamp(1, 1_000))))
    .fetch_all(db)
    .await?;
    rows.iter().map(|row| Ok((records::key_of(row)?, row.try_get("ts_ms")?))).collect()
}
