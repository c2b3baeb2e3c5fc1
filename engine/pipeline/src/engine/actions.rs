//! Sends and ad-hoc plans from REST.

use super::Engine;
use crate::directory::SessionEntry;
use crate::error::EngineError;
use crate::run::new_run;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;
use warest_model::action::{ActionContext, parse_actions};
use warest_model::event::{Event, EventKind};
use warest_model::fault::Fault;
use warest_model::id::{EventId, JobId, RunId};
use warest_model::jid::Jid;
use warest_model::job::{JobState, SendJob};
use warest_model::limits::SCRIPT_BYTES;
use warest_model::plan::{Effect, Path, Plan, message_id};
use warest_model::run::RunCause;
use warest_react::{Input, Reactor};
use warest_store::JobEnd;

/// Seconds after which a client may try again when a queue is full.
const FULL_RETRY_AFTER: u64 = 5;

impl Engine {
    /// Reads a recipient as the engine's configuration says.
    pub fn recipient(&self, text: &str) -> Result<Jid, EngineError> {
        Jid::parse(text, &self.config.country_code).map_err(|error| EngineError::Invalid(error.to_string()))
    }

    /// Queues one effect. The job is durable when this returns; its end comes
    /// through the receiver.
    pub async fn send(
        &self,
        entry: &SessionEntry,
        effect: Effect,
    ) -> Result<(SendJob, oneshot::Receiver<JobEnd>), EngineError> {
        self.check_room(entry).await?;
        if let Effect::Text { text, .. } = &effect {
            warest_model::action::check_text(text, &Path::root(0)).map_err(EngineError::Action)?;
        }
        let now = self.clock.now_ms();
        let id = JobId::new(now);
        let job = SendJob {
            message_id: message_id(id.as_str(), ""),
            seq: 0,
            session: entry.session.id.clone(),
            chat: effect.chat().cloned(),
            effect,
            step: None,
            state: JobState::Queued,
            attempts: 0,
            due_ms: now,
            fault: None,
            created_ms: now,
            ended_ms: None,
            id,
        };
        let end = self.sender.watch(&job.id);
        self.store.queue_job(job.clone()).await?;
        self.sender.start(&job.session);
        Ok((job, end))
    }

    /// Starts a run of an action list.
    pub async fn run_actions(&self, entry: &SessionEntry, actions: &Value) -> Result<RunId, EngineError> {
        let context = ActionContext { country_code: self.config.country_code.clone(), chat: None };
        let nodes = parse_actions(actions, &context).map_err(EngineError::Action)?;
        if nodes.is_empty() {
            return Err(EngineError::Invalid("`actions` is empty; give at least one action".to_owned()));
        }
        self.run_plan(entry, None, Plan { nodes, ..Plan::default() }).await
    }

    /// Runs a script once, outside any event, and starts a run of its plan.
    /// `chat` is where `reply` goes.
    pub async fn run_script(
        &self,
        entry: &SessionEntry,
        script: &str,
        chat: Option<Jid>,
    ) -> Result<RunId, EngineError> {
        let compiled = self.compile(script)?;
        let now = self.clock.now_ms();
        let event = Event {
            id: EventId::new(now),
            session: entry.session.id.clone(),
            kind: EventKind::Adhoc,
            chat: chat.clone(),
            ts_ms: now,
            data: json!({ "chatId": chat }),
        };
        let input = Input {
            event: Arc::new(event),
            session: Arc::new(entry.info()),
            config: Arc::new(json!({})),
            state: BTreeMap::new(),
            now_ms: now,
            country_code: self.config.country_code.as_str().into(),
        };
        let mut plan = compiled.react(input).await.map_err(EngineError::Action)?;
        // There is no event, so there is no state to keep between events.
        plan.state.clear();
        self.run_plan(entry, chat.as_ref(), plan).await
    }

    /// Compiles a script, or says where it is wrong.
    pub(super) fn compile(&self, script: &str) -> Result<Arc<dyn Reactor>, EngineError> {
        if script.len() > SCRIPT_BYTES {
            return Err(EngineError::Invalid(format!("`script` may have {SCRIPT_BYTES} bytes")));
        }
        match self.directory.flow_engine().compile(script) {
            Ok(compiled) => Ok(compiled),
            Err(error) => {
                let (line, column) = (error.line, error.column);
                Err(EngineError::Script { line, column, message: error.message })
            }
        }
    }

    async fn run_plan(&self, entry: &SessionEntry, chat: Option<&Jid>, plan: Plan) -> Result<RunId, EngineError> {
        plan.check().map_err(EngineError::Action)?;
        self.check_room(entry).await?;
        let cause = RunCause { by: "api".to_owned(), event: None };
        let run = new_run(&entry.session.id, chat, cause, plan, self.clock.now_ms());
        let id = run.run.id.clone();
        self.store.start_run(run.clone()).await?;
        self.runner.started(&run);
        Ok(id)
    }

    async fn check_room(&self, entry: &SessionEntry) -> Result<(), EngineError> {
        if self.store.queue_len(&entry.session.id).await? >= self.config.send.max_queued {
            return Err(EngineError::Full { retry_after: FULL_RETRY_AFTER });
        }
        Ok(())
    }
}

/// What a failed action is told to a client as.
impl From<Fault> for EngineError {
    fn from(fault: Fault) -> Self {
        Self::Action(fault)
    }
}
