//! One run of a flow: what the script sees, and the plan at its end.

use super::collect::Collector;
use super::fault::{Stop, deadline, fault_of, stop, wrong};
use super::language::Language;
use super::value::{to_dynamic, to_json};
use super::{FlowLimits, weight};
use crate::Input;
use crate::state::State;
use rhai::{AST, Dynamic, Engine, INT, NativeCallContext, Scope};
use serde_json::Value;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use warest_model::action::parse_actions;
use warest_model::fault::Fault;
use warest_model::plan::Plan;

/// The clock is read once in so many operations.
const CLOCK_EVERY: u64 = 32;
/// Most lines that one run may print, and characters of one.
const PRINT_LINES: u32 = 50;
const PRINT_CHARS: usize = 500;

/// What the functions of one run share.
pub(super) struct Run {
    pub(super) plan: Collector,
    pub(super) now_ms: INT,
    key: Dynamic,
    state: State,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Option<Run>>>);

impl Run {
    /// Hands `work` the run that a function was called in.
    pub(super) fn with<T>(
        call: &NativeCallContext<'_>,
        work: impl FnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let shared = call.tag().and_then(|tag| tag.read_lock::<Shared>());
        let shared = shared.ok_or_else(|| wrong("the flow's own functions need a run"))?;
        let mut run = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(run.as_mut().ok_or_else(|| wrong("the run has ended"))?)
    }

    /// The key of the event's message, for `react(…)` and `read()`.
    pub(super) fn key(&self) -> Result<Dynamic, Stop> {
        if self.key.is_map() {
            Ok(self.key.clone())
        } else {
            Err(wrong("this event has no message; give the key of one"))
        }
    }

    /// A value of the state, `()` if there is none.
    pub(super) fn get(&self, key: &str) -> Dynamic {
        match self.state.get(key) {
            None => Dynamic::UNIT,
            Some(text) => serde_json::from_str::<Value>(text).map_or_else(|_| text.into(), |value| to_dynamic(&value)),
        }
    }

    /// Writes to the state. Strings are kept as they are unless they would be
    /// read back as something else; all other values are kept as JSON.
    pub(super) fn set(&mut self, key: &str, value: Option<&Dynamic>) -> Result<(), Stop> {
        let value = match value.map(to_json).transpose()? {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if serde_json::from_str::<Value>(&text).is_err() => Some(text),
            Some(value) => Some(value.to_string()),
        };
        self.state.write(key, value).map_err(stop)
    }
}

/// Runs `script` against `input`. Holds its thread until the script ends or
/// meets one of its limits.
pub(super) fn run(language: &Language, script: &AST, input: Input) -> Result<Plan, Fault> {
    let body = input.body();
    let context = input.action_context();
    let run = Run {
        plan: Collector::default(),
        now_ms: input.now_ms as INT,
        key: to_dynamic(&body["data"]["key"]),
        state: State::new(input.state),
    };
    let shared = Shared(Arc::new(Mutex::new(Some(run))));

    let mut engine = language.engine();
    engine.set_default_tag(Dynamic::from(shared.clone()));
    let started = Instant::now();
    let limit = language.limits().deadline;
    engine.on_progress(move |operations| {
        (operations % CLOCK_EVERY == 0 && started.elapsed() > limit).then(|| Dynamic::from(deadline(limit.as_millis())))
    });
    let printed = Arc::new(AtomicU32::new(0));
    let lines = Arc::clone(&printed);
    engine.on_print(move |line| print(&lines, line));
    engine.on_debug(move |line, _, _| print(&printed, line));

    let seen = Arc::new(constants(&body, &input.config));
    let mut scope = Scope::new();
    for (name, value) in seen.iter() {
        scope.push_constant_dynamic(*name, value.clone());
    }
    watch(&mut engine, language.limits().clone(), seen);
    let last = engine.eval_ast_with_scope::<Dynamic>(&mut scope, script).map_err(|error| fault_of(&error))?;

    let run = shared.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Run { plan, state, .. }) = run else {
        return Err(Fault::fail("script_error", "the run has ended"));
    };
    let said = plan.finish(last).map_err(|error| fault_of(&error))?;
    let actions = to_json(&Dynamic::from(said)).map_err(|error| fault_of(&error))?;
    let plan = Plan { nodes: parse_actions(&actions, &context)?, pause_ms: 0, state: state.into_writes() };
    plan.check()?;
    Ok(plan)
}

type Constants = [(&'static str, Dynamic); 8];

/// What a script sees.
fn constants(body: &Value, config: &Value) -> Constants {
    let data = &body["data"];
    [
        ("event", body),
        ("data", data),
        ("session", &body["session"]),
        ("config", config),
        ("chat", &data["chatId"]),
        ("sender", &data["sender"]),
        ("text", &data["text"]),
        ("key", &data["key"]),
    ]
    .map(|(name, value)| (name, to_dynamic(value)))
}

/// At each use of a variable: weighs it, and shows the constants to functions,
/// which have scopes of their own.
fn watch(engine: &mut Engine, limits: FlowLimits, constants: Arc<Constants>) {
    // Rhai marks this method so because it may change, which a new version
    // would show at compile time.
    #[allow(deprecated)]
    engine.on_var(move |name, _, context| match context.scope().get(name) {
        Some(value) if !value.is_read_only() => weight::check(value, &limits).map(|()| None),
        Some(_) => Ok(None),
        None => Ok(constants.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())),
    });
}

fn print(lines: &AtomicU32, line: &str) {
    if lines.fetch_add(1, Ordering::Relaxed) < PRINT_LINES {
        let line: String = line.chars().take(PRINT_CHARS).collect();
        tracing::debug!(target: "warest::flow", "{line}");
    }
}
