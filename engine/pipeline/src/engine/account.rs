//! The account behind an open session: asked at once, nothing queued. And what
//! comes before there is one: pairing by a code.

use super::Engine;
use crate::directory::SessionEntry;
use crate::error::EngineError;
use std::sync::Arc;
use warest_link::Account;
use warest_model::fault::NOT_CONNECTED;
use warest_model::jid::Jid;
use warest_model::session::SessionState;

/// What the link says of a session that is not paired.
const LOGGED_OUT: &str = "logged_out";

impl Engine {
    /// The account of an open session.
    ///
    /// # Errors
    /// [`EngineError::NotOpen`] if the session is not paired or not connected.
    pub fn account(&self, entry: &SessionEntry) -> Result<Arc<dyn Account>, EngineError> {
        if self.status(entry).state != SessionState::Open {
            return Err(EngineError::NotOpen);
        }
        // It may have closed between the two.
        self.links.account(&entry.session.id).map_err(|fault| match fault.code.as_str() {
            NOT_CONNECTED | LOGGED_OUT => EngineError::NotOpen,
            _ => EngineError::Link(fault),
        })
    }

    /// A session's own address, once it is paired.
    pub fn own_address(&self, entry: &SessionEntry) -> Option<Jid> {
        let me = self.status(entry).me.or_else(|| entry.session.me.clone())?;
        Jid::try_from(me).ok()
    }

    /// Begins to pair a session by a code that is typed into the phone with this
    /// number; answers the code.
    pub async fn pair_code(&self, entry: &SessionEntry, phone: &Jid) -> Result<String, EngineError> {
        self.links.pair_code(&entry.session.id, phone).await.map_err(EngineError::Link)
    }
}
