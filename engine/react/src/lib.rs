//! Reactors: functions from an [`Event`] and a read-only snapshot to a [`Plan`].
//!
//! Three kinds: flows ([`flow`], Rhai scripts), plugins ([`wasm`], sandboxed
//! components) and the answers of webhook receivers ([`reply`]). A reactor
//! performs nothing and reads nothing but its [`Input`], so that the same input
//! gives the same plan in a test-run, after a crash, and in a trace. All of them
//! are hostile until proven otherwise: bounded in time, memory, size and depth,
//! and each failure is a typed [`Fault`] of its own run.

pub mod flow;
pub mod reply;
mod state;
pub mod wasm;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use warest_model::action::ActionContext;
use warest_model::clock::Millis;
use warest_model::event::Event;
use warest_model::fault::Fault;
use warest_model::plan::Plan;

/// What a receiver is told about the session of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionInfo {
    /// Its name.
    pub id: String,
    /// Its label.
    pub label: String,
    /// The owner's id.
    pub registry: String,
    /// The owner's name.
    pub username: String,
}

/// Everything a reactor may know.
#[derive(Debug, Clone)]
pub struct Input {
    /// What happened.
    pub event: Arc<Event>,
    /// Whom it happened to.
    pub session: Arc<SessionInfo>,
    /// The reactor's configuration for this session: an object.
    pub config: Arc<Value>,
    /// The reactor's state for the chat of the event.
    pub state: BTreeMap<String, String>,
    /// The moment of the decision.
    pub now_ms: Millis,
    /// Digits that stand in for a leading `0` of phone numbers.
    pub country_code: Arc<str>,
}

impl Input {
    /// The event as the wire shows it: `{event, data, ts, session}`.
    pub fn body(&self) -> Value {
        event_body(&self.event, &self.session)
    }

    /// How action lists are read for this event.
    pub fn action_context(&self) -> ActionContext {
        ActionContext { country_code: self.country_code.to_string(), chat: self.event.answered_in() }
    }
}

/// The wire form of an event, as webhooks, flows and plugins see it.
pub fn event_body(event: &Event, session: &SessionInfo) -> Value {
    json!({
        "event": event.kind.as_str(),
        "data": event.data,
        "ts": event.ts_ms,
        "session": session,
    })
}

/// An in-process reactor, ready to run.
#[async_trait]
pub trait Reactor: Send + Sync + 'static {
    /// Decides. Ends within the reactor's own time limit, whatever the guest does.
    async fn react(&self, input: Input) -> Result<Plan, Fault>;
}
