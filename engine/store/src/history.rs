//! What the store can be asked of the history of sessions: their chats,
//! messages, contacts and labels, and how it grows.
//!
//! Addresses may be given by phone or by LID: where the pair is known, both
//! name the same chat and the same person. Times are those that messages carry;
//! order is by time, and among equal times by arrival.

use crate::Result;
use crate::media::MediaState;
use async_trait::async_trait;
use warest_model::clock::Millis;
use warest_model::history::{Change, Chat, Contact, Label, Message, Reaction, Vote};
use warest_model::id::SessionId;
use warest_model::jid::Jid;
use warest_model::plan::MessageKey;

/// What chats are listed by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ChatOrder {
    /// When their last message was written; pinned ones have no place of their own.
    #[default]
    LastMessage,
    /// How many messages were not read.
    UnreadCount,
    /// Their name; those without one by their address.
    Name,
}

/// Which chats.
#[derive(Debug, Clone)]
pub struct ChatFilter {
    /// Of this session.
    pub session: SessionId,
    /// Only those with this in their name or address, whatever the case of ASCII letters.
    pub search: Option<String>,
    /// Only those with a message that has a file.
    pub has_media: bool,
    /// Only those in the archive, or only those that are not.
    pub archived: Option<bool>,
    /// In which order.
    pub order: ChatOrder,
    /// From the small to the large.
    pub ascending: bool,
}

impl ChatFilter {
    /// Every chat of a session, that with the newest message first.
    pub fn all(session: SessionId) -> Self {
        Self { session, search: None, has_media: false, archived: None, order: ChatOrder::default(), ascending: false }
    }
}

/// How much of a list, counted from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// At most this many (1 to 1,000).
    pub limit: u32,
    /// Leaves out so many before them.
    pub offset: u64,
}

/// Which messages. Newest first.
#[derive(Debug, Clone)]
pub struct MessageFilter {
    /// Of this session.
    pub session: SessionId,
    /// Of this chat.
    pub chat: Jid,
    /// Only those written at this moment or later.
    pub from_ms: Option<Millis>,
    /// Only those written at this moment or earlier.
    pub to_ms: Option<Millis>,
    /// Only those with a file.
    pub media_only: bool,
    /// Only those of this account, or only those of others.
    pub from_me: Option<bool>,
    /// Only those in which each of these words is the beginning of a word of the
    /// first 4,096 characters, whatever the case. A word of one letter is found only
    /// as such.
    pub search: Option<String>,
}

impl MessageFilter {
    /// Every message of a chat.
    pub fn chat(session: SessionId, chat: Jid) -> Self {
        Self { session, chat, from_ms: None, to_ms: None, media_only: false, from_me: None, search: None }
    }
}

/// From where in a list of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Leaves out so many; at most 100,000, beyond which a list has no messages.
    Offset(u64),
    /// Behind a position that [`Messages::next`] named; costs the same however
    /// far that is.
    Before(i64),
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// So many, or at least so many.
    pub count: u64,
    /// Whether it is all of them. Of a whole chat that is known; what was written
    /// within a time is counted up to [`MOST_TOTAL`]; what is searched for, as far as
    /// the page reaches.
    pub exact: bool,
}

/// Messages that one search looks at, at most: one that hardly anything fits ends
/// early, and [`Messages::next`] goes on.
pub const MOST_LOOKED_AT: u64 = 10_000;

/// Messages that are counted for a total, at most: counting more would cost more than
/// the page that it goes with.
pub const MOST_TOTAL: u64 = 1_000;

/// A message with what others said to it.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageRecord {
    /// Its position, newer ones have higher ones.
    pub seq: i64,
    /// The message.
    pub message: Message,
    /// How its file is, if it has one.
    pub media: Option<MediaState>,
    /// The reactions that stand, oldest first.
    pub reactions: Vec<Reaction>,
    /// The votes in it, if it is a poll, oldest first.
    pub votes: Vec<Vote>,
}

/// A page of messages.
#[derive(Debug, Clone)]
pub struct Messages {
    /// Newest first.
    pub list: Vec<MessageRecord>,
    /// How many fit.
    pub total: Total,
    /// Where to go on; none at the end. There may be one behind a short page,
    /// even an empty one.
    pub next: Option<i64>,
}

/// Something that has a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    /// The chat.
    pub chat: Jid,
    /// The message in it, if it is on one.
    pub message: Option<String>,
}

/// The history of sessions.
#[async_trait]
pub trait History: Send + Sync {
    /// Applies changes that come with no event, in their order; in pieces, of
    /// which each is durable by itself. Those of a session that is not there are
    /// dropped. See [`Change`].
    async fn apply(&self, session: &SessionId, changes: Vec<Change>) -> Result<()>;

    /// A page of chats, and how many fit.
    async fn chats(&self, filter: &ChatFilter, page: &Slice) -> Result<(Vec<Chat>, u64)>;
    /// One chat.
    async fn chat(&self, session: &SessionId, chat: &Jid) -> Result<Option<Chat>>;

    /// A page of messages: at most `limit` (1 to 500).
    async fn messages(&self, filter: &MessageFilter, from: Start, limit: u32) -> Result<Messages>;
    /// The message with this id, in this chat or wherever it is. Of several, the
    /// oldest: whoever writes another with its id has seen it before.
    async fn message(&self, session: &SessionId, chat: Option<&Jid>, id: &str) -> Result<Option<MessageRecord>>;
    /// The newest message of a chat.
    async fn last_message(&self, session: &SessionId, chat: &Jid) -> Result<Option<MessageRecord>>;
    /// The messages of a chat that came in and were not read: the newest `limit`
    /// (1 to 1,000) of those written at `since_ms` or later, newest first, with
    /// the time of each.
    async fn unread(
        &self,
        session: &SessionId,
        chat: &Jid,
        since_ms: Option<Millis>,
        limit: u32,
    ) -> Result<Vec<(MessageKey, Millis)>>;

    /// A page of contacts by name, and how many fit. `search` is looked for in
    /// names and addresses, whatever the case of ASCII letters.
    async fn contacts(&self, session: &SessionId, search: Option<&str>, page: &Slice) -> Result<(Vec<Contact>, u64)>;
    /// One contact.
    async fn contact(&self, session: &SessionId, whom: &Jid) -> Result<Option<Contact>>;

    /// Every label, by name.
    async fn labels(&self, session: &SessionId) -> Result<Vec<Label>>;
    /// A page of what has a label, and how much that is.
    async fn labelled(&self, session: &SessionId, label: &str, page: &Slice) -> Result<(Vec<Labelled>, u64)>;
    /// The labels on a chat, or on a message in it.
    async fn labels_on(&self, session: &SessionId, chat: &Jid, message: Option<&str>) -> Result<Vec<Label>>;
}
