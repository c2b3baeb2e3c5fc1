//! What the guards must not forget.

use super::{SqliteStore, all, number, or_not_found, text};
use crate::Result;
use crate::codec::{corrupt, parse};
use crate::guard_book::{ChatBudget, GuardBook, Opened, Openings, OptOut, QuotaUse, Standing};
use crate::query::Page;
use crate::traits::Consent;
use async_trait::async_trait;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row};
use warest_model::clock::Millis;
use warest_model::event::{Event, EventKind};
use warest_model::id::{JobId, SessionId, UserId};
use warest_model::jid::Jid;

#[async_trait]
impl GuardBook for SqliteStore {
    async fn guard_settings(&self) -> Result<Vec<(SessionId, String)>> {
        let rows = sqlx::query("SELECT session, settings FROM guard_settings").fetch_all(self.readers()).await?;
        all(rows, |row| Ok((parse("guard setting", text(row, "session")?)?, row.try_get("settings")?)))
    }

    async fn set_guard_settings(&self, session: &SessionId, settings: &str) -> Result<()> {
        let (session, settings) = (session.clone(), settings.to_owned());
        self.write(move |db| {
            Box::pin(async move {
                let done = sqlx::query(
                    "INSERT INTO guard_settings (session, settings) SELECT id, ?2 FROM sessions WHERE id = ?1
                     ON CONFLICT (session) DO UPDATE SET settings = excluded.settings",
                )
                .bind(session.as_str())
                .bind(settings)
                .execute(db)
                .await?;
                or_not_found("session", done.rows_affected())
            })
        })
        .await
    }

