//! The handle to a running engine.
//!
//! Made in two steps, since links need an intake and the send stage needs
//! links: [`Prepared::new`] builds the stages up to the intake, and
//! [`Prepared::build`] adds the links; [`Engine::resume`] then goes on with what
//! was left undone. A file for each thing that can be asked of it.

mod account;
mod actions;
mod commands;
mod default_target;
mod deliveries;
mod files;
mod flows;
mod guards;
mod jobs;
mod plugins;
mod sessions;
mod sinks;
mod start_stop;
mod targets;
mod webhooks;

pub use default_target::DefaultWebhook;
pub use deliveries::REPLAYED_AT_ONCE;
pub use flows::FlowDraft;
pub use jobs::BulkItem;
pub use sessions::NewSession;
pub(crate) use start_stop::stagger;
pub use targets::{Rotated, TargetChange, TargetDraft, TestResult};
pub use webhooks::PreflightResult;

use crate::deliver::post::Poster;
use crate::deliver::sign::SignatureLength;
use crate::deliver::{DeliverConfig, Deliverer};
use crate::directory::Directory;
use crate::dispatch::Dispatcher;
use crate::egress::{Egress, EgressPolicy};
use crate::error::EngineError;
use crate::files::collect::Collector;
use crate::files::{Attacher, CollectConfig, FetchConfig, Fetcher, Urls};
use crate::follow::{Begin, Follower, Tail};
use crate::intake::EventIntake;
use crate::keep::{Keeper, RetentionConfig};
use crate::run::Runner;
use crate::send::guards::Guards;
use crate::send::guards::policy::Policy;
use crate::send::{Again, Around, Holds, SendConfig, Sender};
use crate::sink::{Feed, Sink};
use crate::wakeups::Wakeups;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use warest_link::{Intake, Links};
use warest_media::Media;
use warest_model::clock::SharedClock;
use warest_model::event::Event;
use warest_react::flow::FlowEngine;
use warest_react::wasm::PluginHost;
use warest_store::cache::Cache;
use warest_store::media::MediaShelf;
use warest_store::{EventFilter, Store};

/// Events that a slow live watcher may lag behind before it loses some.
const LIVE_BUFFER: usize = 1_024;

/// How the engine works.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Sessions that connect at once.
    pub connect_concurrency: usize,
    /// What is kept for how long.
    pub retention: RetentionConfig,
    /// Digits that stand in for a leading `0` of phone numbers.
    pub country_code: String,
    /// The send queues.
    pub send: SendConfig,
    /// The guards of sessions that have tuned nothing.
    pub guards: Policy,
    /// Webhook delivery.
    pub deliver: DeliverConfig,
    /// The contract's signature.
    pub signature: SignatureLength,
    /// Where webhooks may go.
    pub egress: EgressPolicy,
    /// Longest wait for the answer to a preflight.
    pub preflight_timeout: Duration,
    /// The receiver of sessions that have none of their own.
    pub default_webhook: Option<DefaultWebhook>,
    /// Bounds of the files that messages are sent with.
    pub fetch: FetchConfig,
    /// Which files of incoming messages are fetched.
    pub collect: CollectConfig,
    /// The address by which clients reach the engine; empty if it is not known.
    pub base_url: String,
    /// How long the URL of a file is good.
    pub url_life: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            connect_concurrency: 16,
            retention: RetentionConfig::default(),
            country_code: "62".to_owned(),
            send: SendConfig::default(),
            guards: Policy::default(),
            deliver: DeliverConfig::default(),
            signature: SignatureLength::default(),
            egress: EgressPolicy::default(),
            preflight_timeout: Duration::from_secs(5),
            default_webhook: None,
            fetch: FetchConfig::default(),
            collect: CollectConfig::default(),
            base_url: String::new(),
            url_life: Duration::from_secs(900),
        }
    }
}

/// What the engine works on files with.
pub struct Files {
    /// Where they are kept.
    pub shelf: Arc<dyn MediaShelf>,
    /// What converts them.
    pub media: Media,
}

