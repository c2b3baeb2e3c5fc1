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
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::{Notify, broadcast};
use warest_link::Intake;
use warest_model::clock::{Millis, SharedClock};
use warest_model::event::{Event, EventKind, Observation};
use warest_model::fault::Fault;
use warest_model::history::{Change, MessageStatus};
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
    /// Rung when there are files to fetch.
    pub(crate) news: Arc<Notify>,
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

impl EventIntake {
    /// Adds what only the history knows: what an edited or revoked message said
    /// before.
    async fn complete(&self, session: &SessionId, seen: &mut Observation) -> Result<(), StoreError> {
        if !matches!(seen.kind, EventKind::MessageEdited | EventKind::MessageRevoked) {
            return Ok(());
        }
        let Some(id) = seen.data["key"]["id"].as_str() else { return Ok(()) };
        let before = self.store.message(session, seen.chat.as_ref(), id).await?;
        seen.data["previous"] = before.map_or(Value::Null, |before| {
            json!({
                "text": before.message.text,
                "contentType": before.message.content_type,
                "sender": before.message.sender,
                "timestamp": before.message.ts_ms,
            })
        });
        Ok(())
    }

    /// The event that says how far a message came. Each device of a recipient says
    /// it, and the first one counts.
    fn progress(&self, session: &SessionId, receipt: &Receipt) -> Option<NewEvent> {
        let status = match receipt.kind {
            ReceiptKind::Delivered => MessageStatus::Delivered,
            ReceiptKind::Read => MessageStatus::Read,
            ReceiptKind::Played => MessageStatus::Played,
            ReceiptKind::Unreadable => return None,
        };
        let Receipt { message_id: id, chat, by, by_lid, at_ms, .. } = receipt;
        let name = status.as_str();
        let named = |jid: &Option<Jid>| jid.as_ref().map_or("", Jid::as_str).to_owned();
        let mut data = json!({
            "messageId": id, "chatId": chat, "status": name, "by": by, "timestamp": at_ms,
            "isGroup": chat.as_ref().is_some_and(Jid::is_group), "tags": ["outbound"],
            "key": { "remoteJid": chat, "fromMe": true, "id": id },
        });
        if let Some(lid) = by_lid {
            data["byLid"] = json!(lid);
        }
        let change = Change::Status { chat: chat.clone(), id: id.clone(), by: by.clone(), status, at_ms: *at_ms };
        Some(NewEvent {
            owed: self.directory.owed(session, EventKind::MessageStatus),
            consent: None,
            dedup: Some(format!("status|{}|{}|{id}|{name}", named(chat), named(by))),
            event: event_of(session, EventKind::MessageStatus, chat.clone(), data, self.clock.now_ms()),
            changes: vec![change],
        })
    }

    /// The event that says that a message is a command, if it is one.
    fn command(&self, session: &SessionId, seen: &Observation) -> Option<NewEvent> {
        if seen.kind != EventKind::MessageReceived {
            return None;
        }
        // Posts to everybody are no words to the bot.
        let is_post = |tag: &Value| tag == "status" || tag == "newsletter";
        if seen.data["tags"].as_array().is_some_and(|tags| tags.iter().any(is_post)) {
            return None;
        }
        let found = self.directory.command(session, seen.data["text"].as_str()?)?;
        let mut data = seen.data.clone();
        data["command"] = json!(found);
        data["tags"] = json!(["inbound", "command"]);
        Some(NewEvent {
            owed: self.directory.owed(session, EventKind::MessageCommand),
            consent: None,
            dedup: seen.dedup.as_ref().map(|dedup| format!("command|{dedup}")),
            event: event_of(session, EventKind::MessageCommand, seen.chat.clone(), data, self.clock.now_ms()),
            changes: Vec::new(),
        })
    }
}

fn store_failed(error: impl std::fmt::Display) -> Fault {
    Fault::retry("store_failed", error.to_string())
}