    async fn standing(&self, session: &SessionId, chat: &Jid) -> Result<Standing> {
        let row = sqlx::query(
            "SELECT (SELECT job FROM optouts
                     WHERE owner = (SELECT owner FROM sessions WHERE id = ?1) AND address = ?2) AS opted_out,
                    EXISTS (SELECT 1 FROM guard_chats WHERE session = ?1 AND chat = ?2) AS known",
        )
        .bind(session.as_str())
        .bind(chat.as_str())
        .fetch_one(self.readers())
        .await?;
        let opted_out: Option<&str> = row.try_get("opted_out")?;
        Ok(Standing {
            opted_out: opted_out.is_some(),
            confirmation: opted_out.filter(|job| !job.is_empty()).map(|job| parse("opt-out", job)).transpose()?,
            known: row.try_get("known")?,
        })
    }

    async fn open_chat(
        &self,
        session: &SessionId,
        chat: &Jid,
        now_ms: Millis,
        budget: Option<ChatBudget>,
    ) -> Result<Opened> {
        let (session, chat) = (session.clone(), chat.clone());
        self.write(move |db| Box::pin(async move { open_chat(db, &session, &chat, now_ms, budget).await })).await
    }

    async fn openings(&self, session: &SessionId, budget: ChatBudget) -> Result<Openings> {
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM guard_chats WHERE session = ?1 AND opened_ms > ?2) AS used,
                    (SELECT opened_ms FROM guard_chats WHERE session = ?1 AND opened_ms > ?2
                     ORDER BY opened_ms DESC LIMIT 1 OFFSET ?3) AS full_since_ms",
        )
        .bind(session.as_str())
        .bind(budget.since_ms)
        .bind(budget.most.saturating_sub(1))
        .fetch_one(self.readers())
        .await?;
        Ok(Openings { used: number(&row, "budget", "used")?, full_since_ms: row.try_get("full_since_ms")? })
    }

    async fn take_quota(&self, session: &SessionId, now_ms: Millis, window_ms: Millis, most: u64) -> Result<QuotaUse> {
        let session = session.clone();
        self.write(move |db| {
            Box::pin(async move {
                let stands = quota_row(&session, now_ms, window_ms).fetch_optional(&mut *db).await?;
                let (since_ms, used) = match stands {
                    Some(row) => (row.try_get("since_ms")?, number(&row, "quota", "used")?),
                    None => (now_ms, 0),
                };
                let taken = used < most;
                let used = used + u64::from(taken);
                if taken {
                    sqlx::query(
                        "INSERT INTO guard_quota (session, since_ms, used) VALUES (?, ?, ?)
                         ON CONFLICT (session) DO UPDATE SET since_ms = excluded.since_ms, used = excluded.used",
                    )
                    .bind(session.as_str())
                    .bind(since_ms)
                    .bind(i64::try_from(used).unwrap_or(i64::MAX))
                    .execute(db)
                    .await?;
                }
                Ok(QuotaUse { used, reset_ms: since_ms + window_ms, taken })
            })
        })
        .await
    }

    async fn quota_use(&self, session: &SessionId, now_ms: Millis, window_ms: Millis) -> Result<QuotaUse> {
        let row = quota_row(session, now_ms, window_ms).fetch_optional(self.readers()).await?;
        Ok(match row {
            Some(row) => QuotaUse {
                used: number(&row, "quota", "used")?,
                reset_ms: row.try_get::<Millis, _>("since_ms")? + window_ms,
                taken: false,
            },
            None => QuotaUse { used: 0, reset_ms: now_ms + window_ms, taken: false },
        })
    }

    async fn opt_out(&self, entries: Vec<OptOut>) -> Result<u64> {
        self.write(move |db| {
            Box::pin(async move {
                let mut new = 0;
                for entry in &entries {
                    new += u64::from(insert(db, entry).await?);
                }
                Ok(new)
            })
        })
        .await
    }

    async fn opt_in(&self, owner: &UserId, address: &Jid) -> Result<()> {
        let (owner, address) = (owner.clone(), address.clone());
        self.write(move |db| {
            Box::pin(async move { or_not_found("opt-out", remove(db, owner.as_str(), &address).await?) })
        })
        .await
    }

    async fn opt_outs(&self, owner: Option<&UserId>, page: &Page) -> Result<Vec<OptOut>> {
        let mut sql = QueryBuilder::<Sqlite>::new(
            "SELECT seq, owner, address, session, event, job, created_ms FROM optouts WHERE 1 = 1",
        );
        if let Some(owner) = owner {
            sql.push(" AND owner = ").push_bind(owner.as_str());
        }
        if let Some(before) = &page.before {
            sql.push(" AND seq < CAST(").push_bind(before).push(" AS INTEGER)");
        }
        sql.push(" ORDER BY seq DESC LIMIT ").push_bind(page.limit.clamp(1, 500));
        all(sql.build().fetch_all(self.readers()).await?, opt_out_of)
    }
}

type Query<'q> = sqlx::query::Query<'q, Sqlite, sqlx::sqlite::SqliteArguments>;

/// The quota window that is open now. One that begins later than now was begun
/// under another clock.
fn quota_row(session: &SessionId, now_ms: Millis, window_ms: Millis) -> Query<'_> {
    sqlx::query("SELECT since_ms, used FROM guard_quota WHERE session = ? AND since_ms <= ? AND since_ms > ?")
        .bind(session.as_str())
        .bind(now_ms)
        .bind(now_ms - window_ms)
}

async fn open_chat(
    db: &mut SqliteConnection,
    session: &SessionId,
    chat: &Jid,
    now_ms: Millis,
    budget: Option<ChatBudget>,
) -> Result<Opened> {
    let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM guard_chats WHERE session = ? AND chat = ?)")
        .bind(session.as_str())
        .bind(chat.as_str())
        .fetch_one(&mut *db)
        .await?;
    if known {
        return Ok(Opened::Known);
    }
    if let Some(budget) = budget {
        let full: Option<Millis> = sqlx::query_scalar(
            "SELECT opened_ms FROM guard_chats WHERE session = ? AND opened_ms > ?
             ORDER BY opened_ms DESC LIMIT 1 OFFSET ?",
        )
        .bind(session.as_str())
        .bind(budget.since_ms)
        .bind(budget.most.saturating_sub(1))
        .fetch_optional(&mut *db)
        .await?;
        if let Some(since_ms) = full {
            return Ok(Opened::Full { since_ms });
        }
    }
    sqlx::query("INSERT INTO guard_chats (session, chat, opened_ms) VALUES (?, ?, ?)")
        .bind(session.as_str())
        .bind(chat.as_str())
        .bind(now_ms)
        .execute(db)
        .await?;
    Ok(Opened::New)
}

