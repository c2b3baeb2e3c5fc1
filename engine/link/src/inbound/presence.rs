//! Who is online, who is typing.
//!
//! Presence is passing news: it is not redelivered and not recorded when the
//! engine cannot keep up. Nothing else is ever left out that way.

use super::who;
use crate::Intake;
use serde_json::json;
use std::sync::{Arc, Weak};
use tokio::sync::mpsc;
use warest_model::event::{EventKind, Observation};
use warest_model::id::SessionId;
use whatsapp_rust::types::events::{ChatPresenceUpdate, PresenceUpdate};
use whatsapp_rust::types::presence::{ChatPresence, ChatPresenceMedia};
use whatsapp_rust::{Client, Jid};

/// News that may wait to be recorded, per session.
pub(crate) const WAITING: usize = 128;
/// Most that is recorded in one go.
const BATCH: usize = 32;

/// One piece of news.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    chat: Jid,
    person: Jid,
    state: &'static str,
    last_seen_ms: Option<i64>,
}

impl From<&PresenceUpdate> for Seen {
    fn from(update: &PresenceUpdate) -> Self {
        Self {
            chat: update.from.clone(),
            person: update.from.clone(),
            state: if update.unavailable { "unavailable" } else { "available" },
            last_seen_ms: update.last_seen.map(|at| at.timestamp_millis()),
        }
    }
}

impl From<&ChatPresenceUpdate> for Seen {
    fn from(update: &ChatPresenceUpdate) -> Self {
        let state = match (update.state, update.media) {
            (ChatPresence::Paused, _) => "paused",
            (ChatPresence::Composing, ChatPresenceMedia::Audio) => "recording",
            (ChatPresence::Composing, ChatPresenceMedia::Text) => "composing",
        };
        Self { chat: update.source.chat.clone(), person: update.source.sender.clone(), state, last_seen_ms: None }
    }
}

/// Records the news of one session until its client is gone.
pub(crate) async fn record(
    session: SessionId,
    intake: Arc<dyn Intake>,
    client: Weak<Client>,
    mut news: mpsc::Receiver<Seen>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while news.recv_many(&mut batch, BATCH).await > 0 {
        let Some(client) = client.upgrade() else { return };
        let mut observations = Vec::with_capacity(batch.len());
        for seen in batch.drain(..) {
            observations.extend(observe(&client, &seen).await);
        }
        drop(client);
        if let Err(fault) = intake.record(&session, observations).await {
            tracing::warn!(%session, %fault, "presence was not recorded");
        }
    }
}

async fn observe(client: &Client, seen: &Seen) -> Option<Observation> {
    let person = who::name(client, &seen.person, None).await?;
    let chat = who::name(client, &seen.chat, None).await?;
    let mut data = json!({
        "jid": person.address,
        "chatId": chat.address,
        "presence": seen.state,
        "tags": ["inbound"],
    });
    if let Some(at) = seen.last_seen_ms {
        data["lastSeen"] = json!(at);
    }
    if let Some(lid) = &person.lid {
        data["lid"] = json!(lid);
    }
    Some(Observation::new(EventKind::PresenceUpdate, Some(chat.address), data))
}
