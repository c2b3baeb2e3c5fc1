//! What a phone shows: its messages (each id once, repeats counted), the receipts it got, the
//! presence it saw, and the plaintexts it sent lately so that a retry can be answered. All bounded;
//! what falls off the front is counted.

use crate::account::lock;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Mutex;
use tokio::sync::watch;
use waproto::whatsapp as wa;

/// Messages kept per phone.
const MESSAGES: usize = 100_000;
/// Receipts kept per phone.
const RECEIPTS: usize = 20_000;
/// Presences and chat states kept per phone.
const PRESENCES: usize = 1_000;
/// Unread messages counted per chat.
const UNREAD: usize = 10_000;
/// Sent messages kept for retries.
const SENT: usize = 1_000;
/// Failed messages whose retries are counted.
const RETRIES: usize = 1_000;

/// One message as a phone shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownMessage {
    /// Its place in the inbox; grows by one, never reused.
    pub seq: u64,
    /// WhatsApp message id.
    pub id: String,
    /// The sender's number.
    pub from: String,
    /// The number of the other side of the chat.
    pub chat: String,
    /// Whether this phone's account sent it (from any of its devices).
    pub from_me: bool,
    /// What it is: `text`, `reaction`, `image`, ….
    pub kind: String,
    /// Its text, caption or emoji; empty when it has none.
    pub text: String,
    /// The decrypted protobuf as JSON.
    pub message: serde_json::Value,
    /// When it arrived, milliseconds since 1970.
    pub ts: u64,
    /// How often the same id came again; never shown twice.
    pub repeats: u32,
    /// The device that sent it; 0 is the sender's phone.
    pub device: u16,
    /// The message that it is about: what it edits, revokes, reacts to, votes on or pins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// A poll's options, or those that a vote chose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// A receipt that a phone got.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SeenReceipt {
    /// Its place in the list; grows by one.
    pub seq: u64,
    /// The number it came from.
    pub from: String,
    /// The messages it is about.
    pub ids: Vec<String>,
    /// `delivery`, `read`, `played`, `retry`, ….
    pub kind: String,
    /// When it arrived, milliseconds since 1970.
    pub ts: u64,
}

/// A presence or chat state that a phone saw.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SeenPresence {
    /// Its place in the list; grows by one.
    pub seq: u64,
    /// The number it came from.
    pub from: String,
    /// `available`, `unavailable`, `composing`, `recording` or `paused`.
    pub state: String,
    /// When it arrived, milliseconds since 1970.
    pub ts: u64,
}

/// A bounded list whose items have a growing `seq`.
struct Log<T> {
    items: VecDeque<T>,
    last: u64,
    dropped: u64,
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), last: 0, dropped: 0 }
    }
}

impl<T> Log<T> {
    fn push(&mut self, limit: usize, make: impl FnOnce(u64) -> T) -> Option<T> {
        self.last += 1;
        self.items.push_back(make(self.last));
        if self.items.len() > limit {
            self.dropped += 1;
            return self.items.pop_front();
        }
        None
    }
}

#[derive(Default)]
struct Inner {
    messages: Log<ShownMessage>,
    /// (sender, id) → seq
    index: HashMap<(String, String), u64>,
    receipts: Log<SeenReceipt>,
    presences: Log<SeenPresence>,
    /// Messages not read, by chat.
    unread: BTreeMap<String, BTreeSet<String>>,
    sent: VecDeque<(String, String, wa::Message)>,
    retries: VecDeque<(String, u32)>,
}

/// A phone's lists.
pub(crate) struct Inbox {
    inner: Mutex<Inner>,
    last: watch::Sender<u64>,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { inner: Mutex::default(), last: watch::Sender::new(0) }
    }
}

impl Inbox {
    /// Shows a message, or counts it when this sender's id was shown before. Returns whether it is
    /// new. `message.seq` and `message.repeats` are set here.
    pub(crate) fn show(&self, message: ShownMessage) -> bool {
        let last = {
            let mut inner = lock(&self.inner);
            let key = (message.from.clone(), message.id.clone());
            if let Some(seq) = inner.index.get(&key).copied() {
                let at = inner.messages.items.partition_point(|shown| shown.seq < seq);
                if let Some(shown) = inner.messages.items.get_mut(at) {
                    shown.repeats += 1;
                }
                return false;
            }
            if !message.chat.ends_with("@broadcast") {
                let unread = inner.unread.entry(message.chat.clone()).or_default();
                if !message.from_me && message.about.is_none() && unread.len() < UNREAD {
                    unread.insert(message.id.clone());
                }
            }
            let gone = inner.messages.push(MESSAGES, |seq| ShownMessage { seq, ..message });
            let last = inner.messages.last;
            inner.index.insert(key, last);
            if let Some(gone) = gone {
                inner.index.remove(&(gone.from, gone.id));
            }
            last
        };
        self.last.send_replace(last);
        true
    }

    /// The number of who wrote a message on show.
    pub(crate) fn author(&self, chat: &str, id: &str) -> Option<String> {
        let inner = lock(&self.inner);
        let found = inner.messages.items.iter().rev().find(|shown| shown.id == id && shown.chat == chat);
        found.map(|shown| shown.from.clone())
    }

    /// Messages after `seq`, oldest first, at most `limit`.
    pub(crate) fn messages(&self, after: u64, limit: usize) -> Vec<ShownMessage> {
        let inner = lock(&self.inner);
        let at = inner.messages.items.partition_point(|shown| shown.seq <= after);
        inner.messages.items.iter().skip(at).take(limit).cloned().collect()
    }

    /// The newest message with this id.
    pub(crate) fn find(&self, id: &str) -> Option<ShownMessage> {
        lock(&self.inner).messages.items.iter().rev().find(|shown| shown.id == id).cloned()
    }

