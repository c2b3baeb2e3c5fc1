//! Changes as the writer applies them.
//!
//! Each is idempotent, and none of them fails for what it says: what is about
//! something that is not known is kept for a while ([`early`]) or let go.

use super::early::{self, OnMessage};
use super::{chats, contacts, labels, messages, tidy, words};
use crate::Result;
use sqlx::sqlite::SqliteConnection;
use warest_model::history::Change;

/// A change, with what can be worked out before the writer's turn.
pub(in crate::sqlite) struct Prepared {
    change: Change,
    /// The beginnings of its words, if it has a text.
    heads: Vec<String>,
}

/// Works out what can be.
pub(in crate::sqlite) fn prepare(changes: Vec<Change>) -> Vec<Prepared> {
    let prepared = changes.into_iter().map(|change| {
        let heads = match &change {
            Change::Message { message, .. } => words::heads(&message.text),
            Change::Edited { text, .. } => words::heads(text),
            _ => Vec::new(),
        };
        Prepared { change, heads }
    });
    prepared.collect()
}

/// Applies changes to the history of a session; whether something is left to tidy
/// up.
pub(in crate::sqlite) async fn apply(db: &mut SqliteConnection, session: &str, changes: Vec<Prepared>) -> Result<bool> {
    if changes.is_empty() {
        return Ok(false);
    }
    let of: Option<i64> =
        sqlx::query_scalar("SELECT no FROM sessions WHERE id = ?").bind(session).fetch_optional(&mut *db).await?;
    let Some(of) = of else { return Ok(false) };
    let mut left = false;
    for Prepared { change, heads } in changes {
        left |= one(db, of, change, heads).await?;
    }
    Ok(left)
}

async fn one(db: &mut SqliteConnection, of: i64, change: Change, heads: Vec<String>) -> Result<bool> {
    match change {
        Change::Message { message, live } => messages::add(db, of, *message, live, &heads).await?,
        Change::Edited { key, text, body, at_ms } => {
            return early::apply_or_keep(db, of, OnMessage::Edited { key, text, body, at_ms }, heads).await;
        }
        Change::Revoked { key, at_ms } => return on(db, of, OnMessage::Revoked { key, at_ms }).await,
        Change::Starred { key, on: starred } => return on(db, of, OnMessage::Starred { key, on: starred }).await,
        Change::Pinned { key, until_ms } => return on(db, of, OnMessage::Pinned { key, until_ms }).await,
        Change::Status { id, status, .. } => return on(db, of, OnMessage::Status { id, status }).await,
        Change::Reaction { key, reaction } => {
            let (from, emoji, ts_ms) = (reaction.from, reaction.emoji, reaction.ts_ms);
            return on(db, of, OnMessage::Reaction { key, from, emoji, ts_ms }).await;
        }
        Change::Vote { key, vote } => {
            let (from, options, ts_ms) = (vote.from, vote.options, vote.ts_ms);
            return on(db, of, OnMessage::Vote { key, from, options, ts_ms }).await;
        }
        Change::Deleted { key } => messages::delete(db, of, &key).await?,
        Change::Chat { chat, patch, at_ms } => return chats::change(db, of, &chat, patch, at_ms).await,
        Change::Read { chat, at_ms } => chats::read(db, of, &chat, at_ms).await?,
        Change::Cleared { chat, up_to_ms, starred_too } => {
            return tidy::clear(db, of, &chat, up_to_ms, starred_too).await;
        }
        Change::ChatDeleted { chat } => return tidy::delete_chat(db, of, &chat).await,
        Change::Contact(contact) => return contacts::learn(db, of, *contact).await,
        Change::Label(label) => labels::put(db, of, label).await?,
        Change::LabelDeleted { id } => labels::delete(db, of, &id).await?,
        Change::Labelled { label, chat, message, on } => labels::set(db, of, &label, &chat, message, on).await?,
    }
    Ok(false)
}

async fn on(db: &mut SqliteConnection, of: i64, change: OnMessage) -> Result<bool> {
    early::apply_or_keep(db, of, change, Vec::new()).await
}
