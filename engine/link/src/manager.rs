//! All sessions of a process: who is started, and the limits they share.

use crate::account::Open;
use crate::config::{LinkConfig, LinkConfigError};
use crate::download::download;
use crate::http::Http;
use crate::session::pairing::{PATIENCE, Wanted};
use crate::session::{Command, Session};
use crate::transport::Route;
use crate::version::Versions;
use crate::{Account, Intake, KeyStores, LinkStatus, Links, Outgoing, Remote, Sent, outbound, tls};
use async_trait::async_trait;
use futures::future::join_all;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot, watch};
use warest_model::clock::SharedClock;
use warest_model::fault::Fault;
use warest_model::id::SessionId;
use warest_model::jid::Jid;
use whatsapp_rust::http::HttpClient;

/// How long a logout waits for a connection through which to unpair.
const LOGOUT_CONNECT: Duration = Duration::from_secs(10);

/// What all sessions share.
pub(crate) struct Shared {
    pub(crate) config: LinkConfig,
    pub(crate) route: Route,
    pub(crate) http: Arc<dyn HttpClient>,
    pub(crate) keys: Arc<dyn KeyStores>,
    pub(crate) intake: Arc<dyn Intake>,
    pub(crate) clock: SharedClock,
    /// Places of those that dial.
    pub(crate) dials: Arc<Semaphore>,
    pub(crate) versions: Versions,
}

/// The sessions of this process.
pub struct LinkManager {
    shared: Arc<Shared>,
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    started: HashMap<SessionId, Arc<Session>>,
    closed: bool,
}

impl LinkManager {
    /// A manager with no session started.
    ///
    /// # Errors
    /// If an URL of `config` cannot be used.
    pub fn new(
        config: LinkConfig,
        keys: Arc<dyn KeyStores>,
        intake: Arc<dyn Intake>,
        clock: SharedClock,
    ) -> Result<Arc<Self>, LinkConfigError> {
        let broken = |error: &dyn std::fmt::Display| LinkConfigError::Http(error.to_string());
        let tls = tls::client_config().map_err(|error| broken(&error))?;
        let route = Route { endpoint: config.endpoint_url()?, proxy: config.proxy_url()?, tls };
        let http = Http::new(&route).map_err(|error| broken(&error))?;
        let dials = Arc::new(Semaphore::new(config.connect_concurrency.max(1)));
        let shared =
            Shared { config, route, http: Arc::new(http), keys, intake, clock, dials, versions: Versions::default() };
        Ok(Arc::new(Self { shared: Arc::new(shared), sessions: Mutex::default() }))
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn session(&self, id: &SessionId) -> Option<Arc<Session>> {
        self.lock().started.get(id).cloned()
    }

    fn remove(&self, session: &Arc<Session>) {
        let mut sessions = self.lock();
        if sessions.started.get(&session.id).is_some_and(|current| Arc::ptr_eq(current, session)) {
            sessions.started.remove(&session.id);
        }
    }
}

#[async_trait]
impl Links for LinkManager {
    async fn start(&self, id: &SessionId) -> Result<(), Fault> {
        loop {
            // Two clients over one key store would spoil it: the old one ends
            // before the new one starts.
            let ending = {
                let mut sessions = self.lock();
                if sessions.closed {
                    return Err(Fault::retry("shutting_down", "the engine is shutting down"));
                }
                match sessions.started.get(id) {
                    Some(session) if session.is_alive() => return Ok(()),
                    Some(session) => Arc::clone(session),
                    None => {
                        let session = Session::start(id.clone(), Arc::clone(&self.shared));
                        sessions.started.insert(id.clone(), session);
                        return Ok(());
                    }
                }
            };
            ending.ended().await;
            self.remove(&ending);
        }
    }

    async fn stop(&self, id: &SessionId) {
        if let Some(session) = self.session(id) {
            session.stop().await;
            self.remove(&session);
        }
    }

    async fn reconnect(&self, id: &SessionId) -> Result<(), Fault> {
        if let Some(session) = self.session(id)
            && session.ask(Command::Reconnect).await
        {
            return Ok(());
        }
        self.start(id).await
    }

    async fn logout(&self, id: &SessionId) -> Result<(), Fault> {
        // Unpairing is said to the server, so it needs a connection.
        self.start(id).await?;
        if let Some(session) = self.session(id) {
            session.settled(LOGOUT_CONNECT).await;
            let (answer, answered) = oneshot::channel();
            if session.ask(Command::Logout(answer)).await
                && let Ok(done) = answered.await
            {
                session.ended().await;
                return done;
            }
            // It ended by itself meanwhile.
            session.ended().await;
        }
        self.shared.keys.forget(id).await?;
        self.shared.intake.paired(id, None).await
    }

    fn status(&self, id: &SessionId) -> Option<watch::Receiver<LinkStatus>> {
        self.session(id).map(|session| session.status())
    }

    async fn send(&self, id: &SessionId, outgoing: Outgoing<'_>) -> Result<Sent, Fault> {
        match self.session(id) {
            Some(session) => session.send(outgoing).await,
            None => Err(outbound::fault::not_connected()),
        }
    }

    fn account(&self, id: &SessionId) -> Result<Arc<dyn Account>, Fault> {
        let client = self.session(id).ok_or_else(outbound::fault::not_connected)?.opened()?;
        Ok(Arc::new(Open::new(client, self.shared.config.send_timeout)))
    }

    async fn download(&self, id: &SessionId, message: Remote<'_>, to: &Path) -> Result<(), Fault> {
        let client = self.session(id).ok_or_else(outbound::fault::not_connected)?.opened()?;
        let limit = self.shared.config.media_timeout;
        tokio::time::timeout(limit, download(&client, message, to))
            .await
            .unwrap_or_else(|_| Err(outbound::fault::media_timeout(limit.as_secs())))
    }

    async fn pair_code(&self, id: &SessionId, phone: &Jid) -> Result<String, Fault> {
        if phone.server() != "s.whatsapp.net" {
            return Err(Fault::fail("phone_invalid", "a session pairs with a phone; give its number"));
        }
        self.start(id).await?;
        let session = self.session(id).ok_or_else(outbound::fault::not_connected)?;
        let (answer, answered) = oneshot::channel();
        let wanted = Wanted { phone: phone.user().to_owned(), answer };
        if !session.ask(Command::PairCode(wanted)).await {
            return Err(outbound::fault::not_connected());
        }
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(code)) => code,
            Ok(Err(_)) => Err(Fault::retry(
                "pairing_code_replaced",
                "another code was asked for meanwhile, or the session stopped; ask again",
            )),
            Err(_) => Err(Fault::retry("server_timeout", "the server gave no code in time; ask again")),
        }
    }

    async fn shutdown(&self) {
        let sessions: Vec<_> = {
            let mut sessions = self.lock();
            sessions.closed = true;
            sessions.started.drain().map(|(_, session)| session).collect()
        };
        join_all(sessions.iter().map(|session| session.stop())).await;
    }
}
