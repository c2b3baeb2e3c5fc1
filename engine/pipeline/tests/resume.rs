#![allow(clippy::unwrap_used, missing_docs)]
//! A start does not burst: sessions connect a few at a time.

use async_trait::async_trait;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use warest_link::{Account, LinkStatus, Links, Outgoing, Remote, Sent};
use warest_media::{Media, MediaConfig};
use warest_model::clock::SystemClock;
use warest_model::fault::Fault;
use warest_model::id::{SessionId, UserId};
use warest_model::jid::Jid;
use warest_model::session::{Session, SessionState};
use warest_model::user::User;
use warest_pipeline::engine::Files;
use warest_pipeline::{EngineConfig, Prepared};
use warest_react::flow::{FlowEngine, FlowLimits};
use warest_react::wasm::{PluginHost, PluginLimits};
use warest_store::Registry;
use warest_store::cache::local::{LocalCache, LocalOptions};
use warest_store::media::{ObjectShelf, ShelfOptions};
use warest_store::secret::{Cipher, MasterKey};
use warest_store::sqlite::SqliteStore;

const SESSIONS: usize = 12;
const AT_ONCE: usize = 3;

/// Links that connect when the test says so.
#[derive(Default)]
struct SlowLinks(Mutex<State>);

#[derive(Default)]
struct State {
    started: HashMap<SessionId, watch::Sender<LinkStatus>>,
    most_connecting: usize,
}

impl SlowLinks {
    /// Opens one session if as many as `count` are connecting; whether it did.
    fn open_one_of(&self, count: usize) -> bool {
        let state = self.0.lock().unwrap();
        let connecting = state.started.values().find(|status| status.borrow().state == SessionState::Connecting);
        match connecting {
            Some(status) if state.count() == count => {
                status.send_modify(|status| status.state = SessionState::Open);
                true
            }
            _ => false,
        }
    }

    /// How many were started, and the most that were connecting at once.
    fn figures(&self) -> (usize, usize) {
        let state = self.0.lock().unwrap();
        (state.started.len(), state.most_connecting)
    }
}

impl State {
    fn count(&self) -> usize {
        self.started.values().filter(|status| status.borrow().state == SessionState::Connecting).count()
    }
}

#[async_trait]
impl Links for SlowLinks {
    async fn start(&self, session: &SessionId) -> Result<(), Fault> {
        let mut state = self.0.lock().unwrap();
        let status = LinkStatus { state: SessionState::Connecting, qr: None, pairing_code: None, me: None };
        state.started.insert(session.clone(), watch::channel(status).0);
        state.most_connecting = state.most_connecting.max(state.count());
        Ok(())
    }

    async fn stop(&self, _: &SessionId) {}

    async fn reconnect(&self, _: &SessionId) -> Result<(), Fault> {
        Ok(())
    }

    async fn logout(&self, _: &SessionId) -> Result<(), Fault> {
        Ok(())
    }

    fn status(&self, session: &SessionId) -> Option<watch::Receiver<LinkStatus>> {
        self.0.lock().unwrap().started.get(session).map(watch::Sender::subscribe)
    }

    async fn send(&self, _: &SessionId, _: Outgoing<'_>) -> Result<Sent, Fault> {
        Ok(Sent::default())
    }

    fn account(&self, _: &SessionId) -> Result<Arc<dyn Account>, Fault> {
        Err(Fault::retry("not_connected", "nobody is here"))
    }
    async fn download(&self, _: &SessionId, _: Remote<'_>, _: &Path) -> Result<(), Fault> {
        Err(Fault::retry("not_connected", "nobody is here"))
    }
    async fn pair_code(&self, _: &SessionId, _: &Jid) -> Result<String, Fault> {
        Err(Fault::retry("not_connected", "nobody is here"))
    }

    async fn shutdown(&self) {}
}

#[tokio::test]
async fn sessions_connect_a_few_at_a_time_and_all_of_them() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("x.db"), Cipher::new(&MasterKey::random())).await.unwrap();
    let user = User { id: UserId::new(1), username: "u".to_owned(), is_admin: false, created_ms: 1 };
    store.add_user(&user, [1; 32]).await.unwrap();
    for index in 0..SESSIONS + 1 {
        let session = Session {
            id: format!("s{index}").parse().unwrap(),
            owner: user.id.clone(),
            label: String::new(),
            enabled: index < SESSIONS,
            me: None,
            created_ms: 1,
        };
        store.add_session(&session).await.unwrap();
    }
    let clock = Arc::new(SystemClock);
    let config = EngineConfig { connect_concurrency: AT_ONCE, ..EngineConfig::default() };
    let cache = Arc::new(LocalCache::new(LocalOptions::default(), clock.clone()));
    let flows = FlowEngine::new(FlowLimits::default()).unwrap();
    let plugins = PluginHost::new(PluginLimits { instances: 2, ..PluginLimits::default() }).unwrap();
    let cipher = Cipher::new(&MasterKey::random());
    let shelf = Arc::new(ObjectShelf::in_folder(folder.path(), &cipher, &ShelfOptions::default()).unwrap());
    let files = Files { shelf, media: Media::new(MediaConfig::default()) };
    let prepared = Prepared::new(Arc::new(store), cache, clock, flows, plugins, files, config).await.unwrap();
    let links = Arc::new(SlowLinks::default());
    let engine = prepared.build(links.clone());
    let waiting = engine.session(&"s0".parse().unwrap()).unwrap();
    let stopped = engine.session(&format!("s{SESSIONS}").parse().unwrap()).unwrap();
    assert_eq!(engine.status(&waiting).state, SessionState::Connecting, "its turn comes");
    assert_eq!(engine.status(&stopped).state, SessionState::LoggedOut, "it is not on");
    assert_eq!(links.figures(), (0, 0), "nothing connects before the start goes on");

    engine.resume();
    let begun = Instant::now();
    let mut opened = 0;
    while opened < SESSIONS {
        assert!(begun.elapsed() < Duration::from_secs(30), "{opened} of {SESSIONS} connected");
        if links.open_one_of(AT_ONCE.min(SESSIONS - opened)) {
            opened += 1;
        } else {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    assert_eq!(links.figures(), (SESSIONS, AT_ONCE));
    engine.shutdown(Duration::from_secs(5)).await;
}
