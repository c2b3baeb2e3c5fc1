//! What surrounds a message's content: the message it quotes, those it mentions, that it was
//! forwarded, how long it lives, that it may be seen once.

use super::{Desk, invalid};
use crate::error::SimnetError;
use crate::phone::describe;
use crate::phone::inbox::ShownMessage;
use serde::Deserialize;
use waproto::buffa::MessageField;
use waproto::whatsapp as wa;

/// People mentioned in one message.
const MENTIONS: usize = 1_024;

/// What goes with a content.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Options {
    /// The message that this one answers.
    pub(crate) quoted: Option<String>,
    /// Numbers, or JIDs as they are.
    pub(crate) mentions: Vec<String>,
    pub(crate) caption: Option<String>,
    pub(crate) forwarded: bool,
    pub(crate) view_once: bool,
    /// Seconds after which it vanishes.
    pub(crate) ephemeral: Option<u32>,
}

/// A message that is shown, and the key that names it.
pub(crate) struct Keyed {
    pub(crate) key: wa::MessageKey,
    pub(crate) shown: ShownMessage,
}

impl Options {
    /// Puts what there is around a message.
    pub(super) fn apply(self, desk: &Desk<'_>, mut message: wa::Message) -> Result<wa::Message, SimnetError> {
        if let Some(context) = self.context(desk)? {
            attach(&mut message, context)?;
        }
        if self.view_once {
            once(&mut message)?;
        }
        if self.ephemeral.is_some() {
            let secrets = message.message_context_info.clone();
            message = wa::Message {
                ephemeral_message: MessageField::some(wa::message::FutureProofMessage {
                    message: MessageField::some(message),
                }),
                message_context_info: secrets,
                ..Default::default()
            };
        }
        Ok(message)
    }

    fn context(&self, desk: &Desk<'_>) -> Result<Option<wa::ContextInfo>, SimnetError> {
        if self.mentions.len() > MENTIONS {
            return Err(SimnetError::Invalid(format!("mentions are at most {MENTIONS}")));
        }
        let mut context = wa::ContextInfo::default();
        if let Some(id) = &self.quoted {
            let shown = desk.shown(id)?;
            context.stanza_id = Some(id.clone());
            context.participant = Some(desk.net.require(&shown.from)?.lid_jid().to_string());
            let mut quoted = shown.decoded().unwrap_or_default();
            // Quotes are one deep, and carry no secrets.
            quoted.message_context_info = MessageField::none();
            if let Some(text) = quoted.extended_text_message.as_option_mut() {
                text.context_info = MessageField::none();
            }
            context.quoted_message = MessageField::some(quoted);
        }
        for mention in &self.mentions {
            let jid = if mention.contains('@') { mention.clone() } else { format!("{mention}@s.whatsapp.net") };
            context.mentioned_jid.push(jid);
        }
        if self.forwarded {
            context.is_forwarded = Some(true);
            context.forwarding_score = Some(1);
        }
        context.expiration = self.ephemeral;
        let empty = self.quoted.is_none() && self.mentions.is_empty() && !self.forwarded && self.ephemeral.is_none();
        Ok((!empty).then_some(context))
    }
}

/// Puts a context into whatever the message is.
pub(super) fn attach(message: &mut wa::Message, context: wa::ContextInfo) -> Result<(), SimnetError> {
    if let Some(text) = message.conversation.take() {
        message.extended_text_message = MessageField::some(wa::message::ExtendedTextMessage {
            text: Some(text),
            context_info: MessageField::some(context),
            ..Default::default()
        });
        return Ok(());
    }
    let inner = match message.document_with_caption_message.as_option_mut() {
        Some(wrapper) => wrapper.message.as_option_mut(),
        None => None,
    };
    if let Some(inner) = inner {
        return attach(inner, context);
    }
    macro_rules! try_fields {
        ($($field:ident),+) => {
            $(if let Some(content) = message.$field.as_option_mut() {
                content.context_info = MessageField::some(context);
                return Ok(());
            })+
        };
    }
    try_fields!(
        extended_text_message,
        image_message,
        video_message,
        ptv_message,
        audio_message,
        document_message,
        sticker_message,
        contact_message,
        contacts_array_message,
        location_message,
        live_location_message,
        buttons_response_message,
        list_response_message,
        poll_creation_message,
        poll_creation_message_v3
    );
    Err(invalid("this kind of message quotes and mentions nothing"))
}

/// Lets a message be seen once.
fn once(message: &mut wa::Message) -> Result<(), SimnetError> {
    if let Some(image) = message.image_message.as_option_mut() {
        image.view_once = Some(true);
    } else if let Some(video) = message.video_message.as_option_mut() {
        video.view_once = Some(true);
    } else if let Some(audio) = message.audio_message.as_option_mut() {
        audio.view_once = Some(true);
    } else {
        return Err(invalid("only image, video and ptt can be seen once"));
    }
    let inner = std::mem::take(message);
    debug_assert!(describe::unwrap(&inner).view_once);
    message.view_once_message_v2 =
        MessageField::some(wa::message::FutureProofMessage { message: MessageField::some(inner) });
    Ok(())
}
