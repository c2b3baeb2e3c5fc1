//! From effects to stanzas.
//!
//! A message counts as sent once the server has acknowledged its stanza: the
//! library returns when the bytes are written, so [`acks`] waits for the
//! server's word, by message id. Receipts and presence have no such word; they
//! count as sent when written. A repeat carries the id it was given, and the
//! recipient shows it once.
//!
//! A file of a message is uploaded first, with time of its own. What is changed
//! on the account's own devices alone is a patch of its state and not a message;
//! it is done once the server accepted it.
//!
//! A received message starts a new sending chain, and the library writes it
//! behind. Before a message leaves on that chain the chain is made durable:
//! after a crash the recipient answers on it, and an answer that cannot be
//! decrypted comes late, by retry, and out of its order.
//!
//! Nothing is locked here while a send is under way: sends to different chats
//! run side by side, and the pipeline keeps the order within one.

pub(crate) mod acks;
pub(crate) mod address;
mod chat;
mod compose;
pub(crate) mod fault;
mod newsletter;
mod secret;
mod status;
pub(crate) mod upload;

use crate::{Outgoing, Sent};
use acks::{Acks, Verdict};
use address::{Chat, jid, wire};
use compose::Parts;
use compose::addon;
use compose::context::Context;
use std::sync::Arc;
use upload::Uploaded;
use warest_model::clock::Millis;
use warest_model::content::Content;
use warest_model::fault::Fault;
use warest_model::jid::Jid as Address;
use warest_model::plan::{Effect, MessageKey, PresenceState};
use whatsapp_rust::wacore_binary::JidExt as _;
use whatsapp_rust::waproto::codec::{message_decode, message_to_vec};
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::{ChatStateType, Client, Jid, PresenceStatus, SendOptions};

/// What sends through one connection.
pub(crate) struct Sender<'a> {
    /// The connection.
    pub(crate) client: &'a Client,
    /// Where the server's word is heard.
    pub(crate) acks: &'a Arc<Acks>,
    /// The files of what is sent.
    pub(crate) files: &'a [Uploaded],
    /// Now.
    pub(crate) now_ms: Millis,
}

