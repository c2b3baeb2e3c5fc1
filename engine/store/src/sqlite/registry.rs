//! Users and sessions.

use super::{SqliteStore, all, number, or_exists, or_not_found, text};
use crate::Result;
use crate::codec::{encode_fault, parse};
use crate::traits::{Registry, SessionChange};
use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use warest_model::clock::Millis;
use warest_model::fault::Fault;
use warest_model::id::{SessionId, UserId};
use warest_model::session::Session;
use warest_model::user::User;

#[async_trait]
impl Registry for SqliteStore {
    async fn add_user(&self, user: &User, key_hash: [u8; 32]) -> Result<()> {
        let user = user.clone();
        self.write(move |db| {
            Box::pin(async move {
                sqlx::query("INSERT INTO users (id, username, is_admin, key_hash, created_ms) VALUES (?, ?, ?, ?, ?)")
                    .bind(user.id.as_str())
                    .bind(user.username)
                    .bind(user.is_admin)
                    .bind(key_hash.as_slice())
                    .bind(user.created_ms)
                    .execute(db)
                    .await
                    .map_err(or_exists("user"))?;
                Ok(())
            })
        })
        .await
    }

    async fn set_user_key(&self, user: &UserId, key_hash: [u8; 32]) -> Result<()> {
        let user = user.clone();
        self.write(move |db| {
            Box::pin(async move {
                let done = sqlx::query("UPDATE users SET key_hash = ? WHERE id = ?")
                    .bind(key_hash.as_slice())
                    .bind(user.as_str())
                    .execute(db)
                    .await
                    .map_err(or_exists("API key"))?;
                or_not_found("user", done.rows_affected())
            })
        })
        .await
    }

    async fn user_by_key(&self, key_hash: [u8; 32]) -> Result<Option<User>> {
        sqlx::query("SELECT id, username, is_admin, created_ms FROM users WHERE key_hash = ?")
            .bind(key_hash.as_slice())
            .fetch_optional(self.readers())
            .await?
            .as_ref()
            .map(user_of)
            .transpose()
    }

    async fn user(&self, user: &UserId) -> Result<Option<User>> {
        sqlx::query("SELECT id, username, is_admin, created_ms FROM users WHERE id = ?")
            .bind(user.as_str())
            .fetch_optional(self.readers())
            .await?
            .as_ref()
            .map(user_of)
            .transpose()
    }

    async fn user_by_name(&self, username: &str) -> Result<Option<User>> {
        sqlx::query("SELECT id, username, is_admin, created_ms FROM users WHERE username = ?")
            .bind(username)
            .fetch_optional(self.readers())
            .await?
            .as_ref()
            .map(user_of)
            .transpose()
    }

    async fn add_session(&self, session: &Session) -> Result<()> {
        let session = session.clone();
        self.write(move |db| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO sessions (id, owner, label, enabled, me, created_ms) VALUES (?, ?, ?, ?, ?, ?)",
                )
                .bind(session.id.as_str())
                .bind(session.owner.as_str())
                .bind(session.label)
                .bind(session.enabled)
                .bind(session.me)
                .bind(session.created_ms)
                .execute(db)
                .await
                .map_err(or_exists("session"))?;
                Ok(())
            })
        })
        .await
    }

    async fn session(&self, id: &SessionId) -> Result<Option<Session>> {
        sqlx::query("SELECT id, owner, label, enabled, me, created_ms FROM sessions WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(self.readers())
            .await?
            .as_ref()
            .map(session_of)
            .transpose()
    }

    async fn sessions(&self, owner: Option<&UserId>) -> Result<Vec<Session>> {
        let rows = match owner {
            None => sqlx::query("SELECT id, owner, label, enabled, me, created_ms FROM sessions ORDER BY id"),
            Some(owner) => sqlx::query(
                "SELECT id, owner, label, enabled, me, created_ms FROM sessions WHERE owner = ? ORDER BY id",
            )
            .bind(owner.as_str()),
        };
        all(rows.fetch_all(self.readers()).await?, session_of)
    }

    async fn change_session(&self, id: &SessionId, change: SessionChange) -> Result<()> {
        let id = id.clone();
        self.write(move |db| {
            Box::pin(async move {
                let changing = match change {
                    SessionChange::Label(label) => {
                        sqlx::query("UPDATE sessions SET label = ? WHERE id = ?").bind(label)
                    }
                    SessionChange::Enabled(enabled) => {
                        sqlx::query("UPDATE sessions SET enabled = ? WHERE id = ?").bind(enabled)
                    }
                    SessionChange::Me(me) => sqlx::query("UPDATE sessions SET me = ? WHERE id = ?").bind(me),
                };
                or_not_found("session", changing.bind(id.as_str()).execute(db).await?.rows_affected())
            })
        })
        .await
    }

    async fn delete_session(&self, id: &SessionId, now_ms: Millis) -> Result<()> {
        let id = id.clone();
        self.write(move |db| Box::pin(async move { delete_session(db, &id, now_ms).await })).await?;
        self.tidy_if(true);
        Ok(())
    }
}

