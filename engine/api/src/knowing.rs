//! Questions that any open account can answer: the client names a session, or any
//! of its own that is open is asked.

use crate::auth::Caller;
use crate::codes;
use crate::error::ApiError;
use crate::extract::parse_optional;
use crate::state::ApiState;
use std::sync::Arc;
use warest_model::jid::Jid;
use warest_pipeline::directory::SessionEntry;
use warest_pipeline::{Account, EngineError};

/// An account to ask.
pub struct Knowing {
    /// Whose it is.
    pub entry: SessionEntry,
    /// The account.
    pub account: Arc<dyn Account>,
}

/// The account of the session with this name, or of any of the caller's.
pub fn account(caller: &Caller, state: &ApiState, session: Option<&str>) -> Result<Knowing, ApiError> {
    if let Some(id) = parse_optional("sessionId", session)? {
        let entry = caller.session(state, &id)?;
        let account = state.engine.account(&entry).map_err(|error| match error {
            EngineError::NotOpen => ApiError::new(codes::SESSION_NOT_LOGGED_IN, "Session is not ready"),
            other => other.into(),
        })?;
        return Ok(Knowing { entry, account });
    }
    let own = state.engine.sessions(&caller.user);
    // An administrator sees everybody's sessions, but does not ask them unnamed.
    let own = own.into_iter().filter(|entry| entry.owner.id == caller.user.id);
    let mut open = own.filter_map(|entry| Some(Knowing { account: state.engine.account(&entry).ok()?, entry }));
    let found = open.next().ok_or_else(|| ApiError::new(codes::SESSION_NOT_FOUND, "No active session available"))?;
    caller.about(&found.entry);
    Ok(found)
}

/// Both addresses of a person, as far as they are known: by number, and by LID.
pub async fn both(account: &dyn Account, of: &Jid) -> (Option<Jid>, Option<Jid>) {
    let other = account.other_name(of).await.ok().flatten();
    match of.server() {
        "lid" => (other, Some(of.clone())),
        _ => (Some(of.clone()), other),
    }
}
