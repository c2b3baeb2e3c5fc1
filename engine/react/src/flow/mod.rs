//! Flows: Rhai scripts that turn an event into a plan.
//!
//! ```rhai
//! if text == "ping" { reply("pong") }
//! ```
//!
//! A script sees `event` (the body that a webhook receiver would get:
//! `{event, data, ts, session}`) and its parts `data`, `session`, `config`,
//! `chat`, `sender`, `text`, `key`, at its top level and in its functions. It says what should be done with functions
//! named as the actions; saying performs nothing. How the plan grows from what
//! is said is the one rule of the collector (`collect.rs`); what is in the
//! language and what is not, `language.rs`.
//!
//! **Bounds.** A script is hostile until it has ended. Its operations, calls,
//! expressions, strings, lists, maps and variables are limited by Rhai, its time
//! by a deadline that is checked between operations, and what it says by the
//! limits of a plan. It runs on threads of its own with stacks that these limits
//! cannot exhaust (`pool.rs`), and one flow may hold a few of them only, so that
//! scripts that loop take turns among themselves while others find a thread free.

mod collect;
mod fault;
mod functions;
mod language;
mod pool;
mod run;
mod value;
mod weight;

use crate::{Input, Reactor};
use async_trait::async_trait;
use language::Language;
use pool::Pool;
use rhai::AST;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use warest_model::fault::Fault;
use warest_model::limits::SCRIPT_BYTES;
use warest_model::plan::Plan;

/// What one run of a flow may use. With the defaults a hostile run can hold
/// some 250 MB at worst, for [`FlowLimits::deadline`] at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowLimits {
    /// Operations (statements, calls, loop rounds).
    pub operations: u64,
    /// Time on the clock, from the first operation.
    pub deadline: Duration,
    /// Functions of the script that call each other.
    pub calls: usize,
    /// Nesting of expressions and blocks.
    pub expressions: usize,
    /// Bytes of one string, or of all strings of one list or map.
    pub string_bytes: usize,
    /// Items of one list, with those nested in it.
    pub array_items: usize,
    /// Fields of one map, with those nested in it.
    pub map_fields: usize,
    /// Variables of one scope.
    pub variables: usize,
    /// Functions that one script may define.
    pub functions: usize,
    /// Runs of one flow at a time.
    pub runs_per_flow: usize,
    /// Runs of all flows at a time: threads.
    pub threads: usize,
}

impl Default for FlowLimits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            operations: 500_000,
            deadline: Duration::from_millis(250),
            calls: 16,
            expressions: 64,
            string_bytes: 128 << 10,
            array_items: 2_048,
            map_fields: 4_096,
            variables: 48,
            functions: 128,
            runs_per_flow: 2,
            threads: (4 * cores).clamp(8, 64),
        }
    }
}

/// Why a script does not compile, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct CompileError {
    /// From 1; 0 if it concerns the script as a whole.
    pub line: usize,
    /// From 1, in characters; 0 if it concerns the script as a whole.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// Compiles flows and gives them the threads they run on.
pub struct FlowEngine {
    shared: Arc<Shared>,
}

struct Shared {
    language: Arc<Language>,
    pool: Pool,
    threads: Arc<Semaphore>,
}

impl FlowEngine {
    /// An engine for flows; its threads end with it and the last of its flows.
    ///
    /// # Errors
    /// If the threads cannot be started.
    pub fn new(limits: FlowLimits) -> std::io::Result<Self> {
        let threads = limits.threads.max(1);
        Ok(Self {
            shared: Arc::new(Shared {
                pool: Pool::new(threads)?,
                threads: Arc::new(Semaphore::new(threads)),
                language: Language::new(limits),
            }),
        })
    }

    /// Compiles a script. Takes time in proportion to its length, some
    /// milliseconds for the longest.
    ///
    /// # Errors
    /// [`CompileError`], with the place of the first mistake.
    pub fn compile(&self, script: &str) -> Result<Arc<CompiledFlow>, CompileError> {
        if script.len() > SCRIPT_BYTES {
            return Err(whole(format!("a script may have at most {SCRIPT_BYTES} bytes")));
        }
        let language = &self.shared.language;
        // On a thread of its own, since the parser is recursive.
        let parsed = std::thread::scope(|scope| {
            std::thread::Builder::new()
                .stack_size(pool::STACK_BYTES)
                .spawn_scoped(scope, || language.engine().compile(script))
                .map(|thread| thread.join())
        });
        let script = match parsed {
            Ok(Ok(Ok(script))) => script,
            Ok(Ok(Err(error))) => {
                let place = error.position();
                return Err(CompileError {
                    line: place.line().unwrap_or(0),
                    column: place.position().unwrap_or(0),
                    message: error.err_type().to_string(),
                });
            }
            Ok(Err(_)) => return Err(whole("the compiler failed on this script; simplify it")),
            Err(error) => return Err(whole(format!("no thread for the compiler: {error}; try again"))),
        };
        Ok(Arc::new(CompiledFlow {
            script: Arc::new(script),
            runs: Arc::new(Semaphore::new(language.limits().runs_per_flow.max(1))),
            shared: Arc::clone(&self.shared),
        }))
    }
}

impl fmt::Debug for FlowEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowEngine").field("limits", self.shared.language.limits()).finish_non_exhaustive()
    }
}

fn whole(message: impl Into<String>) -> CompileError {
    CompileError { line: 0, column: 0, message: message.into() }
}

/// A flow, ready to run.
pub struct CompiledFlow {
    script: Arc<AST>,
    runs: Arc<Semaphore>,
    shared: Arc<Shared>,
}

impl fmt::Debug for CompiledFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompiledFlow").finish_non_exhaustive()
    }
}

#[async_trait]
impl Reactor for CompiledFlow {
    /// Waits for its turn, then runs. Faults: `script_error` (with line and
    /// column), `script_deadline`, `script_too_many_operations`,
    /// `script_too_deep`, `script_too_large`, and those of actions, plans and
    /// state. A call that is dropped runs on to its end or deadline.
    async fn react(&self, input: Input) -> Result<Plan, Fault> {
        let closed = |_| Fault::retry("shutting_down", "the engine is stopping");
        // The flow's own turn comes first, so that one flow's backlog waits for
        // its own runs and not in the line for threads.
        let turn = Arc::clone(&self.runs).acquire_owned().await.map_err(closed)?;
        let thread = Arc::clone(&self.shared.threads).acquire_owned().await.map_err(closed)?;
        let (answer, answered) = oneshot::channel();
        let script = Arc::clone(&self.script);
        let language = Arc::clone(&self.shared.language);
        let span = tracing::Span::current();
        self.shared.pool.run(move || {
            let plan = span.in_scope(|| run::run(&language, &script, input));
            drop((turn, thread));
            let _ = answer.send(plan);
        });
        answered
            .await
            .unwrap_or_else(|_| Err(Fault::fail("script_error", "the interpreter failed on this script; simplify it")))
    }
}
