//! Media files: what is known of them, and where they are.

use super::history::media_of;
use super::{SqliteStore, all, number, or_exists, or_not_found, text};
use crate::Result;
use crate::codec::{self, corrupt, decode_fault, encode_fault, parse};
use crate::media::{MediaDirection, MediaFile, MediaRow, MediaRows, MediaState};
use async_trait::async_trait;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row};
use warest_model::clock::Millis;
use warest_model::fault::Fault;
use warest_model::history::Media;
use warest_model::id::MediaId;
use warest_model::jid::Jid;
use warest_model::plan::MessageKey;

const WHAT: &str = "media file";
/// Longest name of a file, and of a type, in characters.
const NAME_CHARS: usize = 255;

/// The columns that [`row_of`] reads, of files whose session is there.
macro_rules! select_media {
    ($rest:literal) => {
        concat!("SELECT m.*, s.id AS session FROM media m JOIN sessions s ON s.no = m.session_no ", $rest)
    };
}

#[async_trait]
impl MediaRows for SqliteStore {
    async fn media(&self, id: &MediaId) -> Result<Option<MediaRow>> {
        let row = sqlx::query(select_media!("WHERE m.id = ?")).bind(id.as_str());
        row.fetch_optional(self.readers()).await?.as_ref().map(row_of).transpose()
    }