    /// Messages about the one with this id, oldest first.
    pub(crate) fn about(&self, id: &str) -> Vec<ShownMessage> {
        let inner = lock(&self.inner);
        inner.messages.items.iter().filter(|shown| shown.about.as_deref() == Some(id)).cloned().collect()
    }

    /// Chats with their numbers of unread messages.
    pub(crate) fn chats(&self) -> Vec<(String, usize)> {
        lock(&self.inner).unread.iter().map(|(chat, ids)| (chat.clone(), ids.len())).collect()
    }

    /// Messages were read, on this phone or a companion.
    pub(crate) fn read(&self, chat: &str, ids: &[String]) {
        if let Some(unread) = lock(&self.inner).unread.get_mut(chat) {
            unread.retain(|id| !ids.contains(id));
        }
    }

    /// All messages of a chat were read.
    pub(crate) fn read_all(&self, chat: &str) {
        if let Some(unread) = lock(&self.inner).unread.get_mut(chat) {
            unread.clear();
        }
    }

    /// The last messages, oldest first, at most `limit`.
    pub(crate) fn latest(&self, limit: usize) -> Vec<ShownMessage> {
        let inner = lock(&self.inner);
        let skip = inner.messages.items.len().saturating_sub(limit);
        inner.messages.items.iter().skip(skip).cloned().collect()
    }

    /// Whether there is a message after `seq`.
    pub(crate) fn has_after(&self, seq: u64) -> bool {
        lock(&self.inner).messages.last > seq
    }

    /// Tells of new messages.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// Notes a receipt.
    pub(crate) fn receipt(&self, from: &str, ids: Vec<String>, kind: &str, ts: u64) {
        lock(&self.inner).receipts.push(RECEIPTS, |seq| SeenReceipt {
            seq,
            from: from.to_owned(),
            ids,
            kind: kind.to_owned(),
            ts,
        });
    }

    /// Receipts after `seq`.
    pub(crate) fn receipts(&self, after: u64) -> Vec<SeenReceipt> {
        let inner = lock(&self.inner);
        let at = inner.receipts.items.partition_point(|seen| seen.seq <= after);
        inner.receipts.items.iter().skip(at).cloned().collect()
    }

    /// Notes a presence or chat state.
    pub(crate) fn presence(&self, from: &str, state: &str, ts: u64) {
        lock(&self.inner).presences.push(PRESENCES, |seq| SeenPresence {
            seq,
            from: from.to_owned(),
            state: state.to_owned(),
            ts,
        });
    }

    /// Presences after `seq`.
    pub(crate) fn presences(&self, after: u64) -> Vec<SeenPresence> {
        let inner = lock(&self.inner);
        let at = inner.presences.items.partition_point(|seen| seen.seq <= after);
        inner.presences.items.iter().skip(at).cloned().collect()
    }

    /// Keeps a sent message for retries.
    pub(crate) fn sent(&self, id: &str, to: &str, message: wa::Message) {
        let mut inner = lock(&self.inner);
        if inner.sent.len() >= SENT {
            inner.sent.pop_front();
        }
        inner.sent.push_back((id.to_owned(), to.to_owned(), message));
    }

    /// A message sent lately: to whom, and its plaintext.
    pub(crate) fn find_sent(&self, id: &str) -> Option<(String, wa::Message)> {
        let inner = lock(&self.inner);
        let found = inner.sent.iter().rev().find(|(sent, _, _)| sent == id)?;
        Some((found.1.clone(), found.2.clone()))
    }

    /// Counts one more failure to decrypt `id`.
    pub(crate) fn count_retry(&self, id: &str) -> u32 {
        let mut inner = lock(&self.inner);
        if let Some(entry) = inner.retries.iter_mut().find(|(known, _)| known == id) {
            entry.1 += 1;
            return entry.1;
        }
        if inner.retries.len() >= RETRIES {
            inner.retries.pop_front();
        }
        inner.retries.push_back((id.to_owned(), 1));
        1
    }

    /// Number of messages on show, repeats of them, and messages that fell off.
    pub(crate) fn counts(&self) -> (usize, u64, u64) {
        let inner = lock(&self.inner);
        let repeats = inner.messages.items.iter().map(|shown| u64::from(shown.repeats)).sum();
        (inner.messages.items.len(), repeats, inner.messages.dropped)
    }

    /// The saved form.
    pub(crate) fn save(&self) -> SavedInbox {
        let inner = lock(&self.inner);
        SavedInbox {
            messages: inner.messages.items.iter().cloned().collect(),
            last_message: inner.messages.last,
            receipts: inner.receipts.items.iter().cloned().collect(),
            last_receipt: inner.receipts.last,
            unread: inner.unread.clone(),
        }
    }

    /// The lists of an earlier run.
    pub(crate) fn load(saved: SavedInbox) -> Self {
        let index = saved.messages.iter().map(|shown| ((shown.from.clone(), shown.id.clone()), shown.seq)).collect();
        let inner = Inner {
            messages: Log { items: saved.messages.into(), last: saved.last_message, dropped: 0 },
            index,
            unread: saved.unread,
            receipts: Log { items: saved.receipts.into(), last: saved.last_receipt, dropped: 0 },
            ..Inner::default()
        };
        let last = inner.messages.last;
        Self { inner: Mutex::new(inner), last: watch::Sender::new(last) }
    }
}

/// The saved form of [`Inbox`].
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct SavedInbox {
    messages: Vec<ShownMessage>,
    last_message: u64,
    receipts: Vec<SeenReceipt>,
    last_receipt: u64,
    #[serde(default)]
    unread: BTreeMap<String, BTreeSet<String>>,
}
