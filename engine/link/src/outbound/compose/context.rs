//! What a message says about itself: whom it names, what it answers, whether it
//! came from elsewhere. It sits in the innermost part of a message, and a bare
//! text takes the extended form to hold it.

use whatsapp_rust::buffa::MessageField;
use whatsapp_rust::proto_helpers::MessageExt as _;
use whatsapp_rust::waproto::whatsapp as wa;

/// WhatsApp's score of what was forwarded often.
const OFTEN: u32 = 127;

/// What a message answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct Quote {
    /// The id of the message.
    pub(in super::super) id: String,
    /// Its author.
    pub(in super::super) author: Option<String>,
    /// Its chat, where it is another one.
    pub(in super::super) chat: Option<String>,
    /// What it says. Clients find it by its id, and show an empty quote where
    /// neither they nor this account have it.
    pub(in super::super) message: Option<wa::Message>,
}

/// What is added to a message.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct Context {
    /// Who is named.
    pub(in super::super) mentions: Vec<String>,
    /// What it answers.
    pub(in super::super) quote: Option<Quote>,
    /// Whether it came from elsewhere.
    pub(in super::super) forwarded: bool,
}

impl Context {
    /// Whether there is nothing to add.
    pub(super) fn is_empty(&self) -> bool {
        self.mentions.is_empty() && self.quote.is_none() && !self.forwarded
    }

    /// Adds it to what the message has already. A message that cannot hold it
    /// stays as it is.
    pub(super) fn apply(self, message: &mut wa::Message) {
        if self.is_empty() {
            return;
        }
        let Some(context) = context_of(message) else { return };
        if !self.mentions.is_empty() {
            context.mentioned_jid = self.mentions;
        }
        if let Some(quote) = self.quote {
            context.stanza_id = Some(quote.id);
            context.participant = quote.author;
            context.remote_jid = quote.chat;
            context.quoted_message = match quote.message {
                Some(message) => MessageField::from_box(message.get_base_message().prepare_for_quote()),
                None => MessageField::some(wa::Message { conversation: Some(String::new()), ..Default::default() }),
            };
            if let Some(quoted) = context.quoted_message.as_option_mut() {
                quoted.message_context_info = MessageField::none();
            }
        }
        if self.forwarded {
            mark_forwarded(context);
        }
    }
}

/// Lets a message disappear after some time, as its chat does.
pub(in super::super) fn expire(message: &mut wa::Message, seconds: u32) {
    if let Some(context) = context_of(message) {
        context.expiration = Some(seconds);
    }
}

/// Marks as forwarded, once more.
pub(super) fn mark_forwarded(context: &mut wa::ContextInfo) {
    let score = context.forwarding_score.unwrap_or(0).saturating_add(1);
    context.forwarding_score = Some(if score > 4 { OFTEN } else { score });
    context.is_forwarded = Some(true);
}

/// The message inside the wrappers that say how it is shown.
pub(super) fn innermost(mut message: &mut wa::Message) -> &mut wa::Message {
    macro_rules! inner {
        ($($field:ident),+) => {$(
            if message.$field.as_option().is_some_and(|outer| outer.message.is_set()) {
                match message.$field.as_option_mut().and_then(|outer| outer.message.as_option_mut()) {
                    Some(inner) => { message = inner; continue; }
                    // It is set, as was just asked.
                    None => unreachable!(),
                }
            }
        )+};
    }
    loop {
        inner!(
            ephemeral_message,
            view_once_message,
            view_once_message_v2,
            view_once_message_v2_extension,
            document_with_caption_message
        );
        return message;
    }
}

/// The context of a message, made if it has none; `None` if it cannot have one.
pub(super) fn context_of(message: &mut wa::Message) -> Option<&mut wa::ContextInfo> {
    let message = innermost(message);
    if let Some(text) = message.conversation.take() {
        message.extended_text_message =
            wa::message::ExtendedTextMessage { text: Some(text), ..Default::default() }.into();
    }
    macro_rules! first {
        ($($field:ident),+) => {$(
            if message.$field.is_set() {
                return message.$field.as_option_mut().map(|part| part.context_info.get_or_insert_default());
            }
        )+};
    }
    first!(
        extended_text_message,
        image_message,
        video_message,
        ptv_message,
        audio_message,
        document_message,
        sticker_message,
        location_message,
        live_location_message,
        contact_message,
        contacts_array_message,
        interactive_message,
        poll_creation_message,
        poll_creation_message_v2,
        poll_creation_message_v3,
        poll_creation_message_v5,
        buttons_message,
        list_message,
        template_message,
        product_message,
        order_message,
        group_invite_message,
        event_message,
        sticker_pack_message,
        album_message
    );
    None
}
