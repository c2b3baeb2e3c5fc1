//! Messages that came before, for those that speak of them: from the history, and
//! from what is about to be recorded with them.
//!
//! Asked while a message waits for its acknowledgement, so no answer is waited
//! for longer than [`PATIENCE`].

use super::message::vote::{Originals, secret_of};
use crate::Intake;
use async_trait::async_trait;
use std::sync::{Arc, Weak};
use std::time::Duration;
use warest_model::event::Observation;
use warest_model::history::Change;
use warest_model::id::SessionId;
use warest_model::jid::Jid as Address;
use whatsapp_rust::waproto::codec;
use whatsapp_rust::{Client, Jid, OriginalMessageResolver};

const PATIENCE: Duration = Duration::from_secs(2);

/// The history of a session, as seen while a batch of messages is taken in.
pub(crate) struct Before<'a> {
    pub(crate) session: &'a SessionId,
    pub(crate) intake: &'a dyn Intake,
    pub(crate) client: Option<&'a Client>,
    /// What is recorded before the message.
    pub(crate) batch: Vec<&'a Observation>,
}

#[async_trait]
impl Originals for Before<'_> {
    async fn message(&self, chat: &Address, id: &str) -> Option<Vec<u8>> {
        let new = self.batch.iter().flat_map(|seen| &seen.changes).find_map(|change| match change {
            Change::Message { message, .. } if message.key.remote_jid == *chat && message.key.id == id => {
                Some(message.body.clone())
            }
            _ => None,
        });
        match new {
            Some(body) => Some(body),
            None => look_up(self.intake, self.session, chat, id).await,
        }
    }

    async fn secret(&self, chat: &Jid, author: &Jid, id: &str) -> Option<Vec<u8>> {
        let backend = self.client?.persistence_manager().backend();
        let (chat, author) = (chat.to_non_ad().to_string(), author.to_non_ad().to_string());
        let asked = backend.get_msg_secret(&chat, &author, id);
        tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()?
    }
}

async fn look_up(intake: &dyn Intake, session: &SessionId, chat: &Address, id: &str) -> Option<Vec<u8>> {
    match tokio::time::timeout(PATIENCE, intake.message(session, chat, id)).await {
        Ok(Ok(body)) => body,
        Ok(Err(fault)) => {
            tracing::warn!(%session, %fault, "the history could not be asked for a message");
            None
        }
        Err(_) => {
            tracing::warn!(%session, "the history did not answer in time");
            None
        }
    }
}

/// Gives the protocol library the secrets of messages that it has not kept itself:
/// it opens encrypted edits with them.
pub(crate) struct Secrets {
    pub(crate) session: SessionId,
    pub(crate) intake: Arc<dyn Intake>,
    /// Filled in once the client is there.
    pub(crate) client: Arc<std::sync::OnceLock<Weak<Client>>>,
}

#[async_trait]
impl OriginalMessageResolver for Secrets {
    async fn resolve_msg_secret(&self, chat: &str, _sender: &str, id: &str) -> Option<[u8; 32]> {
        let chat: Jid = chat.parse().ok()?;
        let client = self.client.get()?.upgrade()?;
        // The history has the chat by phone number, if that is known.
        let chat = super::who::name(&*client, &chat, None).await?.address;
        let body = look_up(&*self.intake, &self.session, &chat, id).await?;
        secret_of(&codec::message_decode(&body).ok()?)
    }
}