/// What goes with a session. Its dedup keys and reactor state are among it, so
/// that nothing of it meets whoever takes the name next.
const OWNED: [&str; 17] = [
    "DELETE FROM wa_stores WHERE session = ?",
    "DELETE FROM bindings WHERE session = ?",
    "DELETE FROM targets WHERE session = ?",
    "DELETE FROM dispatches WHERE session = ?",
    "DELETE FROM reactor_state WHERE session = ?",
    "DELETE FROM event_dedup WHERE session = ?",
    "DELETE FROM guard_settings WHERE session = ?",
    "DELETE FROM guard_quota WHERE session = ?",
    "DELETE FROM guard_chats WHERE session = ?",
    "DELETE FROM jobs WHERE ended_ms IS NULL AND session = ?",
    "UPDATE jobs SET unreadable_ms = NULL WHERE unreadable_ms IS NOT NULL AND session = ?",
    "DELETE FROM bulks WHERE session = ?",
    "DELETE FROM send_holds WHERE session = ?",
    "DELETE FROM deliveries WHERE state = 'pending' AND session = ?",
    "DELETE FROM command_books WHERE session = ?",
    // Of its history, which may be large, the number is noted.
    "INSERT INTO sessions_gone SELECT no FROM sessions WHERE id = ?",
    "DELETE FROM sessions WHERE id = ?",
];

async fn delete_session(db: &mut SqliteConnection, id: &SessionId, now_ms: Millis) -> Result<()> {
    // Runs that still had something to do end here, and say why.
    let fault = Fault::fail("session_deleted", "the session was removed before this run had ended");
    sqlx::query(
        "UPDATE runs SET state = 'failed', version = version + 1, wake_ms = NULL, fault = ?, ended_ms = ?
         WHERE session = ? AND state = 'active'",
    )
    .bind(encode_fault(&fault))
    .bind(now_ms)
    .bind(id.as_str())
    .execute(&mut *db)
    .await?;
    let mut rows = 0;
    for sql in OWNED {
        rows = sqlx::query(sql).bind(id.as_str()).execute(&mut *db).await?.rows_affected();
    }
    // The last of them was the session itself.
    or_not_found("session", rows)
}

fn user_of(row: &SqliteRow) -> Result<User> {
    Ok(User {
        id: parse("user", text(row, "id")?)?,
        username: row.try_get("username")?,
        is_admin: row.try_get("is_admin")?,
        created_ms: number(row, "user", "created_ms")?,
    })
}

fn session_of(row: &SqliteRow) -> Result<Session> {
    Ok(Session {
        id: parse("session", text(row, "id")?)?,
        owner: parse("session", text(row, "owner")?)?,
        label: row.try_get("label")?,
        enabled: row.try_get("enabled")?,
        me: row.try_get("me")?,
        created_ms: row.try_get("created_ms")?,
    })
}
