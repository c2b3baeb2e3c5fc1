//! One incoming message becomes one observation, or none.
//!
//! Left out in this slice, and acknowledged: what the account itself wrote on
//! another device (a bot must not answer itself), peer and protocol messages,
//! status posts, edits.

use super::content;
use super::who::Who;
use serde_json::{Map, Value, json};
use warest_model::event::{EventKind, Observation, message_dedup};
use whatsapp_rust::proto_helpers::MessageExt as _;
use whatsapp_rust::types::message::{EditAttribute, MessageCategory, MessageInfo};
use whatsapp_rust::waproto::whatsapp as wa;

/// Whether a message of this origin is an event at all.
pub(crate) fn is_wanted(info: &MessageInfo) -> bool {
    let source = &info.source;
    let status = source.chat.server == whatsapp_rust::Server::Broadcast && source.chat.user == "status";
    !source.is_from_me
        && !status
        && info.category != MessageCategory::Peer
        && !matches!(info.edit, EditAttribute::MessageEdit | EditAttribute::AdminEdit)
}

/// What is seen of `message`, whose chat and sender are already named.
pub(super) fn observe(message: &wa::Message, info: &MessageInfo, chat: &Who, sender: &Who) -> Option<Observation> {
    let base = message.get_base_message();
    let (kind, mut data) = match base.reaction_message.as_option() {
        Some(reaction) => (EventKind::MessageReaction, reacted(reaction, chat, sender)),
        None => (EventKind::MessageReceived, received(message)?),
    };
    let is_group = chat.address.is_group();
    let key = data.entry("key").or_insert_with(|| {
        let mut key = json!({ "remoteJid": chat.address, "fromMe": false, "id": info.id });
        if is_group {
            key["participant"] = json!(sender.address);
        }
        key
    });
    debug_assert!(key.is_object());
    data.insert("messageId".into(), json!(info.id));
    data.insert("chatId".into(), json!(chat.address));
    data.insert("sender".into(), json!(sender.address));
    data.insert("tags".into(), json!(["inbound"]));
    data.insert("pushName".into(), json!(info.push_name));
    data.insert("timestamp".into(), json!(info.timestamp.timestamp_millis()));
    data.insert("isGroup".into(), json!(is_group));
    if let Some(lid) = &chat.lid {
        data.insert("lid".into(), json!(lid));
    }
    if let Some(lid) = &sender.lid {
        data.insert("senderLid".into(), json!(lid));
    }
    let dedup = Some(dedup(info));
    Some(Observation { dedup, ..Observation::new(kind, Some(chat.address.clone()), Value::Object(data)) })
}

/// What makes a redelivery recognisable. The stanza's own names are used: a
/// canonical name may be learnt between two deliveries.
fn dedup(info: &MessageInfo) -> String {
    message_dedup(&info.source.chat.to_string(), &info.source.sender.to_string(), &info.id)
}

fn received(message: &wa::Message) -> Option<Map<String, Value>> {
    let content = content::of(message)?;
    Some(Map::from_iter([
        ("contentType".into(), json!(content.kind)),
        ("message".into(), content.body),
        ("media".into(), Value::Null),
        ("text".into(), json!(content.text.unwrap_or_default())),
    ]))
}