/// Notes with a new event that its chat is one where something was said, and
/// what its sender chose.
pub(super) async fn heard(db: &mut SqliteConnection, event: &Event, consent: Option<Consent>) -> Result<()> {
    if let (Some(chat), EventKind::MessageReceived | EventKind::MessageReaction) = (&event.chat, event.kind) {
        sqlx::query("INSERT OR IGNORE INTO guard_chats (session, chat) VALUES (?, ?)")
            .bind(event.session.as_str())
            .bind(chat.as_str())
            .execute(&mut *db)
            .await?;
    }
    let Some(consent) = consent else { return Ok(()) };
    let owner: Option<String> = sqlx::query_scalar("SELECT owner FROM sessions WHERE id = ?")
        .bind(event.session.as_str())
        .fetch_optional(&mut *db)
        .await?;
    let Some(owner) = owner else { return Ok(()) };
    match consent {
        Consent::In { addresses } => {
            for address in &addresses {
                remove(db, &owner, address).await?;
            }
        }
        Consent::Out { addresses, confirmation } => {
            let mut new = false;
            for address in addresses {
                let entry = OptOut {
                    seq: 0,
                    owner: parse("user", &owner)?,
                    address,
                    session: Some(event.session.clone()),
                    event: Some(event.id.clone()),
                    confirmation: confirmation.as_ref().map(|job| job.id.clone()),
                    created_ms: event.ts_ms,
                };
                new |= insert(db, &entry).await?;
            }
            if let Some(job) = confirmation.filter(|_| new) {
                super::queue::insert(db, *job).await?;
            }
        }
    }
    Ok(())
}

/// Puts somebody on a list; whether they were not on it.
async fn insert(db: &mut SqliteConnection, entry: &OptOut) -> Result<bool> {
    let done = sqlx::query(
        "INSERT OR IGNORE INTO optouts (owner, address, session, event, job, created_ms) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(entry.owner.as_str())
    .bind(entry.address.as_str())
    .bind(entry.session.as_ref().map(SessionId::as_str))
    .bind(entry.event.as_ref().map(|event| event.as_str()))
    .bind(entry.confirmation.as_ref().map_or("", JobId::as_str))
    .bind(entry.created_ms)
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

async fn remove(db: &mut SqliteConnection, owner: &str, address: &Jid) -> Result<u64> {
    let done = sqlx::query("DELETE FROM optouts WHERE owner = ? AND address = ?")
        .bind(owner)
        .bind(address.as_str())
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

fn opt_out_of(row: &SqliteRow) -> Result<OptOut> {
    const WHAT: &str = "opt-out";
    let optional = |column: &str| -> Result<Option<String>> { Ok(row.try_get(column)?) };
    Ok(OptOut {
        seq: row.try_get("seq")?,
        owner: parse(WHAT, text(row, "owner")?)?,
        address: Jid::try_from(text(row, "address")?.to_owned()).map_err(|error| corrupt(WHAT, error))?,
        session: optional("session")?.map(|id| parse(WHAT, &id)).transpose()?,
        event: optional("event")?.map(|id| parse(WHAT, &id)).transpose()?,
        confirmation: Some(text(row, "job")?).filter(|id| !id.is_empty()).map(|id| parse(WHAT, id)).transpose()?,
        created_ms: row.try_get("created_ms")?,
    })
}
