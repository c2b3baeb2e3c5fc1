//! The gate before the acknowledgement.
//!
//! The protocol library calls the hook with decrypted messages and acknowledges
//! them only if it returns `Ok`. It returns `Ok` only once [`Intake::record`]
//! has committed. It never sends: the sender's Signal lock may be held here.
//!
//! When the intake keeps failing, the messages stay unacknowledged. The server
//! delivers them again on the next connection only, so the session makes one at
//! once, and until then nothing that came after them is recorded ([`Order`]).

use super::message::{self, Seen};
use super::order::Order;
use super::originals::Before;
use super::who::{self, Names, Who};
use crate::Intake;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use warest_model::event::Observation;
use warest_model::fault::{Fault, FaultKind};
use warest_model::id::SessionId;
use whatsapp_rust::types::durability_hook::{InboundDurabilityHook, InboundMessage};
use whatsapp_rust::types::message::MessageInfo;
use whatsapp_rust::{Client, Server};

/// Waits between the attempts to record one batch. Their sum is how long a
/// failing intake may hold up the session's other messages.
const PAUSES: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(250), Duration::from_millis(1_000)];

/// The durability hook of one session.
pub(crate) struct Hook {
    pub(crate) session: SessionId,
    pub(crate) intake: Arc<dyn Intake>,
    /// Told when messages were left unacknowledged.
    pub(crate) order: Arc<Order>,
}

/// Names where a message was written, and by whom. `None` if its addresses are of
/// a kind that the contract has no word for.
pub(super) async fn named(names: &dyn Names, info: &MessageInfo) -> Option<(Who, Who)> {
    let source = &info.source;
    let sender = who::name(names, &source.sender, source.sender_alt.as_ref()).await?;
    let chat = match source.chat.server {
        Server::Group | Server::Newsletter => who::name(names, &source.chat, None).await?,
        Server::Broadcast if source.chat.user == "status" => who::name(names, &source.chat, None).await?,
        // What came through a broadcast list is answered to its sender.
        Server::Broadcast if !source.is_from_me => sender.clone(),
        // A stanza of another own device names the one it was written to.
        _ if source.is_from_me => {
            let alt = source.recipient_alt.as_ref().or(info.peer_recipient_pn.as_ref());
            who::name(names, &source.chat, alt).await?
        }
        _ => who::name(names, &source.chat, source.sender_alt.as_ref()).await?,
    };
    Some((chat, sender))
}

impl Hook {
    async fn observe(&self, client: &Client, seen: &InboundMessage, before: &[Observation]) -> Option<Observation> {
        let info = &seen.info;
        if !message::is_wanted(info) {
            return None;
        }
        let Some((chat, sender)) = named(client, info).await else {
            tracing::warn!(session = %self.session, message = %info.id, server = %info.source.chat.server.as_str(),
                "a message from an address of unknown kind was acknowledged unseen");
            return None;
        };
        let originals = Before {
            session: &self.session,
            intake: &*self.intake,
            client: Some(client),
            batch: before.iter().collect(),
        };
        message::observe(Seen {
            session: &self.session,
            message: &seen.message,
            info,
            chat: &chat,
            sender: &sender,
            names: client,
            originals: &originals,
        })
        .await
    }

    async fn record(&self, observations: Vec<Observation>) -> Result<(), Fault> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let fault = match self.intake.record(&self.session, observations.clone()).await {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            };
            match pauses.next() {
                Some(pause) if fault.kind != FaultKind::Fail => tokio::time::sleep(pause).await,
                _ => return Err(fault),
            }
        }
    }
}

#[async_trait]
impl InboundDurabilityHook for Hook {
    async fn on_messages(&self, client: Arc<Client>, batch: &[InboundMessage]) -> anyhow::Result<()> {
        let admitted: Vec<_> = batch.iter().filter(|seen| self.order.admits(&seen.info)).collect();
        let mut observations = Vec::with_capacity(admitted.len());
        for seen in &admitted {
            let seen = self.observe(&client, seen, &observations).await;
            observations.extend(seen);
        }
        if !observations.is_empty() {
            self.record(observations).await.map_err(|fault| {
                tracing::error!(session = %self.session, messages = batch.len(), %fault,
                    "messages were not recorded and stay unacknowledged");
                self.order.lost();
                anyhow::Error::new(fault)
            })?;
        }
        for seen in &admitted {
            self.order.recorded(&seen.info);
        }
        // The whole batch is delivered again; what was recorded is recognised.
        anyhow::ensure!(admitted.len() == batch.len(), "earlier messages are not recorded yet");
        Ok(())
    }
}
