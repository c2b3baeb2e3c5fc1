//! What a phone shows of a message: its kind, its text, the message it is about, and the names of
//! options where there are any. Votes are decrypted with the secret of the poll that they are for.

use super::inbox::{Inbox, ShownMessage};
use crate::account::Account;
use wacore::poll::{PollVoteCiphertext, compute_option_hash, decrypt_poll_vote_with_secret};
use waproto::whatsapp::message::PollCreationMessage;
use waproto::whatsapp::message::pin_in_chat_message::Type as PinType;
use waproto::whatsapp::message::protocol_message::Type as ProtocolType;
use waproto::whatsapp::{self as wa};

/// What there is to show.
#[derive(Debug, Default)]
pub(crate) struct Described {
    pub(crate) kind: &'static str,
    pub(crate) text: String,
    /// The id of the message that this one edits, answers, votes on, ….
    pub(crate) about: Option<String>,
    /// A poll's options, or those that a vote chose.
    pub(crate) options: Vec<String>,
}

/// A message without its wrappers, and what they said.
pub(crate) struct Unwrapped<'a> {
    pub(crate) message: &'a wa::Message,
    pub(crate) view_once: bool,
}

/// Takes the wrappers off a message.
pub(crate) fn unwrap(message: &wa::Message) -> Unwrapped<'_> {
    let mut inner = message;
    let mut view_once = false;
    // Wrappers nest a few deep at most.
    for _ in 0..8 {
        let once = [&inner.view_once_message, &inner.view_once_message_v2, &inner.view_once_message_v2_extension];
        let others = [&inner.ephemeral_message, &inner.document_with_caption_message, &inner.edited_message];
        let once = once.into_iter().find_map(|wrapper| wrapper.as_option()?.message.as_option());
        let other = others.into_iter().find_map(|wrapper| wrapper.as_option()?.message.as_option());
        view_once |= once.is_some();
        match once.or(other) {
            Some(wrapped) => inner = wrapped,
            None => break,
        }
    }
    view_once |= inner.image_message.as_option().is_some_and(|m| m.view_once == Some(true))
        || inner.video_message.as_option().is_some_and(|m| m.view_once == Some(true))
        || inner.audio_message.as_option().is_some_and(|m| m.view_once == Some(true));
    Unwrapped { message: inner, view_once }
}

/// The poll in a message.
pub(crate) fn poll(message: &wa::Message) -> Option<&PollCreationMessage> {
    [
        &message.poll_creation_message,
        &message.poll_creation_message_v2,
        &message.poll_creation_message_v3,
        &message.poll_creation_message_v5,
    ]
    .into_iter()
    .find_map(|poll| poll.as_option())
}

/// The names of a poll's options.
pub(crate) fn options(poll: &PollCreationMessage) -> Vec<String> {
    poll.options.iter().filter_map(|option| option.option_name.clone()).collect()
}

/// Describes a message that `sender` sent, as the phone with `inbox` shows it.
pub(crate) fn describe(inbox: &Inbox, sender: Option<&Account>, message: &wa::Message, peers: &Peers<'_>) -> Described {
    let message = unwrap(message).message;
    if let Some(vote) = message.poll_update_message.as_option() {
        let id = vote.poll_creation_message_key.as_option().and_then(|key| key.id.clone());
        let options = sender.and_then(|sender| chosen(inbox, sender, vote, peers)).unwrap_or_default();
        return Described { kind: "vote", text: options.join(", "), about: id, options };
    }
    if let Some(described) = change(message) {
        return described;
    }
    if let Some(poll) = poll(message) {
        let text = poll.name.clone().unwrap_or_default();
        return Described { kind: "poll", text, options: options(poll), ..Described::default() };
    }
    let (kind, text) = plain(message);
    Described { kind, text, ..Described::default() }
}

/// How to find the account of a number.
pub(crate) type Peers<'a> = dyn Fn(&str) -> Option<std::sync::Arc<Account>> + Send + Sync + 'a;

/// The names that a vote chose.
fn chosen(
    inbox: &Inbox,
    voter: &Account,
    vote: &wa::message::PollUpdateMessage,
    peers: &Peers<'_>,
) -> Option<Vec<String>> {
    let id = vote.poll_creation_message_key.as_option()?.id.as_deref()?;
    let shown = inbox.find(id)?;
    let creator = peers(&shown.from)?;
    let message = shown.decoded()?;
    let poll = poll(unwrap(&message).message)?;
    let secret = message.message_context_info.as_option()?.message_secret.as_deref()?;
    let value = vote.vote.as_option()?;
    let sealed = PollVoteCiphertext { enc_payload: value.enc_payload.as_deref()?, enc_iv: value.enc_iv.as_deref()? };
    let names = |account: &Account| [account.lid_jid().to_string(), account.pn_jid().to_string()];
    // Either side may have used either address.
    let hashes = names(&creator).iter().find_map(|creator| {
        names(voter).iter().find_map(|voter| decrypt_poll_vote_with_secret(sealed, secret, id, creator, voter).ok())
    })?;
    let wanted = |name: &String| hashes.iter().any(|hash| hash.as_slice() == compute_option_hash(name));
    Some(options(poll).into_iter().filter(wanted).collect())
}

