//! Who there is: sessions with their owners, and the reactors that events are
//! owed to. Read on every event, changed rarely.
//!
//! The store is the truth; this is its image in memory, rewritten after each
//! change. Flows are compiled when they enter it, plugins when first used (a
//! large plugin must not delay the start of the engine).

use crate::error::EngineError;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{Mutex, OnceCell};
use warest_model::command::{CommandBook, Invocation};
use warest_model::event::EventKind;
use warest_model::fault::Fault;
use warest_model::id::{SessionId, TargetId, UserId};
use warest_model::reactor::{Flow, Plugin, ReactorRef};
use warest_model::session::Session;
use warest_model::target::{Target, TargetOptions};
use warest_model::user::User;
use warest_react::flow::FlowEngine;
use warest_react::wasm::{LoadedPlugin, PluginHost};
use warest_react::{Reactor, SessionInfo};
use warest_store::Store;

/// A session with its owner.
#[derive(Debug, Clone)]
pub struct SessionEntry {
    /// The session.
    pub session: Session,
    /// Its owner.
    pub owner: User,
}

impl SessionEntry {
    /// What receivers are told about it.
    pub fn info(&self) -> SessionInfo {
        SessionInfo {
            id: self.session.id.to_string(),
            label: self.session.label.clone(),
            registry: self.owner.id.to_string(),
            username: self.owner.username.clone(),
        }
    }
}

struct FlowEntry {
    flow: Flow,
    /// A script that no longer compiles (a stricter engine) fails its events.
    compiled: Result<Arc<dyn Reactor>, Fault>,
}

struct PluginEntry {
    plugin: Plugin,
    loaded: Arc<OnceCell<Arc<LoadedPlugin>>>,
}

#[derive(Default)]
struct Image {
    sessions: HashMap<SessionId, SessionEntry>,
    flows: Vec<FlowEntry>,
    plugins: HashMap<String, PluginEntry>,
    bindings: HashMap<SessionId, HashMap<String, Arc<serde_json::Value>>>,
    targets: HashMap<SessionId, Vec<Target>>,
    commands: HashMap<SessionId, Arc<CommandBook>>,
}

/// The image of the registry.
pub struct Directory {
    store: Arc<dyn Store>,
    flows: FlowEngine,
    plugins: PluginHost,
    image: RwLock<Image>,
    /// Held from reading to showing, so that what was read earlier is not shown
    /// later: a session that is missing here for a moment would have its messages
    /// taken for those of a removed one.
    reading: Mutex<()>,
}

impl Directory {
    /// Reads everything from the store.
    pub async fn load(store: Arc<dyn Store>, flows: FlowEngine, plugins: PluginHost) -> Result<Self, EngineError> {
        let directory = Self { store, flows, plugins, image: RwLock::default(), reading: Mutex::default() };
        directory.reload_sessions().await?;
        directory.reload_flows().await?;
        directory.reload_plugins().await?;
        directory.reload_targets().await?;
        directory.reload_commands().await?;
        Ok(directory)
    }

    /// The flow compiler.
    pub fn flow_engine(&self) -> &FlowEngine {
        &self.flows
    }

    /// The plugin host.
    pub fn plugin_host(&self) -> &PluginHost {
        &self.plugins
    }

    /// Reads the sessions anew.
    pub async fn reload_sessions(&self) -> Result<(), EngineError> {
        let _reading = self.reading.lock().await;
        let mut owners: HashMap<UserId, User> = HashMap::new();
        let mut sessions = HashMap::new();
        for session in self.store.sessions(None).await? {
            let owner = match owners.get(&session.owner) {
                Some(owner) => owner.clone(),
                None => {
                    let Some(owner) = self.store.user(&session.owner).await? else { continue };
                    owners.insert(owner.id.clone(), owner.clone());
                    owner
                }
            };
            sessions.insert(session.id.clone(), SessionEntry { session, owner });
        }
        self.write(|image| image.sessions = sessions);
        Ok(())
    }

    /// Reads and compiles the flows anew.
    pub async fn reload_flows(&self) -> Result<(), EngineError> {
        let _reading = self.reading.lock().await;
        let mut entries = Vec::new();
        for flow in self.store.flows(None).await? {
            let compiled = match self.flows.compile(&flow.script) {
                Ok(compiled) => Ok(compiled as Arc<dyn Reactor>),
                Err(error) => {
                    tracing::warn!(flow = %flow.id, %error, "a stored flow does not compile");
                    Err(Fault::fail("script_error", error.to_string()))
                }
            };
            entries.push(FlowEntry { flow, compiled });
        }
        self.write(|image| image.flows = entries);
        Ok(())
    }

    /// Reads the plugins and their bindings anew; unchanged ones stay loaded.
    pub async fn reload_plugins(&self) -> Result<(), EngineError> {
        let _reading = self.reading.lock().await;
        let plugins = self.store.plugins(None).await?;
        let bindings = self.store.bindings().await?;
        self.write(|image| {
            let mut before = std::mem::take(&mut image.plugins);
            for plugin in plugins {
                let loaded = match before.remove(&plugin.name) {
                    Some(entry) if entry.plugin.sha256 == plugin.sha256 => entry.loaded,
                    _ => Arc::default(),
                };
                image.plugins.insert(plugin.name.clone(), PluginEntry { plugin, loaded });
            }
            image.bindings.clear();
            for binding in bindings.into_iter().filter(|binding| binding.enabled) {
                let session = image.bindings.entry(binding.session).or_default();
                session.insert(binding.plugin, Arc::new(binding.config));
            }
        });
        Ok(())
    }

