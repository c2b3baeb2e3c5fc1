//! Intake: what a link saw becomes events, durable before it is acknowledged.
//!
//! Reads the directory (who is owed what), appends to the event log, wakes the
//! reactors. An event and everything it is owed to are one transaction, so no
//! crash can separate them. Never sends.

use crate::crash::crash_point;
use crate::deliver::Deliverer;
use crate::directory::Directory;
use crate::dispatch::Dispatcher;
use crate::send::guards::Guards;
use async_trait::async_trait;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::broadcast;
use warest_link::Intake;
use warest_model::clock::{Millis, SharedClock};
use warest_model::event::{Event, EventKind, Observation};
use warest_model::fault::Fault;
use warest_model::history::Change;
use warest_model::id::{EventId, SessionId};
use warest_model::jid::Jid;
use warest_model::job::{Receipt, ReceiptKind};
use warest_store::{Consent, NewEvent, SessionChange, Store, StoreError};

/// The first stage.
pub struct EventIntake {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: SharedClock,
    pub(crate) directory: Arc<Directory>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) deliverer: Arc<Deliverer>,
    pub(crate) guards: Arc<Guards>,
    /// What was appended, for those who watch live.
    pub(crate) live: broadcast::Sender<Arc<Event>>,
}

/// An event that happened now, with what the log adds to its payload.
pub(crate) fn event_of(session: &SessionId, kind: EventKind, chat: Option<Jid>, mut data: Value, now: Millis) -> Event {
    let id = EventId::new(now);
    if let Some(fields) = data.as_object_mut() {
        fields.insert("sessionId".to_owned(), session.as_str().into());
        fields.insert("eventId".to_owned(), id.as_str().into());
    }
    Event { id, session: session.clone(), kind, chat, ts_ms: now, data }
}

#[async_trait]
impl Intake for EventIntake {
    async fn record(&self, session: &SessionId, observations: Vec<Observation>) -> Result<(), Fault> {
        let Some(entry) = self.directory.session(session) else {
            // Removed meanwhile. Nobody is left to owe it to, and refusing it
            // would only make the server send it again.
            return Ok(());
        };
        let new: Vec<NewEvent> = observations
            .into_iter()
            .map(|seen| NewEvent {
                owed: self.directory.owed(session, seen.kind),
                consent: self.guards.heard(&entry, &seen),
                dedup: seen.dedup,
                event: event_of(session, seen.kind, seen.chat, seen.data, self.clock.now_ms()),
            })
            .collect();
        crash_point!("intake.before_commit");
        let fresh =
            self.store.append(new.clone()).await.map_err(|error| Fault::retry("store_failed", error.to_string()))?;
        crash_point!("intake.committed");
        for (new, _) in new.into_iter().zip(fresh).filter(|(_, fresh)| *fresh) {
            if let Some(Consent::Out { confirmation: Some(_), .. }) = &new.consent {
                self.dispatcher.wakeups.session(session);
            }
            self.deliverer.announce(new);
        }
        Ok(())
    }

    async fn history(&self, session: &SessionId, changes: Vec<Change>) -> Result<(), Fault> {
        tracing::debug!(%session, changes = changes.len(), "history");
        Ok(())
    }

    async fn message(&self, _: &SessionId, _: &Jid, _: &str) -> Result<Option<Vec<u8>>, Fault> {
        Ok(None)
    }

    async fn receipts(&self, session: &SessionId, receipts: Vec<Receipt>) -> Result<(), Fault> {
        let unreadable = receipts.iter().any(|receipt| receipt.kind == ReceiptKind::Unreadable);
        let recorded = self.store.record_receipts(session, receipts).await;
        if unreadable {
            crash_point!("unreadable.committed");
        }
        match recorded {
            // At a stop: the time of a delivery is lost, as the link says.
            Ok(()) | Err(StoreError::Closed) => Ok(()),
            Err(error) => Err(Fault::retry("store_failed", error.to_string())),
        }
    }

    async fn paired(&self, session: &SessionId, me: Option<&str>) -> Result<(), Fault> {
        let store_failed = |error: &dyn std::fmt::Display| Fault::retry("store_failed", error.to_string());
        let Some(entry) = self.directory.session(session) else { return Ok(()) };
        if entry.session.me.as_deref() == me {
            return Ok(());
        }
        let change = SessionChange::Me(me.map(str::to_owned));
        self.store.change_session(session, change).await.map_err(|error| store_failed(&error))?;
        self.directory.reload_sessions().await.map_err(|error| store_failed(&error))
    }
}
