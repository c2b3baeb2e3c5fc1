//! The past of a phone, as a new companion gets it: chats with their newest messages first, then
//! names, then the rest in pieces, each a compressed protobuf on the media host (or in the message
//! itself when it is small); and older messages of one chat when a companion asks.
//!
//! A past is what the phone shows, and what it was made to have lived through before: chats made up
//! from a few numbers, the same every time, so nothing of it need be stored.

mod past;

pub use past::Past;
pub(crate) use past::{Pasts, SavedPasts};

use super::compose;
use super::inbox::ShownMessage;
use super::sync::{self, ChatState, view};
use crate::account::Account;
use crate::error::SimnetError;
use crate::media::cipher::{self, Source};
use crate::network::Network;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use wacore::download::MediaType;
use wacore_binary::Jid;
use waproto::buffa::{Message as _, MessageField};
use waproto::whatsapp::history_sync::HistorySyncType;
use waproto::whatsapp::message::protocol_message::Type;
use waproto::whatsapp::message::{HistorySyncNotification, ProtocolMessage};
use waproto::whatsapp::{self as wa, message, web_message_info};

/// Messages of each chat that come with it at first.
const FIRST: usize = 10;
/// Messages of each chat that come next.
const RECENT: usize = 100;
/// Messages in one piece of the rest.
const PIECE: usize = 5_000;
/// Shown messages that are told of.
const SHOWN: usize = 20_000;
/// The most messages of one chat that a companion gets when it asks.
const ON_DEMAND: usize = 500;
/// Compressed bytes up to which a piece goes in the message itself.
const INLINE: usize = 16 * 1024;

/// A chat and its messages, newest first.
struct Chat {
    head: wa::Conversation,
    messages: Vec<wa::WebMessageInfo>,
}

/// Sends a new companion the phone's past.
pub(crate) async fn send(net: &Arc<Network>, account: &Arc<Account>, companion: u16) -> Result<(), SimnetError> {
    let made = {
        let (net, account) = (net.clone(), account.clone());
        tokio::task::spawn_blocking(move || pieces(&net, &account)).await
    };
    let pieces = made.map_err(|_| SimnetError::Stopping)?;
    let last = pieces.len();
    for (n, (kind, mut history)) in pieces.into_iter().enumerate() {
        let percent = u32::try_from((n + 1) * 100 / last).unwrap_or(100);
        history.progress = Some(percent);
        history.chunk_order = Some(u32::try_from(n + 1).unwrap_or(u32::MAX));
        notify(net, account, companion, kind, history, None).await?;
    }
    net.stats.count("history.sent");
    Ok(())
}

/// Sends a companion older messages of one chat, as it asked in message `session`.
pub(crate) async fn on_demand(
    net: &Arc<Network>,
    account: &Arc<Account>,
    companion: u16,
    asked: &message::peer_data_operation_request_message::HistorySyncOnDemandRequest,
    session: &str,
) -> Result<(), SimnetError> {
    let jid = asked.chat_jid.clone().unwrap_or_default();
    let wanted = view::chat_of(net, &jid);
    let count = usize::try_from(asked.on_demand_msg_count.unwrap_or(50)).unwrap_or(0).min(ON_DEMAND);
    let found = chats(net, account).into_iter().find(|chat| view::chat_of(net, &chat.head.id) == wanted);
    let mut conversations = Vec::new();
    if let Some(chat) = found {
        let before = asked.oldest_msg_timestamp_ms.map_or(u64::MAX, |ms| u64::try_from(ms / 1000).unwrap_or(0));
        let oldest = asked.oldest_msg_id.as_deref();
        let at = chat.messages.iter().position(|info| info.key.as_option().and_then(|key| key.id.as_deref()) == oldest);
        let skip = at.map(|at| at + 1).unwrap_or_else(|| {
            chat.messages.iter().take_while(|info| info.message_timestamp.unwrap_or(0) >= before).count()
        });
        conversations.push(chat.part(skip, count));
    }
    let history =
        wa::HistorySync { sync_type: HistorySyncType::ON_DEMAND, conversations, ..wa::HistorySync::default() };
    net.stats.count("history.on_demand");
    notify(net, account, companion, message::HistorySyncType::ON_DEMAND, history, Some(session.to_owned())).await
}

