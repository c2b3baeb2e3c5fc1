//! The history: chats, messages, contacts and labels of a session, as far as its
//! link has seen them, and the changes by which it grows.
//!
//! Changes come from live messages, from what the engine sends, from the phone's
//! history at pairing and from the account's other devices. Each can be applied
//! again without harm, and in any order that keeps the order of one message's
//! changes.

use crate::clock::Millis;
use crate::id::MediaId;
use crate::jid::Jid;
use crate::plan::MessageKey;
use serde::{Deserialize, Serialize};

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    /// It came in.
    Received,
    /// The server took it.
    Server,
    /// It reached a device of a recipient.
    Delivered,
    /// It was read.
    Read,
    /// It was played.
    Played,
}

impl MessageStatus {
    /// Every status, in the order of progress.
    pub const ALL: [Self; 5] = [Self::Received, Self::Server, Self::Delivered, Self::Read, Self::Played];

    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Server => "server",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
        }
    }

    /// The status with this wire name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// A message of the history.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its name.
    pub key: MessageKey,
    /// Who wrote it.
    pub sender: Jid,
    /// The name that its sender goes by, if it came with it.
    pub push_name: Option<String>,
    /// When it was written.
    pub ts_ms: Millis,
    /// `text`, `image`, `poll`, …
    pub content_type: String,
    /// What a person reads in it: the text, or the caption.
    pub text: String,
    /// All of it: WhatsApp's protobuf. Empty once it was revoked.
    pub body: Vec<u8>,
    /// Its file.
    pub media: Option<Media>,
    /// The message it answers.
    pub quoted: Option<String>,
    /// Who is named in it.
    pub mentions: Vec<Jid>,
    /// How far it has come.
    pub status: MessageStatus,
    /// Whether it has a star.
    pub starred: bool,
    /// When it was last edited.
    pub edited_ms: Option<Millis>,
    /// When it was taken back for everybody.
    pub revoked_ms: Option<Millis>,
    /// Until when it is pinned in its chat.
    pub pinned_until_ms: Option<Millis>,
}

/// A message's file, as its message describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Media {
    /// Its name in the engine's storage.
    pub id: MediaId,
    /// `image`, `video`, `gif`, `audio`, `voice`, `document` or `sticker`.
    pub kind: String,
    /// Its type.
    pub mimetype: String,
    /// In bytes, as declared.
    pub size: u64,
    /// Of its content, in hexadecimal, as declared.
    pub sha256: String,
    /// The name it was sent with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// In pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// In pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Its length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
}

/// A reaction that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// Whose.
    pub from: Jid,
    /// The emoji.
    pub emoji: String,
    /// When it was put.
    pub ts_ms: Millis,
}

/// What somebody voted, in full: a later vote replaces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Whose.
    pub from: Jid,
    /// The answers chosen, by their text.
    pub options: Vec<String>,
    /// When.
    pub ts_ms: Millis,
}

/// A chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// Its address.
    pub jid: Jid,
    /// Its address by LID, if known.
    pub lid: Option<Jid>,
    /// The group's subject, or the name in the address book.
    pub name: Option<String>,
    /// Messages that were not read.
    pub unread: u32,
    /// Whether a person marked it as unread.
    pub marked_unread: bool,
    /// Whether it is in the archive.
    pub archived: bool,
    /// When it was pinned.
    pub pinned_ms: Option<Millis>,
    /// Until when it is silent; `i64::MAX` is for ever.
    pub muted_until_ms: Option<Millis>,
    /// After how long its messages disappear, in seconds.
    pub ephemeral_seconds: Option<u32>,
    /// Its last message: what it says, and when it was written.
    pub last: Option<(String, Millis)>,
    /// When it was first seen.
    pub created_ms: Millis,
    /// When anything about it last changed.
    pub updated_ms: Millis,
}

