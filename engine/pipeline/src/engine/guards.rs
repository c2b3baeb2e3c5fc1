//! What can be asked of the guards, and tuned: by session, and each tenant's
//! opt-out list.

use super::Engine;
use crate::directory::SessionEntry;
use crate::error::EngineError;
use crate::send::guards::decide::Window;
use crate::send::guards::policy::Tuning;
use crate::send::guards::{Outlook, Stand};
use serde_json::Value;
use warest_model::id::UserId;
use warest_model::jid::Jid;
use warest_model::plan::Effect;
use warest_store::OptOut;

impl Engine {
    /// How a session's guards stand.
    pub async fn guards(&self, entry: &SessionEntry) -> Result<Stand, EngineError> {
        Ok(self.guards.stand(entry, self.clock.now_ms()).await?)
    }

    /// Tunes guards of a session: each that is named has these fields from now
    /// on, and the installation's in all others; null leaves it nothing of its
    /// own.
    pub async fn tune_guards(&self, entry: &SessionEntry, changes: &Tuning) -> Result<(), EngineError> {
        let session = &entry.session.id;
        let stored = self.store.guard_settings().await?.into_iter().find(|(id, _)| id == session);
        // What an earlier version wrote and this one cannot read is written anew.
        let mut tuning: Tuning = stored.and_then(|(_, text)| serde_json::from_str(&text).ok()).unwrap_or_default();
        for (guard, fields) in changes {
            // Without fields of its own it follows the installation.
            let fields = if fields.is_null() { Value::Object(Tuning::new()) } else { fields.clone() };
            tuning.insert(guard.clone(), fields);
        }
        let policy = self.guards.tuned(&tuning).map_err(|error| EngineError::Invalid(error.to_string()))?;
        self.store.set_guard_settings(session, &Value::Object(tuning).to_string()).await?;
        self.guards.set(session, policy);
        Ok(())
    }

    /// What would become of a message that is queued now.
    pub async fn outlook(&self, entry: &SessionEntry, effect: &Effect) -> Result<Outlook, EngineError> {
        let now = self.clock.now_ms();
        match self.guards.outlook(entry, effect, now).await? {
            Outlook::Clear => Ok(self.sender.outlook(&entry.session.id, effect, now).await?),
            held => Ok(held),
        }
    }

    /// A session's quota and how it stands, if it has one.
    pub async fn quota(&self, entry: &SessionEntry) -> Result<Option<(u64, Window)>, EngineError> {
        Ok(self.guards.quota(&entry.session.id, self.clock.now_ms()).await?)
    }

    /// Puts people on a tenant's opt-out list; how many were not on it.
    pub async fn opt_out(&self, owner: &UserId, addresses: &[Jid]) -> Result<u64, EngineError> {
        let created_ms = self.clock.now_ms();
        let entry = |address: &Jid| OptOut {
            seq: 0,
            owner: owner.clone(),
            address: address.clone(),
            session: None,
            event: None,
            confirmation: None,
            created_ms,
        };
        Ok(self.store.opt_out(addresses.iter().map(entry).collect()).await?)
    }

    /// Takes somebody off a tenant's opt-out list.
    pub async fn opt_in(&self, owner: &UserId, address: &Jid) -> Result<(), EngineError> {
        Ok(self.store.opt_in(owner, address).await?)
    }
}