/// The reaction, with the key of its message seen from this account: the stanza
/// has the sender's view, where `fromMe` means that the sender wrote it.
fn reacted(reaction: &wa::message::ReactionMessage, chat: &Who, sender: &Who) -> Map<String, Value> {
    let key = reaction.key.as_option();
    let by_sender = key.and_then(|key| key.from_me).unwrap_or(false);
    let mut target = json!({
        "remoteJid": chat.address,
        "fromMe": !chat.address.is_group() && !by_sender,
        "id": key.and_then(|key| key.id.clone()).unwrap_or_default(),
    });
    if chat.address.is_group() {
        let named = key.and_then(|key| key.participant.as_deref()?.parse().ok()).as_ref().and_then(super::who::address);
        let author = if by_sender { Some(sender.address.clone()) } else { named };
        target["participant"] = json!(author);
    }
    Map::from_iter([("reaction".into(), json!(reaction.text.clone().unwrap_or_default())), ("key".into(), target)])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::who::from_stanza;
    use super::*;
    use whatsapp_rust::buffa::MessageField;
    use whatsapp_rust::types::message::MessageSource;

    fn info(chat: &str, sender: &str, alt: Option<&str>) -> MessageInfo {
        MessageInfo {
            id: "3EB0EC4ED6916F3F123".into(),
            push_name: "Ani".into(),
            timestamp: whatsapp_rust::chrono::DateTime::from_timestamp(1_732_364_392, 0).unwrap(),
            source: MessageSource {
                chat: chat.parse().unwrap(),
                sender: sender.parse().unwrap(),
                sender_alt: alt.map(|alt| alt.parse().unwrap()),
                is_group: chat.ends_with("@g.us"),
                ..Default::default()
            },
            ..Default::default()
        }
    }

    fn seen(message: &wa::Message, info: &MessageInfo) -> Option<Observation> {
        let alt = info.source.sender_alt.as_ref();
        let chat = from_stanza(&info.source.chat, alt).unwrap();
        let sender = from_stanza(&info.source.sender, alt).unwrap();
        is_wanted(info).then(|| observe(message, info, &chat, &sender)).flatten()
    }

    fn text(text: &str) -> wa::Message {
        wa::Message { conversation: Some(text.into()), ..Default::default() }
    }

    #[test]
    fn a_text_has_the_contracts_payload() {
        let info = info("100200300@lid", "100200300:5@lid", Some("6281234567890@s.whatsapp.net"));
        let seen = seen(&text("Halo dari WAREST!"), &info).unwrap();
        assert_eq!(seen.kind, EventKind::MessageReceived);
        assert_eq!(seen.chat.unwrap().as_str(), "6281234567890@s.whatsapp.net");
        assert_eq!(seen.dedup.as_deref(), Some("100200300@lid|100200300:5@lid|3EB0EC4ED6916F3F123"));
        assert_eq!(
            seen.data,
            json!({
                "messageId": "3EB0EC4ED6916F3F123",
                "chatId": "6281234567890@s.whatsapp.net",
                "sender": "6281234567890@s.whatsapp.net",
                "contentType": "text",
                "message": {"text": "Halo dari WAREST!"},
                "media": null,
                "tags": ["inbound"],
                "text": "Halo dari WAREST!",
                "key": {"remoteJid": "6281234567890@s.whatsapp.net", "fromMe": false, "id": "3EB0EC4ED6916F3F123"},
                "pushName": "Ani",
                "timestamp": 1_732_364_392_000_i64,
                "isGroup": false,
                "lid": "100200300@lid",
                "senderLid": "100200300@lid",
            })
        );
    }

    #[test]
    fn a_group_message_names_its_author_in_the_key() {
        let info = info("120363025386030504@g.us", "100200300:5@lid", Some("62811111@s.whatsapp.net"));
        let seen = seen(&text("x"), &info).unwrap();
        assert_eq!(seen.data["key"]["participant"], "62811111@s.whatsapp.net");
        assert_eq!(seen.data["chatId"], "120363025386030504@g.us");
        assert_eq!(seen.data["isGroup"], true);
    }

    #[test]
    fn a_reaction_names_the_message_it_is_on() {
        let reaction = wa::Message {
            reaction_message: MessageField::some(wa::message::ReactionMessage {
                key: MessageField::some(wa::MessageKey {
                    remote_jid: Some("99@s.whatsapp.net".into()),
                    from_me: Some(false),
                    id: Some("TARGET".into()),
                    participant: None,
                }),
                text: Some("👍".into()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let seen = seen(&reaction, &info("62811111@s.whatsapp.net", "62811111@s.whatsapp.net", None)).unwrap();
        assert_eq!(seen.kind, EventKind::MessageReaction);
        assert_eq!(seen.data["reaction"], "👍");
        assert_eq!(seen.data["key"], json!({"remoteJid": "62811111@s.whatsapp.net", "fromMe": true, "id": "TARGET"}));
        assert_eq!(seen.data["messageId"], "3EB0EC4ED6916F3F123");
    }

    #[test]
    fn what_the_account_wrote_itself_and_what_nobody_sees_is_no_event() {
        let mut own = info("62811111@s.whatsapp.net", "62899999@s.whatsapp.net", None);
        own.source.is_from_me = true;
        assert_eq!(seen(&text("x"), &own), None);
        let mut peer = info("62811111@s.whatsapp.net", "62811111@s.whatsapp.net", None);
        peer.category = MessageCategory::Peer;
        assert_eq!(seen(&text("x"), &peer), None);
        assert_eq!(seen(&text("x"), &info("status@broadcast", "62811111@s.whatsapp.net", None)), None);
        assert_eq!(
            seen(&wa::Message::default(), &info("62811111@s.whatsapp.net", "62811111@s.whatsapp.net", None)),
            None
        );
    }
}
