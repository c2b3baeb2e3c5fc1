//! Messages that are known, to others.

use super::context::{context_of, mark_forwarded};
use super::media;
use warest_model::fault::Fault;
use whatsapp_rust::buffa::MessageField;
use whatsapp_rust::proto_helpers::MessageExt as _;
use whatsapp_rust::waproto::whatsapp as wa;

/// A copy that names nobody and answers nothing, with its score raised. Its
/// file stays where it is on WhatsApp's servers.
pub(super) fn message(original: Option<&wa::Message>) -> Result<wa::Message, Fault> {
    let original = original.ok_or_else(|| {
        Fault::fail("message_unknown", "the message to forward is not in the history; send its content instead")
    })?;
    if original.is_view_once() {
        return Err(refused("a message that is shown once cannot be forwarded"));
    }
    let mut message = original.get_base_message().clone();
    if message.protocol_message.is_set() || message.reaction_message.is_set() || message.poll_update_message.is_set() {
        return Err(refused("this is no message that a person sees"));
    }
    message.message_context_info = MessageField::none();
    message.sender_key_distribution_message = MessageField::none();
    let Some(context) = context_of(&mut message) else {
        return Err(refused("messages of this kind cannot be forwarded"));
    };
    let mut kept = wa::ContextInfo {
        forwarding_score: context.forwarding_score.filter(|_| context.is_forwarded == Some(true)),
        forwarded_newsletter_message_info: context.forwarded_newsletter_message_info.take().into(),
        ..Default::default()
    };
    mark_forwarded(&mut kept);
    *context = kept;
    if message.document_message.as_option().is_some_and(|document| document.caption.is_some()) {
        message = media::with_caption(message);
    }
    Ok(message)
}

fn refused(why: &str) -> Fault {
    Fault::fail("message_not_forwardable", why)
}
