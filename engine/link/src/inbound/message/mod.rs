//! One message becomes one observation, or none.
//!
//! | it holds | event |
//! | --- | --- |
//! | something a person sees | `message_received`; `message_sent` if another device of the account wrote it |
//! | something about another message ([`notes`]) | `message_reaction`, `message_edited`, `message_revoked`, `chat_update` |
//! | a vote ([`vote`]) | `poll_vote` |
//! | something between devices | none; it is acknowledged |
//!
//! What it changes in the history goes with the observation.

pub(crate) mod key;
mod notes;
pub(crate) mod vote;

use super::content::context::Context;
use super::content::{self, base, media};
use super::who::{Names, Who};
use serde_json::{Map, Value, json};
use vote::Originals;
use warest_model::clock::Millis;
use warest_model::event::{EventKind, Observation, message_dedup};
use warest_model::history::{Change, Contact, Message, MessageStatus};
use warest_model::id::SessionId;
use warest_model::plan::MessageKey;
use whatsapp_rust::types::message::{MessageCategory, MessageInfo};
use whatsapp_rust::waproto::codec;
use whatsapp_rust::waproto::whatsapp as wa;

/// Whether a message of this origin can be an event at all.
pub(crate) fn is_wanted(info: &MessageInfo) -> bool {
    info.category != MessageCategory::Peer
}

/// Whether a message of this origin, if it cannot be read, holds back those that
/// its sender wrote after it. Status posts are no conversation.
pub(crate) fn is_ordered(info: &MessageInfo) -> bool {
    is_wanted(info) && !is_status(info) && !is_newsletter(info)
}

fn is_status(info: &MessageInfo) -> bool {
    info.source.chat.server == whatsapp_rust::Server::Broadcast && info.source.chat.user == "status"
}

fn is_newsletter(info: &MessageInfo) -> bool {
    info.source.chat.server == whatsapp_rust::Server::Newsletter
}

/// A message, with all that its observation needs.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) session: &'a SessionId,
    pub(crate) message: &'a wa::Message,
    pub(crate) info: &'a MessageInfo,
    /// Where it was written, and by whom.
    pub(crate) chat: &'a Who,
    pub(crate) sender: &'a Who,
    pub(crate) names: &'a dyn Names,
    /// Messages that came before.
    pub(crate) originals: &'a dyn Originals,
}

/// What is seen of a message.
pub(crate) async fn observe(seen: Seen<'_>) -> Option<Observation> {
    let base = base(seen.message);
    let (kind, data, changes) = if let Some(protocol) = base.protocol_message.as_option() {
        notes::protocol(seen, protocol).await?
    } else if let Some(reaction) = base.reaction_message.as_option() {
        notes::reaction(seen, reaction).await?
    } else if let Some(pin) = base.pin_in_chat_message.as_option() {
        notes::pin(seen, base, pin).await?
    } else if let Some(keep) = base.keep_in_chat_message.as_option() {
        notes::keep(seen, keep).await?
    } else if let Some(update) = base.poll_update_message.as_option() {
        vote::observe(seen, update).await?
    } else {
        written(seen).await?
    };
    let mut all = common(seen);
    all.extend(data);
    let mut changes = changes;
    changes.extend(known_of(seen));
    let dedup = Some(dedup(seen.info));
    Some(Observation { kind, chat: Some(seen.chat.address.clone()), dedup, data: Value::Object(all), changes })
}

/// The parts of an observation that differ: kind, payload, changes.
type Parts = (EventKind, Map<String, Value>, Vec<Change>);

/// The part of the payload that all events of messages have.
fn common(seen: Seen<'_>) -> Map<String, Value> {
    let Seen { info, chat, sender, .. } = seen;
    let mut data = Map::from_iter([
        ("messageId".to_owned(), json!(info.id)),
        ("chatId".to_owned(), json!(chat.address)),
        ("sender".to_owned(), json!(sender.address)),
        ("tags".to_owned(), json!(tags(info))),
        ("pushName".to_owned(), json!(info.push_name)),
        ("timestamp".to_owned(), json!(at_ms(info))),
        ("isGroup".to_owned(), json!(chat.address.is_group())),
    ]);
    if let Some(lid) = &chat.lid {
        data.insert("lid".to_owned(), json!(lid));
    }
    if let Some(lid) = &sender.lid {
        data.insert("senderLid".to_owned(), json!(lid));
    }
    if is_newsletter(info) && info.server_id != 0 {
        data.insert("serverId".to_owned(), json!(info.server_id));
    }
    data
}

