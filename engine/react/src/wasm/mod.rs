//! Plugins: sandboxed WebAssembly components that turn an event into a plan.
//!
//! A plugin is a component of the world in `wit/`. It is compiled and linked
//! once; every event gets a fresh instance, so that nothing of one event, chat
//! or tenant is seen by the next but what the plugin put into its `kv`.
//!
//! **Bounds.** A guest is hostile until it has ended. It can reach `log`, `kv`
//! and `now`; every other import, WASI's among them, is a trap. Its time is
//! counted in ticks of the epoch that it computes through, with a wider limit on
//! the clock; its memory, tables and stack are limited by the engine, and what
//! it hands over by the limits of a plan, before anything is made of it. One
//! plugin may hold some of the instances only, so that a slow one leaves the
//! others room. What a guest does wrong is a [`Fault`] of that one run.

mod arena;
mod bindings;
mod engine;
mod guest;
mod prepare;

pub use prepare::prepare;

use crate::state::State;
use crate::{Input, Reactor};
use async_trait::async_trait;
use bindings::warest::plugin::types::{Description, EventInput, Session};
use bindings::{Plugin, PluginPre};
use engine::{Threads, Ticker};
use guest::Guest;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use warest_model::action::parse_actions;
use warest_model::fault::Fault;
use warest_model::plan::Plan;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Store};

/// What plugins may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginLimits {
    /// Time that one call may compute. Four times as long on the clock.
    pub deadline: Duration,
    /// Linear memory of one instance, in bytes.
    pub memory_bytes: usize,
    /// Instances of all plugins at a time.
    pub instances: usize,
    /// Instances of one plugin at a time.
    pub instances_per_plugin: usize,
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self { deadline: Duration::from_millis(500), memory_bytes: 64 << 20, instances: 64, instances_per_plugin: 8 }
    }
}

/// Loads plugins and lends them the engine they run in. Cheap to clone.
#[derive(Clone)]
pub struct PluginHost {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    linker: Linker<Guest>,
    limits: PluginLimits,
    slots: Arc<Semaphore>,
    compiling: Semaphore,
    ticker: Ticker,
    threads: Threads,
}

impl PluginHost {
    /// A host for plugins; its threads end with it and the last of its plugins.
    ///
    /// # Errors
    /// `plugin_host` if the machine has no room for the engine or its threads.
    pub fn new(limits: PluginLimits) -> Result<Self, Fault> {
        let no_host = |error: String| Fault::fail("plugin_host", error);
        let engine = engine::make(&limits)?;
        let mut linker = Linker::new(&engine);
        Plugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest: &mut Guest| guest)
            .map_err(|error| no_host(format!("{error:#}")))?;
        Ok(Self {
            shared: Arc::new(Shared {
                ticker: Ticker::start(&engine).map_err(|error| no_host(error.to_string()))?,
                threads: Threads::start().map_err(|error| no_host(error.to_string()))?,
                slots: Arc::new(Semaphore::new(limits.instances.max(1))),
                compiling: Semaphore::new(1),
                engine,
                linker,
                limits,
            }),
        })
    }

    /// Compiles and links a component (see [`prepare`]) and asks it who it is.
    ///
    /// # Errors
    /// `plugin_invalid` if it is not a component of our world or does not
    /// describe itself properly, and the faults of a run.
    pub async fn load(&self, component: &[u8]) -> Result<LoadedPlugin, Fault> {
        let linked = {
            // One at a time: the compiler uses all cores by itself.
            let _turn = self.shared.compiling.acquire().await.map_err(|_| stopping())?;
            let (shared, component) = (Arc::clone(&self.shared), component.to_vec());
            let compiled = self.shared.threads.handle().ok_or_else(stopping)?.spawn_blocking(move || {
                let component = Component::new(&shared.engine, component)?;
                let mut linker = shared.linker.clone();
                linker.define_unknown_imports_as_traps(&component)?;
                PluginPre::new(linker.instantiate_pre(&component)?)
            });
            compiled
                .await
                .map_err(|_| invalid("the compiler failed on it"))?
                .map_err(|error| invalid(&format!("{error:#}")))?
        };
        let mut plugin = LoadedPlugin {
            linked,
            slots: Arc::new(Semaphore::new(self.shared.limits.instances_per_plugin.max(1))),
            host: self.clone(),
            about: Arc::new(Description { name: "?".into(), version: String::new(), events: Vec::new() }),
        };
        let (about, _) = plugin
            .call(0, State::new(BTreeMap::new()), |plugin, mut store| async move {
                (plugin.call_describe(&mut store).await, store)
            })
            .await?;
        check(&about)?;
        plugin.about = Arc::new(about);
        Ok(plugin)
    }
}

impl fmt::Debug for PluginHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginHost").field("limits", &self.shared.limits).finish_non_exhaustive()
    }
}

