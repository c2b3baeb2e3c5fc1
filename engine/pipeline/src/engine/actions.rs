//! Sends and ad-hoc plans from REST.

use super::Engine;
use crate::directory::SessionEntry;
use crate::error::EngineError;
use crate::run::run_named;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;
use warest_model::action::{ActionContext, parse_actions};
use warest_model::birth::Births;
use warest_model::clock::Millis;
use warest_model::event::{Event, EventKind};
use warest_model::fault::Fault;
use warest_model::id::{EventId, RunId};
use warest_model::jid::Jid;
use warest_model::job::{JobState, SendJob};
use warest_model::limits::SCRIPT_BYTES;
use warest_model::plan::{Effect, Plan};
use warest_model::run::RunCause;
use warest_react::{Input, Reactor};
use warest_store::{JobEnd, StoreError};

/// Seconds after which a client may try again when a queue is full.
const FULL_RETRY_AFTER: u64 = 5;

impl Engine {
    /// Reads a recipient as the engine's configuration says.
    pub fn recipient(&self, text: &str) -> Result<Jid, EngineError> {
        Jid::parse(text, &self.config.country_code).map_err(|error| EngineError::Invalid(error.to_string()))
    }

    /// Queues one effect, for `at_ms` if that lies ahead. The job is durable when
    /// this returns; its end comes through the receiver. A repeat of the request
    /// (the same `births`) finds the job that is there.
    pub async fn send(
        &self,
        entry: &SessionEntry,
        births: &Births,
        effect: Effect,
        at_ms: Option<Millis>,
    ) -> Result<(SendJob, oneshot::Receiver<JobEnd>), EngineError> {
        // Taken whatever follows, so that the others of the request keep theirs.
        let id = births.next();
        self.check_room(entry, 1).await?;
        check_effect(&effect)?;
        let now = self.clock.now_ms();
        let mut job = SendJob::new(id, entry.session.id.clone(), effect, now);
        schedule(&mut job, at_ms, now, JobState::Queued);
        let end = self.sender.watch(&job.id);
        match self.store.queue_job(job.clone()).await {
            Ok(_) => {}
            Err(StoreError::Exists { .. }) => {
                job = self.store.job(&job.id).await?.ok_or(EngineError::NotFound("the job"))?;
                self.sender.tell_ended(&job);
            }
            Err(error) => return Err(error.into()),
        }
        births.keep();
        self.sender.start(&job.session);
        if job.state == JobState::Scheduled {
            self.sender.stored();
        }
        Ok((job, end))
    }

    /// Starts a run of an action list.
    pub async fn run_actions(
        &self,
        entry: &SessionEntry,
        births: &Births,
        actions: &Value,
    ) -> Result<RunId, EngineError> {
        let context = ActionContext { country_code: self.config.country_code.clone(), chat: None };
        let nodes = parse_actions(actions, &context).map_err(EngineError::Action)?;
        if nodes.is_empty() {
            return Err(EngineError::Invalid("`actions` is empty; give at least one action".to_owned()));
        }
        self.run_plan(entry, births, None, Plan { nodes, ..Plan::default() }).await
    }

    /// Runs a script once, outside any event, and starts a run of its plan.
    /// `chat` is where `reply` goes.
    pub async fn run_script(
        &self,
        entry: &SessionEntry,
        births: &Births,
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
        self.run_plan(entry, births, chat.as_ref(), plan).await
    }

    /// Compiles a script, or says where it is wrong.
    pub(super) fn compile(&self, script: &str) -> Result<Arc<dyn Reactor>, EngineError> {
        if script.len() > SCRIPT_BYTES {
            return Err(EngineError::Invalid(format!("`script` may have at most {SCRIPT_BYTES} bytes")));
        }
        match self.directory.flow_engine().compile(script) {
            Ok(compiled) => Ok(compiled),
            Err(error) => {
                let (line, column) = (error.line, error.column);
                Err(EngineError::Script { line, column, message: error.message })
            }
        }
    }

    async fn run_plan(
        &self,
        entry: &SessionEntry,
        births: &Births,
        chat: Option<&Jid>,
        plan: Plan,
    ) -> Result<RunId, EngineError> {
        plan.check().map_err(EngineError::Action)?;
        self.check_room(entry, 1).await?;
        let cause = RunCause { by: "api".to_owned(), event: None };
        let run = run_named(births.next(), &entry.session.id, chat, cause, plan, self.clock.now_ms());
        let id = run.run.id.clone();
        match self.store.start_run(run.clone()).await {
            // A repeat of the request finds the run that is there.
            Ok(()) | Err(StoreError::Exists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        births.keep();
        self.runner.started(&run);
        Ok(id)
    }

    /// Refuses what a session's queue has no room for.
    pub(super) async fn check_room(&self, entry: &SessionEntry, jobs: u64) -> Result<(), EngineError> {
        if self.store.queue_len(&entry.session.id).await? + jobs > self.config.send.max_queued {
            return Err(EngineError::Full { retry_after: FULL_RETRY_AFTER });
        }
        Ok(())
    }
}

/// Refuses an effect that WhatsApp would not take.
pub(super) fn check_effect(effect: &Effect) -> Result<(), EngineError> {
    match effect {
        Effect::Message { content, .. } | Effect::Edit { content, .. } => content.check().map_err(EngineError::Action),
        _ => Ok(()),
    }
}

/// Gives a job its time, if that lies ahead; else its state is `now_state`.
pub(super) fn schedule(job: &mut SendJob, at_ms: Option<Millis>, now_ms: Millis, now_state: JobState) {
    match at_ms.filter(|at_ms| *at_ms > now_ms) {
        Some(at_ms) => {
            job.state = JobState::Scheduled;
            job.due_ms = at_ms;
        }
        None => job.state = now_state,
    }
}

/// What a failed action is told to a client as.
impl From<Fault> for EngineError {
    fn from(fault: Fault) -> Self {
        Self::Action(fault)
    }
}
