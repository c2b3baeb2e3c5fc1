//! What a phone shows of its app state: chats and their flags, starred messages, labels, contacts,
//! and every value as it is.

use super::{Inner, absorb};
use crate::account::{Account, lock};
use crate::error::SimnetError;
use crate::network::Network;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use wacore_binary::Jid;
use waproto::whatsapp::{self as wa};

/// A chat's state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatState {
    /// The number of the other side, or the JID of what is no single person.
    pub chat: String,
    /// In the archive.
    pub archived: bool,
    /// At the top.
    pub pinned: bool,
    /// Quiet until then, milliseconds since 1970; -1 for ever.
    pub muted_until: Option<i64>,
    /// Messages not read.
    pub unread: usize,
    /// Marked as unread by hand.
    pub marked_unread: bool,
    /// When it was last cleared, milliseconds since 1970.
    pub cleared: Option<i64>,
    /// When it was last deleted, milliseconds since 1970.
    pub deleted: Option<i64>,
    /// Ids of the labels on it.
    pub labels: Vec<String>,
}

/// A starred message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Starred {
    /// Its chat.
    pub chat: String,
    /// Its id.
    pub id: String,
    /// Whether the account wrote it.
    pub from_me: bool,
}

/// A label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The number of its colour.
    pub color: i32,
    /// Whether it was deleted.
    pub deleted: bool,
}

/// A contact in the address book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The number, or the JID.
    pub phone: String,
    /// The full name.
    pub name: String,
}

/// One value, as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppStateEntry {
    /// The collection it is in.
    pub collection: String,
    /// What it is about.
    pub index: Vec<String>,
    /// The protobuf as JSON.
    pub value: serde_json::Value,
}

/// All app state of an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppStateReport {
    /// The version of each collection.
    pub versions: BTreeMap<String, u64>,
    /// Patches that did not verify.
    pub problems: Vec<String>,
    /// All values.
    pub entries: Vec<AppStateEntry>,
}

/// A chat as phones name it: the number of a person, else the JID.
pub(crate) fn chat_of(net: &Network, jid: &str) -> String {
    let parsed: Option<Jid> = jid.parse().ok();
    parsed.and_then(|jid| net.account_of(&jid)).map_or_else(
        || jid.strip_suffix("@s.whatsapp.net").unwrap_or(jid).to_owned(),
        |account| account.phone.to_string(),
    )
}

/// The JID of a chat as phones name it. People are named by LID, as in their messages.
pub(crate) fn jid_of(net: &Network, chat: &str) -> Result<String, SimnetError> {
    if chat.contains('@') {
        return Ok(chat.to_owned());
    }
    Ok(net.require(chat)?.lid_jid().to_string())
}

impl Inner {
    fn values(&self) -> impl Iterator<Item = (Vec<&str>, &wa::SyncActionValue)> {
        let all = self.mirrors.values().flat_map(|mirror| mirror.values.iter());
        let mut all: Vec<_> =
            all.map(|(index, value)| (index.iter().map(String::as_str).collect::<Vec<_>>(), value)).collect();
        // The same thing may be named in two ways; the later value counts.
        all.sort_by_key(|(_, value)| value.timestamp.unwrap_or_default());
        all.into_iter()
    }
}

