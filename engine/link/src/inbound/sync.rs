//! The phone's history, which it hands over when it is paired.
//!
//! It comes in chunks, compressed, each with many conversations. A chunk is read
//! conversation by conversation on a thread that may block, and taken over in small
//! pieces; the next conversation is read when the one before is in the history. The
//! protocol library has told the phone by then that the chunk came, so what a crash
//! finds unread is lost, and what does not fit into the queue is said to be.

use super::news::CHANGES;
use super::who::{Names, Who, name, name_text};
use crate::Intake;
use past::Past;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::mpsc;
use warest_model::clock::Millis;
use warest_model::event::{EventKind, Observation};
use warest_model::fault::{Fault, FaultKind};
use warest_model::history::{Change, ChatPatch, Contact};
use warest_model::id::SessionId;
use whatsapp_rust::Client;
use whatsapp_rust::types::events::{Event, LazyHistorySync};
use whatsapp_rust::waproto::whatsapp as wa;

mod past;

/// Chunks that may wait, and how many compressed bytes they may have in all.
pub(crate) const WAITING: usize = 64;
const WAITING_BYTES: usize = 64 << 20;
/// Waits before a piece is taken over again that could not be.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(15)];

/// The way to [`record`]: bounded in count and in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Chunks {
    tell: mpsc::Sender<Arc<Event>>,
    bytes: Arc<AtomicUsize>,
}

/// What [`record`] hears.
pub(crate) struct Waiting {
    heard: mpsc::Receiver<Arc<Event>>,
    bytes: Arc<AtomicUsize>,
}

/// A queue of chunks.
pub(crate) fn channel() -> (Chunks, Waiting) {
    let (tell, heard) = mpsc::channel(WAITING);
    let bytes = Arc::new(AtomicUsize::new(0));
    (Chunks { tell, bytes: Arc::clone(&bytes) }, Waiting { heard, bytes })
}

impl Chunks {
    /// Puts a chunk into the queue; false if there is no room for it.
    pub(crate) fn tell(&self, event: &Arc<Event>) -> bool {
        let Event::HistorySync(chunk) = &**event else { return true };
        let size = chunk.compressed_bytes().len();
        // One chunk always fits, however large it is.
        if self.bytes.fetch_add(size, Ordering::Relaxed) > WAITING_BYTES || self.tell.try_send(event.clone()).is_err() {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
            return false;
        }
        true
    }
}

/// Takes over the history of one session until its client is gone.
pub(crate) async fn record(session: SessionId, intake: Arc<dyn Intake>, client: Weak<Client>, mut waiting: Waiting) {
    while let Some(event) = waiting.heard.recv().await {
        let Event::HistorySync(chunk) = &*event else { continue };
        waiting.bytes.fetch_sub(chunk.compressed_bytes().len(), Ordering::Relaxed);
        let Some(client) = client.upgrade() else { return };
        let chunk = chunk.clone();
        drop(event);
        if let Err(fault) = take_over(&session, &*intake, &*client, chunk).await {
            tracing::error!(%session, %fault, "a part of the phone's history is lost");
        }
    }
}

/// A piece of a chunk.
enum Piece {
    Conversation(Box<wa::Conversation>),
    /// What is no conversation.
    Rest(Box<wa::HistorySync>),
    Broken(String),
}

/// Takes over one chunk, and says that it came.
async fn take_over(
    session: &SessionId,
    intake: &dyn Intake,
    names: &dyn Names,
    chunk: Box<LazyHistorySync>,
) -> Result<(), Fault> {
    let kind = kind(chunk.sync_type());
    let (order, progress) = (chunk.chunk_order(), chunk.progress());
    let (tell, mut heard) = mpsc::channel(1);
    let reading = tokio::task::spawn_blocking(move || read(&chunk, &tell));
    let mut taken = Taken { session, intake, changes: Vec::new(), chats: 0, messages: 0 };
    while let Some(piece) = heard.recv().await {
        match piece {
            Piece::Conversation(conversation) => taken.conversation(names, *conversation).await?,
            Piece::Rest(rest) => taken.rest(names, *rest).await?,
            Piece::Broken(error) => tracing::warn!(%session, kind, error, "a part of the phone's history is broken"),
        }
    }
    if reading.await.is_err() {
        tracing::error!(%session, kind, "the phone's history could not be read");
    }
    taken.flush().await?;
    let data = json!({
        "syncType": kind, "chunk": order, "progress": progress, "chats": taken.chats, "messages": taken.messages,
        "tags": ["history"],
    });
    let event = Observation::new(EventKind::HistorySync, None, data);
    insist(|| intake.record(session, vec![event.clone()])).await
}

fn read(chunk: &LazyHistorySync, tell: &mpsc::Sender<Piece>) {
    let mut stream = chunk.stream();
    loop {
        match stream.next_conversation() {
            Ok(Some(conversation)) => {
                if tell.blocking_send(Piece::Conversation(Box::new(conversation))).is_err() {
                    return;
                }
            }
            Ok(None) => break,
            Err(error) => {
                let _ = tell.blocking_send(Piece::Broken(error.to_string()));
                return;
            }
        }
    }
    let rest = match stream.remainder() {
        Ok(rest) => Piece::Rest(Box::new(rest)),
        Err(error) => Piece::Broken(error.to_string()),
    };
    let _ = tell.blocking_send(rest);
}

fn kind(number: i32) -> &'static str {
    match number {
        0 => "initial_bootstrap",
        1 => "initial_status",
        2 => "full",
        3 => "recent",
        4 => "push_name",
        5 => "non_blocking_data",
        6 => "on_demand",
        _ => "unknown",
    }
}

