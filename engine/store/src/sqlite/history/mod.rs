//! The history: chats, messages, contacts and labels.
//!
//! [`changes`] applies what became known, in the writer; the rest reads. Messages
//! are in one order, by time ([`seq`]); triggers of the schema keep the counts of
//! chats, and take words and files away with their message. What would be too much
//! for one transaction is put on a list, and [`tidy`] works it off in pieces.

mod changes;
mod chats;
mod contacts;
mod early;
mod labels;
mod messages;
mod read_chats;
mod read_messages;
mod records;
mod tidy;
mod walk;
mod words;

use super::SqliteStore;
use crate::Result;
use crate::history::{ChatFilter, History, Labelled, MessageFilter, MessageRecord, Messages, Slice, Start};
use async_trait::async_trait;
pub(super) use changes::{Prepared, apply, prepare};
pub(super) use records::media_of;
pub(super) use tidy::run as tidy;
use warest_model::clock::Millis;
use warest_model::history::{Change, Chat, Contact, Label};
use warest_model::id::SessionId;
use warest_model::jid::Jid;
use warest_model::plan::MessageKey;

/// Changes that share a place in the writer's line.
const PIECE: usize = 48;

#[async_trait]
impl History for SqliteStore {
    async fn apply(&self, session: &SessionId, changes: Vec<Change>) -> Result<()> {
        let mut changes = changes.into_iter();
        loop {
            let piece = prepare(changes.by_ref().take(PIECE).collect());
            if piece.is_empty() {
                return Ok(());
            }
            let session = session.clone();
            let left = self.write(move |db| Box::pin(async move { apply(db, session.as_str(), piece).await })).await?;
            self.tidy_if(left);
        }
    }

    async fn chats(&self, filter: &ChatFilter, page: &Slice) -> Result<(Vec<Chat>, u64)> {
        read_chats::list(self.readers(), filter, page).await
    }

    async fn chat(&self, session: &SessionId, chat: &Jid) -> Result<Option<Chat>> {
        read_chats::one(self.readers(), session, chat).await
    }

    async fn messages(&self, filter: &MessageFilter, from: Start, limit: u32) -> Result<Messages> {
        read_messages::list(self.readers(), filter, from, limit).await
    }

    async fn message(&self, session: &SessionId, chat: Option<&Jid>, id: &str) -> Result<Option<MessageRecord>> {
        read_messages::one(self.readers(), session, chat, id).await
    }

    async fn last_message(&self, session: &SessionId, chat: &Jid) -> Result<Option<MessageRecord>> {
        read_messages::last(self.readers(), session, chat).await
    }

    async fn unread(
        &self,
        session: &SessionId,
        chat: &Jid,
        since_ms: Option<Millis>,
        limit: u32,
    ) -> Result<Vec<(MessageKey, Millis)>> {
        read_messages::unread(self.readers(), session, chat, since_ms, limit).await
    }

    async fn contacts(&self, session: &SessionId, search: Option<&str>, page: &Slice) -> Result<(Vec<Contact>, u64)> {
        contacts::list(self.readers(), session, search, page).await
    }

    async fn contact(&self, session: &SessionId, whom: &Jid) -> Result<Option<Contact>> {
        contacts::one(self.readers(), session, whom).await
    }

    async fn labels(&self, session: &SessionId) -> Result<Vec<Label>> {
        labels::all_of(self.readers(), session).await
    }

    async fn labelled(&self, session: &SessionId, label: &str, page: &Slice) -> Result<(Vec<Labelled>, u64)> {
        labels::labelled(self.readers(), session, label, page).await
    }

    async fn labels_on(&self, session: &SessionId, chat: &Jid, message: Option<&str>) -> Result<Vec<Label>> {
        labels::on(self.readers(), session, chat, message).await
    }
}

/// Positions of one millisecond.
const OF_ONE_MS: i64 = 1 << 21;
/// The last moment that has positions, in the year 2109.
const LAST_MS: Millis = (1 << 42) - 3;

/// The first position of a moment; what lies before 1970 or far ahead is taken for
/// the nearest that fits.
pub(in crate::sqlite) fn seq(ts_ms: Millis) -> i64 {
    ts_ms.clamp(0, LAST_MS) * OF_ONE_MS
}

/// The first position behind a moment.
fn seq_after(ts_ms: Millis) -> i64 {
    (ts_ms.clamp(0, LAST_MS) + 1) * OF_ONE_MS
}

/// Cuts a name or a key that others chose.
fn clip(text: String, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}

/// A pattern for `LIKE … ESCAPE '\'` that has `text` in it.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars().take(256) {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_in_the_order_of_time_and_never_overflow() {
        assert!(seq(0) < seq(1) && seq_after(0) == seq(1));
        for odd in [i64::MIN, -1, 1 << 42, i64::MAX] {
            assert!((0..i64::MAX - OF_ONE_MS).contains(&seq_after(odd)), "{odd}");
            assert!(seq(odd) < seq_after(odd), "{odd}");
        }
    }

    #[test]
    fn a_pattern_has_no_signs_of_its_own() {
        assert_eq!(containing("50%_\\"), "%50\\%\\_\\\\%");
    }
}