/// A plugin, ready to run. Cheap to clone; clones share its instances.
#[derive(Clone)]
pub struct LoadedPlugin {
    linked: PluginPre<Guest>,
    slots: Arc<Semaphore>,
    host: PluginHost,
    about: Arc<Description>,
}

impl LoadedPlugin {
    /// Its name: `[a-z0-9][a-z0-9_-]{0,63}`.
    pub fn name(&self) -> &str {
        &self.about.name
    }

    /// Its version, as it says.
    pub fn version(&self) -> &str {
        &self.about.version
    }

    /// Names of the events that it wants; some may be unknown to this engine.
    pub fn events(&self) -> &[String] {
        &self.about.events
    }

    /// Runs `work` with a fresh instance within the limits; returns its result
    /// and the state as the guest left it.
    async fn call<T, W, F>(&self, now_ms: u64, state: State, work: W) -> Result<(T, State), Fault>
    where
        T: Send + 'static,
        W: FnOnce(Plugin, Store<Guest>) -> F + Send + 'static,
        F: Future<Output = (wasmtime::Result<T>, Store<Guest>)> + Send,
    {
        // The plugin's own turn comes first, so that a slow plugin's backlog
        // waits for its own instances and not in the line for all.
        let turn = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| stopping())?;
        let shared = Arc::clone(&self.host.shared);
        let slot = Arc::clone(&shared.slots).acquire_owned().await.map_err(|_| stopping())?;
        let limits = shared.limits.clone();
        let mut store = guest::store(&shared.engine, &limits, self.name(), now_ms, state);
        let running = shared.ticker.run();
        let linked = self.linked.clone();
        let run = async move {
            let instance = linked.instantiate_async(&mut store).await;
            let (result, store) = match instance {
                Ok(plugin) => work(plugin, store).await,
                Err(error) => (Err(error), store),
            };
            result
                .map_err(|error| guest::fault_of(&error, store.data(), &limits))
                .map(|value| (value, store.into_data().into_state()))
        };
        let most = shared.limits.deadline * 4;
        let guest = shared.threads.handle().ok_or_else(stopping)?.spawn(async move {
            let result = tokio::time::timeout(most, run).await;
            drop((running, slot, turn));
            result
        });
        match guest.await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(guest::deadline(&shared.limits)),
            Err(_) => Err(Fault::fail("guest_trap", "the plugin's run was ended by the host")),
        }
    }
}

impl fmt::Debug for LoadedPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedPlugin")
            .field("name", &self.about.name)
            .field("version", &self.about.version)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Reactor for LoadedPlugin {
    /// Waits for its turn, then runs. Faults: `guest_deadline`, `guest_memory`,
    /// `guest_trap`, `guest_error`, `plan_too_large`, `plan_too_deep`,
    /// `plan_invalid`, and those of actions.
    async fn react(&self, input: Input) -> Result<Plan, Fault> {
        let context = input.action_context();
        let event = event_input(&input);
        let now_ms = u64::try_from(input.now_ms).unwrap_or(0);
        let (answer, state) = self
            .call(now_ms, State::new(input.state), move |plugin, mut store| async move {
                (plugin.call_on_event(&mut store, &event).await, store)
            })
            .await?;
        let plan = answer.map_err(|message| Fault::fail("guest_error", message))?;
        let nodes = parse_actions(&arena::actions(plan)?, &context)?;
        let plan = Plan { nodes, pause_ms: 0, state: state.into_writes() };
        plan.check()?;
        Ok(plan)
    }
}

fn event_input(input: &Input) -> EventInput {
    let session = &input.session;
    EventInput {
        name: input.event.kind.as_str().to_owned(),
        id: Some(input.event.id.to_string()),
        ts: u64::try_from(input.event.ts_ms).unwrap_or(0),
        session: Session {
            id: session.id.clone(),
            label: session.label.clone(),
            registry: session.registry.clone(),
            username: session.username.clone(),
        },
        chat: input.event.chat.as_ref().map(ToString::to_string),
        body_json: input.body().to_string(),
        config_json: input.config.to_string(),
    }
}

fn check(about: &Description) -> Result<(), Fault> {
    let name = about.name.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let named = name.len() <= 64
        && name.first().is_some_and(plain)
        && name.iter().all(|byte| plain(byte) || matches!(byte, b'_' | b'-'));
    if !named {
        return Err(invalid("its name must match [a-z0-9][a-z0-9_-]{0,63}"));
    }
    if about.version.is_empty() || about.version.chars().count() > 64 {
        return Err(invalid("its version must have 1 to 64 characters"));
    }
    if about.events.len() > 64 || about.events.iter().any(|event| event.is_empty() || event.len() > 64) {
        return Err(invalid("it may want up to 64 events, with names of 1 to 64 bytes"));
    }
    Ok(())
}

fn invalid(why: &str) -> Fault {
    Fault::fail("plugin_invalid", format!("this is not a plugin that can be used: {why}"))
}

fn stopping() -> Fault {
    Fault::retry("shutting_down", "the engine is stopping")
}
