//! The wasmtime engine that all plugins share, its clock, and its threads.
//!
//! Instances come from a pool whose address space is reserved once, so that one
//! per event costs some ten microseconds; where it cannot be reserved, they are
//! made on demand. Guests run on async threads of their own: one that computes
//! gives way to other guests at every tick of the epoch, and never stands in the
//! way of the rest of the engine. The ticks stop while no guest runs.

use super::PluginLimits;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::Duration;
use warest_model::fault::Fault;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How often a guest that computes gives way to others.
pub(super) const TICK: Duration = Duration::from_millis(5);

/// Address space of one guest's stack, in bytes, and how much of it is wasm's.
const STACK_BYTES: usize = 1 << 20;
const WASM_STACK_BYTES: usize = 512 << 10;
/// Parts that one component may have.
const CORE_INSTANCES: u32 = 8;
const MEMORIES: u32 = 2;
const TABLES: u32 = 4;

/// Makes the engine.
pub(super) fn make(limits: &PluginLimits) -> Result<Engine, Fault> {
    let pooled = Engine::new(config(limits).allocation_strategy(pool(limits)));
    pooled
        .or_else(|error| {
            tracing::warn!(%error, "no pool for plugin instances; making them on demand");
            Engine::new(&config(limits))
        })
        .map_err(|error| Fault::fail("plugin_host", format!("no engine for plugins: {error:#}")))
}

fn config(limits: &PluginLimits) -> Config {
    let memory = limits.memory_bytes as u64;
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(STACK_BYTES)
        // Small slots with checked bounds, rather than 4 GiB of address space each.
        .memory_reservation(memory)
        .memory_reservation_for_growth(0)
        .memory_guard_size(64 << 10)
        .wasm_memory64(false)
        .wasm_multi_memory(false);
    config
}

fn pool(limits: &PluginLimits) -> InstanceAllocationStrategy {
    let slots = limits.instances as u32;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots * CORE_INSTANCES)
        .total_memories(slots * MEMORIES)
        .total_tables(slots * TABLES)
        .total_stacks(slots)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_memory_size(limits.memory_bytes);
    InstanceAllocationStrategy::Pooling(pool)
}

/// Moves the engine's epoch on while guests run.
#[derive(Debug)]
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    stopped: AtomicBool,
}

impl Ticker {
    pub(super) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (engine, seen) = (engine.clone(), Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("warest-guest-tick".into()).spawn(move || {
            while !seen.stopped.load(Ordering::Acquire) {
                if seen.running.load(Ordering::Acquire) == 0 {
                    std::thread::park();
                } else {
                    std::thread::sleep(TICK);
                    engine.increment_epoch();
                }
            }
        })?;
        Ok(Self { shared, thread: thread.thread().clone() })
    }

    /// Ticks for as long as the returned guard lives.
    pub(super) fn run(&self) -> Running {
        if self.shared.running.fetch_add(1, Ordering::AcqRel) == 0 {
            self.thread.unpark();
        }
        Running(Arc::clone(&self.shared))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// One running guest.
#[derive(Debug)]
pub(super) struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The async threads that guests run on.
#[derive(Debug)]
pub(super) struct Threads(Option<tokio::runtime::Runtime>);

impl Threads {
    pub(super) fn start() -> std::io::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 16);
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("warest-guest")
            .enable_time()
            .build()
            .map(|runtime| Self(Some(runtime)))
    }

    /// Where to spawn. `None` only while it is being dropped.
    pub(super) fn handle(&self) -> Option<&tokio::runtime::Handle> {
        self.0.as_ref().map(tokio::runtime::Runtime::handle)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // An async context may drop the host; it must not wait for guests there.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