/// Everything there is to tell, in order.
fn pieces(net: &Network, account: &Account) -> Vec<(message::HistorySyncType, wa::HistorySync)> {
    use message::HistorySyncType as Kind;
    let all = chats(net, account);
    let piece = |sync_type, conversations| wa::HistorySync { sync_type, conversations, ..Default::default() };
    let first = all.iter().map(|chat| chat.part(0, FIRST)).collect();
    let mut pieces = vec![
        (
            Kind::INITIAL_BOOTSTRAP,
            wa::HistorySync {
                phone_number_to_lid_mappings: mappings(net, &all),
                ..piece(HistorySyncType::INITIAL_BOOTSTRAP, first)
            },
        ),
        (
            Kind::PUSH_NAME,
            wa::HistorySync { pushnames: names(net, account, &all), ..piece(HistorySyncType::PUSH_NAME, Vec::new()) },
        ),
    ];
    let recent: Vec<_> =
        all.iter().filter(|chat| chat.messages.len() > FIRST).map(|chat| chat.part(FIRST, RECENT)).collect();
    if !recent.is_empty() {
        pieces.push((Kind::RECENT, piece(HistorySyncType::RECENT, recent)));
    }
    let mut rest = Vec::new();
    let mut held = 0;
    for chat in all.iter().filter(|chat| chat.messages.len() > FIRST + RECENT) {
        let mut skip = FIRST + RECENT;
        while skip < chat.messages.len() {
            let part = chat.part(skip, PIECE - held);
            skip += part.messages.len();
            held += part.messages.len();
            rest.push(part);
            if held >= PIECE {
                pieces.push((Kind::FULL, piece(HistorySyncType::FULL, std::mem::take(&mut rest))));
                held = 0;
            }
        }
    }
    if !rest.is_empty() {
        pieces.push((Kind::FULL, piece(HistorySyncType::FULL, rest)));
    }
    pieces
}

impl Chat {
    fn part(&self, skip: usize, take: usize) -> wa::Conversation {
        let messages = self.messages.iter().enumerate().skip(skip).take(take).map(|(n, info)| wa::HistorySyncMsg {
            message: MessageField::some(info.clone()),
            msg_order_id: Some((self.messages.len() - n) as u64),
        });
        let end = skip + take >= self.messages.len();
        wa::Conversation { messages: messages.collect(), end_of_history_transfer: Some(end), ..self.head.clone() }
    }
}

/// All chats, those with the newest messages first.
fn chats(net: &Network, account: &Account) -> Vec<Chat> {
    let mut by_chat: BTreeMap<String, Vec<wa::WebMessageInfo>> = BTreeMap::new();
    let mut heads: BTreeMap<String, ChatState> =
        view::chats(net, account).into_iter().map(|state| (state.chat.clone(), state)).collect();
    account.primary.pasts.tell(net, account, &mut by_chat, &mut heads);
    let starred: Vec<_> = view::starred(net, account);
    for shown in account.primary.inbox.latest(SHOWN) {
        if shown.kind == "protocol" || shown.chat.ends_with("@broadcast") {
            continue;
        }
        let star = starred.iter().any(|star| star.id == shown.id && star.chat == shown.chat);
        if let Some(info) = info(net, &shown, star) {
            by_chat.entry(shown.chat.clone()).or_default().push(info);
        }
    }
    let contacts = view::contacts(net, account);
    let mut chats: Vec<Chat> = by_chat
        .into_iter()
        .filter_map(|(chat, mut messages)| {
            messages.sort_by_key(|info| std::cmp::Reverse(info.message_timestamp));
            let state = heads.remove(&chat).unwrap_or_default();
            let name = contacts.iter().find(|contact| contact.phone == chat).map(|contact| contact.name.clone());
            Some(Chat { head: head(net, &chat, &state, name, messages.first()?), messages })
        })
        .collect();
    chats.sort_by_key(|chat| std::cmp::Reverse(chat.head.conversation_timestamp));
    chats
}

fn head(
    net: &Network,
    chat: &str,
    state: &ChatState,
    name: Option<String>,
    newest: &wa::WebMessageInfo,
) -> wa::Conversation {
    let person = net.account(chat);
    let id = match &person {
        Some(account) => account.lid_jid().to_string(),
        None if chat.contains('@') => chat.to_owned(),
        None => Jid::pn(chat).to_string(),
    };
    let at = newest.message_timestamp;
    wa::Conversation {
        id,
        pn_jid: person.as_ref().map(|account| account.pn_jid().to_string()),
        lid_jid: person.as_ref().map(|account| account.lid_jid().to_string()),
        name,
        unread_count: Some(u32::try_from(state.unread).unwrap_or(u32::MAX)),
        marked_as_unread: Some(state.marked_unread),
        archived: Some(state.archived),
        pinned: state.pinned.then(|| u32::try_from(crate::chance::now()).unwrap_or(u32::MAX)),
        mute_end_time: state.muted_until.map(|until| u64::try_from(until).unwrap_or(u64::MAX >> 1)),
        conversation_timestamp: at,
        last_msg_timestamp: at,
        ..Default::default()
    }
}

