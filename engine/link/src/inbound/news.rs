//! What the server tells beside messages, recorded in order.
//!
//! The protocol library calls in its receive path and has answered the server by
//! then, so nothing may wait there: news goes into a bounded queue, and one task
//! for each session names its people and records it. A store that fails is tried
//! again for as long as the session lives. What a crash finds in the queue is lost,
//! and what does not fit into it is said to be.

use super::audit::Audit;
use super::call::Calls;
use super::hook::named;
use super::message::{self, Seen};
use super::order::Order;
use super::originals::Before;
use super::who::{Me, Names};
use super::{contact, group, settings};
use crate::Intake;
use async_trait::async_trait;
use serde_json::json;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use warest_model::clock::{Millis, SharedClock};
use warest_model::event::{EventKind, Observation, message_dedup};
use warest_model::fault::{Fault, FaultKind};
use warest_model::history::Change;
use warest_model::id::SessionId;
use whatsapp_rust::types::events::{Event, UndecryptableMessage};
use whatsapp_rust::types::message::MessageInfo;
use whatsapp_rust::{Client, Jid};

/// News that may wait to be recorded, per session: an address book comes as one
/// piece of news for each contact.
pub(crate) const WAITING: usize = 32_768;
/// Most that is recorded in one go.
const BATCH: usize = 128;
/// Most changes of the history that are recorded in one go.
pub(super) const CHANGES: usize = 500;
/// Waits before something is recorded again that could not be; the last one goes on.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
];

/// One piece of news.
#[derive(Debug, Clone)]
pub(crate) enum News {
    /// What the library reports.
    Event(Arc<Event>),
    /// Messages of a chat were read on another device of the account.
    Read { chat: Jid, ids: Vec<String>, at_ms: Millis },
    /// The devices of the account changed.
    Devices,
}

/// What one piece of news becomes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Out {
    Event(Observation),
    History(Change),
}

/// Where the news of one session goes.
pub(crate) struct Recorder {
    pub(crate) session: SessionId,
    pub(crate) intake: Arc<dyn Intake>,
    pub(crate) client: Weak<Client>,
    pub(crate) order: Arc<Order>,
    pub(crate) clock: SharedClock,
}

/// Who is known; nobody but the account itself once the client is gone.
struct Book {
    client: Option<Arc<Client>>,
    me: Me,
}

#[async_trait]
impl Names for Book {
    async fn other(&self, jid: &Jid) -> Option<Jid> {
        self.client.as_ref()?.other(jid).await
    }

    fn me(&self) -> Me {
        self.me.clone()
    }
}

/// Records the news of one session until nobody tells any more.
pub(crate) async fn record(recorder: Recorder, mut heard: mpsc::Receiver<News>) {
    let mut batch = Vec::with_capacity(BATCH);
    let (mut calls, mut audit, mut me) = (Calls::default(), Audit::default(), Me::default());
    loop {
        let due = audit.due();
        tokio::select! {
            count = heard.recv_many(&mut batch, BATCH) => if count == 0 { break },
            () = until(due) => {}
        }
        let client = recorder.client.upgrade();
        if let Some(client) = &client {
            me = Me::of(client);
        }
        let book = Book { client, me: me.clone() };
        let mut out = Vec::with_capacity(batch.len());
        let mut told = Vec::new();
        for news in batch.drain(..) {
            audit.hear(&book.me, &news);
            recorder.translate(&book, &mut calls, news, &mut out, &mut told).await;
        }
        out.extend(audit.take(&book.me, Instant::now()).map(Out::Event));
        drop(book);
        recorder.save(out, || heard.is_closed()).await;
        for info in told {
            recorder.order.recorded(&info);
        }
    }
}

impl Recorder {
    /// Turns one piece of news into what is recorded. Messages among it are named
    /// in `told`.
    async fn translate(
        &self,
        book: &Book,
        calls: &mut Calls,
        news: News,
        out: &mut Vec<Out>,
        told: &mut Vec<Arc<MessageInfo>>,
    ) {
        let event = match news {
            News::Event(event) => event,
            News::Read { chat, ids, at_ms } => {
                out.extend(settings::read(book, &chat, &ids, at_ms).await.map(Out::Event));
                return;
            }
            News::Devices => return,
        };
        match &*event {
            // Posts of newsletters, and what the account's phone has read for us.
            Event::Messages(messages) => {
                for seen in messages {
                    told.push(Arc::clone(&seen.info));
                    let batch = out.iter().filter_map(Out::event).collect();
                    let seen = self.message(book, &seen.message, &seen.info, batch).await;
                    out.extend(seen.map(Out::Event));
                }
            }
            Event::UndecryptableMessage(message) => {
                out.extend(unavailable(book, message).await.map(Out::Event));
            }
            Event::GroupUpdate(update) => out.extend(group::observe(book, update).await.into_iter().map(Out::Event)),
            Event::IncomingCall(call) => out.extend(calls.observe(book, call).await.map(Out::Event)),
            Event::MissedCall(call) => out.extend(calls.missed(book, call).await.map(Out::Event)),
            Event::CallEndedElsewhere(call) => out.extend(calls.elsewhere(book, call).await.map(Out::Event)),
            event => {
                out.extend(settings::observe(book, event).await);
                out.extend(contact::observe(book, event, self.clock.now_ms()).await);
            }
        }
    }

