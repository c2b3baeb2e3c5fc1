//! Messages about other messages: forwards, edits, revokes, reactions, pins, and the chat's timer.

use super::context::attach;
use super::{Desk, Of, invalid, text_message};
use crate::chance::now_millis;
use crate::error::SimnetError;
use crate::phone::{describe, thread};
use serde::Deserialize;
use waproto::buffa::MessageField;
use waproto::whatsapp::message::pin_in_chat_message::Type as PinType;
use waproto::whatsapp::message::protocol_message::Type as ProtocolType;
use waproto::whatsapp::message::{self, FutureProofMessage, ProtocolMessage};
use waproto::whatsapp::{self as wa};

/// Seven days, as the apps offer first.
const PIN_SECONDS: u32 = 7 * 24 * 3600;

/// The new text, or caption, of an own message.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edit {
    id: String,
    text: String,
}

/// A reaction; an empty emoji takes it back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct React {
    pub(crate) id: String,
    pub(crate) emoji: String,
    /// Whether the message is the phone's own; looked up when absent.
    #[serde(default)]
    pub(crate) from_me: Option<bool>,
}

/// Pins a message for everyone in the chat.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pin {
    id: String,
    #[serde(default)]
    seconds: Option<u32>,
}

fn millis() -> Option<i64> {
    Some(i64::try_from(now_millis()).unwrap_or(i64::MAX))
}

fn protocol(content: ProtocolMessage) -> wa::Message {
    wa::Message { protocol_message: MessageField::some(content), ..Default::default() }
}

impl Edit {
    pub(super) fn message(self, desk: &Desk<'_>) -> Result<wa::Message, SimnetError> {
        let keyed = desk.key_of(&self.id)?;
        if !keyed.shown.from_me {
            return Err(invalid("only an own message can be edited"));
        }
        let before = keyed.shown.decoded().unwrap_or_default();
        let mut edited = describe::unwrap(&before).message.clone();
        if let Some(image) = edited.image_message.as_option_mut() {
            image.caption = Some(self.text);
        } else if let Some(video) = edited.video_message.as_option_mut() {
            video.caption = Some(self.text);
        } else if let Some(document) = edited.document_message.as_option_mut() {
            document.caption = Some(self.text);
        } else {
            edited = text_message(self.text)?;
        }
        edited.message_context_info = MessageField::none();
        let change = protocol(ProtocolMessage {
            key: MessageField::some(keyed.key),
            r#type: Some(ProtocolType::MESSAGE_EDIT),
            edited_message: MessageField::some(edited),
            timestamp_ms: millis(),
            ..Default::default()
        });
        Ok(wa::Message {
            edited_message: MessageField::some(FutureProofMessage { message: MessageField::some(change) }),
            ..Default::default()
        })
    }
}

impl React {
    pub(super) fn message(self, desk: &Desk<'_>) -> Result<wa::Message, SimnetError> {
        if self.emoji.len() > 64 || self.id.is_empty() || self.id.len() > 128 {
            return Err(invalid("react takes a message id and one emoji"));
        }
        let shown = desk.account.primary.inbox.find(&self.id);
        let from_me = self.from_me.or(shown.as_ref().map(|shown| shown.from_me)).unwrap_or(false);
        let key = desk.key(&self.id, from_me, shown.as_ref().map(|shown| shown.from.as_str()))?;
        Ok(wa::Message {
            reaction_message: MessageField::some(message::ReactionMessage {
                key: MessageField::some(key),
                text: Some(self.emoji),
                sender_timestamp_ms: millis(),
                ..Default::default()
            }),
            ..Default::default()
        })
    }
}

impl Pin {
    pub(super) fn message(self, desk: &Desk<'_>) -> Result<wa::Message, SimnetError> {
        let mut message = pin(desk, &self.id, PinType::PIN_FOR_ALL)?;
        message.message_context_info = MessageField::some(wa::MessageContextInfo {
            message_add_on_duration_in_secs: Some(self.seconds.unwrap_or(PIN_SECONDS)),
            ..Default::default()
        });
        Ok(message)
    }
}

fn pin(desk: &Desk<'_>, id: &str, kind: PinType) -> Result<wa::Message, SimnetError> {
    Ok(wa::Message {
        pin_in_chat_message: MessageField::some(message::PinInChatMessage {
            key: MessageField::some(desk.key_of(id)?.key),
            r#type: Some(kind),
            sender_timestamp_ms: millis(),
        }),
        ..Default::default()
    })
}

pub(super) fn unpin(desk: &Desk<'_>, of: &Of) -> Result<wa::Message, SimnetError> {
    pin(desk, &of.id, PinType::UNPIN_FOR_ALL)
}

/// Takes a message back for everyone.
pub(super) fn revoke(desk: &Desk<'_>, of: &Of) -> Result<wa::Message, SimnetError> {
    let keyed = desk.key_of(&of.id)?;
    if !keyed.shown.from_me && !desk.chat.contains('@') {
        return Err(invalid("in a chat of two, only an own message can be revoked"));
    }
    let (inbox, by) = (&desk.account.primary.inbox, &desk.account.phone);
    if desk.chat.ends_with("@g.us") && !thread::may_revoke(desk.net, inbox, by, desk.chat, &of.id) {
        return Err(invalid("in a group, only admins can revoke what others wrote"));
    }
    Ok(protocol(ProtocolMessage {
        key: MessageField::some(keyed.key),
        r#type: Some(ProtocolType::REVOKE),
        ..Default::default()
    }))
}

/// The same content again, marked as forwarded.
pub(super) fn forward(desk: &Desk<'_>, of: &Of) -> Result<wa::Message, SimnetError> {
    let shown = desk.shown(&of.id)?;
    let original = shown.decoded().ok_or_else(|| invalid("that message cannot be read"))?;
    let mut message = describe::unwrap(&original).message.clone();
    message.message_context_info = MessageField::none();
    let context = wa::ContextInfo { is_forwarded: Some(true), forwarding_score: Some(1), ..wa::ContextInfo::default() };
    attach(&mut message, context)?;
    Ok(message)
}

/// Sets how long the chat's messages live; 0 for ever.
pub(super) fn disappearing(seconds: u32) -> wa::Message {
    protocol(ProtocolMessage {
        r#type: Some(ProtocolType::EPHEMERAL_SETTING),
        ephemeral_expiration: Some(seconds),
        ephemeral_setting_timestamp: Some(i64::try_from(crate::chance::now()).unwrap_or(i64::MAX)),
        ..Default::default()
    })
}
