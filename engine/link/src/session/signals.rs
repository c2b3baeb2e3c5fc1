//! What the protocol library reports, sorted: server acknowledgements to the
//! sends that wait, presence, receipts, history and all other news to their
//! recorders, the connection's life to the supervisor.
//!
//! The library calls in its receive path, so nothing here waits, but for one
//! note that has to be on the disk before the library goes on.

use super::behind::Behind;
use crate::Intake;
use crate::inbound::news::News;
use crate::inbound::order::Order;
use crate::inbound::sync::Chunks;
use crate::inbound::who::Me;
use crate::inbound::{message, presence, receipt};
use crate::outbound::acks::Acks;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::mpsc;
use warest_model::clock::SharedClock;
use warest_model::id::SessionId;
use warest_model::job::{Receipt, ReceiptKind};
use whatsapp_rust::types::events::{self, Event, EventHandler, EventInterest, EventKind};
use whatsapp_rust::{Client, Jid, OwnedNodeRef};

/// A turn in a connection's life.
#[derive(Debug)]
pub(super) enum Signal {
    /// A code to scan, and for how long.
    Qr(String, Duration),
    /// All codes of this round are used up; whether the connection ends with it.
    QrExhausted(bool),
    /// The server takes the code to type back.
    CodeStale,
    /// A phone has scanned the code.
    Paired,
    /// A phone has scanned the code, but pairing failed.
    PairFailed(String),
    /// Logged in, and the account's settings are there.
    Connected,
    /// This device is no longer on the account.
    LoggedOut(String),
    /// Another connection with the same credentials has taken over.
    Replaced,
    /// The account may not connect for this long.
    Banned(Duration),
    /// WhatsApp finds the client too old.
    Outdated,
    /// WhatsApp refused the login.
    Refused(String),
    /// The connection ended.
    Lost(String),
}

/// Longest wait for such a note.
const NOTE: Duration = Duration::from_secs(2);
/// Signals that may wait for the supervisor: a connection has few.
pub(super) const WAITING: usize = 64;

pub(super) struct Ears {
    pub(super) session: SessionId,
    pub(super) acks: Arc<Acks>,
    pub(super) signals: mpsc::Sender<Signal>,
    pub(super) presence: mpsc::Sender<presence::Seen>,
    pub(super) order: Arc<Order>,
    pub(super) receipts: mpsc::Sender<receipt::Heard>,
    pub(super) news: mpsc::Sender<News>,
    pub(super) chunks: Chunks,
    pub(super) behind: Behind,
    /// Filled in before the first connection.
    pub(super) client: Arc<OnceLock<Weak<Client>>>,
    pub(super) intake: Arc<dyn Intake>,
    pub(super) clock: SharedClock,
}

impl Ears {
    fn signal(&self, signal: Signal) {
        if let Err(error) = self.signals.try_send(signal) {
            tracing::error!(session = %self.session, %error, "the supervisor does not keep up");
        }
    }

    /// Notes that a device could not read a message. Waits for it, as the library
    /// tells the server next that this was heard; a store that does not answer is
    /// not waited for.
    fn unreadable(&self, message_id: String) {
        let receipt = Receipt::new(message_id, ReceiptKind::Unreadable, self.clock.now_ms());
        let noting = tokio::time::timeout(NOTE, self.intake.receipts(&self.session, vec![receipt]));
        // Elsewhere the caller's thread could not wait. The engine is never there.
        let runtime = Handle::current();
        if runtime.runtime_flavor() != RuntimeFlavor::MultiThread {
            return;
        }
        match tokio::task::block_in_place(|| runtime.block_on(noting)) {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => tracing::warn!(session = %self.session, %fault, "an unreadable message was not noted"),
            Err(_) => tracing::warn!(session = %self.session, "an unreadable message was not noted in time"),
        }
    }

    fn presence(&self, seen: presence::Seen) {
        if self.presence.try_send(seen).is_err() {
            tracing::debug!(session = %self.session, "presence passed unrecorded");
        }
    }