impl Sender<'_> {
    /// Performs one effect. `Ok` once the server took it.
    pub(crate) async fn perform(&self, outgoing: Outgoing<'_>) -> Result<Sent, Fault> {
        let id = outgoing.message_id;
        match outgoing.effect {
            Effect::Message { to, content, .. } if content.sources().is_empty() || !newsletter::is(to) => {
                self.message(to, content, outgoing).await
            }
            Effect::Message { .. } => {
                Err(Fault::fail("action_unsupported", "files cannot be posted to newsletters yet; post a link"))
            }
            Effect::React { to, key, emoji } if newsletter::is(to) => {
                newsletter::react(self.client, &jid(to)?, key, emoji).await.map(|()| Sent::default())
            }
            Effect::React { to, key, emoji } => {
                let chat = Chat::of(self.client, to).await?;
                let message = addon::reaction(chat.key(key).await?, emoji, self.now_ms);
                self.send(to, chat.jid, message, id).await
            }
            Effect::Revoke { key } => self.revoke(key, outgoing).await,
            Effect::Edit { key, content } => self.edit(key, content, outgoing).await,
            Effect::Pin { key, seconds } => {
                let chat = Chat::of(self.client, &key.remote_jid).await?;
                let message = addon::pin(chat.key(key).await?, *seconds, self.now_ms);
                self.send(&key.remote_jid, chat.jid, message, id).await.map_err(|fault| managed(fault, key))
            }
            Effect::Read { keys } => read(self.client, keys).await.map(|()| Sent::default()),
            Effect::Presence { state, to } => {
                presence(self.client, *state, to.as_ref()).await.map(|()| Sent::default())
            }
            Effect::Star { key, on } => chat::star(self.client, key, *on).await.map(|()| Sent::default()),
            Effect::Delete { key, with_media } => {
                chat::delete(self.client, key, *with_media).await.map(|()| Sent::default())
            }
            Effect::Chat { chat, change } => {
                chat::change(self.client, chat, *change, outgoing.last, self.now_ms).await.map(|()| Sent::default())
            }
        }
    }

    async fn message(&self, to: &Address, content: &Content, outgoing: Outgoing<'_>) -> Result<Sent, Fault> {
        let chat = Chat::of(self.client, to).await?;
        let mut message = self.compose(&chat, content, outgoing).await?;
        if status::is(to) {
            return self.post_status(status::shown(message), outgoing).await;
        }
        if let Some(seconds) = outgoing.ephemeral_seconds.filter(|seconds| *seconds > 0) {
            compose::context::expire(&mut message, seconds);
        }
        self.send(to, chat.jid, message, outgoing.message_id).await
    }

    async fn compose(&self, chat: &Chat<'_>, content: &Content, outgoing: Outgoing<'_>) -> Result<wa::Message, Fault> {
        let forwards = matches!(content, Content::Forward { .. });
        let original = match outgoing.original.map(decoded).transpose() {
            Err(fault) if forwards => return Err(fault),
            // A quote is found by its id, too.
            original => original.unwrap_or_default(),
        };
        let mut context = Context::default();
        if let Effect::Message { mentions, quoted, forwarded, .. } = outgoing.effect {
            context.mentions = mentions.iter().map(Address::to_string).collect();
            context.forwarded = *forwarded && !forwards && !matches!(content, Content::Raw { .. });
            if let Some(key) = quoted {
                // The original is what is forwarded, and not what is quoted beside.
                context.quote = Some(chat.quote(key, original.clone().filter(|_| !forwards)).await?);
            }
        }
        let secret = secret::Own::of(self.client).message(outgoing.message_id);
        compose::message(content, Parts { context, files: self.files, original: original.as_ref(), secret })
    }

    /// Takes a message back: one's own anywhere, another's as an admin of a group.
    async fn revoke(&self, key: &MessageKey, outgoing: Outgoing<'_>) -> Result<Sent, Fault> {
        if newsletter::is(&key.remote_jid) {
            let chat = jid(&key.remote_jid)?;
            let ticket = self.acks.expect(&key.id);
            newsletter::revoke(self.client, &chat, key).await?;
            return heard(ticket, Vec::new()).await;
        }
        if !key.from_me && !key.remote_jid.is_group() {
            return Err(Fault::fail(
                "not_the_author",
                "only its author can take a message back for everybody; use `delete` to remove it for this account",
            ));
        }
        let chat = Chat::of(self.client, &key.remote_jid).await?;
        // The server passes it on all the same, and it is for the phones to ignore it.
        if !key.from_me && !self.is_admin(&chat.jid).await? {
            return Err(Fault::fail("not_admin", "only admins of the group may take back what others wrote"));
        }
        let mut named = chat.key(key).await?;
        if key.from_me {
            named.participant = None;
        } else if named.participant.is_none() {
            return Err(Fault::fail(
                "participant_missing",
                "another's message is named with its author; give `participant` in its key",
            ));
        }
        let message = addon::revoke(named);
        if status::is(&key.remote_jid) {
            return self.post_status(message, outgoing).await;
        }
        self.send(&key.remote_jid, chat.jid, message, outgoing.message_id).await.map_err(|fault| managed(fault, key))
    }

    /// Whether this account is an admin of a group.
    async fn is_admin(&self, group: &Jid) -> Result<bool, Fault> {
        let group = self.client.groups().get_metadata(group).await.map_err(fault::of_group)?;
        let (me, lid) = (self.client.pn(), self.client.lid());
        let is_me = |jid: &Jid| [&me, &lid].into_iter().flatten().any(|me| me.is_same_user_as(jid));
        Ok(group.participants.iter().any(|one| one.is_admin() && is_me(&one.jid)))
    }

    async fn edit(&self, key: &MessageKey, content: &Content, outgoing: Outgoing<'_>) -> Result<Sent, Fault> {
        if !key.from_me {
            return Err(Fault::fail("not_the_author", "only its author can change a message"));
        }
        let chat = Chat::of(self.client, &key.remote_jid).await?;
        let composed = self.compose(&chat, content, Outgoing { original: None, ..outgoing }).await?;
        let content = match content {
            Content::Text { .. } => {
                let original = outgoing.original.map(decoded).transpose()?;
                addon::reworded(original.as_ref(), composed)?
            }
            Content::Raw { .. } => composed,
            other => {
                return Err(Fault::fail(
                    "message_not_editable",
                    format!("a message becomes a text, a caption or a raw message, not `{}`", other.name()),
                ));
            }
        };
        if newsletter::is(&key.remote_jid) {
            let body = message_to_vec(&content);
            let ticket = self.acks.expect(&key.id);
            newsletter::edit(self.client, &chat.jid, key, content).await?;
            return heard(ticket, body).await;
        }
        let message = addon::edit(chat.key(key).await?, content, self.now_ms);
        self.send(&key.remote_jid, chat.jid, message, outgoing.message_id).await
    }

    async fn send(&self, to: &Address, jid: Jid, message: wa::Message, message_id: &str) -> Result<Sent, Fault> {
        let client = self.client;
        let body = message_to_vec(&message);
        if !to.is_group() {
            // While a message of theirs is decrypted, their chain is not there to be
            // written. This waits until it is; what it finds does not matter here.
            drop(client.signal().session_info(&jid).await);
        }
        client.flush_pending_signal_state().await.map_err(fault::of_keys)?;
        // Before the stanza leaves, so that the fastest answer finds its ticket.
        let ticket = self.acks.expect(message_id);
        client
            .send_message_with_options(jid, message, SendOptions::default().with_message_id(message_id))
            .await
            .map_err(fault::of_send)?;
        heard(ticket, body).await
    }
}

async fn heard(ticket: acks::Ticket, body: Vec<u8>) -> Result<Sent, Fault> {
    match ticket.verdict().await {
        Some(Verdict::Taken) => Ok(Sent { body, media: None }),
        Some(Verdict::Refused(code)) => Err(fault::of_refusal(&code)),
        None => Err(fault::lost()),
    }
}

/// In a group, what is forbidden here is for admins.
fn managed(fault: Fault, key: &MessageKey) -> Fault {
    if fault.code == "send_forbidden" && key.remote_jid.is_group() {
        return Fault::fail("not_admin", "only admins of the group may do this");
    }
    fault
}

fn decoded(body: &[u8]) -> Result<wa::Message, Fault> {
    message_decode(body).map_err(|error| {
        Fault::fail("message_unreadable", format!("the message in the history cannot be read: {error}"))
    })
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
        let author = match Chat::of(client, &key.remote_jid).await {
            Ok(chat) => chat.participant(key).await?,
            // Whoever has left a group may still have read what was written there.
            Err(_) => key.participant.as_ref().map(jid).transpose()?,
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