fn info(net: &Network, shown: &ShownMessage, starred: bool) -> Option<wa::WebMessageInfo> {
    let jid = sync::view::jid_of(net, &shown.chat).ok()?;
    let author = net.account(&shown.from)?;
    let single = !shown.chat.contains('@');
    let participant = (!single && !shown.from_me).then(|| author.lid_jid().to_string());
    Some(wa::WebMessageInfo {
        key: MessageField::some(wa::MessageKey {
            remote_jid: Some(jid),
            from_me: Some(shown.from_me),
            id: Some(shown.id.clone()),
            participant: participant.clone(),
        }),
        participant,
        message: MessageField::some(shown.decoded()?),
        message_timestamp: Some(shown.ts / 1000),
        status: Some(if shown.from_me {
            web_message_info::Status::DELIVERY_ACK
        } else {
            web_message_info::Status::READ
        }),
        push_name: (!shown.from_me).then(|| author.name()),
        starred: starred.then_some(true),
        ..Default::default()
    })
}

fn mappings(net: &Network, chats: &[Chat]) -> Vec<wa::PhoneNumberToLIDMapping> {
    let accounts = chats.iter().filter_map(|chat| net.account_of(&chat.head.id.parse::<Jid>().ok()?));
    accounts
        .map(|account| wa::PhoneNumberToLIDMapping {
            pn_jid: Some(account.pn_jid().to_string()),
            lid_jid: Some(account.lid_jid().to_string()),
        })
        .collect()
}

fn names(net: &Network, account: &Account, chats: &[Chat]) -> Vec<wa::Pushname> {
    let own = wa::Pushname { id: Some(account.pn_jid().to_string()), pushname: Some(account.name()) };
    let others = chats.iter().filter_map(|chat| {
        let name = match chat.head.id.parse::<Jid>().ok().and_then(|jid| net.account_of(&jid)) {
            Some(account) => account.name(),
            None => chat.messages.iter().find_map(|info| info.push_name.clone())?,
        };
        Some(wa::Pushname { id: Some(chat.head.id.clone()), pushname: Some(name) })
    });
    std::iter::once(own).chain(others).collect()
}

async fn notify(
    net: &Arc<Network>,
    account: &Arc<Account>,
    companion: u16,
    kind: message::HistorySyncType,
    history: wa::HistorySync,
    session: Option<String>,
) -> Result<(), SimnetError> {
    let oldest = history
        .conversations
        .iter()
        .filter_map(|chat| chat.messages.last()?.message.as_option()?.message_timestamp)
        .min()
        .and_then(|at| i64::try_from(at).ok());
    let mut notification = HistorySyncNotification {
        sync_type: Some(kind),
        chunk_order: history.chunk_order,
        progress: history.progress,
        peer_data_request_session_id: session,
        oldest_msg_in_chunk_timestamp_sec: oldest,
        ..Default::default()
    };
    let packed = tokio::task::spawn_blocking(move || pack(&history.encode_to_vec())).await;
    let packed = packed.map_err(|_| SimnetError::Stopping)?.map_err(|e| SimnetError::Signal(e.to_string()))?;
    if packed.len() <= INLINE || net.media().is_err() {
        notification.file_length = Some(packed.len() as u64);
        notification.initial_hist_bootstrap_inline_payload = Some(packed);
    } else {
        let up = cipher::upload(net, Source::Bytes(packed), MediaType::History).await?;
        notification.file_length = Some(up.length);
        notification.file_sha256 = Some(up.sha256);
        notification.file_enc_sha256 = Some(up.enc_sha256);
        notification.media_key = Some(up.media_key);
        notification.direct_path = Some(up.direct_path);
    }
    let message = wa::Message {
        protocol_message: MessageField::some(ProtocolMessage {
            r#type: Some(Type::HISTORY_SYNC_NOTIFICATION),
            history_sync_notification: MessageField::some(notification),
            ..Default::default()
        }),
        ..Default::default()
    };
    compose::peer(net, account, companion, &message).await
}

fn pack(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(plain)?;
    packer.finish()
}
