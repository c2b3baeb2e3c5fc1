//! What is said about another message: reactions, taking back, changing,
//! pinning.

use wa::message::pin_in_chat_message::Type as PinType;
use wa::message::protocol_message::Type;
use warest_model::clock::Millis;
use warest_model::fault::Fault;
use whatsapp_rust::proto_helpers::{MessageExt as _, build_reaction_message};
use whatsapp_rust::waproto::whatsapp as wa;

use super::context::{context_of, innermost};

/// How long a message can be pinned: a day, a week, 30 days.
const PIN_SECONDS: [u32; 3] = [86_400, 604_800, 2_592_000];

/// A reaction; an empty emoji takes it off.
pub(in super::super) fn reaction(key: wa::MessageKey, emoji: &str, now_ms: Millis) -> wa::Message {
    build_reaction_message(key, emoji, now_ms)
}

/// Takes a message back for everybody.
pub(in super::super) fn revoke(key: wa::MessageKey) -> wa::Message {
    protocol(wa::message::ProtocolMessage { key: key.into(), r#type: Some(Type::REVOKE), ..Default::default() })
}

/// Lets a message say something else.
pub(in super::super) fn edit(key: wa::MessageKey, content: wa::Message, now_ms: Millis) -> wa::Message {
    protocol(wa::message::ProtocolMessage {
        key: key.into(),
        r#type: Some(Type::MESSAGE_EDIT),
        edited_message: content.into(),
        timestamp_ms: Some(now_ms),
        ..Default::default()
    })
}

/// What a message says once `text` replaces its words: the caption, if it is a
/// file, else the text. Whom it named and what it answered stays.
pub(in super::super) fn reworded(original: Option<&wa::Message>, text: wa::Message) -> Result<wa::Message, Fault> {
    let Some(original) = original else { return Ok(text) };
    let mut message = original.clone();
    message.message_context_info = Default::default();
    let words = text.text_content().unwrap_or_default().to_owned();
    let inner = innermost(&mut message);
    if inner.conversation.is_some() || inner.extended_text_message.is_set() {
        let mut text = text;
        let old = inner.extended_text_message.as_option().and_then(|text| text.context_info.as_option());
        if let Some(old) = old
            && let Some(new) = context_of(&mut text)
            && new.mentioned_jid.is_empty()
        {
            *new = old.clone();
        }
        return Ok(text);
    }
    if let Some(image) = inner.image_message.as_option_mut() {
        image.caption = Some(words);
    } else if let Some(video) = inner.video_message.as_option_mut() {
        video.caption = Some(words);
    } else if let Some(document) = inner.document_message.as_option_mut() {
        document.caption = Some(words);
    } else {
        return Err(Fault::fail(
            "message_not_editable",
            "only texts and the captions of pictures, films and documents can be changed",
        ));
    }
    Ok(message)
}

/// Pins a message for everybody, for the least of WhatsApp's spans that is long
/// enough; `None` takes it down.
pub(in super::super) fn pin(key: wa::MessageKey, seconds: Option<u32>, now_ms: Millis) -> wa::Message {
    let span = seconds.map(|wanted| {
        PIN_SECONDS.into_iter().find(|span| *span >= wanted).unwrap_or(PIN_SECONDS[PIN_SECONDS.len() - 1])
    });
    wa::Message {
        pin_in_chat_message: wa::message::PinInChatMessage {
            key: key.into(),
            r#type: Some(if span.is_some() { PinType::PIN_FOR_ALL } else { PinType::UNPIN_FOR_ALL }),
            sender_timestamp_ms: Some(now_ms),
        }
        .into(),
        message_context_info: wa::MessageContextInfo {
            message_add_on_duration_in_secs: Some(span.unwrap_or(0)),
            ..Default::default()
        }
        .into(),
        ..Default::default()
    }
}

fn protocol(message: wa::message::ProtocolMessage) -> wa::Message {
    wa::Message { protocol_message: message.into(), ..Default::default() }
}
