//! What is said of a message: applied where the message is known, and kept for a
//! while where it is not, for a receipt or a reaction may overtake it.

use super::messages::{self, Found};
use super::{chats, clip, words};
use crate::Result;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use warest_model::clock::Millis;
use warest_model::history::MessageStatus;
use warest_model::jid::Jid;
use warest_model::plan::MessageKey;

/// Changes that are kept for a session; older ones make room.
const KEPT: i64 = 1_000;
/// Longest change that is kept, in bytes.
const LONGEST: usize = 16 << 10;
/// Longest emoji, in characters; some are put together of many.
const EMOJI_CHARS: usize = 32;
/// Most answers of one vote, and the longest, in characters.
const ANSWERS: (usize, usize) = (100, 255);

/// What is said of a message.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnMessage {
    Edited {
        key: MessageKey,
        text: String,
        #[serde(with = "in_hex")]
        body: Vec<u8>,
        at_ms: Millis,
    },
    Revoked {
        key: MessageKey,
        at_ms: Millis,
    },
    Starred {
        key: MessageKey,
        on: bool,
    },
    Pinned {
        key: MessageKey,
        until_ms: Option<Millis>,
    },
    Status {
        id: String,
        status: MessageStatus,
    },
    Reaction {
        key: MessageKey,
        from: Jid,
        emoji: String,
        ts_ms: Millis,
    },
    Vote {
        key: MessageKey,
        from: Jid,
        options: Vec<String>,
        ts_ms: Millis,
    },
}

mod in_hex {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(from)?).map_err(de::Error::custom)
    }
}

impl OnMessage {
    fn id(&self) -> &str {
        match self {
            Self::Status { id, .. } => id,
            Self::Edited { key, .. }
            | Self::Revoked { key, .. }
            | Self::Starred { key, .. }
            | Self::Pinned { key, .. }
            | Self::Reaction { key, .. }
            | Self::Vote { key, .. } => &key.id,
        }
    }
}

/// Applies a change, or keeps it if its message is not known.
pub(super) async fn apply_or_keep(
    db: &mut SqliteConnection,
    of: i64,
    change: OnMessage,
    heads: Vec<String>,
) -> Result<bool> {
    if !apply(db, of, &change, &heads).await? {
        keep(db, of, &change).await?;
    }
    Ok(false)
}

/// Applies what was kept for a message that is known now.
pub(super) async fn catch_up(db: &mut SqliteConnection, of: i64, id: &str) -> Result<()> {
    let rows = sqlx::query("SELECT no, change FROM early_changes WHERE session_no = ? AND id = ? ORDER BY no")
        .bind(of)
        .bind(id)
        .fetch_all(&mut *db)
        .await?;
    for row in rows {
        sqlx::query("DELETE FROM early_changes WHERE no = ?")
            .bind(row.try_get::<i64, _>("no")?)
            .execute(&mut *db)
            .await?;
        // One of another version is of no use any more.
        let Ok(change) = serde_json::from_str::<OnMessage>(row.try_get("change")?) else { continue };
        let heads = match &change {
            OnMessage::Edited { text, .. } => words::heads(text),
            _ => Vec::new(),
        };
        apply(db, of, &change, &heads).await?;
    }
    Ok(())
}

async fn keep(db: &mut SqliteConnection, of: i64, change: &OnMessage) -> Result<()> {
    let Ok(record) = serde_json::to_string(change) else { return Ok(()) };
    if record.len() > LONGEST {
        return Ok(());
    }
    sqlx::query("INSERT INTO early_changes (session_no, id, change) VALUES (?, ?, ?)")
        .bind(of)
        .bind(change.id())
        .bind(record)
        .execute(&mut *db)
        .await?;
    sqlx::query(
        "DELETE FROM early_changes WHERE session_no = ?1 AND no <= (
             SELECT no FROM early_changes INDEXED BY early_changes_session WHERE session_no = ?1
             ORDER BY no DESC LIMIT 1 OFFSET ?2)",
    )
    .bind(of)
    .bind(KEPT)
    .execute(db)
    .await?;
    Ok(())
}

