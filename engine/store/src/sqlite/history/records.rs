//! Whole messages, read by their positions.

use super::messages::status_of;
use crate::Result;
use crate::codec::{self, corrupt, parse};
use crate::history::MessageRecord;
use crate::media::MediaState;
use crate::sqlite::number;
use sqlx::sqlite::{Sqlite, SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row};
use std::collections::HashMap;
use warest_model::history::{Media, Message, Reaction, Vote};
use warest_model::jid::Jid;
use warest_model::plan::MessageKey;

/// Reactions, and votes, of one page.
const SAID: u32 = 20_000;
const WHAT: &str = "message";

/// The messages at these positions, newest first. One that is gone meanwhile is left
/// out.
pub(super) async fn load(db: &SqlitePool, seqs: &[i64]) -> Result<Vec<MessageRecord>> {
    if seqs.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = QueryBuilder::<Sqlite>::new(
        "SELECT m.*, c.jid AS chat, f.kind, f.mime, f.size, f.sha256, f.file_name, f.width, f.height, f.seconds, f.state
         FROM messages m JOIN chats c ON c.no = m.chat_no LEFT JOIN media f ON f.id = m.media WHERE m.seq IN (",
    );
    list(&mut sql, seqs);
    sql.push(") ORDER BY m.seq DESC");
    let rows = sql.build().fetch_all(db).await?;
    let mut records = Vec::with_capacity(rows.len());
    for row in &rows {
        records.push(record_of(row)?);
    }
    let mut sql = QueryBuilder::<Sqlite>::new("SELECT message, sender, emoji, ts_ms FROM reactions WHERE message IN (");
    list(&mut sql, seqs);
    sql.push(") AND emoji <> '' ORDER BY message DESC, ts_ms, sender LIMIT ").push_bind(SAID);
    let mut reactions: HashMap<i64, Vec<Reaction>> = HashMap::new();
    for row in sql.build().fetch_all(db).await? {
        let reaction =
            Reaction { from: jid(&row, "sender")?, emoji: row.try_get("emoji")?, ts_ms: row.try_get("ts_ms")? };
        reactions.entry(row.try_get("message")?).or_default().push(reaction);
    }
    let mut sql = QueryBuilder::<Sqlite>::new("SELECT message, sender, options, ts_ms FROM votes WHERE message IN (");
    list(&mut sql, seqs);
    sql.push(") AND options <> '[]' ORDER BY message DESC, ts_ms, sender LIMIT ").push_bind(SAID);
    let mut votes: HashMap<i64, Vec<Vote>> = HashMap::new();
    for row in sql.build().fetch_all(db).await? {
        let options = serde_json::from_str(row.try_get("options")?).map_err(|error| corrupt("vote", error))?;
        let vote = Vote { from: jid(&row, "sender")?, options, ts_ms: row.try_get("ts_ms")? };
        votes.entry(row.try_get("message")?).or_default().push(vote);
    }
    for record in &mut records {
        record.reactions = reactions.remove(&record.seq).unwrap_or_default();
        record.votes = votes.remove(&record.seq).unwrap_or_default();
    }
    Ok(records)
}

fn list(sql: &mut QueryBuilder<Sqlite>, seqs: &[i64]) {
    let mut list = sql.separated(", ");
    for seq in seqs {
        list.push_bind(*seq);
    }
}

fn jid(row: &SqliteRow, column: &str) -> Result<Jid> {
    codec::jid(WHAT, row.try_get(column)?)
}

/// The key of a row that has a `chat`.
pub(super) fn key_of(row: &SqliteRow) -> Result<MessageKey> {
    let participant: Option<String> = row.try_get("participant")?;
    Ok(MessageKey {
        remote_jid: jid(row, "chat")?,
        from_me: row.try_get("from_me")?,
        id: row.try_get("id")?,
        participant: participant.map(|participant| codec::jid(WHAT, participant)).transpose()?,
    })
}

fn record_of(row: &SqliteRow) -> Result<MessageRecord> {
    let mentions: Option<&str> = row.try_get("mentions")?;
    let mentions = match mentions {
        Some(mentions) => serde_json::from_str(mentions).map_err(|error| corrupt(WHAT, error))?,
        None => Vec::new(),
    };
    let status: i64 = row.try_get("status")?;
    let file: Option<&str> = row.try_get("state")?;
    let message = Message {
        key: key_of(row)?,
        sender: jid(row, "sender")?,
        push_name: row.try_get("push_name")?,
        ts_ms: row.try_get("ts_ms")?,
        content_type: row.try_get("content_type")?,
        text: row.try_get("text")?,
        body: row.try_get("body")?,
        media: match file {
            Some(_) => Some(media_of(row, "media")?),
            None => None,
        },
        quoted: row.try_get("quoted")?,
        mentions,
        status: status_of(status).ok_or_else(|| corrupt(WHAT, format!("its status is {status}")))?,
        starred: row.try_get("starred")?,
        edited_ms: row.try_get("edited_ms")?,
        revoked_ms: row.try_get("revoked_ms")?,
        pinned_until_ms: row.try_get("pinned_until_ms")?,
    };
    let media = file.map(|state| {
        MediaState::from_name(state).ok_or_else(|| corrupt("media file", format!("its state is {state:?}")))
    });
    Ok(MessageRecord {
        seq: row.try_get("seq")?,
        message,
        media: media.transpose()?,
        reactions: Vec::new(),
        votes: Vec::new(),
    })
}

/// The file of a row, whose id is in the column `id`.
pub(in crate::sqlite) fn media_of(row: &SqliteRow, id: &str) -> Result<Media> {
    const WHAT: &str = "media file";
    let small = |column| -> Result<Option<u32>> {
        let value: Option<i64> = row.try_get(column)?;
        Ok(value.and_then(|value| u32::try_from(value).ok()))
    };
    Ok(Media {
        id: parse(WHAT, row.try_get(id)?)?,
        kind: row.try_get("kind")?,
        mimetype: row.try_get("mime")?,
        size: number(row, WHAT, "size")?,
        sha256: row.try_get("sha256")?,
        file_name: row.try_get("file_name")?,
        width: small("width")?,
        height: small("height")?,
        seconds: small("seconds")?,
    })
}
