//! A simulated WhatsApp network: the server that an unmodified client accepts, virtual phones that
//! are real Signal endpoints, and a control API to use them.
//!
//! It implements what WhatsApp's servers do for a companion device: WebSocket with Noise under a
//! root of its own, binary stanzas, pairing by QR and by code, login, prekeys, device lists,
//! messages under LID addressing to accounts and groups, receipts, acks, an offline queue, presence
//! and chat states, app state, history, a media host, groups and communities, newsletters, profiles,
//! privacy, the signalling of calls. What it does not know it answers emptily, counts and logs.
//!
//! - [`Simnet::start`] listens (loopback only) and returns a [`SimnetHandle`];
//! - the handle dereferences to [`Control`], whose methods the HTTP routes call too;
//! - with a state file the network survives a restart.
//!
//! Laws: a stanza leaves a device's queue only when the device acks it; a phone shows a message id
//! once and counts repeats; every list, queue and body is bounded; no lock is held across I/O.

mod account;
mod app_state;
mod chance;
mod control;
mod error;
mod faults;
mod media;
mod network;
mod person;
mod phone;
mod server;
mod state;
mod stats;

pub use control::{
    Control, GroupAction, GroupChange, GroupInfo, GroupMember, GroupSettings, Linked, NewsletterInfo, NewsletterPost,
    Participation, PhoneInfo, Profile, RootInfo, Sent, StatsReport, TypingState, Upload,
};
pub use error::SimnetError;
pub use faults::{Direction, Fault, FaultKind, MediaFault};
pub use person::Business;
pub use phone::attachment::MediaInfo;
pub use phone::history::Past;
pub use phone::inbox::{SeenPresence, SeenReceipt, ShownMessage};
pub use phone::sync::{AppStateEntry, AppStateReport, ChatChange, ChatState, Contact, Label, LabelChange, Starred};
pub use phone::thread::{MessageState, VotedOption};
pub use server::calls::{Call, CallState};

use axum::serve::ListenerExt;
use chance::Chance;
use media::MediaHost;
use network::Network;
use server::noise::Authority;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The port simnet uses when none is asked for.
pub const DEFAULT_PORT: u16 = 7309;
/// How long open sockets get to close at shutdown.
const GRACE: Duration = Duration::from_secs(2);

/// Where simnet listens and what it keeps.
#[derive(Debug, Clone)]
pub struct SimnetConfig {
    /// A loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The state file; in memory only when absent.
    pub state: Option<PathBuf>,
}

impl Default for SimnetConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], DEFAULT_PORT)), state: None }
    }
}

/// The simulated network.
#[derive(Debug)]
pub struct Simnet;

impl Simnet {
    /// Starts a network. Errors when the address is not loopback or taken, and when the state file
    /// cannot be read.
    pub async fn start(config: SimnetConfig) -> Result<SimnetHandle, SimnetError> {
        Self::launch(config, None).await
    }

    /// Starts a network whose randomness comes from `seed`.
    pub async fn start_seeded(config: SimnetConfig, seed: u64) -> Result<SimnetHandle, SimnetError> {
        Self::launch(config, Some(seed)).await
    }

    async fn launch(config: SimnetConfig, seed: Option<u64>) -> Result<SimnetHandle, SimnetError> {
        let SimnetConfig { listen, state } = config;
        if !listen.ip().is_loopback() {
            return Err(SimnetError::NotLoopback(listen));
        }
        let bind = |source| SimnetError::Bind { addr: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(bind)?;
        let addr = listener.local_addr().map_err(bind)?;
        let chance = Chance::new(seed);
        let net = match &state {
            Some(path) => state::open(path, chance).await?,
            None => {
                let authority = Authority::generate(&chance).map_err(|e| SimnetError::Signal(e.to_string()))?;
                Network::new(chance, authority)
            }
        };
        // Set once: a network has one listener.
        let _ = net.address.set(addr);
        let keeper = state.clone().map(|path| {
            net.touch();
            tokio::spawn(state::keep(net.clone(), path))
        });
        // What is uploaded is kept as long as the messages that name it.
        let files = state.as_ref().map(|path| path.with_extension("media"));
        let media = MediaHost::start(&net, addr.ip(), files).await?;
        let router = server::listener::router(net.clone());
        let stop = net.stop.clone();
        let listener = listener.tap_io(|stream| {
            // Small answers should not wait for the other side's delayed ack.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY was not set");
            }
        });
        let serving = tokio::spawn(async move {
            let served =
                axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await }).await;
            if let Err(error) = served {
                tracing::error!(%error, "listener ended");
            }
        });
        tracing::info!(%addr, "simnet is up");
        Ok(SimnetHandle { control: Control::new(net), addr, state, serving, media, keeper })
    }
}

/// A running network. Dropping it leaves the network running; [`SimnetHandle::shutdown`] stops it.
pub struct SimnetHandle {
    control: Control,
    addr: SocketAddr,
    state: Option<PathBuf>,
    serving: JoinHandle<()>,
    media: JoinHandle<()>,
    keeper: Option<JoinHandle<()>>,
}

impl SimnetHandle {
    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The chat socket's URL for clients.
    pub fn chat_url(&self) -> String {
        format!("ws://{}/ws/chat", self.addr)
    }

    /// The certificate of the authority behind the media host, PEM: what an HTTP client must trust.
    pub fn media_certificate(&self) -> &str {
        self.control.net.media.get().map_or("", |host| host.certificate.as_str())
    }

    /// The media host, as `localhost:PORT`.
    pub fn media_host(&self) -> &str {
        self.control.net.media.get().map_or("", |host| host.host.as_str())
    }

    /// The control operations, to keep apart from the handle.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Closes all sockets, saves the state and stops.
    pub async fn shutdown(self) -> Result<(), SimnetError> {
        let Self { control, state, mut serving, mut media, keeper, .. } = self;
        control.net.stop.cancel();
        if let Some(keeper) = keeper {
            let _ = keeper.await;
        }
        if tokio::time::timeout(GRACE, &mut serving).await.is_err() {
            serving.abort();
        }
        if tokio::time::timeout(GRACE, &mut media).await.is_err() {
            media.abort();
        }
        let net: Arc<Network> = control.net.clone();
        match state {
            Some(path) => state::save(&net, &path).await,
            None => Ok(()),
        }
    }
}

impl Deref for SimnetHandle {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}
