//! A past made up from a few numbers: who was written with, and how much. The same numbers make the
//! same messages, so a past is kept as the numbers alone.

use crate::account::{Account, is_phone, lock};
use crate::error::SimnetError;
use crate::network::Network;
use crate::phone::sync::ChatState;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Mutex;
use wacore_binary::Jid;
use waproto::buffa::MessageField;
use waproto::whatsapp::web_message_info::Status;
use waproto::whatsapp::{self as wa};

/// Chats of one past.
const CHATS: usize = 1_000;
/// Messages of all its chats.
const MESSAGES: usize = 100_000;
/// Pasts of one phone.
const PASTS: usize = 8;
/// Seconds between two messages of a chat.
const PACE: u64 = 60;

/// What a phone has lived through before it is linked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Past {
    /// How many chats.
    pub chats: usize,
    /// How many messages in each, from both sides in turn.
    pub messages_per_chat: usize,
    /// The first chats are with these numbers, the others with numbers made up.
    pub with: Vec<String>,
    /// Unread messages in each chat.
    pub unread: usize,
    /// So many chats, from the last one on, are archived.
    pub archived: usize,
    /// So many chats, from the first one on, are pinned.
    pub pinned: usize,
    /// So many chats, from the first one on, are muted for ever.
    pub muted: usize,
}

#[derive(Clone, Serialize, Deserialize)]
struct Lived {
    past: Past,
    /// When it ended, seconds since 1970.
    until: u64,
}

/// The pasts of a phone.
#[derive(Default)]
pub(crate) struct Pasts(Mutex<Vec<Lived>>);

/// The saved form of [`Pasts`].
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SavedPasts(Vec<Lived>);

impl Pasts {
    /// Adds a past that ends now.
    pub(crate) fn add(&self, past: Past) -> Result<(), SimnetError> {
        let invalid = |what: String| Err(SimnetError::Invalid(what));
        if past.chats == 0 || past.chats > CHATS || past.messages_per_chat == 0 {
            return invalid(format!("a past has 1 to {CHATS} chats with at least one message each"));
        }
        if past.chats.saturating_mul(past.messages_per_chat) > MESSAGES {
            return invalid(format!("a past has at most {MESSAGES} messages"));
        }
        if past.with.len() > past.chats || !past.with.iter().all(|phone| is_phone(phone)) {
            return invalid("with lists numbers, at most one a chat".into());
        }
        let mut pasts = lock(&self.0);
        if pasts.len() >= PASTS {
            return invalid(format!("a phone has at most {PASTS} pasts"));
        }
        pasts.push(Lived { past, until: crate::chance::now() });
        Ok(())
    }

    pub(crate) fn save(&self) -> SavedPasts {
        SavedPasts(lock(&self.0).clone())
    }

    pub(crate) fn load(saved: SavedPasts) -> Self {
        Self(Mutex::new(saved.0))
    }

    /// Adds the messages of all pasts to those of each chat, and the chats' flags.
    pub(super) fn tell(
        &self,
        net: &Network,
        account: &Account,
        messages: &mut BTreeMap<String, Vec<wa::WebMessageInfo>>,
        heads: &mut BTreeMap<String, ChatState>,
    ) {
        let pasts = lock(&self.0).clone();
        for (n, Lived { past, until }) in pasts.iter().enumerate() {
            for chat in 0..past.chats {
                let phone = past.with.get(chat).cloned().unwrap_or_else(|| made_up(account, n, chat));
                let state = heads.entry(phone.clone()).or_insert_with(|| ChatState {
                    chat: phone.clone(),
                    archived: chat + past.archived >= past.chats,
                    pinned: chat < past.pinned,
                    muted_until: (chat < past.muted).then_some(-1),
                    ..ChatState::default()
                });
                state.unread += past.unread.min(past.messages_per_chat);
                let told = messages.entry(phone.clone()).or_default();
                told.extend(
                    (0..past.messages_per_chat).map(|at| message(net, account, &phone, past, *until, chat, at)),
                );
            }
        }
    }
}

/// A number that is on no network.
fn made_up(account: &Account, past: usize, chat: usize) -> String {
    let digest = Sha256::digest(format!("simnet past {} {past}", account.phone).as_bytes());
    let base = u64::from(u16::from_be_bytes([digest[0], digest[1]]));
    format!("999{base:05}{chat:04}")
}

/// Message `at` of a chat, 0 being the oldest.
fn message(
    net: &Network,
    account: &Account,
    phone: &str,
    past: &Past,
    until: u64,
    chat: usize,
    at: usize,
) -> wa::WebMessageInfo {
    let other = net.account(phone);
    let jid = other.as_ref().map_or_else(|| Jid::pn(phone), |other| other.lid_jid());
    // Unread messages are the other side's.
    let unread = at + past.unread >= past.messages_per_chat;
    let from_me = !unread && at % 2 == 1;
    let digest = Sha256::digest(format!("simnet past {} {phone} {until} {at}", account.phone).as_bytes());
    let age = (past.messages_per_chat - at) as u64 * PACE + chat as u64;
    let name = other.map_or_else(|| format!("Friend {}", chat + 1), |other| other.name());
    wa::WebMessageInfo {
        key: MessageField::some(wa::MessageKey {
            remote_jid: Some(jid.to_string()),
            from_me: Some(from_me),
            id: Some(format!("3A{}", hex::encode_upper(&digest[..9]))),
            ..Default::default()
        }),
        message: MessageField::some(wa::Message {
            conversation: Some(format!("message {} of chat {}", at + 1, chat + 1)),
            ..Default::default()
        }),
        message_timestamp: Some(until.saturating_sub(age)),
        status: Some(if from_me || unread { Status::DELIVERY_ACK } else { Status::READ }),
        push_name: (!from_me).then_some(name),
        ..Default::default()
    }
}
