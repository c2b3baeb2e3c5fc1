//! Which events a client wants, as lists and streams ask it.

use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::{OneOrMany, parse, parse_optional};
use crate::state::ApiState;
use serde::Deserialize;
use warest_model::event::EventKind;
use warest_model::id::SessionId;
use warest_store::EventFilter;

/// Which events.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with `session`, `event` or `chat`")]
pub struct Which {
    #[serde(alias = "sessionId")]
    session: Option<String>,
    /// Names, also as one text with commas.
    #[serde(alias = "kind", default)]
    event: OneOrMany,
    chat: Option<String>,
}

impl Which {
    /// As a filter that shows the caller's own only.
    pub fn filter(&self, state: &ApiState, caller: &Caller) -> Result<EventFilter, ApiError> {
        let session: Option<SessionId> = parse_optional("session", self.session.as_deref())?;
        if let Some(session) = &session {
            caller.session(state, session)?;
        }
        let names = self.event.0.iter().flat_map(|names| names.split(','));
        let names = names.map(str::trim).filter(|name| !name.is_empty());
        let mut kinds = names.map(|name| parse("event", name)).collect::<Result<Vec<EventKind>, _>>()?;
        kinds.sort_unstable();
        kinds.dedup();
        let chat = self.chat.as_deref().filter(|chat| !chat.is_empty());
        let chat = chat.map(|chat| state.engine.recipient(chat)).transpose()?;
        Ok(EventFilter { owner: caller.scope(), session, kinds, chat: chat.map(|chat| chat.to_string()) })
    }
}
