//! The event log, and what events are owed to.

use super::{SqliteStore, all, chat_text, history, or_exists, or_not_found, text};
use crate::Result;
use crate::codec::{corrupt, decode_event, encode_event};
use crate::query::{EventFilter, Page};
use crate::traits::{Decision, Dispatch, EventLog, NewEvent};
use async_trait::async_trait;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row};
use std::collections::BTreeMap;
use warest_model::event::Event;
use warest_model::id::{DeliveryId, EventId, SessionId, UserId};
use warest_model::plan::StateWrite;
use warest_model::reactor::ReactorRef;

#[async_trait]
impl EventLog for SqliteStore {
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<bool>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        // Encoding happens here, not in the writer.
        let rows: Vec<_> = events.into_iter().map(prepare).collect();
        let (news, untidy) = self
            .write(move |db| {
                Box::pin(async move {
                    let (mut news, mut untidy) = (Vec::with_capacity(rows.len()), false);
                    for row in rows {
                        let (fresh, left) = append_whole(db, row).await?;
                        news.push(fresh);
                        untidy |= left;
                    }
                    Ok((news, untidy))
                })
            })
            .await?;
        self.tidy_if(untidy);
        Ok(news)
    }

    async fn event(&self, id: &str) -> Result<Option<Event>> {
        sqlx::query("SELECT record FROM events WHERE id = ?")
            .bind(id)
            .fetch_optional(self.readers())
            .await?
            .as_ref()
            .map(event_of)
            .transpose()
    }

    async fn events(&self, filter: &EventFilter, page: &Page) -> Result<Vec<Event>> {
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT record FROM events WHERE 1 = 1");
        if let Some(owner) = &filter.owner {
            sql.push(" AND session_no IN (SELECT no FROM sessions WHERE owner = ").push_bind(owner.as_str()).push(")");
        }
        if let Some(session) = &filter.session {
            sql.push(" AND session = ").push_bind(session.as_str());
        }
        if !filter.kinds.is_empty() {
            let mut kinds = sql.push(" AND kind IN (").separated(", ");
            for kind in &filter.kinds {
                kinds.push_bind(kind.as_str());
            }
            sql.push(")");
        }
        if let Some(chat) = &filter.chat {
            sql.push(" AND chat = ").push_bind(chat);
        }
        if let Some(before) = &page.before {
            sql.push(" AND seq < (SELECT seq FROM events WHERE id = ").push_bind(before).push(")");
        }
        sql.push(" ORDER BY seq DESC LIMIT ").push_bind(page.limit.clamp(1, 500));
        all(sql.build().fetch_all(self.readers()).await?, event_of)
    }

    async fn events_after(&self, filter: &EventFilter, after: i64, limit: u32) -> Result<crate::LogPage> {
        super::log::after(self.readers(), filter, after, limit).await
    }

    async fn event_position(&self, id: &str) -> Result<Option<i64>> {
        super::log::position(self.readers(), id).await
    }

    async fn log_end(&self) -> Result<i64> {
        super::log::end(self.readers()).await
    }

    async fn newest_event(&self, owner: Option<&UserId>) -> Result<Option<EventId>> {
        super::log::newest(self.readers(), owner).await
    }

    async fn dispatches(
        &self,
        reactor: &ReactorRef,
        lane: Option<(&SessionId, &str)>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Dispatch>> {
        let name = reactor.to_string();
        let rows = match lane {
            None => sqlx::query(
                "SELECT d.seq, e.record FROM dispatches d JOIN events e ON e.id = d.event
                 WHERE d.reactor = ? AND d.seq > ? ORDER BY d.seq LIMIT ?",
            )
            .bind(name),
            Some((session, chat)) => sqlx::query(
                "SELECT d.seq, e.record FROM dispatches d JOIN events e ON e.id = d.event
                 WHERE d.reactor = ? AND d.session = ? AND d.chat = ? AND d.seq > ? ORDER BY d.seq LIMIT ?",
            )
            .bind(name)
            .bind(session.as_str())
            .bind(chat),
        };
        let rows = rows.bind(after).bind(limit).fetch_all(self.readers()).await?;
        all(rows, |row| Ok(Dispatch { seq: row.try_get("seq")?, reactor: reactor.clone(), event: event_of(row)? }))
    }

    async fn owed_reactors(&self) -> Result<Vec<ReactorRef>> {
        // Steps from one name to the next in the index, however much is owed.
        let rows = sqlx::query(
            "WITH RECURSIVE owed (owed_to) AS (
                 SELECT min(reactor) FROM dispatches
                 UNION ALL
                 SELECT (SELECT min(reactor) FROM dispatches WHERE reactor > owed.owed_to)
                 FROM owed WHERE owed.owed_to IS NOT NULL
             )
             SELECT owed_to FROM owed WHERE owed_to IS NOT NULL",
        )
        .fetch_all(self.readers())
        .await?;
        all(rows, |row| {
            ReactorRef::try_from(text(row, "owed_to")?.to_owned()).map_err(|error| corrupt("dispatch", error))
        })
    }

    async fn decide(&self, dispatch: &Dispatch, decision: Decision) -> Result<()> {
        let (seq, reactor) = (dispatch.seq, dispatch.reactor.to_string());
        let session = dispatch.event.session.clone();
        let chat = chat_text(dispatch.event.chat.as_ref()).to_owned();
        self.write(move |db| {
            Box::pin(async move {
                let seen = sqlx::query("DELETE FROM dispatches WHERE seq = ? AND reactor = ?")
                    .bind(seq)
                    .bind(&reactor)
                    .execute(&mut *db)
                    .await?;
                or_not_found("dispatch", seen.rows_affected())?;
                if let Some(run) = decision.run
                    && !super::runs::insert(db, run).await?
                {
                    // Decided before: that decision stays, all of it.
                    return Ok(());
                }
                for write in &decision.state {
                    write_state(db, &reactor, &session, &chat, write).await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn reactor_state(
        &self,
        reactor: &ReactorRef,
        session: &SessionId,
        chat: &str,
    ) -> Result<BTreeMap<String, String>> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT key, value FROM reactor_state WHERE reactor = ? AND session = ? AND chat = ?")
                .bind(reactor.to_string())
                .bind(session.as_str())
                .bind(chat)
                .fetch_all(self.readers())
                .await?;
        Ok(rows.into_iter().collect())
    }
}

/// An event with all that can be worked out before the writer's turn.
pub(super) struct Prepared {
    record: Vec<u8>,
    new: NewEvent,
    changes: Vec<history::Prepared>,
}

/// Works out what can be.
pub(super) fn prepare(mut new: NewEvent) -> Prepared {
    let changes = history::prepare(std::mem::take(&mut new.changes));
    Prepared { record: encode_event(&new.event), new, changes }
}

/// Appends one event and what it changes; whether it was new, and whether something
/// is left to tidy up.
pub(super) async fn append_whole(db: &mut SqliteConnection, event: Prepared) -> Result<(bool, bool)> {
    let session = event.new.event.session.clone();
    if !append(db, event.record, event.new).await? {
        return Ok((false, false));
    }
    Ok((true, history::apply(db, session.as_str(), event.changes).await?))
}

/// Appends one event, without what it changes; whether it was new.
pub(super) async fn append(db: &mut SqliteConnection, record: Vec<u8>, new: NewEvent) -> Result<bool> {
    let NewEvent { event, dedup, owed, consent, changes: _ } = new;
    let (session, chat) = (event.session.as_str(), chat_text(event.chat.as_ref()));
    if let Some(key) = dedup {
        let first = sqlx::query("INSERT OR IGNORE INTO event_dedup (session, key, seen_ms) VALUES (?, ?, ?)")
            .bind(session)
            .bind(key)
            .bind(event.ts_ms)
            .execute(&mut *db)
            .await?;
        if first.rows_affected() == 0 {
            return Ok(false);
        }
    }
    sqlx::query(
        "INSERT INTO events (id, session, session_no, kind, chat, ts_ms, record)
         VALUES (?1, ?2, (SELECT no FROM sessions WHERE id = ?2), ?3, ?4, ?5, ?6)",
    )
    .bind(event.id.as_str())
    .bind(session)
    .bind(event.kind.as_str())
    .bind(chat)
    .bind(event.ts_ms)
    .bind(record)
    .execute(&mut *db)
    .await
    .map_err(or_exists("event"))?;
    for reactor in &owed {
        let insert = match reactor {
            ReactorRef::Target(target) => sqlx::query(
                "INSERT OR IGNORE INTO deliveries
                     (id, event, session, session_no, chat, target, state, attempts, due_ms, created_ms)
                 VALUES (?1, ?2, ?3, (SELECT no FROM sessions WHERE id = ?3), ?4, ?5, 'pending', 0, ?6, ?6)",
            )
            .bind(String::from(DeliveryId::new(event.ts_ms)))
            .bind(event.id.as_str())
            .bind(session)
            .bind(chat)
            .bind(target.as_str())
            .bind(event.ts_ms),
            ReactorRef::Flow(_) | ReactorRef::Plugin(_) => {
                sqlx::query("INSERT INTO dispatches (reactor, session, chat, event) VALUES (?, ?, ?, ?)")
                    .bind(reactor.to_string())
                    .bind(session)
                    .bind(chat)
                    .bind(event.id.as_str())
            }
        };
        insert.execute(&mut *db).await?;
    }
    super::guards::heard(db, &event, consent).await?;
    Ok(true)
}

async fn write_state(
    db: &mut SqliteConnection,
    reactor: &str,
    session: &SessionId,
    chat: &str,
    write: &StateWrite,
) -> Result<()> {
    match &write.value {
        Some(value) => sqlx::query(
            "INSERT INTO reactor_state (reactor, session, chat, key, value) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (reactor, session, chat, key) DO UPDATE SET value = excluded.value",
        )
        .bind(reactor)
        .bind(session.as_str())
        .bind(chat)
        .bind(&write.key)
        .bind(value),
        None => sqlx::query("DELETE FROM reactor_state WHERE reactor = ? AND session = ? AND chat = ? AND key = ?")
            .bind(reactor)
            .bind(session.as_str())
            .bind(chat)
            .bind(&write.key),
    }
    .execute(db)
    .await?;
    Ok(())
}

pub(super) fn event_of(row: &SqliteRow) -> Result<Event> {
    decode_event(row.try_get("record")?)
}
