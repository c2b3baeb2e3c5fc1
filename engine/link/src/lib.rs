//! WhatsApp: the live connections of the sessions, behind seams of our own.
//!
//! The protocol is `whatsapp-rust`; this crate supplies its transport, its HTTP
//! client and its durability hook, supervises one connection per session
//! ([`manager`]), and translates in both directions: stanzas to observations
//! (`inbound`), effects to stanzas (`outbound`).
//!
//! Laws kept here: a message is acknowledged only after [`Intake::record`] said
//! that it is durable; the hook never sends; a repeat of an effect carries the
//! message id it was given.

mod account;
mod address;
mod backoff;
mod config;
mod download;
mod http;
mod inbound;
pub mod manager;
mod outbound;
mod proxy;
pub mod sealed;
mod session;
mod tls;
mod transport;
mod version;

pub use account::Account;
pub use config::{LinkConfig, LinkConfigError};
pub use manager::LinkManager;

use async_trait::async_trait;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;
use warest_model::clock::Millis;
use warest_model::content::MediaKind;
use warest_model::event::Observation;
use warest_model::fault::Fault;
use warest_model::history::{Change, Media};
use warest_model::id::SessionId;
use warest_model::jid::Jid;
use warest_model::job::Receipt;
use warest_model::plan::{Effect, MessageKey};
use warest_model::session::SessionState;
pub use whatsapp_rust::store::traits::Backend;

/// Where observations go. Implemented by the pipeline.
#[async_trait]
pub trait Intake: Send + Sync + 'static {
    /// Makes the observations of one session durable, all or nothing, in order.
    /// What was recorded before (by its dedup key) is recognised and skipped.
    async fn record(&self, session: &SessionId, observations: Vec<Observation>) -> Result<(), Fault>;
    /// Makes changes of the history durable that are no events, all or nothing,
    /// in order.
    async fn history(&self, session: &SessionId, changes: Vec<Change>) -> Result<(), Fault>;
    /// A message of the history: WhatsApp's protobuf. `None` if it is not there.
    async fn message(&self, session: &SessionId, chat: &Jid, id: &str) -> Result<Option<Vec<u8>>, Fault>;
    /// Notes what recipients' devices said of messages of this session.
    async fn receipts(&self, session: &SessionId, receipts: Vec<Receipt>) -> Result<(), Fault>;
    /// A session was paired as `me`, or is no longer paired.
    async fn paired(&self, session: &SessionId, me: Option<&str>) -> Result<(), Fault>;
}

/// Hears of a message whose text is lost: chat, sender and id, as in its stanza.
pub type Unread = Arc<dyn Fn(&str, &str, &str) + Send + Sync>;

/// Where a session's WhatsApp credentials are. Implemented over the store.
#[async_trait]
pub trait KeyStores: Send + Sync + 'static {
    /// The key store of one session, made if it is new. It tells `unread` of a
    /// message that it is asked for and that is neither there nor recorded.
    async fn open(&self, session: &SessionId, unread: Unread) -> Result<Arc<dyn Backend>, Fault>;
    /// Removes all credentials of a session.
    async fn forget(&self, session: &SessionId) -> Result<(), Fault>;
}

/// A QR code to scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qr {
    /// What the code says.
    pub text: String,
    /// When the next one replaces it.
    pub expires_ms: Millis,
}

/// A code to type into the phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingCode {
    /// The code as phones show it: `ABCD-1234`.
    pub text: String,
    /// The number of the phone that it is for, in digits.
    pub phone: String,
    /// When it runs out.
    pub expires_ms: Millis,
}

/// What is known of a session's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkStatus {
    /// Where it is in its life.
    pub state: SessionState,
    /// The code to scan, in the states `qr` and `pairing_code`.
    pub qr: Option<Qr>,
    /// The code to type, in state `pairing_code`.
    pub pairing_code: Option<PairingCode>,
    /// The account's own address, once paired.
    pub me: Option<String>,
}

