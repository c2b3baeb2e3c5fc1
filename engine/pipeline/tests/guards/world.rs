//! An engine over a real store and a double of the network, under a clock that
//! moves when told.

use async_trait::async_trait;
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use warest_link::{Account, Intake, LinkStatus, Links, Outgoing, Remote};
use warest_media::{Media, MediaConfig};
use warest_model::birth::Births;
use warest_model::clock::{Clock, ManualClock, Millis};
use warest_model::content::Content;
use warest_model::event::{EventKind, Observation};
use warest_model::fault::Fault;
use warest_model::id::{JobId, SessionId, UserId};
use warest_model::jid::Jid;
use warest_model::job::{JobState, SendJob};
use warest_model::plan::Effect;
use warest_model::session::SessionState;
use warest_model::user::User;
use warest_pipeline::engine::Files;
use warest_pipeline::engine::NewSession;
use warest_pipeline::send::guards::policy::{Policy, Tuning};
use warest_pipeline::{Engine, EngineConfig, Prepared};
use warest_react::flow::{FlowEngine, FlowLimits};
use warest_react::wasm::{PluginHost, PluginLimits};
use warest_store::cache::local::{LocalCache, LocalOptions};
use warest_store::media::{ObjectShelf, ShelfOptions};
use warest_store::secret::{Cipher, MasterKey};
use warest_store::sqlite::SqliteStore;
use warest_store::{Registry, SendQueue};

/// 2026-03-01T12:00:00Z.
pub const NOON: Millis = 1_772_366_400_000;
pub const HOUR: Millis = 3_600_000;
const DEADLINE: Duration = Duration::from_secs(20);

/// What was sent, and when by the world's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub at_ms: Millis,
    pub what: &'static str,
    pub to: String,
    pub text: String,
}

pub struct FakeLinks {
    clock: Arc<ManualClock>,
    sessions: Mutex<HashMap<SessionId, watch::Sender<LinkStatus>>>,
    sent: Mutex<Vec<Sent>>,
    /// What the next messages answer, one each.
    pub refuse: Mutex<Vec<Fault>>,
}