/// Whether a message came with a file that is to be fetched.
fn has_file(change: &Change) -> bool {
    matches!(change, Change::Message { message, .. } if message.media.is_some())
}

#[async_trait]
impl Intake for EventIntake {
    async fn record(&self, session: &SessionId, observations: Vec<Observation>) -> Result<(), Fault> {
        let Some(entry) = self.directory.session(session) else {
            // Removed meanwhile. Nobody is left to owe it to, and refusing it
            // would only make the server send it again.
            return Ok(());
        };
        let mut new: Vec<NewEvent> = Vec::with_capacity(observations.len());
        let mut files = false;
        for mut seen in observations {
            self.complete(session, &mut seen).await.map_err(store_failed)?;
            files |= seen.changes.iter().any(has_file);
            let command = self.command(session, &seen);
            new.push(NewEvent {
                owed: self.directory.owed(session, seen.kind),
                consent: self.guards.heard(&entry, &seen),
                dedup: seen.dedup,
                event: event_of(session, seen.kind, seen.chat, seen.data, self.clock.now_ms()),
                changes: seen.changes,
            });
            new.extend(command);
        }
        crash_point!("intake.before_commit");
        let fresh = self.store.append(new.clone()).await.map_err(store_failed)?;
        crash_point!("intake.committed");
        for (new, _) in new.into_iter().zip(fresh).filter(|(_, fresh)| *fresh) {
            if let Some(Consent::Out { confirmation: Some(_), .. }) = &new.consent {
                self.dispatcher.wakeups.session(session);
            }
            self.deliverer.announce(new);
        }
        if files {
            self.news.notify_one();
        }
        Ok(())
    }

    async fn history(&self, session: &SessionId, changes: Vec<Change>) -> Result<(), Fault> {
        let files = changes.iter().any(has_file);
        self.store.apply(session, changes).await.map_err(store_failed)?;
        if files {
            self.news.notify_one();
        }
        Ok(())
    }

    async fn message(&self, session: &SessionId, chat: &Jid, id: &str) -> Result<Option<Vec<u8>>, Fault> {
        let found = self.store.message(session, Some(chat), id).await.map_err(store_failed)?;
        Ok(found.map(|found| found.message.body).filter(|body| !body.is_empty()))
    }

    async fn receipts(&self, session: &SessionId, receipts: Vec<Receipt>) -> Result<(), Fault> {
        let unreadable = receipts.iter().any(|receipt| receipt.kind == ReceiptKind::Unreadable);
        let progress: Vec<NewEvent> = match self.directory.session(session) {
            Some(_) => receipts.iter().filter_map(|receipt| self.progress(session, receipt)).collect(),
            None => Vec::new(),
        };
        let recorded = self.store.record_receipts(session, receipts).await;
        if unreadable {
            crash_point!("unreadable.committed");
        }
        let recorded = match recorded {
            Ok(()) if !progress.is_empty() => self.store.append(progress.clone()).await,
            recorded => recorded.map(|()| Vec::new()),
        };
        match recorded {
            Ok(fresh) => {
                let fresh = progress.into_iter().zip(fresh).filter(|(_, fresh)| *fresh);
                fresh.for_each(|(new, _)| self.deliverer.announce(new));
                Ok(())
            }
            // At a stop: the time of a delivery is lost, as the link says.
            Err(StoreError::Closed) => Ok(()),
            Err(error) => Err(Fault::retry("store_failed", error.to_string())),
        }
    }

    async fn paired(&self, session: &SessionId, me: Option<&str>) -> Result<(), Fault> {
        let Some(entry) = self.directory.session(session) else { return Ok(()) };
        if entry.session.me.as_deref() == me {
            return Ok(());
        }
        let change = SessionChange::Me(me.map(str::to_owned));
        self.store.change_session(session, change).await.map_err(store_failed)?;
        self.directory.reload_sessions().await.map_err(store_failed)
    }
}
