//! One call of a guest: what it can reach, what it may use, and how it ended.

use super::PluginLimits;
use super::bindings::PluginImports;
use super::bindings::warest::plugin::{kv, types};
use super::engine::TICK;
use crate::state::State;
use std::time::Duration;
use warest_model::fault::Fault;
use wasmtime::{Engine, Error, ResourceLimiter, Result, Store, Trap, UpdateDeadline};

/// Most bytes that cross from the guest in one call: enough to lift a plan that
/// is too large and say so, little enough that strings named many times over in
/// one list cannot fill the host's memory.
const LIFT_BYTES: usize = 16 << 20;
/// Most log lines of one call, and characters of one.
const LOG_LINES: u32 = 50;
const LOG_CHARS: usize = 1_000;
/// Elements of all tables of a guest.
const TABLE_ITEMS: usize = 20_000;

/// The host's side of one instance.
pub(super) struct Guest {
    name: String,
    now_ms: u64,
    state: State,
    log_lines: u32,
    ticks: u32,
    memory_left: usize,
    memory_refused: bool,
    tables_left: usize,
}

impl Guest {
    /// The state's writes.
    pub(super) fn into_state(self) -> State {
        self.state
    }
}

/// A store for one call.
pub(super) fn store(engine: &Engine, limits: &PluginLimits, name: &str, now_ms: u64, state: State) -> Store<Guest> {
    let guest = Guest {
        name: name.to_owned(),
        now_ms,
        state,
        log_lines: 0,
        ticks: 0,
        memory_left: limits.memory_bytes,
        memory_refused: false,
        tables_left: TABLE_ITEMS,
    };
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| guest);
    store.set_hostcall_fuel(LIFT_BYTES);
    store.set_epoch_deadline(1);
    // Ticks that pass while the guest waits for its turn are one tick to it: what
    // is counted is roughly the time that it computes.
    let most = ticks(limits.deadline);
    store.epoch_deadline_callback(move |mut store| {
        let guest = store.data_mut();
        guest.ticks += 1;
        if guest.ticks > most { Err(Error::new(Deadline)) } else { Ok(UpdateDeadline::Yield(1)) }
    });
    store
}

fn ticks(deadline: Duration) -> u32 {
    u32::try_from(deadline.as_millis() / TICK.as_millis()).unwrap_or(u32::MAX).max(1)
}

/// A guest has computed for longer than it may.
#[derive(Debug, thiserror::Error)]
#[error("deadline")]
struct Deadline;

/// The fault of a call that ended with `error`.
pub(super) fn fault_of(error: &Error, guest: &Guest, limits: &PluginLimits) -> Fault {
    if error.downcast_ref::<Deadline>().is_some() {
        return deadline(limits);
    }
    if guest.memory_refused {
        let most = limits.memory_bytes >> 20;
        return Fault::fail("guest_memory", format!("the plugin asked for more than {most} MiB of memory"));
    }
    let trap = error.downcast_ref::<Trap>();
    // Wasmtime keeps the type of this error to itself. Should its words change,
    // the fault is a `guest_trap` that says the same.
    if trap.is_none() && format!("{error:#}").contains("fuel allocated for hostcalls") {
        return Fault::fail("plan_too_large", "the plugin handed over more than a plan may have");
    }
    let why = trap.map_or_else(|| format!("{:#}", error.root_cause()), ToString::to_string);
    Fault::fail("guest_trap", format!("the plugin crashed: {why}"))
}

/// The fault of a call that took too long.
pub(super) fn deadline(limits: &PluginLimits) -> Fault {
    let ms = limits.deadline.as_millis();
    Fault::fail("guest_deadline", format!("the plugin computed for longer than {ms} ms"))
}

impl PluginImports for Guest {
    fn log(&mut self, level: types::Level, message: String) -> Result<()> {
        self.log_lines += 1;
        if self.log_lines <= LOG_LINES {
            let line: String = message.chars().take(LOG_CHARS).collect();
            tracing::debug!(target: "warest::plugin", plugin = self.name, ?level, "{line}");
        }
        Ok(())
    }

    fn now(&mut self) -> Result<u64> {
        Ok(self.now_ms)
    }
}

impl types::Host for Guest {}

impl kv::Host for Guest {
    fn get(&mut self, key: String) -> Result<Option<String>> {
        Ok(self.state.get(&key).map(str::to_owned))
    }

    fn set(&mut self, key: String, value: String) -> Result<std::result::Result<(), String>> {
        Ok(self.state.write(&key, Some(value)).map_err(|fault| fault.message))
    }

    fn delete(&mut self, key: String) -> Result<()> {
        // A key that cannot be set is not there.
        let _ = self.state.write(&key, None);
        Ok(())
    }
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let fits = take(&mut self.memory_left, desired.saturating_sub(current));
        self.memory_refused |= !fits;
        Ok(fits)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(take(&mut self.tables_left, desired.saturating_sub(current)))
    }
}

fn take(left: &mut usize, wanted: usize) -> bool {
    match left.checked_sub(wanted) {
        Some(rest) => {
            *left = rest;
            true
        }
        None => false,
    }
}
