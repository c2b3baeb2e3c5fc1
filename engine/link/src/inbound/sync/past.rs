//! One message of the phone's history, with what became of it there.

use crate::inbound::content::context::Context;
use crate::inbound::content::{self, media};
use crate::inbound::message::key::key;
use crate::inbound::message::vote::{named_options, secret_of};
use crate::inbound::who::{Names, Who, name_text};
use warest_model::clock::Millis;
use warest_model::event::message_dedup;
use warest_model::history::{Change, Message, MessageStatus, Reaction, Vote};
use warest_model::id::SessionId;
use warest_model::plan::MessageKey;
use whatsapp_rust::buffa::MessageField;
use whatsapp_rust::waproto::codec;
use whatsapp_rust::waproto::whatsapp as wa;

/// Most reactions and votes of one message.
const NOTES: usize = 4_096;

/// Where messages are from.
pub(super) struct Past<'a> {
    pub(super) session: &'a SessionId,
    pub(super) names: &'a dyn Names,
    pub(super) chat: &'a Who,
}

impl Past<'_> {
    /// What `info` says; nothing if a person sees nothing of it.
    pub(super) async fn changes(&self, mut info: wa::WebMessageInfo) -> Vec<Change> {
        let Some(named) = info.key.as_option().cloned() else { return Vec::new() };
        let Some(message) = info.message.take() else { return Vec::new() };
        let (message, edited_ms) = current(message, &info);
        let message = with_secret(message, info.message_secret.as_deref());
        let Some(mut shown) = content::of(&message) else { return Vec::new() };
        let from_me = named.from_me.unwrap_or(false);
        let author = info.participant.as_deref().or(named.participant.as_deref()).filter(|text| !text.is_empty());
        let sender = match (from_me, author) {
            (true, _) => self.names.me().who(),
            (false, Some(author)) => name_text(self.names, author).await,
            (false, None) => Some(self.chat.clone()),
        };
        let (Some(sender), Some(id)) = (sender, named.id.filter(|id| !id.is_empty())) else { return Vec::new() };
        let key = key(&self.chat.address, &id, from_me, Some(&sender.address));
        let context = Context::of(self.names, &message).await;
        let ts_ms = moment(info.message_timestamp);
        let dedup = message_dedup(named.remote_jid.as_deref().unwrap_or_default(), author.unwrap_or_default(), &id);
        let kept = Message {
            key: key.clone(),
            sender: sender.address.clone(),
            push_name: info.push_name.clone().filter(|name| !name.is_empty() && !from_me),
            ts_ms,
            content_type: shown.kind.to_owned(),
            text: shown.text.take().unwrap_or_default(),
            media: media::of(&message, media::id(self.session, &dedup, ts_ms)),
            quoted: context.quoted_id().map(str::to_owned),
            mentions: context.mentions,
            status: status(from_me, info.status),
            starred: info.starred.unwrap_or(false),
            edited_ms,
            revoked_ms: None,
            pinned_until_ms: pinned_until(info.pin_in_chat.as_option()),
            body: codec::message_to_vec(&message),
        };
        let mut changes = vec![Change::Message { message: Box::new(kept), live: false }];
        self.reactions(&key, &info.reactions, &mut changes).await;
        self.votes(&key, &message, &info.poll_updates, &mut changes).await;
        changes
    }

    async fn reactions(&self, key: &MessageKey, reactions: &[wa::Reaction], changes: &mut Vec<Change>) {
        for one in reactions.iter().take(NOTES) {
            let Some(from) = self.author(one.key.as_option()).await else { continue };
            let Some(emoji) = one.text.clone().filter(|text| !text.is_empty()) else { continue };
            let ts_ms = one.sender_timestamp_ms.unwrap_or(0).max(0);
            changes
                .push(Change::Reaction { key: key.clone(), reaction: Reaction { from: from.address, emoji, ts_ms } });
        }
    }

    /// The phone has read the votes already.
    async fn votes(&self, key: &MessageKey, poll: &wa::Message, votes: &[wa::PollUpdate], changes: &mut Vec<Change>) {
        for one in votes.iter().take(NOTES) {
            let Some(from) = self.author(one.poll_update_message_key.as_option()).await else { continue };
            let Some(options) = one.vote.as_option().and_then(|vote| named_options(&vote.selected_options, poll))
            else {
                continue;
            };
            let ts_ms = one.sender_timestamp_ms.or(one.server_timestamp_ms).unwrap_or(0).max(0);
            changes.push(Change::Vote { key: key.clone(), vote: Vote { from: from.address, options, ts_ms } });
        }
    }

    /// Who wrote a message that the phone names.
    async fn author(&self, named: Option<&wa::MessageKey>) -> Option<Who> {
        let named = named?;
        if named.from_me == Some(true) {
            return self.names.me().who();
        }
        match named.participant.as_deref().filter(|text| !text.is_empty()) {
            Some(author) => name_text(self.names, author).await,
            None if matches!(self.chat.address.server(), "s.whatsapp.net" | "lid") => Some(self.chat.clone()),
            None => None,
        }
    }
}

/// What a message says now: phones keep the last edit in place of the message.
fn current(message: wa::Message, info: &wa::WebMessageInfo) -> (wa::Message, Option<Millis>) {
    let edit = content::base(&message).protocol_message.as_option();
    let edited = edit.and_then(|edit| Some((edit.edited_message.as_option()?, edit.timestamp_ms)));
    match edited {
        Some((edited, at_ms)) => {
            let at_ms = at_ms.filter(|ms| *ms > 0).unwrap_or_else(|| moment(info.message_timestamp));
            (edited.clone(), Some(at_ms))
        }
        None => (message, None),
    }
}

/// The message with its secret, which phones keep beside it.
fn with_secret(mut message: wa::Message, secret: Option<&[u8]>) -> wa::Message {
    if let Some(secret) = secret
        && secret_of(&message).is_none()
    {
        let mut context = message.message_context_info.take().unwrap_or_default();
        context.message_secret = Some(secret.to_vec());
        message.message_context_info = MessageField::some(context);
    }
    message
}

fn status(from_me: bool, status: Option<wa::web_message_info::Status>) -> MessageStatus {
    use wa::web_message_info::Status;
    match status {
        _ if !from_me => MessageStatus::Received,
        Some(Status::DELIVERY_ACK) => MessageStatus::Delivered,
        Some(Status::READ) => MessageStatus::Read,
        Some(Status::PLAYED) => MessageStatus::Played,
        _ => MessageStatus::Server,
    }
}

fn pinned_until(pin: Option<&wa::PinInChat>) -> Option<Millis> {
    let pin = pin.filter(|pin| pin.r#type == Some(wa::pin_in_chat::Type::PIN_FOR_ALL))?;
    let seconds = pin.message_add_on_context_info.as_option()?.message_add_on_duration_in_secs?;
    Some(pin.sender_timestamp_ms?.saturating_add(i64::from(seconds) * 1_000))
}

fn moment(seconds: Option<u64>) -> Millis {
    i64::try_from(seconds.unwrap_or(0)).unwrap_or(0).saturating_mul(1_000)
}
