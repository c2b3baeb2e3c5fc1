//! Sessions: create, connect, log out, remove.

use super::Engine;
use crate::directory::SessionEntry;
use crate::error::EngineError;
use std::time::Duration;
use warest_link::{Intake, LinkStatus};
use warest_model::event::{EventKind, Observation};
use warest_model::id::SessionId;
use warest_model::session::{Session, SessionState};
use warest_model::user::User;
use warest_store::SessionChange;

/// Longest label, in characters.
const LABEL_CHARS: usize = 128;

/// A session to add.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its name.
    pub id: SessionId,
    /// A name for people; may be empty.
    pub label: String,
}

impl Engine {
    /// The session with this name, whoever owns it.
    pub fn session(&self, id: &SessionId) -> Option<SessionEntry> {
        self.directory.session(id)
    }

    /// Every session, by name.
    pub fn all_sessions(&self) -> Vec<SessionEntry> {
        self.directory.sessions()
    }

    /// The sessions that `user` may see, by name.
    pub fn sessions(&self, user: &User) -> Vec<SessionEntry> {
        let mut all = self.all_sessions();
        all.retain(|entry| user.is_admin || entry.owner.id == user.id);
        all
    }

    /// What is known of a session's connection.
    pub fn status(&self, entry: &SessionEntry) -> LinkStatus {
        match self.links.status(&entry.session.id) {
            Some(status) => status.borrow().clone(),
            None => {
                // One that is on is about to be connected: a start takes them in turn.
                let state = if entry.session.enabled { SessionState::Connecting } else { SessionState::LoggedOut };
                LinkStatus { state, qr: None, pairing_code: None, me: entry.session.me.clone() }
            }
        }
    }

    /// Waits up to `timeout` for a status that fits, and answers the last one.
    pub async fn wait_status(
        &self,
        entry: &SessionEntry,
        timeout: Duration,
        fits: impl FnMut(&LinkStatus) -> bool,
    ) -> LinkStatus {
        if let Some(mut status) = self.links.status(&entry.session.id) {
            // Whether it fits in time or not, the answer is how it stands.
            let _ = tokio::time::timeout(timeout, status.wait_for(fits)).await;
        }
        self.status(entry)
    }

    /// Adds a session and begins to connect it.
    pub async fn create_session(&self, owner: &User, new: NewSession) -> Result<SessionEntry, EngineError> {
        check_label(&new.label)?;
        let session = Session {
            id: new.id,
            owner: owner.id.clone(),
            label: new.label,
            enabled: true,
            me: None,
            created_ms: self.clock.now_ms(),
        };
        self.store.add_session(&session).await?;
        self.directory.reload_sessions().await?;
        self.ensure_default_target(&session.id).await?;
        self.connect(&session.id).await?;
        Ok(SessionEntry { session, owner: owner.clone() })
    }

    /// Gives a session another label.
    pub async fn relabel_session(&self, entry: &SessionEntry, label: String) -> Result<(), EngineError> {
        check_label(&label)?;
        self.store.change_session(&entry.session.id, SessionChange::Label(label)).await?;
        self.directory.reload_sessions().await
    }

    /// Begins to connect a session that was stopped or logged out.
    pub async fn start_session(&self, entry: &SessionEntry) -> Result<(), EngineError> {
        self.enable(entry, true).await?;
        self.connect(&entry.session.id).await
    }

    /// Drops a session's connection and dials anew.
    pub async fn reconnect_session(&self, entry: &SessionEntry) -> Result<(), EngineError> {
        self.enable(entry, true).await?;
        self.sender.start(&entry.session.id);
        self.links.reconnect(&entry.session.id).await.map_err(EngineError::Link)
    }

    /// Takes this device off the account and forgets its credentials.
    pub async fn logout_session(&self, entry: &SessionEntry) -> Result<(), EngineError> {
        self.enable(entry, false).await?;
        self.links.logout(&entry.session.id).await.map_err(EngineError::Link)
    }

    /// Removes a session with all it has. Its events and runs stay in the log.
    pub async fn delete_session(&self, entry: &SessionEntry) -> Result<(), EngineError> {
        let id = &entry.session.id;
        // The account drops this device if it can be reached; if not, the
        // session is removed all the same.
        if let Err(fault) = self.links.logout(id).await {
            tracing::info!(session = %id, code = %fault.code, "removed without logging out");
        }
        self.links.stop(id).await;
        self.sender.stop_session(id);
        let data = serde_json::json!({"state": "deleted", "status": "deleted", "tags": ["session", "deleted"]});
        let gone = Observation::new(EventKind::SessionStatus, None, data);
        self.intake.record(id, vec![gone]).await.map_err(EngineError::Link)?;
        self.store.delete_session(id, self.clock.now_ms()).await?;
        for target in self.directory.targets(id) {
            self.deliverer.wakeups.drop_target(&target.id);
        }
        self.guards.forget(id);
        self.directory.reload_sessions().await?;
        self.directory.reload_plugins().await?;
        self.directory.reload_targets().await
    }

    pub(super) async fn connect(&self, id: &SessionId) -> Result<(), EngineError> {
        self.sender.start(id);
        self.links.start(id).await.map_err(EngineError::Link)
    }

    async fn enable(&self, entry: &SessionEntry, enabled: bool) -> Result<(), EngineError> {
        if entry.session.enabled == enabled {
            return Ok(());
        }
        self.store.change_session(&entry.session.id, SessionChange::Enabled(enabled)).await?;
        self.directory.reload_sessions().await
    }
}

fn check_label(label: &str) -> Result<(), EngineError> {
    if label.chars().count() > LABEL_CHARS {
        return Err(EngineError::Invalid(format!("`label` may have at most {LABEL_CHARS} characters")));
    }
    Ok(())
}
