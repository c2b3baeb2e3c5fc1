//! Messages that say something of another message, or of their chat: reactions,
//! edits, revocations, pins, and after how long messages disappear.

use super::{EventKind, Parts, Seen, at_ms, key};
use crate::inbound::content;
use crate::inbound::content::context::Context;
use serde_json::{Map, Value, json};
use warest_model::clock::Millis;
use warest_model::history::{Change, ChatPatch, Reaction};
use whatsapp_rust::waproto::codec;
use whatsapp_rust::waproto::whatsapp as wa;

/// How long a pin lasts that does not say so.
const PIN_SECONDS: i64 = 7 * 24 * 3_600;

/// A reaction, or that it was taken off.
pub(super) async fn reaction(seen: Seen<'_>, reaction: &wa::message::ReactionMessage) -> Option<Parts> {
    let key = key::seen(seen, reaction.key.as_option()).await;
    let emoji = reaction.text.clone().unwrap_or_default();
    let data = Map::from_iter([("reaction".to_owned(), json!(emoji)), ("key".to_owned(), json!(key))]);
    let ts_ms = moment(reaction.sender_timestamp_ms).unwrap_or_else(|| at_ms(seen.info));
    let reaction = Reaction { from: seen.sender.address.clone(), emoji, ts_ms };
    Some((EventKind::MessageReaction, data, vec![Change::Reaction { key, reaction }]))
}

/// What devices and people tell each other beside messages.
pub(super) async fn protocol(seen: Seen<'_>, protocol: &wa::message::ProtocolMessage) -> Option<Parts> {
    use wa::message::protocol_message::Type;
    match protocol.r#type.unwrap_or(Type::REVOKE) {
        Type::REVOKE if protocol.key.is_set() => Some(revoked(seen, protocol).await),
        Type::MESSAGE_EDIT => edited(seen, protocol).await,
        Type::EPHEMERAL_SETTING => Some(ephemeral(seen, protocol)),
        _ => None,
    }
}

async fn revoked(seen: Seen<'_>, protocol: &wa::message::ProtocolMessage) -> Parts {
    let key = key::seen(seen, protocol.key.as_option()).await;
    let author = key.participant.as_ref();
    let by_admin =
        author.is_some_and(|author| *author != seen.sender.address) || (key.from_me && !seen.info.source.is_from_me);
    let data = Map::from_iter([
        ("key".to_owned(), json!(key)),
        ("by".to_owned(), json!(seen.sender.address)),
        ("byAdmin".to_owned(), json!(by_admin)),
        ("previous".to_owned(), Value::Null),
    ]);
    (EventKind::MessageRevoked, data, vec![Change::Revoked { key, at_ms: at_ms(seen.info) }])
}

async fn edited(seen: Seen<'_>, protocol: &wa::message::ProtocolMessage) -> Option<Parts> {
    let message = protocol.edited_message.as_option()?;
    let mut shown = content::of(message)?;
    let context = Context::of(seen.names, message).await;
    context.add_to(&mut shown.body);
    let key = key::seen(seen, protocol.key.as_option()).await;
    let text = shown.text.unwrap_or_default();
    let at_ms = moment(protocol.timestamp_ms).unwrap_or_else(|| at_ms(seen.info));
    let data = Map::from_iter([
        ("key".to_owned(), json!(key)),
        ("contentType".to_owned(), json!(shown.kind)),
        ("message".to_owned(), Value::Object(shown.body)),
        ("text".to_owned(), json!(text)),
        ("previous".to_owned(), Value::Null),
    ]);
    let body = codec::message_to_vec(message);
    Some((EventKind::MessageEdited, data, vec![Change::Edited { key, text, body, at_ms }]))
}

fn ephemeral(seen: Seen<'_>, protocol: &wa::message::ProtocolMessage) -> Parts {
    let seconds = protocol.ephemeral_expiration.unwrap_or(0);
    let data = Map::from_iter([("change".to_owned(), json!("ephemeral")), ("value".to_owned(), json!(seconds))]);
    let patch =
        ChatPatch { ephemeral_seconds: Some(Some(seconds).filter(|seconds| *seconds > 0)), ..ChatPatch::default() };
    let change = Change::Chat { chat: seen.chat.address.clone(), patch, at_ms: at_ms(seen.info) };
    (EventKind::ChatUpdate, data, vec![change])
}

/// A message that was pinned for everybody, or taken down.
pub(super) async fn pin(seen: Seen<'_>, base: &wa::Message, pin: &wa::message::PinInChatMessage) -> Option<Parts> {
    use wa::message::pin_in_chat_message::Type;
    let key = key::seen(seen, pin.key.as_option()).await;
    let pinned = pin.r#type? == Type::PIN_FOR_ALL;
    // It stands beside the pin, outside of all wrappers.
    let context = [seen.message, base].into_iter().find_map(|message| message.message_context_info.as_option());
    let seconds = context.and_then(|context| context.message_add_on_duration_in_secs).map_or(PIN_SECONDS, i64::from);
    let from_ms = moment(pin.sender_timestamp_ms).unwrap_or_else(|| at_ms(seen.info));
    let until_ms = pinned.then(|| from_ms.saturating_add(seconds * 1_000));
    let data = Map::from_iter([
        ("change".to_owned(), json!("pin_message")),
        ("key".to_owned(), json!(key)),
        ("pinned".to_owned(), json!(pinned)),
        ("until".to_owned(), json!(until_ms)),
    ]);
    Some((EventKind::ChatUpdate, data, vec![Change::Pinned { key, until_ms }]))
}

/// A message that is kept although it would disappear, or no longer.
pub(super) async fn keep(seen: Seen<'_>, keep: &wa::message::KeepInChatMessage) -> Option<Parts> {
    let key = key::seen(seen, keep.key.as_option()).await;
    let data = Map::from_iter([
        ("change".to_owned(), json!("keep_message")),
        ("key".to_owned(), json!(key)),
        ("kept".to_owned(), json!(keep.keep_type? == wa::KeepType::KEEP_FOR_ALL)),
    ]);
    Some((EventKind::ChatUpdate, data, Vec::new()))
}

/// A moment that a peer names, if it is one.
fn moment(ms: Option<i64>) -> Option<Millis> {
    ms.filter(|ms| *ms > 0)
}
