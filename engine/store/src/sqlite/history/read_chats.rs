//! Chats as they are read.

use super::containing;
use crate::Result;
use crate::codec;
use crate::history::{ChatFilter, ChatOrder, Slice};
use crate::sqlite::{all, number};
use sqlx::sqlite::{Sqlite, SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row};
use warest_model::clock::Millis;
use warest_model::history::Chat;
use warest_model::id::SessionId;
use warest_model::jid::Jid;

/// Of the last message, this much is shown, in characters.
const SHOWN_CHARS: &str = "1000";

/// The name that a chat is shown by: its own, or that of the person.
const NAME: &str = "coalesce(
    nullif(c.name, ''),
    (SELECT coalesce(k.name, k.verified_name, k.push_name) FROM contacts k
     WHERE k.session_no = c.session_no AND k.jid = c.jid),
    (SELECT coalesce(k.name, k.verified_name, k.push_name) FROM contacts k
     WHERE k.session_no = c.session_no AND k.lid = c.jid))";

/// A page of chats, and how many fit.
pub(super) async fn list(db: &SqlitePool, filter: &ChatFilter, page: &Slice) -> Result<(Vec<Chat>, u64)> {
    let mut count = QueryBuilder::<Sqlite>::new("SELECT count(*) AS many FROM chats c");
    fitting(&mut count, filter);
    let total = number(&count.build().fetch_one(db).await?, "count", "many")?;
    let mut sql = select();
    fitting(&mut sql, filter);
    let direction = if filter.ascending { "ASC" } else { "DESC" };
    match filter.order {
        ChatOrder::LastMessage => sql.push(format!(" ORDER BY c.last_seq {direction}, c.no {direction}")),
        ChatOrder::UnreadCount => {
            sql.push(format!(" ORDER BY c.unread {direction}, c.marked_unread {direction}, c.last_seq DESC, c.no"))
        }
        ChatOrder::Name => sql.push(format!(" ORDER BY coalesce({NAME}, c.jid) COLLATE NOCASE {direction}, c.no")),
    };
    sql.push(" LIMIT ").push_bind(page.limit.clamp(1, 1_000));
    sql.push(" OFFSET ").push_bind(i64::try_from(page.offset).unwrap_or(i64::MAX));
    Ok((all(sql.build().fetch_all(db).await?, chat_of)?, total))
}

/// One chat.
pub(super) async fn one(db: &SqlitePool, session: &SessionId, chat: &Jid) -> Result<Option<Chat>> {
    let mut sql = select();
    sql.push(" WHERE c.no = ");
    number_of(&mut sql, session, chat);
    sql.build().fetch_optional(db).await?.as_ref().map(chat_of).transpose()
}

/// The number of a session's chat, as an expression.
pub(super) fn number_of(sql: &mut QueryBuilder<Sqlite>, session: &SessionId, chat: &Jid) {
    for (before, column) in [("coalesce(", "jid"), (", ", "lid")] {
        sql.push(before).push("(SELECT f.no FROM chats f WHERE f.session_no = (SELECT no FROM sessions WHERE id = ");
        sql.push_bind(session.as_str().to_owned()).push(format!(") AND f.{column} = "));
        sql.push_bind(chat.as_str().to_owned()).push(")");
    }
    sql.push(")");
}

fn select() -> QueryBuilder<Sqlite> {
    QueryBuilder::new(format!(
        "SELECT c.jid, c.lid, {NAME} AS name, c.unread, c.marked_unread, c.archived, c.pinned_ms, c.muted_until_ms,
                c.ephemeral_seconds, substr(m.text, 1, {SHOWN_CHARS}) AS last_text, m.ts_ms AS last_ms, c.created_ms,
                c.updated_ms
         FROM chats c LEFT JOIN messages m ON m.seq = c.last_seq"
    ))
}

fn fitting(sql: &mut QueryBuilder<Sqlite>, filter: &ChatFilter) {
    sql.push(" WHERE c.session_no = (SELECT no FROM sessions WHERE id = ");
    sql.push_bind(filter.session.as_str().to_owned()).push(")");
    if let Some(search) = filter.search.as_deref().filter(|search| !search.is_empty()) {
        let pattern = containing(search);
        sql.push(format!(" AND ({NAME} LIKE ")).push_bind(pattern.clone());
        sql.push(" ESCAPE '\\' OR c.jid LIKE ").push_bind(pattern).push(" ESCAPE '\\')");
    }
    if filter.has_media {
        sql.push(" AND c.media > 0");
    }
    if let Some(archived) = filter.archived {
        sql.push(" AND c.archived = ").push_bind(archived);
    }
}

fn chat_of(row: &SqliteRow) -> Result<Chat> {
    const WHAT: &str = "chat";
    let lid: Option<String> = row.try_get("lid")?;
    let seconds: Option<i64> = row.try_get("ephemeral_seconds")?;
    let last: (Option<String>, Option<Millis>) = (row.try_get("last_text")?, row.try_get("last_ms")?);
    Ok(Chat {
        jid: codec::jid(WHAT, row.try_get("jid")?)?,
        lid: lid.map(|lid| codec::jid(WHAT, lid)).transpose()?,
        name: row.try_get("name")?,
        unread: number(row, WHAT, "unread")?,
        marked_unread: row.try_get("marked_unread")?,
        archived: row.try_get("archived")?,
        pinned_ms: row.try_get("pinned_ms")?,
        muted_until_ms: row.try_get("muted_until_ms")?,
        ephemeral_seconds: seconds.and_then(|seconds| u32::try_from(seconds).ok()),
        last: last.0.zip(last.1),
        created_ms: row.try_get("created_ms")?,
        updated_ms: row.try_get("updated_ms")?,
    })
}
