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
mod http;
mod inbound;
pub mod manager;
mod outbound;
mod proxy;
mod session;
mod tls;
mod transport;
mod version;

pub use account::Account;
pub use config::{LinkConfig, LinkConfigError};
pub use manager::LinkManager;

use async_trait::async_trait;
use std::sync::Arc;
use tokio::sync::watch;
use warest_model::clock::Millis;
use warest_model::event::Observation;
use warest_model::fault::Fault;
use warest_model::id::SessionId;
use warest_model::job::Receipt;
use warest_model::plan::Effect;
use warest_model::session::SessionState;
pub use whatsapp_rust::store::traits::Backend;

/// Where observations go. Implemented by the pipeline.
#[async_trait]
pub trait Intake: Send + Sync + 'static {
    /// Makes the observations of one session durable, all or nothing, in order.
    /// What was recorded before (by its dedup key) is recognised and skipped.
    async fn record(&self, session: &SessionId, observations: Vec<Observation>) -> Result<(), Fault>;
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

/// What is known of a session's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkStatus {
    /// Where it is in its life.
    pub state: SessionState,
    /// The code to scan, in state `qr`.
    pub qr: Option<Qr>,
    /// The account's own address, once paired.
    pub me: Option<String>,
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
    /// Sends one stanza. `Ok` once the server took it. `message_id` names a
    /// message on every attempt, and is not used by other effects.
    async fn send(&self, session: &SessionId, effect: &Effect, message_id: &str) -> Result<(), Fault>;
    /// Stops every connection, flushing what is pending.
    async fn shutdown(&self);
}
