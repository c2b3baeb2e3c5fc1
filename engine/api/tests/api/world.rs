//! An installation with two tenants: alice (session `main`, open) and bob
//! (session `theirs`, open).

use crate::links::{FakeLinks, open};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tower::ServiceExt;
use warest_api::{ApiConfig, ApiState, router};
use warest_link::Intake;
use warest_media::{Media, MediaConfig};
use warest_model::clock::{Clock, Millis, SystemClock};
use warest_model::id::UserId;
use warest_model::user::User;
use warest_pipeline::engine::Files;
use warest_pipeline::engine::NewSession;
use warest_pipeline::{Engine, EngineConfig, Prepared};
use warest_react::flow::{FlowEngine, FlowLimits};
use warest_react::wasm::{PluginHost, PluginLimits};
use warest_store::cache::local::{LocalCache, LocalOptions};
use warest_store::media::{ObjectShelf, ShelfOptions};
use warest_store::secret::{Cipher, MasterKey, api_key_hash};
use warest_store::sqlite::SqliteStore;
use warest_store::{
    DeliveryFilter, EventFilter, EventLog, GuardBook, Outbox, Page, Reactors, Registry, RunFilter, Runs, SendQueue,
    Targets,
};

pub const ALICE: &str = "alice-key-0123456789abcdef";
pub const BOB: &str = "bob-key-0123456789abcdef";
pub const ADMIN: &str = "admin-key-0123456789abcdef";

pub struct World {
    pub router: Router,
    pub engine: Arc<Engine>,
    pub intake: Arc<dyn Intake>,
    pub links: Arc<FakeLinks>,
    pub store: SqliteStore,
    pub alice: User,
    pub clock: Arc<ShiftedClock>,
    folder: TempDir,
}

/// The machine's clock, set forward by as much as a test says.
#[derive(Default)]
pub struct ShiftedClock(AtomicI64);

impl ShiftedClock {
    pub fn forward(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
    }
}

impl Clock for ShiftedClock {
    fn now_ms(&self) -> Millis {
        SystemClock.now_ms() + self.0.load(Ordering::SeqCst)
    }
}

/// Asks again and again until `look` finds something.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// An answer of the API.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// HTTP status and code.
    pub fn codes(&self) -> (u16, u64) {
        (self.status.as_u16(), self.body["code"].as_u64().unwrap_or_default())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// One whose API works differently.
    pub async fn with(change: impl FnOnce(&mut ApiConfig)) -> Self {
        Self::of(|_| {}, change).await
    }

    /// One whose engine works differently.
    pub async fn with_engine(change: impl FnOnce(&mut EngineConfig)) -> Self {
        Self::of(change, |_| {}).await
    }

    async fn of(engine: impl FnOnce(&mut EngineConfig), change: impl FnOnce(&mut ApiConfig)) -> Self {
        // Whoever is first installs it; the others find it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let cipher = Cipher::new(&MasterKey::random());
        let shelf = ObjectShelf::in_folder(&folder.path().join("files"), &cipher, &ShelfOptions::default()).unwrap();
        let files = Files { shelf: Arc::new(shelf), media: Media::new(MediaConfig::default()) };
        let store = SqliteStore::open(folder.path().join("warest.db"), cipher).await.unwrap();
        let alice = user(&store, "alice", ALICE, false).await;
        let bob = user(&store, "bob", BOB, false).await;
        user(&store, "admin", ADMIN, true).await;
        let flows = FlowEngine::new(FlowLimits::default()).unwrap();
        let plugins = PluginHost::new(PluginLimits { instances: 4, ..PluginLimits::default() }).unwrap();
        let shared = Arc::new(store.clone());
        let mut config = EngineConfig::default();
        engine(&mut config);
        let clock = Arc::new(ShiftedClock::default());
        let cache = Arc::new(LocalCache::new(LocalOptions::default(), clock.clone()));
        let prepared = Prepared::new(shared, cache, clock.clone(), flows, plugins, files, config).await.unwrap();
        let (links, intake) = (Arc::new(FakeLinks::default()), prepared.intake());
        let engine = prepared.start(links.clone()).await.unwrap();
        for (owner, name) in [(&alice, "main"), (&bob, "theirs")] {
            links.put(name, open());
            let new = NewSession { id: name.parse().unwrap(), label: format!("the {name} one") };
            engine.create_session(owner, new).await.unwrap();
        }
        let mut config = ApiConfig {
            version: "9.9.9".to_owned(),
            plugin_bytes: 2 << 20,
            qr_wait: Duration::from_millis(200),
            send_wait: Duration::from_millis(1_500),
            ..ApiConfig::default()
        };
        change(&mut config);
        let router = router(ApiState::new(engine.clone(), config));
        Self { router, engine, intake, links, store, alice, clock, folder }
    }

    /// The database file.
    pub fn database(&self) -> std::path::PathBuf {
        self.folder.path().join("warest.db")
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 16 << 20).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into());
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A request with a key and a JSON body.
    pub async fn call(&self, key: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let request = Request::builder().method(method).uri(format!("/api/v1{path}")).header("x-warest-api-key", key);
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string().into()),
            None => request.body(Body::empty()),
        };
        self.send(request.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(ALICE, "GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(ALICE, "POST", path, Some(body)).await
    }

    /// A POST of alice's with an idempotency key.
    pub async fn post_once(&self, idempotency_key: &str, path: &str, body: &Value) -> Answer {
        let request = Request::builder().method("POST").uri(format!("/api/v1{path}"));
        let request = request.header("x-warest-api-key", ALICE).header("content-type", "application/json");
        let request = request.header("idempotency-key", idempotency_key).body(body.to_string().into());
        self.send(request.unwrap()).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(ALICE, "PUT", path, Some(body)).await
    }

    /// All that requests could have written.
    pub async fn written(&self) -> String {
        let (store, page) = (&self.store, Page { before: None, limit: 500 });
        let queued = async |name: &str| store.queue_len(&name.parse().unwrap()).await.unwrap();
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {} {} {} {:?} {} {:?}",
            store.sessions(None).await.unwrap(),
            store.flows(None).await.unwrap(),
            store.plugins(None).await.unwrap(),
            store.bindings().await.unwrap(),
            store.targets(None).await.unwrap(),
            store.guard_settings().await.unwrap(),
            store.opt_outs(None, &page).await.unwrap(),
            store.events(&EventFilter::default(), &page).await.unwrap().len(),
            store.runs(&RunFilter::default(), &page).await.unwrap().len(),
            queued("main").await + queued("theirs").await,
            store.deliveries(&DeliveryFilter::default(), &page).await.unwrap(),
            self.links.sent.lock().unwrap().len(),
            self.links.account.changed.lock().unwrap(),
        )
    }
}

async fn user(store: &SqliteStore, name: &str, key: &str, is_admin: bool) -> User {
    let user = User { id: UserId::new(1), username: name.to_owned(), is_admin, created_ms: 1 };
    store.add_user(&user, api_key_hash(key)).await.unwrap();
    user
}
