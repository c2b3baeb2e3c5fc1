//! What a message holds, in the contract's words.

use super::json::lean;
use serde_json::{Map, Value, json};
use whatsapp_rust::proto_helpers::MessageExt as _;
use whatsapp_rust::waproto::whatsapp as wa;

/// A message's content.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Content {
    /// `text`, `image`, `poll`, …
    pub(super) kind: &'static str,
    /// The `message` of the payload.
    pub(super) body: Value,
    /// What a person reads in it: the text, or the caption.
    pub(super) text: Option<String>,
}

/// The content of `message`; `None` if it has none that a person would see
/// (key distribution, protocol messages, edits, votes that are encrypted).
pub(super) fn of(message: &wa::Message) -> Option<Content> {
    if message.edited_message.is_set() {
        return None;
    }
    let base = message.get_base_message();
    if base.protocol_message.is_set() {
        return None;
    }
    if let Some(text) = base.conversation.as_ref().filter(|text| !text.is_empty()) {
        return Some(Content { kind: "text", body: json!({ "text": text }), text: Some(text.clone()) });
    }
    if let Some(extended) = base.extended_text_message.as_option() {
        let text = extended.text.clone().unwrap_or_default();
        let mut body = Map::from_iter([("text".to_owned(), Value::from(text.clone()))]);
        if let Some(context) = extended.context_info.as_option() {
            add_context(&mut body, context);
        }
        return Some(Content { kind: "text", body: Value::Object(body), text: Some(text) });
    }
    shown(base)
}

/// Adds who is mentioned and what is quoted.
fn add_context(body: &mut Map<String, Value>, context: &wa::ContextInfo) {
    let bare = |text: &str| text.parse().ok().as_ref().and_then(super::who::address);
    let mentions: Vec<_> = context.mentioned_jid.iter().take(1_024).filter_map(|jid| bare(jid)).collect();
    if !mentions.is_empty() {
        body.insert("mentions".to_owned(), json!(mentions));
    }
    if let Some(id) = &context.stanza_id {
        let sender = context.participant.as_deref().and_then(bare);
        body.insert("quoted".to_owned(), json!({ "id": id, "sender": sender }));
    }
}

fn shown(message: &wa::Message) -> Option<Content> {
    macro_rules! first {
        ($($field:ident $(. $text:ident)? => $kind:literal,)+) => {$(
            if let Some(part) = message.$field.as_option() {
                #[allow(unused_mut, unused_assignments)]
                let mut text: Option<String> = None;
                $(text = part.$text.clone();)?
                return Some(Content { kind: $kind, body: lean(part), text });
            }
        )+};
    }
    first! {
        image_message.caption => "image",
        video_message.caption => "video",
        ptv_message.caption => "video",
        audio_message => "audio",
        document_message.caption => "document",
        sticker_message => "sticker",
        lottie_sticker_message => "sticker",
        sticker_pack_message.caption => "sticker_pack",
        location_message.comment => "location",
        live_location_message.caption => "live_location",
        contact_message.display_name => "contact",
        contacts_array_message.display_name => "contacts",
        poll_creation_message.name => "poll",
        poll_creation_message_v2.name => "poll",
        poll_creation_message_v3.name => "poll",
        poll_creation_message_v5.name => "poll",
        buttons_response_message.selected_button_id => "button_reply",
        template_button_reply_message.selected_display_text => "button_reply",
        list_response_message.title => "list_reply",
        interactive_response_message => "interactive_reply",
        buttons_message.content_text => "buttons",
        template_message => "template",
        list_message.description => "list",
        interactive_message => "interactive",
        group_invite_message.caption => "group_invite",
        event_message.name => "event",
        product_message.body => "product",
        order_message.message => "order",
        album_message => "album",
        call_log_messsage => "call_log",
        poll_update_message => "poll_update",
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use whatsapp_rust::buffa::MessageField;

    #[test]
    fn texts_carry_mentions_and_the_quote() {
        let message = wa::Message {
            extended_text_message: MessageField::some(wa::message::ExtendedTextMessage {
                text: Some("hi @62811".into()),
                context_info: MessageField::some(wa::ContextInfo {
                    stanza_id: Some("ABC".into()),
                    participant: Some("62822222:3@s.whatsapp.net".into()),
                    mentioned_jid: vec!["62811111@s.whatsapp.net".into(), "nonsense@@".into()],
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let content = of(&message).unwrap();
        assert_eq!((content.kind, content.text.as_deref()), ("text", Some("hi @62811")));
        assert_eq!(
            content.body,
            json!({"text": "hi @62811", "mentions": ["62811111@s.whatsapp.net"],
                   "quoted": {"id": "ABC", "sender": "62822222@s.whatsapp.net"}})
        );
    }

    #[test]
    fn media_show_their_caption_and_wrappers_are_seen_through() {
        let message = wa::Message {
            ephemeral_message: MessageField::some(wa::message::FutureProofMessage {
                message: MessageField::some(wa::Message {
                    image_message: MessageField::some(wa::message::ImageMessage {
                        caption: Some("look".into()),
                        mimetype: Some("image/png".into()),
                        ..Default::default()
                    }),
                    ..Default::default()
                }),
            }),
            ..Default::default()
        };
        let content = of(&message).unwrap();
        assert_eq!((content.kind, content.text.as_deref()), ("image", Some("look")));
        assert_eq!(content.body["mimetype"], "image/png");
    }

    #[test]
    fn what_nobody_sees_is_no_content() {
        assert_eq!(of(&wa::Message::default()), None);
        let protocol = wa::Message {
            protocol_message: MessageField::some(wa::message::ProtocolMessage::default()),
            ..Default::default()
        };
        assert_eq!(of(&protocol), None);
    }
}
