//! Dispatch: events meet the flows and plugins they are owed to.
//!
//! One scheduler per reactor, so that a slow plugin delays its own decisions
//! only; within it one lane per session and chat. The guest runs outside any
//! transaction; its plan, its state writes and "seen" are saved in one.

use crate::crash::crash_point;
use crate::directory::Directory;
use crate::engine::stagger;
use crate::files::Urls;
use crate::lanes::{self, Lanes, Row, Work, Worked};
use crate::run::{Runner, failed_run, new_run};
use crate::wakeups::Wakeups;
use async_trait::async_trait;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use warest_model::clock::{Millis, SharedClock};
use warest_model::fault::{Fault, FaultKind};
use warest_model::plan::Plan;
use warest_model::reactor::ReactorRef;
use warest_model::run::RunCause;
use warest_react::Input;
use warest_store::{Decision, Dispatch, Store, StoreError};

/// Lanes of one reactor that decide at once.
const CONCURRENCY: usize = 16;
/// Wait before a decision that could not be saved is made anew.
const RETRY_MS: Millis = 500;

/// The second stage.
pub struct Dispatcher {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) urls: Urls,
    pub(crate) clock: SharedClock,
    pub(crate) directory: Arc<Directory>,
    pub(crate) runner: Runner,
    pub(crate) wakeups: Arc<Wakeups>,
    pub(crate) country_code: Arc<str>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl Dispatcher {
    /// Says that something is owed to a reactor.
    pub fn wake(self: &Arc<Self>, reactor: &ReactorRef) {
        self.wakeups.ensure_reactor(reactor, || self.start(reactor.clone()));
    }

    /// Starts the schedulers of every reactor that something is owed to.
    pub async fn resume(self: &Arc<Self>) -> Result<(), StoreError> {
        for (index, reactor) in self.store.owed_reactors().await?.iter().enumerate() {
            stagger(index).await;
            self.wake(reactor);
        }
        Ok(())
    }

    fn start(self: &Arc<Self>, reactor: ReactorRef) -> Lanes {
        let partition = Partition { dispatcher: self.clone(), reactor };
        lanes::spawn(Arc::new(partition), CONCURRENCY, self.clock.clone(), &self.tasks, self.stop.child_token())
    }

    async fn decide(&self, owed: &Dispatch) -> Result<(), StoreError> {
        let decision = match self.react(owed).await? {
            None => Decision::default(),
            // It may pass, and nothing was decided: the dispatch stays owed.
            Some(Err(fault)) if fault.kind == FaultKind::Retry => return Err(StoreError::Database(fault.to_string())),
            Some(reacted) => self.decision(owed, reacted),
        };
        crash_point!("dispatch.before_commit");
        let run = decision.run.clone();
        match self.store.decide(owed, decision).await {
            // Decided already: what was saved then stands.
            Err(StoreError::NotFound { .. }) => return Ok(()),
            other => other?,
        }
        crash_point!("dispatch.committed");
        if let Some(run) = run {
            self.runner.started(&run);
        }
        Ok(())
    }

    async fn react(&self, owed: &Dispatch) -> Result<Option<Result<Plan, Fault>>, StoreError> {
        let event = &owed.event;
        let Some(entry) = self.directory.session(&event.session) else { return Ok(None) };
        let (reactor, config) = match self.directory.reactor(&owed.reactor, &event.session).await {
            None => return Ok(None),
            Some(Err(fault)) => return Ok(Some(Err(fault))),
            Some(Ok(ready)) => ready,
        };
        let chat = event.chat.as_ref().map_or("", |chat| chat.as_str());
        let mut shown = event.clone();
        self.urls.add(&mut shown.data, self.clock.now_ms());
        let input = Input {
            event: Arc::new(shown),
            session: Arc::new(entry.info()),
            config,
            state: self.store.reactor_state(&owed.reactor, &event.session, chat).await?,
            now_ms: self.clock.now_ms(),
            country_code: self.country_code.clone(),
        };
        Ok(Some(reactor.react(input).await))
    }

    fn decision(&self, owed: &Dispatch, reacted: Result<Plan, Fault>) -> Decision {
        let event = &owed.event;
        let cause = RunCause { by: owed.reactor.to_string(), event: Some(event.id.clone()) };
        let now = self.clock.now_ms();
        match reacted {
            Ok(mut plan) => {
                let state = std::mem::take(&mut plan.state);
                let run = (!plan.is_empty()).then(|| new_run(&event.session, event.chat.as_ref(), cause, plan, now));
                Decision { run, state }
            }
            Err(fault) => {
                tracing::info!(reactor = %owed.reactor, event = %event.id, code = %fault.code, "a reactor failed");
                let run = failed_run(&event.session, event.chat.as_ref(), cause, fault, now);
                Decision { run: Some(run), state: Vec::new() }
            }
        }
    }
}

struct Partition {
    dispatcher: Arc<Dispatcher>,
    reactor: ReactorRef,
}

/// A dispatch in its lane.
pub struct Owed {
    dispatch: Dispatch,
    due_ms: Millis,
}

impl Row for Owed {
    fn seq(&self) -> i64 {
        self.dispatch.seq
    }

    fn lane(&self) -> String {
        let event = &self.dispatch.event;
        format!("{} {}", event.session, event.chat.as_ref().map_or("", |chat| chat.as_str()))
    }

    fn due_ms(&self) -> Millis {
        self.due_ms
    }
}

#[async_trait]
impl Work for Partition {
    type Row = Owed;

    async fn fetch(&self, lane: Option<&str>, after: i64, limit: u32) -> Result<Vec<Owed>, StoreError> {
        // A session's name has no space, so the first one ends it.
        let lane = lane.and_then(|lane| lane.split_once(' '));
        let lane = match lane.map(|(session, chat)| (session.parse(), chat)) {
            None => None,
            Some((Ok(session), chat)) => Some((session, chat)),
            Some((Err(_), _)) => return Ok(Vec::new()),
        };
        let lane = lane.as_ref().map(|(session, chat)| (session, *chat));
        let rows = self.dispatcher.store.dispatches(&self.reactor, lane, after, limit).await?;
        Ok(rows.into_iter().map(|dispatch| Owed { dispatch, due_ms: 0 }).collect())
    }

    async fn work(&self, row: Owed) -> Worked<Owed> {
        match self.dispatcher.decide(&row.dispatch).await {
            Ok(()) => Worked::Done,
            Err(error) => {
                tracing::warn!(reactor = %self.reactor, %error, "a decision was not saved; deciding again");
                let due_ms = self.dispatcher.clock.now_ms() + RETRY_MS;
                Worked::Again(Owed { due_ms, ..row })
            }
        }
    }
}
