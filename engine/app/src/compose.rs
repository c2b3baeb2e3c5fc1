//! The composition root: the one place that names concrete drivers.

use crate::config::Settings;
use crate::users::ensure_admin;
use anyhow::{Context, bail};
use async_trait::async_trait;
use axum::serve::ListenerExt;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use warest_api::connection::Patient;
use warest_api::{ApiConfig, ApiState, router};
use warest_link::{KeyStores, LinkConfig, LinkManager, Unread};
use warest_model::clock::{SharedClock, SystemClock};
use warest_model::fault::Fault;
use warest_model::id::SessionId;
use warest_pipeline::{Engine, Prepared};
use warest_react::flow::{FlowEngine, FlowLimits};
use warest_react::wasm::{PluginHost, PluginLimits};
use warest_store::cache::local::LocalCache;
use warest_store::secret::{Cipher, MasterKey};
use warest_store::sqlite::SqliteStore;

/// How long what is under way may take at shutdown.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(8);

/// A process's engine with its API.
pub struct Running {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Where the API listens.
    pub address: SocketAddr,
    /// The administrator's key, if it was made at this start.
    pub made_key: Option<String>,
    store: Arc<SqliteStore>,
    api: ApiState,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
    stop: CancellationToken,
}

impl Running {
    /// Opens the store, resumes what was left undone, and listens.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        // It holds keys and messages: nobody else of this machine has to enter.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&settings.data_dir)
            .with_context(|| format!("making the data folder {}", settings.data_dir.display()))?;
        // Listening first: a port in use should stop us before anything connects.
        let listener = tokio::net::TcpListener::bind((settings.host.as_str(), settings.port))
            .await
            .with_context(|| format!("listening on {}:{}", settings.host, settings.port))?;
        let address = listener.local_addr()?;

        let key = match &settings.master_key {
            Some(hex) => MasterKey::from_hex(hex).context("WAREST_MASTER_KEY")?,
            None => MasterKey::load_or_create(&settings.data_dir.join("master.key"))?,
        };
        let database = settings.database();
        let store = SqliteStore::open(&database, Cipher::new(&key))
            .await
            .with_context(|| format!("opening {}", database.display()))?;
        let store = Arc::new(store);
        let made_key = ensure_admin(store.as_ref(), &settings.admin_name, settings.admin_key.as_deref()).await?;

        let clock: SharedClock = Arc::new(SystemClock);
        let cache = Arc::new(LocalCache::new(settings.cache, clock.clone()));
        let flows = FlowEngine::new(FlowLimits::default())?;
        let plugins = PluginHost::new(PluginLimits::default())?;
        let prepared =
            Prepared::new(store.clone(), cache, clock.clone(), flows, plugins, settings.engine.clone()).await?;
        let link = LinkConfig {
            endpoint: settings.endpoint,
            proxy: settings.proxy,
            // WhatsApp tells a real account its name; the simulated network has no profile to tell.
            push_name: cfg!(feature = "sandbox").then(|| "WAREST".to_owned()),
            ..LinkConfig::default()
        };
        let keys = Arc::new(StoredKeys(store.clone()));
        let links = LinkManager::new(link, keys, prepared.intake(), clock)?;
        let engine = prepared.start(links).await?;

        let write_timeout = settings.streams.write_timeout;
        let api_config =
            ApiConfig { rate_limit: settings.rate_limit, streams: settings.streams, ..ApiConfig::default() };
        let stop = CancellationToken::new();
        let api = ApiState::new(engine.clone(), api_config);
        let app = router(api.clone());
        let stopped = stop.clone().cancelled_owned();
        let listener = listener.tap_io(|stream| {
            // Small answers should not wait for the other side's delayed ack.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY was not set");
            }
        });
        let listener = Patient::new(listener, write_timeout);
        let server = tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(stopped).await });
        Ok(Self { engine, address, made_key, store, api, server, stop })
    }

    /// The address to give to clients on this machine.
    pub fn url(&self) -> String {
        let ip = self.address.ip();
        let host = if ip.is_unspecified() { "127.0.0.1".to_owned() } else { ip.to_string() };
        format!("http://{host}:{}", self.address.port())
    }

    /// Stops in order: no new requests, no new work, links closed, store closed.
    pub async fn shutdown(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.engine.shutdown(SHUTDOWN_DEADLINE).await;
        let ended = async { tokio::join!(self.server, self.api.streams_ended()) };
        if tokio::time::timeout(Duration::from_secs(2), ended).await.is_err() {
            tracing::debug!("a request was still open at shutdown");
        }
        self.store.close().await?;
        Ok(())
    }
}

/// Waits for Ctrl-C or SIGTERM.
pub async fn stop_signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        signal = tokio::signal::ctrl_c() => signal?,
        received = terminate.recv() => if received.is_none() { bail!("signals are not delivered any more") },
    }
    Ok(())
}

struct StoredKeys(Arc<SqliteStore>);

#[async_trait]
impl KeyStores for StoredKeys {
    async fn open(&self, session: &SessionId, unread: Unread) -> Result<Arc<dyn warest_link::Backend>, Fault> {
        match self.0.keystore(session, unread).await {
            Ok(keys) => Ok(keys),
            Err(error) => Err(Fault::retry("store_failed", error.to_string())),
        }
    }

    async fn forget(&self, session: &SessionId) -> Result<(), Fault> {
        self.0.forget_keys(session).await.map_err(|error| Fault::retry("store_failed", error.to_string()))
    }
}
