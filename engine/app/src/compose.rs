//! The composition root: the one place that names concrete drivers.

use crate::cmd::restore::restoring;
use crate::config::Settings;
use crate::sink::redis::RedisSink;
use crate::users::ensure_admin;
use anyhow::{Context, bail};
use async_trait::async_trait;
use axum::serve::ListenerExt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use warest_api::connection::Patient;
use warest_api::{ApiConfig, ApiState, Gate, router};
use warest_link::{KeyStores, LinkConfig, LinkManager, Unread};
use warest_media::Media;
use warest_model::clock::{SharedClock, SystemClock};
use warest_model::fault::Fault;
use warest_model::id::SessionId;
use warest_pipeline::engine::Files;
use warest_pipeline::{Engine, Prepared};
use warest_react::flow::{FlowEngine, FlowLimits};
use warest_react::wasm::{PluginHost, PluginLimits};
use warest_store::cache::local::LocalCache;
use warest_store::media::{MediaShelf, ObjectShelf, ShelfOptions};
use warest_store::secret::{Cipher, MasterKey};
use warest_store::sqlite::SqliteStore;

/// How long open requests may take to end once the engine has stopped.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

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
    port: Port,
    deadline: Duration,
    _lock: crate::lock::FolderLock,
}

impl Running {
    /// Takes the data folder, listens, opens the store and lets callers in; then
    /// goes on, in the background, with what was left undone.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        let lock = crate::lock::FolderLock::take(&settings.data_dir, &settings.database())?;
        let clock: SharedClock = Arc::new(SystemClock);
        // A port in use should stop us before anything is opened.
        let port = Port::listen(&settings, clock.clone()).await?;
        fail::fail_point!("start.opening");
        let store = open_store(&settings).await?;
        let made_key = ensure_admin(store.as_ref(), &settings.admin_name, settings.admin_key.as_deref()).await?;

        let cache = Arc::new(LocalCache::new(settings.cache, clock.clone()));
        let flows = FlowEngine::new(FlowLimits::default())?;
        let plugins = PluginHost::new(PluginLimits::default())?;
        let files = Files { shelf: open_shelf(&settings)?, media: Media::new(settings.media.clone()) };
        let mut prepared =
            Prepared::new(store.clone(), cache, clock.clone(), flows, plugins, files, settings.engine.clone()).await?;
        if let Some(stream) = settings.redis_stream {
            prepared.feed(Arc::new(RedisSink::new(stream, clock.clone())?));
        }
        let link = LinkConfig {
            connect_concurrency: settings.engine.connect_concurrency,
            endpoint: settings.endpoint,
            proxy: settings.proxy,
            // WhatsApp tells a real account its name; the simulated network has no profile to tell.
            push_name: cfg!(feature = "sandbox").then(|| "WAREST".to_owned()),
            send_timeout: settings.send_timeout.unwrap_or(LinkConfig::default().send_timeout),
            ..LinkConfig::default()
        };
        let keys = Arc::new(StoredKeys(store.clone()));
        let links = LinkManager::new(link, keys, prepared.intake(), clock)?;
        let engine = prepared.build(links);

        let api_config =
            ApiConfig { rate_limit: settings.rate_limit, streams: settings.streams, ..ApiConfig::default() };
        let api = ApiState::new(engine.clone(), api_config);
        port.gate.open(router(api.clone()));
        engine.resume();
        let (address, deadline) = (port.address, settings.shutdown_deadline);
        Ok(Self { engine, address, made_key, store, api, port, deadline, _lock: lock })
    }

    /// The address to give to clients on this machine.
    pub fn url(&self) -> String {
        let ip = self.address.ip();
        let host = if ip.is_unspecified() { "127.0.0.1".to_owned() } else { ip.to_string() };
        format!("http://{host}:{}", self.address.port())
    }

    /// Stops in order: no new requests, no new work, links closed, store closed.
    pub async fn shutdown(self) -> anyhow::Result<()> {
        self.port.gate.close();
        self.engine.shutdown(self.deadline).await;
        self.port.close(&self.api).await;
        self.store.close().await?;
        Ok(())
    }
}

fn master_key(settings: &Settings) -> anyhow::Result<MasterKey> {
    Ok(match &settings.master_key {
        Some(hex) => MasterKey::from_hex(hex).context("WAREST_MASTER_KEY")?,
        None => MasterKey::load_or_create(&settings.data_dir.join("master.key"))?,
    })
}

fn open_shelf(settings: &Settings) -> anyhow::Result<Arc<dyn MediaShelf>> {
    let storage = &settings.storage;
    let options = ShelfOptions { seal: storage.encrypt, signing_secret: storage.signing_secret.clone() };
    let shelf = ObjectShelf::in_folder(&storage.path, &Cipher::new(&master_key(settings)?), &options);
    Ok(Arc::new(shelf.with_context(|| format!("opening {}", storage.path.display()))?))
}

async fn open_store(settings: &Settings) -> anyhow::Result<Arc<SqliteStore>> {
    let key = master_key(settings)?;
    let database = settings.database();
    let restoring = restoring(&database);
    if restoring.exists() && !database.exists() {
        bail!("a restore to {} did not end; run `warest restore` again", database.display());
    }
    let store = SqliteStore::open(&database, Cipher::new(&key)).await;
    Ok(Arc::new(store.with_context(|| format!("opening {}", database.display()))?))
}

/// The port, with the gate that answers on it.
struct Port {
    address: SocketAddr,
    gate: Gate,
    stop: CancellationToken,
    server: AbortOnDropHandle<std::io::Result<()>>,
}

impl Port {
    async fn listen(settings: &Settings, clock: SharedClock) -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind((settings.host.as_str(), settings.port))
            .await
            .with_context(|| format!("listening on {}:{}", settings.host, settings.port))?;
        let address = listener.local_addr()?;
        let listener = listener.tap_io(|stream| {
            // Small answers should not wait for the other side's delayed ack.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY was not set");
            }
        });
        let listener = Patient::new(listener, settings.streams.write_timeout);
        let gate = Gate::new(env!("CARGO_PKG_VERSION"), clock);
        let stop = CancellationToken::new();
        let (app, stopped) = (gate.router(), stop.clone().cancelled_owned());
        let server = tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(stopped).await });
        Ok(Self { address, gate, stop, server: AbortOnDropHandle::new(server) })
    }

    /// Closes the port once open requests have their answers and streams have
    /// ended, or after a moment.
    async fn close(self, api: &ApiState) {
        self.stop.cancel();
        let ended = async { tokio::join!(self.server, api.streams_ended()) };
        if tokio::time::timeout(LAST_ANSWERS, ended).await.is_err() {
            tracing::debug!("a request was still open at shutdown");
        }
    }
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