/// An engine without links.
pub struct Prepared {
    config: EngineConfig,
    store: Arc<dyn Store>,
    cache: Arc<dyn Cache>,
    clock: SharedClock,
    directory: Arc<Directory>,
    wakeups: Arc<Wakeups>,
    runner: Runner,
    dispatcher: Arc<Dispatcher>,
    deliverer: Arc<Deliverer>,
    intake: Arc<EventIntake>,
    guards: Arc<Guards>,
    attacher: Attacher,
    shelf: Arc<dyn MediaShelf>,
    urls: Urls,
    news: Arc<Notify>,
    holds: Holds,
    again: Again,
    sinks: Vec<Arc<dyn Sink>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Prepared {
    /// Reads the registry and builds the stages. Nothing is resumed yet.
    pub async fn new(
        store: Arc<dyn Store>,
        cache: Arc<dyn Cache>,
        clock: SharedClock,
        flows: FlowEngine,
        plugins: PluginHost,
        files: Files,
        config: EngineConfig,
    ) -> Result<Self, EngineError> {
        let Files { shelf, media } = files;
        if let Some(default) = &config.default_webhook {
            let checked = config.egress.check_url(&default.url);
            checked.map_err(|error| EngineError::Invalid(format!("WEBHOOK_DEFAULT_URL: {error}")))?;
        }
        let directory = Arc::new(Directory::load(store.clone(), flows, plugins).await?);
        for entry in directory.sessions() {
            let (default, now) = (config.default_webhook.as_ref(), clock.now_ms());
            default_target::ensure(&directory, store.as_ref(), default, &entry.session.id, now).await?;
        }
        let wakeups = Arc::new(Wakeups::default());
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let runner = Runner::new(store.clone(), clock.clone(), wakeups.clone());
        let country_code: Arc<str> = config.country_code.as_str().into();
        let egress = Egress::new(config.egress.clone(), config.deliver.timeout)
            .map_err(|error| EngineError::Invalid(error.to_string()))?;
        // Fetching a file may take longer than a webhook.
        let fetching = Egress::new(config.egress.clone(), config.fetch.timeout)
            .map_err(|error| EngineError::Invalid(error.to_string()))?;
        let fetcher = Fetcher::new(fetching, store.clone(), shelf.clone(), config.fetch.clone());
        let attacher = Attacher::new(fetcher, media);
        let urls = Urls::new(shelf.clone(), &config.base_url, config.url_life);
        let news = Arc::new(Notify::new());
        let dispatcher = Arc::new(Dispatcher {
            urls: urls.clone(),
            store: store.clone(),
            clock: clock.clone(),
            directory: directory.clone(),
            runner: runner.clone(),
            wakeups: wakeups.clone(),
            country_code: country_code.clone(),
            tasks: tasks.clone(),
            stop: stop.clone(),
        });
        let live = broadcast::channel(LIVE_BUFFER).0;
        let deliverer = Arc::new(Deliverer {
            dispatcher: dispatcher.clone(),
            live: live.clone(),
            store: store.clone(),
            clock: clock.clone(),
            directory: directory.clone(),
            runner: runner.clone(),
            wakeups: wakeups.clone(),
            poster: Poster::new(egress, config.signature),
            urls: urls.clone(),
            config: config.deliver.clone(),
            country_code,
            tasks: tasks.clone(),
            stop: stop.clone(),
        });
        let guards =
            Guards::load(store.clone(), cache.clone(), clock.clone(), directory.clone(), config.guards.clone());
        let guards = Arc::new(guards.await?);
        // Before anybody can send: a held session does not begin by pressing on.
        let holds = Holds::load(store.clone()).await?;
        let again = Again::load(store.as_ref(), clock.now_ms()).await?;
        let intake = Arc::new(EventIntake {
            store: store.clone(),
            clock: clock.clone(),
            directory: directory.clone(),
            dispatcher: dispatcher.clone(),
            deliverer: deliverer.clone(),
            guards: guards.clone(),
            news: news.clone(),
            live,
        });
        Ok(Self {
            config,
            store,
            cache,
            clock,
            directory,
            wakeups,
            runner,
            dispatcher,
            deliverer,
            intake,
            guards,
            attacher,
            shelf,
            urls,
            news,
            holds,
            again,
            sinks: Vec::new(),
            tasks,
            stop,
        })
    }

    /// Adds a sink, which is told everything from where it was on.
    pub fn feed(&mut self, sink: Arc<dyn Sink>) {
        self.sinks.push(sink);
    }

    /// Where links put what they see.
    pub fn intake(&self) -> Arc<dyn Intake> {
        self.intake.clone()
    }

    /// Adds the links. The engine takes work from here on; what an earlier process
    /// left undone waits for [`Engine::resume`].
    pub fn build(self, links: Arc<dyn Links>) -> Arc<Engine> {
        let retention = self.config.retention.clone();
        let keeper = Keeper::new(self.store.clone(), self.shelf.clone(), self.clock.clone(), retention);
        let around = Around {
            store: self.store.clone(),
            clock: self.clock.clone(),
            links: links.clone(),
            runner: self.runner.clone(),
            guards: self.guards.clone(),
            attacher: self.attacher.clone(),
            directory: self.directory.clone(),
            deliverer: self.deliverer.clone(),
            holds: self.holds,
            again: self.again,
            wakeups: self.wakeups,
            tasks: self.tasks.clone(),
            stop: self.stop.clone(),
        };
        let collector = Collector::new(
            self.store.clone(),
            self.shelf.clone(),
            links.clone(),
            self.clock.clone(),
            self.config.collect.clone(),
            self.config.fetch.clone(),
            self.news,
        );
        let sender = Arc::new(Sender::new(around, self.config.send.clone()));
        let live = self.intake.live.clone();
        let tail = Tail::new(self.store.clone(), live, self.tasks.clone(), self.stop.clone());
        let feed = |sink| Arc::new(Feed::new(sink, self.store.clone(), tail.clone(), self.clock.clone()));
        let engine = Arc::new(Engine {
            sinks: self.sinks.into_iter().map(feed).collect(),
            tail,
            config: self.config,
            keeper: Arc::new(keeper),
            store: self.store,
            cache: self.cache,
            clock: self.clock,
            directory: self.directory,
            runner: self.runner,
            dispatcher: self.dispatcher,
            deliverer: self.deliverer,
            intake: self.intake,
            guards: self.guards,
            attacher: self.attacher,
            shelf: self.shelf,
            urls: self.urls,
            collector: Arc::new(collector),
            sender,
            links,
            tasks: self.tasks,
            stop: self.stop,
            changing_targets: tokio::sync::Mutex::default(),
        });
        tracing::debug!(sessions = engine.directory.sessions().len(), "the engine is there");
        engine
    }
}

/// A running engine.
pub struct Engine {
    tail: Arc<Tail>,
    sinks: Vec<Arc<Feed>>,
    config: EngineConfig,
    store: Arc<dyn Store>,
    cache: Arc<dyn Cache>,
    clock: SharedClock,
    directory: Arc<Directory>,
    runner: Runner,
    dispatcher: Arc<Dispatcher>,
    deliverer: Arc<Deliverer>,
    intake: Arc<EventIntake>,
    guards: Arc<Guards>,
    attacher: Attacher,
    shelf: Arc<dyn MediaShelf>,
    urls: Urls,
    collector: Arc<Collector>,
    sender: Arc<Sender>,
    keeper: Arc<Keeper>,
    links: Arc<dyn Links>,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Held while the targets of a session are changed.
    changing_targets: tokio::sync::Mutex<()>,
}

impl Engine {
    /// How it works.
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// The store, for reading.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What may be forgotten.
    pub fn cache(&self) -> &Arc<dyn Cache> {
        &self.cache
    }

    /// Its clock.
    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// What is stored, and what retention does about it.
    pub fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Events as they are appended, for those who watch live. A watcher that
    /// lags loses some and is told so; the log has them all.
    pub fn live(&self) -> broadcast::Receiver<Arc<Event>> {
        self.intake.live.subscribe()
    }

    /// Follows the log from a place on, in its order, without a gap or a repeat.
    pub async fn follow(&self, filter: EventFilter, begin: Begin) -> Result<Follower, EngineError> {
        Ok(Follower::new(&self.tail, filter, begin).await?)
    }

    /// Cancelled when the engine stops.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stop
    }
}