/// What is known of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// Their phone address, if known.
    pub jid: Option<Jid>,
    /// Their LID, if known.
    pub lid: Option<Jid>,
    /// Their name in the account's address book.
    pub name: Option<String>,
    /// Their first name in it.
    pub first_name: Option<String>,
    /// The name they go by.
    pub push_name: Option<String>,
    /// The name that WhatsApp has verified, of a business.
    pub verified_name: Option<String>,
}

/// A label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Its id.
    pub id: String,
    /// What it says.
    pub name: String,
    /// The number of its colour.
    pub color: i32,
}

/// Parts of a chat that changed; the rest stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatPatch {
    /// Its address by LID.
    pub lid: Option<Jid>,
    /// Its name.
    pub name: Option<String>,
    /// Into the archive or out of it.
    pub archived: Option<bool>,
    /// When it was pinned, or that it is no longer.
    pub pinned_ms: Option<Option<Millis>>,
    /// Until when it is silent, or that it is no longer.
    pub muted_until_ms: Option<Option<Millis>>,
    /// How many messages are not read.
    pub unread: Option<u32>,
    /// Whether a person marked it as unread.
    pub marked_unread: Option<bool>,
    /// After how long its messages disappear, or that they do not.
    pub ephemeral_seconds: Option<Option<u32>>,
}

/// One thing that became known.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A message. One that is known keeps what later changes made of it. A live
    /// one that came in counts as unread.
    Message {
        /// The message.
        message: Box<Message>,
        /// Whether it came just now, and not with the history.
        live: bool,
    },
    /// A message says something else.
    Edited {
        /// Which.
        key: MessageKey,
        /// What a person reads in it now.
        text: String,
        /// All of it.
        body: Vec<u8>,
        /// When.
        at_ms: Millis,
    },
    /// A message was taken back for everybody.
    Revoked {
        /// Which.
        key: MessageKey,
        /// When.
        at_ms: Millis,
    },
    /// A message went from this account.
    Deleted {
        /// Which.
        key: MessageKey,
    },
    /// A star on or off.
    Starred {
        /// The message.
        key: MessageKey,
        /// On or off.
        on: bool,
    },
    /// A message was pinned in its chat, or taken down (`None`).
    Pinned {
        /// Which.
        key: MessageKey,
        /// Until when.
        until_ms: Option<Millis>,
    },
    /// A message of this account came further.
    Status {
        /// The chat, if it is known.
        chat: Option<Jid>,
        /// The message's id.
        id: String,
        /// Whose device said so.
        by: Option<Jid>,
        /// How far.
        status: MessageStatus,
        /// When.
        at_ms: Millis,
    },
    /// A reaction; an empty emoji takes it off.
    Reaction {
        /// The message it is on.
        key: MessageKey,
        /// The reaction.
        reaction: Reaction,
    },
    /// A vote in a poll.
    Vote {
        /// The poll.
        key: MessageKey,
        /// The vote.
        vote: Vote,
    },
    /// Something about a chat.
    Chat {
        /// Which.
        chat: Jid,
        /// What.
        patch: ChatPatch,
        /// When.
        at_ms: Millis,
    },
    /// The messages of a chat were read, on a device of this account.
    Read {
        /// The chat.
        chat: Jid,
        /// When.
        at_ms: Millis,
    },
    /// The messages of a chat went, for this account.
    Cleared {
        /// The chat.
        chat: Jid,
        /// Those written up to then.
        up_to_ms: Millis,
        /// Whether those with a star went, too.
        starred_too: bool,
    },
    /// A chat went, for this account.
    ChatDeleted {
        /// The chat.
        chat: Jid,
    },
    /// What is known of a person; what is absent stays as it is.
    Contact(Box<Contact>),
    /// A label was made or changed.
    Label(Label),
    /// A label went.
    LabelDeleted {
        /// Its id.
        id: String,
    },
    /// A label on a chat or a message, on or off.
    Labelled {
        /// The label's id.
        label: String,
        /// The chat.
        chat: Jid,
        /// The message in it, if it is on one.
        message: Option<String>,
        /// On or off.
        on: bool,
    },
}