/// Applies a change; false if its message is not known.
async fn apply(db: &mut SqliteConnection, of: i64, change: &OnMessage, heads: &[String]) -> Result<bool> {
    let found = match change {
        // Only this account's messages come further, and their ids are its own.
        OnMessage::Status { id, status } => {
            let done = sqlx::query(
                "UPDATE messages SET status = max(status, ?) WHERE session_no = ? AND id = ? AND from_me = 1",
            )
            .bind(*status as i64)
            .bind(of)
            .bind(id)
            .execute(db)
            .await?;
            return Ok(done.rows_affected() > 0);
        }
        // Nobody but its author changes a message.
        OnMessage::Edited { key, .. } | OnMessage::Revoked { key, .. } => messages::find(db, of, key, true).await?,
        OnMessage::Starred { key, .. }
        | OnMessage::Pinned { key, .. }
        | OnMessage::Reaction { key, .. }
        | OnMessage::Vote { key, .. } => messages::find(db, of, key, false).await?,
    };
    let Some(found) = found else { return Ok(false) };
    match change {
        OnMessage::Status { .. } => {}
        OnMessage::Edited { text, body, at_ms, .. } => messages::edit(db, &found, text, body, *at_ms, heads).await?,
        OnMessage::Revoked { at_ms, .. } => messages::revoke(db, &found, *at_ms).await?,
        OnMessage::Starred { on, .. } => {
            let set = sqlx::query("UPDATE messages SET starred = ? WHERE seq = ?").bind(on);
            set.bind(found.seq).execute(db).await?;
        }
        OnMessage::Pinned { until_ms, .. } => {
            let set = sqlx::query("UPDATE messages SET pinned_until_ms = ? WHERE seq = ?").bind(until_ms);
            set.bind(found.seq).execute(db).await?;
        }
        OnMessage::Reaction { from, emoji, ts_ms, .. } => {
            // One that was taken off stays as an empty one, so that an older one does not come back.
            const PUT: &str = "INSERT INTO reactions (message, sender, emoji, ts_ms) VALUES (?, ?, ?, ?)
                ON CONFLICT (message, sender) DO UPDATE SET emoji = excluded.emoji, ts_ms = excluded.ts_ms
                WHERE excluded.ts_ms >= reactions.ts_ms";
            const OTHER: &str = "DELETE FROM reactions WHERE message = ? AND sender = ?";
            let emoji = clip(emoji.clone(), EMOJI_CHARS);
            said(db, of, &found, from, PUT, OTHER, emoji, *ts_ms).await?;
        }
        OnMessage::Vote { from, options, ts_ms, .. } => {
            const PUT: &str = "INSERT INTO votes (message, sender, options, ts_ms) VALUES (?, ?, ?, ?)
                ON CONFLICT (message, sender) DO UPDATE SET options = excluded.options, ts_ms = excluded.ts_ms
                WHERE excluded.ts_ms >= votes.ts_ms";
            const OTHER: &str = "DELETE FROM votes WHERE message = ? AND sender = ?";
            let (most, longest) = ANSWERS;
            let options: Vec<_> = options.iter().take(most).map(|option| clip(option.clone(), longest)).collect();
            said(db, of, &found, from, PUT, OTHER, serde_json::json!(options).to_string(), *ts_ms).await?;
        }
    }
    Ok(true)
}

/// Writes what somebody said to a message, in place of what they said before, under
/// whichever of their names.
#[expect(clippy::too_many_arguments, reason = "two tables of one shape")]
async fn said(
    db: &mut SqliteConnection,
    of: i64,
    found: &Found,
    from: &Jid,
    put: &'static str,
    forget: &'static str,
    what: String,
    ts_ms: Millis,
) -> Result<()> {
    let (known_as, other) = chats::names(db, of, from).await?;
    if let Some(other) = other {
        sqlx::query(forget).bind(found.seq).bind(other).execute(&mut *db).await?;
    }
    sqlx::query(put).bind(found.seq).bind(known_as).bind(what).bind(ts_ms).execute(db).await?;
    Ok(())
}