#[async_trait]
impl Links for FakeLinks {
    async fn start(&self, session: &SessionId) -> Result<(), Fault> {
        let open = LinkStatus { state: SessionState::Open, qr: None, pairing_code: None, me: None };
        self.sessions.lock().unwrap().entry(session.clone()).or_insert_with(|| watch::channel(open).0);
        Ok(())
    }
    async fn stop(&self, session: &SessionId) {
        self.sessions.lock().unwrap().remove(session);
    }
    async fn reconnect(&self, session: &SessionId) -> Result<(), Fault> {
        self.start(session).await
    }
    async fn logout(&self, session: &SessionId) -> Result<(), Fault> {
        self.stop(session).await;
        Ok(())
    }
    fn status(&self, session: &SessionId) -> Option<watch::Receiver<LinkStatus>> {
        self.sessions.lock().unwrap().get(session).map(watch::Sender::subscribe)
    }
    async fn send(&self, _: &SessionId, outgoing: Outgoing<'_>) -> Result<warest_link::Sent, Fault> {
        let effect = outgoing.effect;
        let to = effect.chat().map_or(String::new(), |chat| chat.user().to_owned());
        let text = match effect {
            Effect::Message { content: Content::Text { text, .. }, .. } => text.clone(),
            _ => String::new(),
        };
        if effect.is_message()
            && let Some(fault) = self.refuse.lock().unwrap().pop()
        {
            return Err(fault);
        }
        let sent = Sent { at_ms: self.clock.now_ms(), what: effect.name(), to, text };
        self.sent.lock().unwrap().push(sent);
        Ok(warest_link::Sent::default())
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

pub struct World {
    pub engine: Arc<Engine>,
    pub intake: Arc<dyn Intake>,
    pub links: Arc<FakeLinks>,
    pub clock: Arc<ManualClock>,
    pub store: SqliteStore,
    owner: User,
    folder: tempfile::TempDir,
}

fn key() -> Cipher {
    Cipher::new(&MasterKey::from_bytes([7; 32]))
}

impl World {
    /// One at noon, whose session `s` was made long ago and is tuned like this.
    pub async fn new(tuning: serde_json::Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("w.db"), key()).await.unwrap();
        let owner = User { id: UserId::new(1), username: "ana".to_owned(), is_admin: false, created_ms: 1 };
        store.add_user(&owner, [1; 32]).await.unwrap();
        let clock = ManualClock::at(NOON - 400 * 24 * HOUR);
        let (engine, intake, links) = start(&store, &clock, folder.path()).await;
        let new = NewSession { id: "s".parse().unwrap(), label: String::new() };
        engine.create_session(&owner, new).await.unwrap();
        clock.advance(400 * 24 * HOUR);
        let world = Self { engine, intake, links, clock, store, owner, folder };
        world.tune(tuning).await;
        world
    }

    pub async fn tune(&self, tuning: serde_json::Value) {
        let tuning: Tuning = serde_json::from_value(tuning).unwrap();
        self.engine.tune_guards(&self.entry(), &tuning).await.unwrap();
    }

    fn entry(&self) -> warest_pipeline::directory::SessionEntry {
        self.engine.session(&"s".parse().unwrap()).unwrap()
    }

    /// Ends the process and begins another after `pause_ms`: nothing but the
    /// store is left.
    pub async fn restart(self, pause_ms: Millis) -> Self {
        self.engine.shutdown(Duration::from_secs(5)).await;
        self.store.close().await.unwrap();
        self.clock.advance(pause_ms);
        let store = SqliteStore::open(path(self.folder.path()), key()).await.unwrap();
        let (engine, intake, links) = start(&store, &self.clock, self.folder.path()).await;
        Self { engine, intake, links, store, ..self }
    }

    fn births(&self) -> Births {
        Births::new(self.clock.now_ms())
    }

    /// Queues a text as REST does.
    pub async fn send(&self, to: &str, text: &str) -> JobId {
        let effect = Effect::text(jid(to), text);
        self.engine.send(&self.entry(), &self.births(), effect, None).await.unwrap().0.id
    }

    /// Runs actions, as reactors do.
    pub async fn act(&self, actions: serde_json::Value) -> warest_model::id::RunId {
        self.engine.run_actions(&self.entry(), &self.births(), &actions).await.unwrap()
    }

    /// Somebody writes.
    pub async fn hears(&self, from: &str, text: &str, id: &str) {
        let data = json!({ "text": text, "chatId": jid(from) });
        let chat = Some(jid(from));
        let seen =
            Observation { dedup: Some(id.to_owned()), ..Observation::new(EventKind::MessageReceived, chat, data) };
        self.intake.record(&"s".parse().unwrap(), vec![seen]).await.unwrap();
    }

    pub async fn job(&self, id: &JobId) -> SendJob {
        self.store.job(id).await.unwrap().unwrap()
    }

    /// Waits until a job's row is as wanted.
    pub async fn wait_job(&self, id: &JobId, wanted: impl Fn(&SendJob) -> bool) -> SendJob {
        let begun = std::time::Instant::now();
        loop {
            let job = self.job(id).await;
            if wanted(&job) {
                return job;
            }
            assert!(begun.elapsed() < DEADLINE, "still {job:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until something is so.
    pub async fn until(&self, wanted: impl Fn(&Self) -> bool) {
        let begun = std::time::Instant::now();
        while !wanted(self) {
            assert!(begun.elapsed() < DEADLINE, "sent: {:?}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until a guard holds a job.
    pub async fn held(&self, id: &JobId, code: &str) -> SendJob {
        let job = self.wait_job(id, |job| !waits(job) || job.fault.as_ref().is_some_and(|fault| fault.code == code));
        let job = job.await;
        assert!(waits(&job), "{job:?}");
        assert_eq!(job.attempts, 0, "a guard's wait is no attempt");
        job
    }

    /// Waits until a job was sent.
    pub async fn sent(&self, id: &JobId) -> SendJob {
        let job = self.wait_job(id, |job| !waits(job)).await;
        assert_eq!((job.state, &job.fault), (JobState::Sent, &None));
        job
    }

    /// Everything that was sent so far.
    pub fn log(&self) -> Vec<Sent> {
        self.links.sent.lock().unwrap().clone()
    }

    /// The texts that were sent so far.
    pub fn texts(&self) -> Vec<String> {
        self.log().into_iter().filter(|sent| sent.what == "text").map(|sent| sent.text).collect()
    }

    pub fn user(&self) -> &User {
        &self.owner
    }
}

fn path(folder: &Path) -> std::path::PathBuf {
    folder.join("w.db")
}

pub fn jid(phone: &str) -> Jid {
    Jid::parse(phone, "62").unwrap()
}

async fn start(
    store: &SqliteStore,
    clock: &Arc<ManualClock>,
    folder: &Path,
) -> (Arc<Engine>, Arc<dyn Intake>, Arc<FakeLinks>) {
    // Whoever is first installs it; the others find it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let flows = FlowEngine::new(FlowLimits::default()).unwrap();
    let plugins = PluginHost::new(PluginLimits { instances: 1, ..PluginLimits::default() }).unwrap();
    let cache = Arc::new(LocalCache::new(LocalOptions::default(), clock.clone()));
    let config = EngineConfig { guards: Policy::default(), ..EngineConfig::default() };
    let shared = Arc::new(store.clone());
    let shelf = Arc::new(ObjectShelf::in_folder(folder, &key(), &ShelfOptions::default()).unwrap());
    let files = Files { shelf, media: Media::new(MediaConfig::default()) };
    let prepared = Prepared::new(shared, cache, clock.clone(), flows, plugins, files, config).await.unwrap();
    let links = Arc::new(FakeLinks {
        clock: clock.clone(),
        sessions: Mutex::default(),
        sent: Mutex::default(),
        refuse: Mutex::default(),
    });
    let intake = prepared.intake();
    let engine = prepared.start(links.clone()).await.unwrap();
    (engine, intake, links)
}

/// In line or, if it waits for long, beside it.
fn waits(job: &SendJob) -> bool {
    matches!(job.state, JobState::Queued | JobState::Scheduled)
}