/// A file that goes with a message, ready to be encrypted and uploaded.
#[derive(Debug, Clone, PartialEq)]
pub struct Attachment {
    /// Where its bytes are.
    pub file: PathBuf,
    /// What it becomes; never [`MediaKind::Auto`].
    pub kind: MediaKind,
    /// Its type.
    pub mime: String,
    /// The name that a document shows.
    pub file_name: Option<String>,
    /// In bytes.
    pub size: u64,
    /// In pixels.
    pub width: Option<u32>,
    /// In pixels.
    pub height: Option<u32>,
    /// Its length.
    pub seconds: Option<u32>,
    /// A small JPEG.
    pub thumbnail: Option<Vec<u8>>,
    /// Of a voice note: 64 levels of 0 to 100.
    pub waveform: Option<Vec<u8>>,
    /// Whether a sticker moves.
    pub animated: bool,
}

/// One stanza to send, with all that its composing needs.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// What is sent.
    pub effect: &'a Effect,
    /// Names a message on every attempt; not used by other effects.
    pub message_id: &'a str,
    /// The files of its content, in the order of [`Content::sources`].
    ///
    /// [`Content::sources`]: warest_model::content::Content::sources
    pub files: &'a [Attachment],
    /// The message that it forwards, edits or, if it does neither, quotes, if the
    /// history has it: WhatsApp's protobuf.
    pub original: Option<&'a [u8]>,
    /// The last message of the chat, where a change of a chat names it.
    pub last: Option<(&'a MessageKey, Millis)>,
    /// After how long messages of the chat disappear, in seconds.
    pub ephemeral_seconds: Option<u32>,
    /// Who sees it, if it is a status: the account's contacts.
    pub audience: &'a [Jid],
}

impl<'a> Outgoing<'a> {
    /// An effect that needs nothing else.
    pub fn plain(effect: &'a Effect, message_id: &'a str) -> Self {
        Self { effect, message_id, files: &[], original: None, last: None, ephemeral_seconds: None, audience: &[] }
    }
}

/// A message whose file is on WhatsApp's servers.
#[derive(Debug, Clone, Copy)]
pub struct Remote<'a> {
    /// Its name.
    pub key: &'a MessageKey,
    /// All of it: WhatsApp's protobuf.
    pub body: &'a [u8],
}

/// What was sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sent {
    /// The message as its recipients have it: WhatsApp's protobuf. Empty for
    /// what is no message.
    pub body: Vec<u8>,
    /// Its file, as the message describes it.
    pub media: Option<Media>,
}

/// The live connections.
#[async_trait]
pub trait Links: Send + Sync + 'static {
    /// Starts to connect a session and keeps it connected. Does nothing if it
    /// is started already.
    async fn start(&self, session: &SessionId) -> Result<(), Fault>;
    /// Stops connecting; the pairing stays.
    async fn stop(&self, session: &SessionId);
    /// Drops the connection, if any, and dials anew at once.
    async fn reconnect(&self, session: &SessionId) -> Result<(), Fault>;
    /// Takes this device off the account, forgets the credentials and stops.
    async fn logout(&self, session: &SessionId) -> Result<(), Fault>;
    /// What is known of a session, and its changes. `None` if it is not started.
    fn status(&self, session: &SessionId) -> Option<watch::Receiver<LinkStatus>>;
    /// Sends one stanza. `Ok` once the server took it.
    async fn send(&self, session: &SessionId, outgoing: Outgoing<'_>) -> Result<Sent, Fault>;
    /// An open account, to be asked about its groups, its people and itself.
    fn account(&self, session: &SessionId) -> Result<Arc<dyn Account>, Fault>;
    /// Downloads the file of a message to `to`, decrypted and verified. One that
    /// is no longer on WhatsApp's servers is asked of the phone that sent it.
    async fn download(&self, session: &SessionId, message: Remote<'_>, to: &Path) -> Result<(), Fault>;
    /// Begins to pair by a code that a person types into the phone with this
    /// number, starting the session if it is not; answers the code, `ABCD-1234`.
    /// It is shown by [`Links::status`] until it runs out; who asks again for the
    /// same number before that gets the same. Faults: `already_paired`,
    /// `phone_invalid`, `pairing_code_unavailable` (fail), `pairing_code_refused`,
    /// `pairing_code_replaced`, `pairing_code_failed`, `overlimit`,
    /// `server_timeout`, `not_connected` (retry).
    async fn pair_code(&self, session: &SessionId, phone: &Jid) -> Result<String, Fault>;
    /// Stops every connection, flushing what is pending.
    async fn shutdown(&self);
}
