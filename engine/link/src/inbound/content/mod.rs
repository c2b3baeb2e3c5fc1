//! What a message holds, in the contract's words.
//!
//! [`of`] finds what a person sees of it and shows it under WhatsApp's own field
//! names; beside them stand a few of ours, where WhatsApp's are awkward
//! ([`extras`]). [`media`] describes its file, [`context`] says what it answers
//! and whom it names.

pub(super) mod context;
mod extras;
pub(crate) mod media;

pub(crate) use extras::poll;

use super::json::lean;
use serde_json::{Map, Value};
use whatsapp_rust::proto_helpers::MessageExt as _;
use whatsapp_rust::waproto::whatsapp as wa;

/// Wrappers around a message that are seen through, one in another.
const WRAPPERS: usize = 8;

/// A message's content.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Content {
    /// `text`, `image`, `poll`, …
    pub(super) kind: &'static str,
    /// The `message` of the payload, without what [`context`] adds.
    pub(super) body: Map<String, Value>,
    /// What a person reads in it: the text, or the caption.
    pub(super) text: Option<String>,
}

/// The content of `message`; `None` if it has none that a person would see
/// (key distribution, protocol messages, edits, votes that are encrypted).
pub(super) fn of(message: &wa::Message) -> Option<Content> {
    let base = base(message);
    if base.protocol_message.is_set() {
        return None;
    }
    let mut content = words(base).or_else(|| shown(base))?;
    extras::add(base, &mut content);
    if message.is_view_once() {
        content.body.insert("viewOnce".to_owned(), Value::Bool(true));
    }
    Some(content)
}

/// The message inside all its wrappers.
pub(crate) fn base(message: &wa::Message) -> &wa::Message {
    let mut base = message.get_base_message();
    for _ in 0..WRAPPERS {
        let wrappers = [
            &base.group_mentioned_message,
            &base.bot_invoke_message,
            &base.associated_child_message,
            &base.poll_creation_option_image_message,
            &base.poll_creation_message_v4,
            &base.lottie_sticker_message,
            &base.event_cover_image,
            &base.group_status_message,
            &base.group_status_message_v2,
            &base.status_add_yours,
            &base.question_message,
            &base.question_reply_message,
            &base.spoiler_message,
            &base.limit_sharing_message,
            &base.bot_task_message,
            &base.bot_forwarded_message,
            &base.newsletter_admin_profile_message,
            &base.newsletter_admin_profile_message_v2,
        ];
        let inner = wrappers.into_iter().find_map(|wrapper| wrapper.as_option()?.message.as_option());
        let Some(inner) = inner else { break };
        base = inner.get_base_message();
    }
    base
}

/// A text message.
fn words(base: &wa::Message) -> Option<Content> {
    let text = match (&base.conversation, base.extended_text_message.as_option()) {
        (Some(text), _) if !text.is_empty() => text.clone(),
        (_, Some(extended)) => extended.text.clone().unwrap_or_default(),
        _ => return None,
    };
    let body = Map::from_iter([("text".to_owned(), Value::from(text.clone()))]);
    Some(Content { kind: "text", body, text: Some(text) })
}

fn shown(message: &wa::Message) -> Option<Content> {
    macro_rules! first {
        ($($field:ident $(. $text:ident)? => $kind:literal,)+) => {$(
            if let Some(part) = message.$field.as_option() {
                #[allow(unused_mut, unused_assignments)]
                let mut text: Option<String> = None;
                $(text = part.$text.clone();)?
                let body = match lean(part) {
                    Value::Object(fields) => fields,
                    _ => Map::new(),
                };
                return Some(Content { kind: $kind, body, text });
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
        sticker_pack_message.caption => "sticker_pack",
        location_message.comment => "location",
        live_location_message.caption => "live_location",
        contact_message.display_name => "contact",
        contacts_array_message.display_name => "contacts",
        poll_creation_message.name => "poll",
        poll_creation_message_v2.name => "poll",
        poll_creation_message_v3.name => "poll",
        poll_creation_message_v5.name => "poll",
        poll_creation_message_v6.name => "poll",
        poll_result_snapshot_message.name => "poll_result",
        poll_result_snapshot_message_v3.name => "poll_result",
        buttons_response_message => "button_reply",
        template_button_reply_message.selected_display_text => "button_reply",
        list_response_message.title => "list_reply",
        interactive_response_message => "interactive_reply",
        buttons_message.content_text => "buttons",
        template_message => "template",
        highly_structured_message => "template",
        list_message.description => "list",
        interactive_message => "interactive",
        group_invite_message.caption => "group_invite",
        newsletter_admin_invite_message.caption => "newsletter_invite",
        newsletter_follower_invite_message_v2.caption => "newsletter_invite",
        event_message.name => "event",
        event_invite_message.caption => "event",
        product_message.body => "product",
        order_message.message => "order",
        invoice_message.note => "invoice",
        send_payment_message => "payment",
        request_payment_message => "payment_request",
        decline_payment_request_message => "payment_declined",
        cancel_payment_request_message => "payment_cancelled",
        payment_invite_message => "payment_invite",
        request_phone_number_message => "phone_number_request",
        scheduled_call_creation_message.title => "scheduled_call",
        album_message => "album",
        call_log_messsage => "call_log",
        call => "call",
        placeholder_message => "placeholder",
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use whatsapp_rust::buffa::MessageField;

    fn wrapped(message: wa::Message) -> MessageField<wa::message::FutureProofMessage> {
        MessageField::some(wa::message::FutureProofMessage { message: MessageField::some(message) })
    }

    fn image() -> wa::Message {
        let image = wa::message::ImageMessage {
            caption: Some("look".into()),
            mimetype: Some("image/png".into()),
            ..Default::default()
        };
        wa::Message { image_message: MessageField::some(image), ..Default::default() }
    }

    #[test]
    fn media_show_their_caption_and_wrappers_are_seen_through() {
        let ephemeral = wa::Message { ephemeral_message: wrapped(image()), ..Default::default() };
        let album = wa::Message { associated_child_message: wrapped(ephemeral.clone()), ..Default::default() };
        for message in [image(), ephemeral, album] {
            let content = of(&message).unwrap();
            assert_eq!((content.kind, content.text.as_deref()), ("image", Some("look")));
            assert_eq!(content.body["mimetype"], "image/png");
            assert!(!content.body.contains_key("viewOnce"));
        }
    }

    #[test]
    fn what_is_shown_once_says_so() {
        let message = wa::Message { view_once_message_v2: wrapped(image()), ..Default::default() };
        assert_eq!(of(&message).unwrap().body["viewOnce"], true);
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