    async fn message(
        &self,
        book: &Book,
        message: &whatsapp_rust::waproto::whatsapp::Message,
        info: &MessageInfo,
        batch: Vec<&Observation>,
    ) -> Option<Observation> {
        if !message::is_wanted(info) {
            return None;
        }
        let (chat, sender) = named(book, info).await?;
        let client = book.client.as_deref();
        let originals = Before { session: &self.session, intake: &*self.intake, client, batch };
        let session = &self.session;
        let (chat, sender) = (&chat, &sender);
        message::observe(Seen { session, message, info, chat, sender, names: book, originals: &originals }).await
    }

    /// Records everything, in order. Gives up once `over` says that the session is.
    async fn save(&self, out: Vec<Out>, over: impl Fn() -> bool) {
        let mut out = out.into_iter().peekable();
        while let Some(first) = out.next() {
            let (what, count) = match first {
                Out::Event(seen) => {
                    let mut all = vec![seen];
                    while let Some(Out::Event(_)) = out.peek()
                        && let Some(Out::Event(seen)) = out.next()
                    {
                        all.push(seen);
                    }
                    let count = all.len();
                    (What::Events(all), count)
                }
                Out::History(change) => {
                    let mut all = vec![change];
                    while all.len() < CHANGES
                        && let Some(Out::History(_)) = out.peek()
                        && let Some(Out::History(change)) = out.next()
                    {
                        all.push(change);
                    }
                    let count = all.len();
                    (What::Changes(all), count)
                }
            };
            if let Err(fault) = self.insist(&what, &over).await {
                tracing::error!(session = %self.session, %fault, lost = count, "news was not recorded and is lost");
            }
        }
    }

    async fn insist(&self, what: &What, over: impl Fn() -> bool) -> Result<(), Fault> {
        let mut tries = 0;
        loop {
            let done = match what {
                What::Events(all) => self.intake.record(&self.session, all.clone()).await,
                What::Changes(all) => self.intake.history(&self.session, all.clone()).await,
            };
            let Err(fault) = done else { return Ok(()) };
            let last = tries >= PAUSES.len() && over();
            if last || fault.kind == FaultKind::Fail {
                return Err(fault);
            }
            if tries == PAUSES.len() {
                tracing::error!(session = %self.session, %fault, "news cannot be recorded; it is tried again");
            }
            tokio::time::sleep(PAUSES[tries.min(PAUSES.len() - 1)]).await;
            tries += 1;
        }
    }
}

enum What {
    Events(Vec<Observation>),
    Changes(Vec<Change>),
}

impl Out {
    fn event(&self) -> Option<&Observation> {
        match self {
            Self::Event(seen) => Some(seen),
            Self::History(_) => None,
        }
    }
}

/// A message that WhatsApp does not give to devices like this one: it is shown
/// once, or comes from a bot.
async fn unavailable(names: &dyn Names, message: &UndecryptableMessage) -> Option<Observation> {
    let info = &message.info;
    let (chat, sender) = named(names, info).await?;
    let own = info.source.is_from_me;
    let key = message::key::key(&chat.address, &info.id, own, Some(&sender.address));
    let mut data = json!({
        "messageId": info.id, "chatId": chat.address, "sender": sender.address, "pushName": info.push_name,
        "timestamp": info.timestamp.timestamp_millis(), "isGroup": chat.address.is_group(), "key": key,
        "contentType": "unavailable", "message": { "unavailable": message.unavailable_type.as_str() },
        "media": null, "text": "", "tags": if own { vec!["outbound", "device"] } else { vec!["inbound"] },
    });
    for (name, lid) in [("lid", &chat.lid), ("senderLid", &sender.lid)] {
        if let Some(lid) = lid {
            data[name] = json!(lid);
        }
    }
    let kind = if own { EventKind::MessageSent } else { EventKind::MessageReceived };
    let dedup = message_dedup(&info.source.chat.to_string(), &info.source.sender.to_string(), &info.id);
    Some(Observation { dedup: Some(dedup), ..Observation::new(kind, Some(chat.address), data) })
}

/// A moment that may never come.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