    fn news(&self, news: News) {
        if let Err(error) = self.news.try_send(news) {
            tracing::error!(session = %self.session, %error, "news is lost: it comes faster than it can be recorded");
        }
    }

    /// The account, as far as it is paired.
    fn me(&self) -> Me {
        self.client.get().and_then(Weak::upgrade).map(|client| Me::of(&client)).unwrap_or_default()
    }

    fn stanza(&self, stanza: &OwnedNodeRef) {
        if let Some((chat, sender, id)) = message_of(stanza) {
            self.order.arrived(&chat.user, &sender.user, &id);
        } else if let Some(id) = unreadable_of(stanza) {
            self.unreadable(id);
        } else if stanza.tag() == "receipt" {
            let now_ms = self.clock.now_ms();
            if let Some(read) = receipt::own_read_of(&self.me(), stanza.get(), now_ms) {
                self.news(read);
            }
            self.heard(receipt::of_status(stanza.get(), now_ms));
        } else if is_of_own_devices(stanza) {
            self.news(News::Devices);
        }
    }

    fn receipt(&self, heard: &events::Receipt) {
        if self.me().is(&heard.source.sender) {
            if let Some(read) = receipt::own_read(heard) {
                self.news(read);
            }
            return;
        }
        self.heard(receipt::observe(heard));
    }

    fn heard(&self, receipts: Vec<receipt::Heard>) {
        for one in receipts {
            if self.receipts.try_send(one).is_err() {
                tracing::warn!(session = %self.session, "a receipt passed unrecorded");
            }
        }
    }
}

impl EventHandler for Ears {
    fn handle_event(&self, event: Arc<Event>) {
        match &*event {
            Event::ServerAck(ack) if ack.class.as_deref().is_none_or(|class| class == "message") => {
                self.acks.resolve(&ack.id, ack.error.as_deref());
            }
            // Told before anything is done about a stanza.
            Event::RawNode(stanza) => self.stanza(stanza),
            // Told before its sender is asked to send it once more.
            Event::UndecryptableMessage(message) if !message.is_unavailable && message::is_ordered(&message.info) => {
                self.order.unreadable(&message.info);
            }
            Event::UndecryptableMessage(message) if !message.is_unavailable => {}
            Event::UndecryptableMessage(message) if !message.unavailable_type.is_unrecoverable_fanout() => {}
            // The hook had the others.
            Event::Messages(messages) if messages.hook_committed => {}
            Event::Receipt(heard) => self.receipt(heard),
            Event::Presence(update) => self.presence(update.into()),
            Event::ChatPresence(update) => self.presence(update.into()),
            Event::HistorySync(_) if self.chunks.tell(&event) => {}
            Event::HistorySync(_) => {
                tracing::error!(session = %self.session, "a part of the phone's history is lost: too much waits");
            }
            Event::AppStateSyncFailed(failed) if failed.skipped.is_empty() => {}
            Event::AppStateSyncFailed(failed) => self.behind.add(&failed.skipped),
            Event::PairingQrCode(qr) => self.signal(Signal::Qr(qr.code.clone(), qr.timeout)),
            Event::PairingQrCodesExhausted(over) => self.signal(Signal::QrExhausted(over.disconnected)),
            Event::PairingCodeRefresh(_) => self.signal(Signal::CodeStale),
            Event::PairSuccess(_) => {
                self.news(News::Event(Arc::clone(&event)));
                self.signal(Signal::Paired);
            }
            Event::PairError(error) => self.signal(Signal::PairFailed(error.error.clone())),
            Event::Connected(_) => self.signal(Signal::Connected),
            Event::LoggedOut(out) => self.signal(Signal::LoggedOut(snake(&format!("{:?}", out.reason)))),
            Event::StreamReplaced(_) => self.signal(Signal::Replaced),
            Event::TemporaryBan(ban) => self.signal(Signal::Banned(ban.expire.to_std().unwrap_or_default())),
            Event::ClientOutdated(_) => self.signal(Signal::Outdated),
            Event::ConnectFailure(failure) => {
                self.signal(Signal::Refused(snake(&format!("{:?}", failure.reason))));
            }
            Event::Disconnected(lost) => self.signal(Signal::Lost(lost.reason.to_string())),
            other if NEWS.contains(&other.kind()) => self.news(News::Event(Arc::clone(&event))),
            _ => {}
        }
    }