    /// Reads the webhook targets anew.
    pub async fn reload_targets(&self) -> Result<(), EngineError> {
        let _reading = self.reading.lock().await;
        let mut targets: HashMap<SessionId, Vec<Target>> = HashMap::new();
        for target in self.store.targets(None).await? {
            targets.entry(target.session.clone()).or_default().push(target);
        }
        self.write(|image| image.targets = targets);
        Ok(())
    }

    /// Reads the commands anew.
    pub async fn reload_commands(&self) -> Result<(), EngineError> {
        let _reading = self.reading.lock().await;
        let books = self.store.command_books().await?;
        let books = books.into_iter().map(|(session, book)| (session, Arc::new(book))).collect();
        self.write(|image| image.commands = books);
        Ok(())
    }

    /// The command that a message of a session is, if it is one.
    pub fn command(&self, session: &SessionId, text: &str) -> Option<Invocation> {
        self.read(|image| image.commands.get(session).cloned())?.find(text)
    }

    /// Reads one webhook target anew.
    pub async fn reload_target(&self, session: &SessionId, id: &TargetId) -> Result<(), EngineError> {
        let _reading = self.reading.lock().await;
        let found = self.store.target(id).await?;
        self.write(|image| {
            let targets = image.targets.entry(session.clone()).or_default();
            match (targets.iter().position(|target| target.id == *id), found) {
                (Some(at), Some(found)) => targets[at] = found,
                (Some(at), None) => drop(targets.remove(at)),
                (None, Some(found)) => targets.push(found),
                (None, None) => {}
            }
        });
        Ok(())
    }

    /// The session with this name.
    pub fn session(&self, id: &SessionId) -> Option<SessionEntry> {
        self.read(|image| image.sessions.get(id).cloned())
    }

    /// Every session, by name.
    pub fn sessions(&self) -> Vec<SessionEntry> {
        let mut all: Vec<_> = self.read(|image| image.sessions.values().cloned().collect());
        all.sort_by(|a, b| a.session.id.cmp(&b.session.id));
        all
    }

    /// The webhook target of a session with this id.
    pub fn target(&self, session: &SessionId, id: &TargetId) -> Option<Target> {
        self.read(|image| image.targets.get(session)?.iter().find(|target| target.id == *id).cloned())
    }

    /// The options of a webhook target, whosever it is; the defaults if it is gone.
    pub fn options(&self, id: &TargetId) -> TargetOptions {
        self.read(|image| {
            let found = image.targets.values().flatten().find(|target| target.id == *id);
            found.map(|target| target.options.clone()).unwrap_or_default()
        })
    }

    /// The webhook targets of a session.
    pub fn targets(&self, session: &SessionId) -> Vec<Target> {
        self.read(|image| image.targets.get(session).cloned().unwrap_or_default())
    }

    /// The reactors that an event of this kind is owed to.
    pub fn owed(&self, session: &SessionId, kind: EventKind) -> Vec<ReactorRef> {
        self.read(|image| {
            let Some(entry) = image.sessions.get(session) else { return Vec::new() };
            let flows = image
                .flows
                .iter()
                .filter(|entry_of| hears(&entry_of.flow, entry, kind))
                .map(|entry| ReactorRef::Flow(entry.flow.id.clone()));
            let bound = image.bindings.get(session).into_iter().flat_map(HashMap::keys);
            let plugins = bound
                .filter(|name| image.plugins.get(*name).is_some_and(|entry| entry.plugin.on.contains(&kind)))
                .map(|name| ReactorRef::Plugin(name.clone()));
            let targets = image.targets.get(session).into_iter().flatten();
            let targets =
                targets.filter(|target| target.hears(kind)).map(|target| ReactorRef::Target(target.id.clone()));
            flows.chain(plugins).chain(targets).collect()
        })
    }

    /// A flow or plugin, ready to decide about events of `session`, with its
    /// configuration there. `None` if it is gone or no longer in use there.
    pub async fn reactor(
        &self,
        reactor: &ReactorRef,
        session: &SessionId,
    ) -> Option<Result<(Arc<dyn Reactor>, Arc<serde_json::Value>), Fault>> {
        match reactor {
            ReactorRef::Flow(id) => self.read(|image| {
                let entry = image.flows.iter().find(|entry| entry.flow.id == *id && entry.flow.enabled)?;
                let config = Arc::new(serde_json::json!({}));
                Some(entry.compiled.clone().map(|compiled| (compiled, config)))
            }),
            ReactorRef::Plugin(name) => {
                let (loaded, config) = self.read(|image| {
                    let config = image.bindings.get(session)?.get(name)?.clone();
                    Some((image.plugins.get(name)?.loaded.clone(), config))
                })?;
                let plugin = loaded.get_or_try_init(|| self.load_plugin(name)).await;
                Some(plugin.map(|plugin| (plugin.clone() as Arc<dyn Reactor>, config)))
            }
            ReactorRef::Target(_) => None,
        }
    }

    async fn load_plugin(&self, name: &str) -> Result<Arc<LoadedPlugin>, Fault> {
        let component = self
            .store
            .plugin_component(name)
            .await
            .map_err(|error| Fault::retry("store_failed", error.to_string()))?
            .ok_or_else(|| Fault::fail("plugin_missing", format!("plugin {name} is gone; upload it again")))?;
        self.plugins.load(&component).await.map(Arc::new)
    }

    fn read<T>(&self, look: impl FnOnce(&Image) -> T) -> T {
        look(&self.image.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Image) -> T) -> T {
        change(&mut self.image.write().unwrap_or_else(PoisonError::into_inner))
    }
}

fn hears(flow: &Flow, entry: &SessionEntry, kind: EventKind) -> bool {
    // A session's name may pass to another owner; a flow never hears another
    // owner's events.
    flow.enabled
        && flow.on.contains(&kind)
        && flow.owner == entry.session.owner
        && flow.session.as_ref().is_none_or(|session| *session == entry.session.id)
}
