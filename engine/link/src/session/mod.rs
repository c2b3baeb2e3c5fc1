//! One session: its supervisor, what is known of its connection, and the way to
//! send through it.
//!
//! The protocol library can reconnect by itself, but by its own clock: waits of
//! up to 15 minutes that nothing can cut short, and no bound on how many
//! sessions of a process dial at once. So its auto-reconnect is off and
//! [`supervise`] drives one connection after another on the same client, which
//! keeps the client's caches and unsaved Signal state. A new client is built
//! only where the old one cannot be used again.

mod behind;
mod board;
mod live;
pub(crate) mod pairing;
mod signals;
mod supervise;

use crate::inbound::content::media;
use crate::outbound::acks::Acks;
use crate::outbound::upload::Uploads;
use crate::outbound::{Sender, fault};
use crate::{LinkStatus, Outgoing, Sent, manager::Shared};
use board::Board;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use warest_model::fault::Fault;
use warest_model::id::SessionId;
use warest_model::plan::Effect;
use warest_model::session::SessionState;
use whatsapp_rust::Client;

/// What a supervisor can be asked, besides to stop.
pub(crate) enum Command {
    /// Drop the connection, if any, and dial at once.
    Reconnect,
    /// Unpair, forget the credentials and stop.
    Logout(oneshot::Sender<Result<(), Fault>>),
    /// Pair by a code.
    PairCode(pairing::Wanted),
}

/// A started session.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    shared: Arc<Shared>,
    board: Board,
    acks: Arc<Acks>,
    uploads: Uploads,
    /// The client, while it is open.
    open: RwLock<Option<Arc<Client>>>,
    commands: mpsc::Sender<Command>,
    stop: CancellationToken,
    ended: CancellationToken,
}

impl Session {
    /// Starts the supervisor.
    pub(crate) fn start(id: SessionId, shared: Arc<Shared>) -> Arc<Self> {
        let (commands, inbox) = mpsc::channel(8);
        let session = Arc::new(Self {
            board: Board::new(),
            acks: Arc::default(),
            uploads: Uploads::default(),
            open: RwLock::new(None),
            commands,
            stop: CancellationToken::new(),
            ended: CancellationToken::new(),
            id,
            shared,
        });
        tokio::spawn(supervise::supervise(Arc::clone(&session), inbox));
        session
    }

    /// Whether the supervisor still works, and was not told to stop.
    pub(crate) fn is_alive(&self) -> bool {
        !self.stop.is_cancelled() && !self.ended.is_cancelled()
    }

    /// What is known of the connection, and its changes.
    pub(crate) fn status(&self) -> watch::Receiver<LinkStatus> {
        self.board.watch()
    }

    /// Passes a command on; `false` if the supervisor has ended.
    pub(crate) async fn ask(&self, command: Command) -> bool {
        self.is_alive() && self.commands.send(command).await.is_ok()
    }

    /// Stops, keeping the pairing, and waits for the end.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.ended.cancelled().await;
    }

    /// Waits for the supervisor's end.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Waits until the session is open or will not be by itself.
    pub(crate) async fn settled(&self, most: Duration) {
        let mut status = self.board.watch();
        let settled = status.wait_for(|status| {
            matches!(
                status.state,
                SessionState::Open | SessionState::Qr | SessionState::PairingCode | SessionState::LoggedOut
            )
        });
        let _ = tokio::time::timeout(most, settled).await;
    }

    /// Sends one stanza, after its files.
    pub(crate) async fn send(&self, outgoing: Outgoing<'_>) -> Result<Sent, Fault> {
        let client = self.opened()?;
        let config = &self.shared.config;
        let now_ms = self.shared.clock.now_ms();
        let uploading = self.uploads.all(&client, outgoing.files, outgoing.message_id, now_ms);
        let files = tokio::time::timeout(config.media_timeout, uploading)
            .await
            .unwrap_or_else(|_| Err(fault::media_timeout(config.media_timeout.as_secs())))?;
        let sender = Sender { client: &client, acks: &self.acks, files: &files, now_ms };
        let sent = tokio::time::timeout(config.send_timeout, sender.perform(outgoing))
            .await
            .unwrap_or_else(|_| Err(fault::timeout(config.send_timeout.as_secs())))?;
        let media = match outgoing.effect {
            Effect::Message { .. } => media::of_sent(&sent.body, media::id(&self.id, outgoing.message_id, now_ms)),
            _ => None,
        };
        Ok(Sent { media, ..sent })
    }

    /// The open connection.
    pub(crate) fn opened(&self) -> Result<Arc<Client>, Fault> {
        self.client().ok_or_else(|| match self.board.state() {
            SessionState::LoggedOut | SessionState::Deleted => fault::logged_out(),
            _ => fault::not_connected(),
        })
    }

    fn client(&self) -> Option<Arc<Client>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.as_ref().filter(|client| client.is_logged_in()).cloned()
    }

    fn set_client(&self, client: Option<Arc<Client>>) {
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = client;
    }
}
