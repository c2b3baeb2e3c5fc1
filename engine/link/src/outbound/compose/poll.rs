//! Polls, and the secret under which their votes are encrypted.

use whatsapp_rust::waproto::whatsapp as wa;

/// A poll: the third form for one choice, the first for several, as WhatsApp's
/// own clients do. Any number of choices is written as none.
pub(super) fn message(question: &str, options: &[String], selectable: u32) -> wa::Message {
    let poll = wa::message::PollCreationMessage {
        name: Some(question.to_owned()),
        options: options
            .iter()
            .map(|option| wa::message::poll_creation_message::Option {
                option_name: Some(option.clone()),
                ..Default::default()
            })
            .collect(),
        selectable_options_count: Some(selectable),
        ..Default::default()
    };
    if selectable == 1 {
        wa::Message { poll_creation_message_v3: poll.into(), ..Default::default() }
    } else {
        wa::Message { poll_creation_message: poll.into(), ..Default::default() }
    }
}

/// Gives a poll its secret, if it has none. Votes can be read only with the
/// secret that the voter saw, so every attempt must carry the same one.
pub(super) fn add_secret(message: &mut wa::Message, secret: &[u8; 32]) {
    let is_poll = message.poll_creation_message.is_set()
        || message.poll_creation_message_v2.is_set()
        || message.poll_creation_message_v3.is_set()
        || message.poll_creation_message_v5.is_set();
    if !is_poll {
        return;
    }
    let context = message.message_context_info.get_or_insert_default();
    if context.message_secret.as_ref().is_none_or(|secret| secret.len() != 32) {
        context.message_secret = Some(secret.to_vec());
    }
}
