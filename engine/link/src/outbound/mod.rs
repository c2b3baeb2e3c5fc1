//! From effects to stanzas.
//!
//! A message counts as sent once the server has acknowledged its stanza: the
//! library returns when the bytes are written, so [`acks`] waits for the
//! server's word, by message id. Receipts and presence have no such word; they
//! count as sent when written. A repeat carries the id it was given, and the
//! recipient shows it once.
//!
//! A received message starts a new sending chain, and the library writes it
//! behind. Before a message leaves on that chain the chain is made durable:
//! after a crash the recipient answers on it, and an answer that cannot be
//! decrypted comes late, by retry, and out of its order.
//!
//! Nothing is locked here while a send is under way: sends to different chats
//! run side by side, and the pipeline keeps the order within one.

pub(crate) mod acks;
mod compose;
pub(crate) mod fault;

use crate::{Outgoing, Sent};
use acks::{Acks, Verdict};
use std::sync::Arc;
use warest_model::clock::Millis;
use warest_model::content::Content;
use warest_model::fault::Fault;
use warest_model::jid::Jid as Address;
use warest_model::plan::{Effect, MessageKey, PresenceState};
use whatsapp_rust::waproto::codec::message_to_vec;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::{ChatStateType, Client, Jid, PresenceStatus, SendOptions};

/// Performs one effect. `Ok` once the server took it.
pub(crate) async fn perform(
    client: &Client,
    acks: &Arc<Acks>,
    outgoing: Outgoing<'_>,
    now_ms: Millis,
) -> Result<Sent, Fault> {
    let message_id = outgoing.message_id;
    match outgoing.effect {
        Effect::Message { to, content: Content::Text { text, .. }, mentions, quoted, .. } => {
            let me = client.pn();
            let message = compose::text(text, mentions, quoted.as_ref(), to, me.as_ref());
            send(client, acks, to, message, message_id).await
        }
        Effect::React { to, key, emoji } => {
            send(client, acks, to, compose::reaction(key, emoji, now_ms), message_id).await
        }
        Effect::Read { keys } => read(client, keys).await.map(|()| Sent::default()),
        Effect::Presence { state, to } => presence(client, *state, to.as_ref()).await.map(|()| Sent::default()),
        other => Err(Fault::fail("action_unsupported", format!("`{}` cannot be sent yet", other.name()))),
    }
}

async fn send(
    client: &Client,
    acks: &Arc<Acks>,
    to: &Address,
    message: wa::Message,
    message_id: &str,
) -> Result<Sent, Fault> {
    let body = message_to_vec(&message);
    let is_group = to.is_group();
    let to = jid(to)?;
    if !is_group {
        // While a message of theirs is decrypted, their chain is not there to be
        // written. This waits until it is; what it finds does not matter here.
        drop(client.signal().session_info(&to).await);
    }
    client.flush_pending_signal_state().await.map_err(fault::of_keys)?;
    // Before the stanza leaves, so that the fastest answer finds its ticket.
    let ticket = acks.expect(message_id);
    client
        .send_message_with_options(to, message, SendOptions::default().with_message_id(message_id))
        .await
        .map_err(fault::of_send)?;
    match ticket.verdict().await {
        Some(Verdict::Taken) => Ok(Sent { body }),
        Some(Verdict::Refused(code)) => Err(fault::of_refusal(&code)),
        None => Err(fault::lost()),
    }
}

async fn read(client: &Client, keys: &[MessageKey]) -> Result<(), Fault> {
    // One receipt names one author; what this account wrote is not read.
    let mut by_author: Vec<(&MessageKey, Vec<&str>)> = Vec::new();
    for key in keys.iter().filter(|key| !key.from_me) {
        match by_author
            .iter_mut()
            .find(|(one, _)| one.remote_jid == key.remote_jid && one.participant == key.participant)
        {
            Some((_, ids)) => ids.push(&key.id),
            None => by_author.push((key, vec![&key.id])),
        }
    }
    for (key, ids) in by_author {
        let chat = wire(client, &key.remote_jid).await?;
        let author = match &key.participant {
            Some(author) if key.remote_jid.is_group() => Some(jid(author)?),
            _ => None,
        };
        client.mark_as_read(&chat, author.as_ref(), &ids).await.map_err(fault::of_receipt)?;
    }
    Ok(())
}

async fn presence(client: &Client, state: PresenceState, to: Option<&Address>) -> Result<(), Fault> {
    let in_chat = match state {
        PresenceState::Available | PresenceState::Unavailable => {
            let status = match state {
                PresenceState::Available => PresenceStatus::Available,
                _ => PresenceStatus::Unavailable,
            };
            return client.presence().set(status).await.map_err(fault::of_presence);
        }
        PresenceState::Composing => ChatStateType::Composing,
        PresenceState::Recording => ChatStateType::Recording,
        PresenceState::Paused => ChatStateType::Paused,
    };
    let to =
        to.ok_or_else(|| Fault::fail("recipient_missing", "typing and recording are shown in a chat; give `to`"))?;
    let to = wire(client, to).await?;
    client.chatstate().send(&to, in_chat).await.map_err(fault::of_chatstate)
}

/// The address that a bare stanza carries on the wire: the LID once the account
/// has moved to LIDs, as its messages do.
async fn wire(client: &Client, address: &Address) -> Result<Jid, Fault> {
    let plain = jid(address)?;
    if plain.is_pn()
        && client.is_lid_migrated().await
        && let Ok(Some(known)) = client.get_lid_pn_entry(&plain).await
    {
        return Ok(Jid::lid(&*known.lid));
    }
    Ok(plain)
}

fn jid(address: &Address) -> Result<Jid, Fault> {
    address
        .as_str()
        .parse()
        .map_err(|_| Fault::fail("recipient_invalid", format!("\"{address}\" is not an address that can be sent to")))
}