/// Messages that change another one.
fn change(message: &wa::Message) -> Option<Described> {
    let described = |kind, text, key: Option<&wa::MessageKey>| Described {
        kind,
        text,
        about: key.and_then(|key| key.id.clone()),
        options: Vec::new(),
    };
    if let Some(reaction) = message.reaction_message.as_option() {
        return Some(described("reaction", reaction.text.clone().unwrap_or_default(), reaction.key.as_option()));
    }
    if let Some(pin) = message.pin_in_chat_message.as_option() {
        let kind = if pin.r#type == Some(PinType::UNPIN_FOR_ALL) { "unpin" } else { "pin" };
        return Some(described(kind, String::new(), pin.key.as_option()));
    }
    let protocol = message.protocol_message.as_option()?;
    Some(match protocol.r#type {
        Some(ProtocolType::REVOKE) => described("revoke", String::new(), protocol.key.as_option()),
        Some(ProtocolType::MESSAGE_EDIT) => {
            let edited = protocol.edited_message.as_option().map(|edited| plain(unwrap(edited).message).1);
            described("edit", edited.unwrap_or_default(), protocol.key.as_option())
        }
        Some(ProtocolType::EPHEMERAL_SETTING) => {
            described("disappearing", protocol.ephemeral_expiration.unwrap_or(0).to_string(), None)
        }
        _ => described("protocol", String::new(), None),
    })
}

/// Messages that stand for themselves: kind and text.
pub(crate) fn plain(message: &wa::Message) -> (&'static str, String) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    if let Some(text) = &message.conversation {
        return ("text", text.clone());
    }
    if let Some(extended) = message.extended_text_message.as_option() {
        return ("text", text(&extended.text));
    }
    if let Some(image) = message.image_message.as_option() {
        return ("image", text(&image.caption));
    }
    if let Some(video) = message.video_message.as_option() {
        return (if video.gif_playback == Some(true) { "gif" } else { "video" }, text(&video.caption));
    }
    if let Some(video) = message.ptv_message.as_option() {
        return ("ptv", text(&video.caption));
    }
    if let Some(document) = message.document_message.as_option() {
        return ("document", text(&document.caption));
    }
    if let Some(audio) = message.audio_message.as_option() {
        return (if audio.ptt == Some(true) { "ptt" } else { "audio" }, String::new());
    }
    if message.sticker_message.is_set() {
        return ("sticker", String::new());
    }
    if let Some(location) = message.location_message.as_option() {
        return ("location", text(&location.name));
    }
    if let Some(location) = message.live_location_message.as_option() {
        return ("liveLocation", text(&location.caption));
    }
    if let Some(contact) = message.contact_message.as_option() {
        return ("contact", text(&contact.display_name));
    }
    if let Some(contacts) = message.contacts_array_message.as_option() {
        return ("contacts", text(&contacts.display_name));
    }
    if let Some(reply) = message.buttons_response_message.as_option() {
        let wa::message::buttons_response_message::Response::SelectedDisplayText(shown) = match &reply.response {
            Some(response) => response,
            None => return ("buttonReply", text(&reply.selected_button_id)),
        };
        return ("buttonReply", shown.clone());
    }
    if let Some(reply) = message.template_button_reply_message.as_option() {
        return ("buttonReply", text(&reply.selected_display_text));
    }
    if let Some(reply) = message.list_response_message.as_option() {
        return ("listReply", text(&reply.title));
    }
    if let Some(invite) = message.group_invite_message.as_option() {
        return ("groupInvite", text(&invite.caption));
    }
    if let Some(list) = message.list_message.as_option() {
        return ("list", text(&list.description));
    }
    if let Some(buttons) = message.buttons_message.as_option() {
        return ("buttons", text(&buttons.content_text));
    }
    if let Some(interactive) = message.interactive_message.as_option() {
        return ("interactive", interactive.body.as_option().map(|body| text(&body.text)).unwrap_or_default());
    }
    if let Some(event) = message.event_message.as_option() {
        return ("event", text(&event.name));
    }
    ("other", String::new())
}

/// The decrypted protobuf as JSON, without the fields that are not set.
pub(crate) fn as_json(message: &wa::Message) -> serde_json::Value {
    pruned(message)
}

/// A protobuf as JSON, without the fields that are not set.
pub(crate) fn pruned(message: &impl serde::Serialize) -> serde_json::Value {
    let mut json = serde_json::to_value(message).unwrap_or_default();
    drop_unset(&mut json);
    json
}

/// Takes out the fields that are not set: a message type has a hundred of them.
fn drop_unset(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null() && field.as_array().is_none_or(|list| !list.is_empty()));
            fields.values_mut().for_each(drop_unset);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(drop_unset),
        _ => {}
    }
}

impl ShownMessage {
    /// The protobuf again.
    pub(crate) fn decoded(&self) -> Option<wa::Message> {
        serde_json::from_value(self.message.clone()).ok()
    }
}