    fn interest(&self) -> EventInterest {
        EventInterest::of(&NEWS).union(EventInterest::of(&[
            EventKind::ServerAck,
            EventKind::RawNode,
            EventKind::Receipt,
            EventKind::Presence,
            EventKind::ChatPresence,
            EventKind::HistorySync,
            EventKind::AppStateSyncFailed,
            EventKind::PairingQrCode,
            EventKind::PairingQrCodesExhausted,
            EventKind::PairingCodeRefresh,
            EventKind::PairSuccess,
            EventKind::PairError,
            EventKind::Connected,
            EventKind::LoggedOut,
            EventKind::StreamReplaced,
            EventKind::TemporaryBan,
            EventKind::ClientOutdated,
            EventKind::ConnectFailure,
            EventKind::Disconnected,
        ]))
    }
}

/// What is recorded as it comes.
const NEWS: [EventKind; 28] = [
    EventKind::Messages,
    EventKind::UndecryptableMessage,
    EventKind::PictureUpdate,
    EventKind::UserAboutUpdate,
    EventKind::ContactUpdated,
    EventKind::ContactNumberChanged,
    EventKind::GroupUpdate,
    EventKind::ContactUpdate,
    EventKind::IncomingCall,
    EventKind::MissedCall,
    EventKind::CallEndedElsewhere,
    EventKind::SelfPushNameUpdated,
    EventKind::PinUpdate,
    EventKind::MuteUpdate,
    EventKind::ArchiveUpdate,
    EventKind::StarUpdate,
    EventKind::MarkChatAsReadUpdate,
    EventKind::DeleteChatUpdate,
    EventKind::ClearChatUpdate,
    EventKind::UserStatusMuteUpdate,
    EventKind::DeleteMessageForMeUpdate,
    EventKind::LabelEditUpdate,
    EventKind::LabelAssociationUpdate,
    EventKind::DeviceListUpdate,
    EventKind::IdentityChange,
    EventKind::BusinessStatusUpdate,
    EventKind::NewsletterLiveUpdate,
    EventKind::DisappearingModeChanged,
];

/// Whether a stanza says that the account's own devices changed; the library does
/// not report it.
fn is_of_own_devices(stanza: &OwnedNodeRef) -> bool {
    let stanza = stanza.get();
    &*stanza.tag == "notification"
        && stanza.attrs().optional_string("type").as_deref() == Some("account_sync")
        && stanza.get_optional_child("devices").is_some()
}

/// The message that a stanza says a device could not read.
fn unreadable_of(stanza: &OwnedNodeRef) -> Option<String> {
    let stanza = stanza.get();
    let asks = &*stanza.tag == "receipt" && stanza.attrs().optional_string("type").as_deref() == Some("retry");
    let retry = asks.then(|| stanza.get_optional_child_by_tag(&["retry"])).flatten()?;
    retry.attrs().optional_string("id").map(|id| id.into_owned())
}

/// Chat, sender and id of a stanza that is a message.
fn message_of(stanza: &OwnedNodeRef) -> Option<(Jid, Jid, String)> {
    if stanza.tag() != "message" {
        return None;
    }
    let mut attributes = stanza.get().attrs();
    let chat = attributes.optional_jid("from")?;
    let sender = attributes.optional_jid("participant").unwrap_or_else(|| chat.clone());
    Some((chat, sender, attributes.optional_string("id")?.into_owned()))
}

/// `LoggedOut` → `logged_out`, `Unknown(499)` → `unknown_499`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        match letter {
            'A'..='Z' => {
                if !out.is_empty() {
                    out.push('_');
                }
                out.push(letter.to_ascii_lowercase());
            }
            '(' => out.push('_'),
            letter if letter.is_ascii_alphanumeric() => out.push(letter),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_machine_readable() {
        assert_eq!(snake("LoggedOut"), "logged_out");
        assert_eq!(snake("Unknown(499)"), "unknown_499");
    }
}