/// What of a chunk was read already.
struct Taken<'a> {
    session: &'a SessionId,
    intake: &'a dyn Intake,
    changes: Vec<Change>,
    chats: usize,
    messages: usize,
}

impl Taken<'_> {
    async fn conversation(&mut self, names: &dyn Names, mut conversation: wa::Conversation) -> Result<(), Fault> {
        let alt = conversation.lid_jid.as_deref().or(conversation.pn_jid.as_deref());
        let Some(jid) = conversation.id.parse().ok() else { return Ok(()) };
        let Some(chat) = name(names, &jid, alt.and_then(|alt| alt.parse().ok()).as_ref()).await else { return Ok(()) };
        self.chats += 1;
        // Newest first there, and oldest first here, as they were written.
        for one in std::mem::take(&mut conversation.messages).into_iter().rev() {
            if let Some(info) = one.message.into_option() {
                self.message(names, &chat, info).await?;
            }
        }
        let (patch, contact, at_ms) = of_chat(&chat, &conversation);
        self.add(Change::Chat { chat: chat.address, patch, at_ms }).await?;
        if let Some(contact) = contact {
            self.add(Change::Contact(Box::new(contact))).await?;
        }
        Ok(())
    }

    async fn message(&mut self, names: &dyn Names, chat: &Who, info: wa::WebMessageInfo) -> Result<(), Fault> {
        let changes = Past { session: self.session, names, chat }.changes(info).await;
        self.messages += usize::from(!changes.is_empty());
        for change in changes {
            self.add(change).await?;
        }
        Ok(())
    }

    async fn rest(&mut self, names: &dyn Names, rest: wa::HistorySync) -> Result<(), Fault> {
        for info in rest.status_v3_messages {
            let Some(chat) = name_text(names, "status@broadcast").await else { break };
            self.message(names, &chat, info).await?;
        }
        for one in rest.pushnames {
            let (Some(id), Some(push_name)) = (one.id, one.pushname.filter(|name| !name.is_empty())) else { continue };
            let Some(who) = name_text(names, &id).await else { continue };
            self.add(Change::Contact(Box::new(Contact { push_name: Some(push_name), ..known(&who) }))).await?;
        }
        for pair in rest.phone_number_to_lid_mappings {
            let (Some(phone), Some(lid)) = (pair.pn_jid, pair.lid_jid) else { continue };
            let (Ok(phone), Ok(lid)) = (phone.parse(), lid.parse()) else { continue };
            let Some(who) = super::who::from_stanza(&phone, Some(&lid)) else { continue };
            self.add(Change::Contact(Box::new(known(&who)))).await?;
        }
        for one in rest.inline_contacts {
            let Some(id) = one.pn_jid.or(one.lid_jid) else { continue };
            let Some(who) = name_text(names, &id).await else { continue };
            let contact = Contact { name: one.full_name, first_name: one.first_name, ..known(&who) };
            self.add(Change::Contact(Box::new(contact))).await?;
        }
        Ok(())
    }

    async fn add(&mut self, change: Change) -> Result<(), Fault> {
        self.changes.push(change);
        if self.changes.len() >= CHANGES { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), Fault> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let changes = std::mem::take(&mut self.changes);
        insist(|| self.intake.history(self.session, changes.clone())).await
    }
}

/// What a conversation says of its chat, and of the person it is with.
fn of_chat(chat: &Who, conversation: &wa::Conversation) -> (ChatPatch, Option<Contact>, Millis) {
    let saved = conversation.name.clone().filter(|name| !name.is_empty());
    let shown = conversation.display_name.clone().filter(|name| !name.is_empty());
    let moment = |seconds: u64| i64::try_from(seconds).unwrap_or(0).saturating_mul(1_000);
    let patch = ChatPatch {
        lid: chat.lid.clone(),
        name: saved.clone().or(shown),
        archived: conversation.archived,
        pinned_ms: conversation.pinned.map(|seconds| (seconds > 0).then(|| moment(u64::from(seconds)))),
        muted_until_ms: conversation.mute_end_time.map(muted_until),
        unread: conversation.unread_count,
        marked_unread: conversation.marked_as_unread,
        ephemeral_seconds: conversation
            .ephemeral_expiration
            .map(|seconds| Some(seconds).filter(|seconds| *seconds > 0)),
    };
    let is_person = matches!(chat.address.server(), "s.whatsapp.net" | "lid");
    let contact = is_person.then(|| Contact { name: saved, ..known(chat) });
    let contact = contact.filter(|contact| contact.name.is_some() || (contact.jid.is_some() && contact.lid.is_some()));
    let at = conversation.conversation_timestamp.or(conversation.last_msg_timestamp).unwrap_or(0);
    (patch, contact, moment(at))
}

/// Until when a chat is silent. Phones give seconds or milliseconds, and a number
/// without end for ever.
fn muted_until(end: u64) -> Option<Millis> {
    const MILLIS_FROM: u64 = 100_000_000_000;
    match end {
        0 => None,
        end if end < MILLIS_FROM => Some(end as Millis * 1_000),
        end => Some(Millis::try_from(end).unwrap_or(Millis::MAX)),
    }
}

/// A person, by both names.
fn known(who: &Who) -> Contact {
    let jid = Some(who.address.clone()).filter(|address| address.server() == "s.whatsapp.net");
    Contact { jid, lid: who.lid.clone(), ..Contact::default() }
}

/// Does something, and again while it may still work.
async fn insist<F: Future<Output = Result<(), Fault>>>(what: impl Fn() -> F) -> Result<(), Fault> {
    for pause in PAUSES {
        match what().await {
            Err(fault) if fault.kind != FaultKind::Fail => tokio::time::sleep(pause).await,
            done => return done,
        }
    }
    what().await
}

#[cfg(test)]
mod tests;