fn tags(info: &MessageInfo) -> Vec<&'static str> {
    let mut tags = if info.source.is_from_me { vec!["outbound", "device"] } else { vec!["inbound"] };
    if is_status(info) {
        tags.push("status");
    } else if is_newsletter(info) {
        tags.push("newsletter");
    }
    tags
}

fn at_ms(info: &MessageInfo) -> Millis {
    info.timestamp.timestamp_millis()
}

/// The message's own name.
fn own_key(seen: Seen<'_>) -> MessageKey {
    let from_me = seen.info.source.is_from_me;
    key::key(&seen.chat.address, &seen.info.id, from_me, Some(&seen.sender.address))
}

/// A message that a person sees.
async fn written(seen: Seen<'_>) -> Option<Parts> {
    let Seen { info, message, .. } = seen;
    let mut shown = content::of(message)?;
    let context = Context::of(seen.names, message).await;
    context.add_to(&mut shown.body);
    if let Some(target) = &info.comment_target {
        shown.body.insert("commentOn".to_owned(), json!(key::seen(seen, Some(target)).await));
    }
    let text = shown.text.unwrap_or_default();
    let file = media::of(message, media::id(seen.session, &dedup(info), at_ms(info)));
    let key = own_key(seen);
    let data = Map::from_iter([
        ("key".to_owned(), json!(key)),
        ("contentType".to_owned(), json!(shown.kind)),
        ("message".to_owned(), Value::Object(shown.body)),
        ("media".to_owned(), media::shown(file.as_ref(), Some(&text))),
        ("text".to_owned(), json!(text)),
    ]);
    let (kind, status) = match info.source.is_from_me {
        true => (EventKind::MessageSent, MessageStatus::Server),
        false => (EventKind::MessageReceived, MessageStatus::Received),
    };
    let message = Message {
        key,
        sender: seen.sender.address.clone(),
        push_name: Some(info.push_name.clone()).filter(|name| !name.is_empty()),
        ts_ms: at_ms(info),
        content_type: shown.kind.to_owned(),
        text,
        body: codec::message_to_vec(message),
        media: file,
        quoted: context.quoted_id().map(str::to_owned),
        mentions: context.mentions,
        status,
        starred: false,
        edited_ms: None,
        revoked_ms: None,
        pinned_until_ms: None,
    };
    Some((kind, data, vec![Change::Message { message: Box::new(message), live: true }]))
}

/// What a message says of its sender, or of the one it was written to.
fn known_of(seen: Seen<'_>) -> Option<Change> {
    let Seen { info, chat, sender, .. } = seen;
    let own = info.source.is_from_me;
    let who = if own { chat } else { sender };
    let is_person = matches!(who.address.server(), "s.whatsapp.net" | "lid");
    let named = |name: &str| Some(name.to_owned()).filter(|name| !own && !name.is_empty());
    let contact = Contact {
        jid: Some(who.address.clone()).filter(|address| address.server() == "s.whatsapp.net"),
        lid: who.lid.clone(),
        push_name: named(&info.push_name),
        verified_name: info.verified_name.as_ref().and_then(|name| named(name.name.as_deref()?)),
        ..Contact::default()
    };
    let says = contact.push_name.is_some() || (contact.jid.is_some() && contact.lid.is_some());
    (is_person && says).then(|| Change::Contact(Box::new(contact)))
}

/// What makes a redelivery recognisable. The stanza's own names are used: a
/// canonical name may be learnt between two deliveries.
fn dedup(info: &MessageInfo) -> String {
    message_dedup(&info.source.chat.to_string(), &info.source.sender.to_string(), &info.id)
}

#[cfg(test)]
mod tests;