    async fn pending_media(&self, now_ms: Millis, after: i64, limit: u32) -> Result<Vec<MediaRow>> {
        let rows = sqlx::query(select_media!(
            "WHERE m.seq IN (SELECT seq FROM media INDEXED BY media_pending
                             WHERE state = 'pending' AND seq > ? AND due_ms <= ? ORDER BY seq LIMIT ?)
             ORDER BY m.seq"
        ));
        all(rows.bind(after).bind(now_ms).bind(limit).fetch_all(self.readers()).await?, row_of)
    }

    async fn next_media_due(&self) -> Result<Option<Millis>> {
        let due = sqlx::query_scalar("SELECT min(due_ms) FROM media WHERE state = 'pending'");
        Ok(due.fetch_one(self.readers()).await?)
    }

    async fn put_media(&self, row: &MediaRow) -> Result<()> {
        let row = row.clone();
        self.write_one(move |db| {
            Box::pin(async move {
                let done = sqlx::query(
                    "INSERT INTO media (id, session_no, chat, message, direction, kind, mime, size, sha256, file_name,
                         width, height, seconds, state, object, fault, attempts, due_ms, created_ms, expires_ms)
                     SELECT ?1, s.no, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20
                     FROM sessions s WHERE s.id = ?2",
                )
                .bind(row.media.id.as_str())
                .bind(row.session.as_str())
                .bind(row.chat.as_ref().map(Jid::as_str))
                .bind(&row.message)
                .bind(row.direction.as_str())
                .bind(clip(&row.media.kind))
                .bind(clip(&row.media.mimetype))
                .bind(size(row.media.size))
                .bind(clip(&row.media.sha256))
                .bind(row.media.file_name.as_deref().map(clip))
                .bind(row.media.width)
                .bind(row.media.height)
                .bind(row.media.seconds)
                .bind(row.state.as_str())
                .bind(&row.object)
                .bind(row.fault.as_ref().map(encode_fault))
                .bind(row.attempts)
                .bind(row.due_ms)
                .bind(row.created_ms)
                .bind(row.expires_ms)
                .execute(db)
                .await
                .map_err(or_exists("media file"))?;
                or_not_found("session", done.rows_affected())
            })
        })
        .await
    }

    async fn media_stored(&self, id: &MediaId, file: &MediaFile) -> Result<()> {
        let (id, file) = (id.clone(), file.clone());
        self.write_one(move |db| {
            Box::pin(async move {
                let done = sqlx::query(
                    "UPDATE media SET state = 'stored', object = ?2, size = ?3, sha256 = ?4, mime = coalesce(?5, mime),
                         width = coalesce(?6, width), height = coalesce(?7, height), seconds = coalesce(?8, seconds),
                         fault = NULL
                     WHERE id = ?1 AND state IN ('remote', 'pending', 'failed')",
                )
                .bind(id.as_str())
                .bind(file.object)
                .bind(size(file.size))
                .bind(file.sha256)
                .bind(file.mimetype.as_deref().map(clip))
                .bind(file.width)
                .bind(file.height)
                .bind(file.seconds)
                .execute(db)
                .await?;
                or_not_found(WHAT, done.rows_affected())
            })
        })
        .await
    }

    async fn media_deferred(&self, id: &MediaId, attempts: u32, due_ms: Millis, fault: &Fault) -> Result<()> {
        let (id, fault) = (id.clone(), encode_fault(fault));
        self.write_one(move |db| {
            Box::pin(async move {
                let defer = "UPDATE media SET attempts = ?, due_ms = ?, fault = ? WHERE id = ? AND state = 'pending'";
                let done = sqlx::query(defer).bind(attempts).bind(due_ms).bind(fault).bind(id.as_str());
                or_not_found(WHAT, done.execute(db).await?.rows_affected())
            })
        })
        .await
    }

    async fn media_failed(&self, id: &MediaId, attempts: u32, fault: &Fault) -> Result<()> {
        let (id, fault) = (id.clone(), encode_fault(fault));
        self.write_one(move |db| {
            Box::pin(async move {
                let fail = "UPDATE media SET state = 'failed', attempts = ?, fault = ?
                            WHERE id = ? AND state IN ('remote', 'pending')";
                let done = sqlx::query(fail).bind(attempts).bind(fault).bind(id.as_str());
                or_not_found(WHAT, done.execute(db).await?.rows_affected())
            })
        })
        .await
    }

    async fn fetch_media_again(&self, id: &MediaId, now_ms: Millis) -> Result<()> {
        let id = id.clone();
        self.write_one(move |db| {
            Box::pin(async move {
                // One whose old object is still to be removed would lose the new one to that.
                let again = "UPDATE media SET state = 'pending', attempts = 0, due_ms = ?, fault = NULL
                             WHERE id = ? AND state IN ('remote', 'failed', 'gone') AND object IS NULL
                               AND message IS NOT NULL";
                let done = sqlx::query(again).bind(now_ms).bind(id.as_str()).execute(db).await?;
                or_not_found(WHAT, done.rows_affected())
            })
        })
        .await
    }

    async fn drop_media(&self, id: &MediaId) -> Result<()> {
        let id = id.clone();
        self.write(move |db| {
            Box::pin(async move {
                let gone = "UPDATE media SET state = 'gone', fault = NULL WHERE id = ? AND state <> 'gone'";
                let done = sqlx::query(gone).bind(id.as_str()).execute(&mut *db).await?;
                or_not_found(WHAT, done.rows_affected())?;
                forget_unreferred(db, &id).await
            })
        })
        .await
    }

    async fn unwanted_objects(&self, limit: u32) -> Result<Vec<(MediaId, String)>> {
        let rows = sqlx::query(
            "SELECT id, object FROM media INDEXED BY media_unwanted WHERE state = 'gone' AND object IS NOT NULL
             ORDER BY seq LIMIT ?",
        );
        let rows = rows.bind(limit).fetch_all(self.readers()).await?;
        all(rows, |row| Ok((parse(WHAT, text(row, "id")?)?, row.try_get("object")?)))
    }

    async fn objects_removed(&self, ids: &[MediaId]) -> Result<()> {
        let ids = ids.to_vec();
        self.write(move |db| {
            Box::pin(async move {
                for id in &ids {
                    let freed = sqlx::query("UPDATE media SET object = NULL WHERE id = ? AND state = 'gone'");
                    freed.bind(id.as_str()).execute(&mut *db).await?;
                    forget_unreferred(db, id).await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn known_objects(&self, objects: &[String]) -> Result<Vec<bool>> {
        if objects.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT object FROM media INDEXED BY media_object WHERE object IN (");
        let mut list = sql.separated(", ");
        for object in objects {
            list.push_bind(object);
        }
        sql.push(")");
        let known: Vec<String> = sql.build_query_scalar().fetch_all(self.readers()).await?;
        Ok(objects.iter().map(|object| known.contains(object)).collect())
    }

    async fn stored_media(&self, after: i64, limit: u32) -> Result<Vec<MediaRow>> {
        let rows = sqlx::query(select_media!("WHERE m.state = 'stored' AND m.seq > ? ORDER BY m.seq LIMIT ?"));
        all(rows.bind(after).bind(limit).fetch_all(self.readers()).await?, row_of)
    }
}

/// Removes a row of a file that is gone with its object, and that no message has.
async fn forget_unreferred(db: &mut SqliteConnection, id: &MediaId) -> Result<()> {
    sqlx::query(
        "DELETE FROM media WHERE id = ?1 AND state = 'gone' AND object IS NULL
         AND NOT EXISTS (SELECT 1 FROM messages WHERE media = ?1)",
    )
    .bind(id.as_str())
    .execute(db)
    .await?;
    Ok(())
}

/// Takes down the file of a message. One that is there already has another message.
pub(super) async fn of_message(
    db: &mut SqliteConnection,
    of: i64,
    key: &MessageKey,
    media: &Media,
    live: bool,
) -> Result<()> {
    let direction = if key.from_me { MediaDirection::Sent } else { MediaDirection::Received };
    // What comes with the phone's history is fetched when somebody asks for it.
    let state = if live { MediaState::Pending } else { MediaState::Remote };
    sqlx::query(
        "INSERT INTO media (id, session_no, chat, message, direction, kind, mime, size, sha256, file_name, width, height,
             seconds, state, attempts, due_ms, created_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?15, ?15)
         ON CONFLICT (id) DO UPDATE SET
             chat = coalesce(chat, excluded.chat), message = coalesce(message, excluded.message)
         WHERE session_no = excluded.session_no",
    )
    .bind(media.id.as_str())
    .bind(of)
    .bind(key.remote_jid.as_str())
    .bind(&key.id)
    .bind(direction.as_str())
    .bind(clip(&media.kind))
    .bind(clip(&media.mimetype))
    .bind(size(media.size))
    .bind(clip(&media.sha256))
    .bind(media.file_name.as_deref().map(clip))
    .bind(media.width)
    .bind(media.height)
    .bind(media.seconds)
    .bind(state.as_str())
    .bind(media.id.made_ms())
    .execute(db)
    .await?;
    Ok(())
}

/// Lets go of files of a session that is gone; how many there were.
pub(super) async fn forget_piece(db: &mut SqliteConnection, of: i64, limit: i64) -> Result<u64> {
    let gone = sqlx::query(
        "UPDATE media SET state = 'gone', fault = NULL WHERE seq IN (
             SELECT seq FROM media INDEXED BY media_session WHERE session_no = ? AND state <> 'gone' LIMIT ?)",
    );
    let gone = gone.bind(of).bind(limit).execute(&mut *db).await?.rows_affected();
    let forgotten = sqlx::query(
        "DELETE FROM media WHERE seq IN (
             SELECT seq FROM media INDEXED BY media_session
             WHERE session_no = ? AND state = 'gone' AND object IS NULL LIMIT ?)",
    );
    Ok(gone + forgotten.bind(of).bind(limit).execute(db).await?.rows_affected())
}

fn clip(text: &str) -> &str {
    text.char_indices().nth(NAME_CHARS).map_or(text, |(end, _)| &text[..end])
}

fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn row_of(row: &SqliteRow) -> Result<MediaRow> {
    let chat: Option<String> = row.try_get("chat")?;
    let (direction, state) = (text(row, "direction")?, text(row, "state")?);
    let fault: Option<&[u8]> = row.try_get("fault")?;
    Ok(MediaRow {
        seq: row.try_get("seq")?,
        session: parse(WHAT, text(row, "session")?)?,
        chat: chat.map(|chat| codec::jid(WHAT, chat)).transpose()?,
        message: row.try_get("message")?,
        direction: MediaDirection::from_name(direction)
            .ok_or_else(|| corrupt(WHAT, format!("its direction is {direction:?}")))?,
        media: media_of(row, "id")?,
        state: MediaState::from_name(state).ok_or_else(|| corrupt(WHAT, format!("its state is {state:?}")))?,
        object: row.try_get("object")?,
        fault: fault.map(decode_fault).transpose()?,
        attempts: number(row, WHAT, "attempts")?,
        due_ms: row.try_get("due_ms")?,
        created_ms: row.try_get("created_ms")?,
        expires_ms: row.try_get("expires_ms")?,
    })
}