/// Chats that there is anything to say of.
pub(crate) fn chats(net: &Network, account: &Account) -> Vec<ChatState> {
    absorb(net, account);
    let mut chats: BTreeMap<String, ChatState> = BTreeMap::new();
    let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (chat, unread) in account.primary.inbox.chats() {
        chats.entry(chat).or_default().unread = unread;
    }
    let inner = lock(&account.primary.sync.0);
    for (index, value) in inner.values() {
        let at = value.timestamp.unwrap_or_default();
        let (name, jid) = match index.as_slice() {
            ["label_jid", label, jid] => {
                let on = value.label_association_action.as_option().is_some_and(|action| action.labeled == Some(true));
                let chat = chat_of(net, jid);
                chats.entry(chat.clone()).or_default();
                let labels = labels.entry(chat).or_default();
                if on {
                    labels.insert((*label).to_owned())
                } else {
                    labels.remove(*label)
                };
                continue;
            }
            [name @ ("archive" | "pin_v1" | "mute" | "markChatAsRead" | "clearChat" | "deleteChat"), jid, ..] => {
                (*name, *jid)
            }
            _ => continue,
        };
        let chat = chats.entry(chat_of(net, jid)).or_default();
        match name {
            "archive" => {
                chat.archived = value.archive_chat_action.as_option().is_some_and(|a| a.archived == Some(true));
            }
            "pin_v1" => chat.pinned = value.pin_action.as_option().is_some_and(|a| a.pinned == Some(true)),
            "mute" => {
                let action = value.mute_action.as_option().filter(|action| action.muted == Some(true));
                chat.muted_until = action.map(|action| action.mute_end_timestamp.unwrap_or(-1));
            }
            "markChatAsRead" => {
                let read = value.mark_chat_as_read_action.as_option().and_then(|action| action.read);
                chat.marked_unread = read == Some(false);
            }
            "clearChat" => chat.cleared = Some(at),
            _ => chat.deleted = Some(at),
        }
    }
    for (chat, labels) in labels {
        chats.entry(chat).or_default().labels = labels.into_iter().collect();
    }
    chats.into_iter().map(|(chat, state)| ChatState { chat, ..state }).collect()
}

/// Starred messages.
pub(crate) fn starred(net: &Network, account: &Account) -> Vec<Starred> {
    absorb(net, account);
    let mut starred = BTreeSet::new();
    let inner = lock(&account.primary.sync.0);
    for (index, value) in inner.values() {
        let ["star", jid, id, from_me, ..] = index.as_slice() else { continue };
        let entry = Starred { chat: chat_of(net, jid), id: (*id).to_owned(), from_me: *from_me == "1" };
        let on = value.star_action.as_option().is_some_and(|action| action.starred == Some(true));
        if on {
            starred.insert(entry)
        } else {
            starred.remove(&entry)
        };
    }
    starred.into_iter().collect()
}

/// Labels, deleted ones too.
pub(crate) fn labels(net: &Network, account: &Account) -> Vec<Label> {
    absorb(net, account);
    let mut labels = BTreeMap::new();
    let inner = lock(&account.primary.sync.0);
    for (index, value) in inner.values() {
        let ["label_edit", id] = index.as_slice() else { continue };
        let Some(action) = value.label_edit_action.as_option() else { continue };
        let label = Label {
            id: (*id).to_owned(),
            name: action.name.clone().unwrap_or_default(),
            color: action.color.unwrap_or_default(),
            deleted: action.deleted == Some(true),
        };
        labels.insert((*id).to_owned(), label);
    }
    labels.into_values().collect()
}

/// The address book.
pub(crate) fn contacts(net: &Network, account: &Account) -> Vec<Contact> {
    absorb(net, account);
    let mut contacts = BTreeMap::new();
    let inner = lock(&account.primary.sync.0);
    for (index, value) in inner.values() {
        let ["contact", jid] = index.as_slice() else { continue };
        let Some(action) = value.contact_action.as_option() else { continue };
        contacts.insert(chat_of(net, jid), action.full_name.clone().unwrap_or_default());
    }
    contacts.into_iter().map(|(phone, name)| Contact { phone, name }).collect()
}

/// Everything.
pub(crate) fn report(net: &Network, account: &Account) -> AppStateReport {
    absorb(net, account);
    let inner = lock(&account.primary.sync.0);
    let entries = inner.mirrors.iter().flat_map(|(name, mirror)| {
        mirror.values.iter().map(|(index, value)| AppStateEntry {
            collection: (*name).to_owned(),
            index: index.clone(),
            value: crate::phone::describe::pruned(value),
        })
    });
    AppStateReport {
        versions: inner.mirrors.iter().map(|(name, mirror)| ((*name).to_owned(), mirror.state.version)).collect(),
        problems: inner.problems.clone(),
        entries: entries.collect(),
    }
}
