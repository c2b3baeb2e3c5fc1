//! What a send leaves behind: the change of the history, and the event that
//! says so. Saved with the end of its job.

use super::prepare::Prepared;
use crate::files::Ready;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use warest_link::Sent;
use warest_model::clock::Millis;
use warest_model::content::{ChatChange, Content, MediaKind, Mute};
use warest_model::history::{Change, ChatPatch, Message, MessageStatus, Reaction};
use warest_model::jid::Jid;
use warest_model::job::SendJob;
use warest_model::plan::{Effect, MessageKey};

/// What the history learns from a stanza that the server took. `me` is the
/// account's own address.
pub(super) fn changes(job: &SendJob, sent: &Sent, ready: &Prepared, me: &Jid, now_ms: Millis) -> Vec<Change> {
    let at_ms = now_ms;
    match &job.effect {
        // Its file was here; it is fetched again only when somebody asks for it.
        Effect::Message { .. } => match message(job, sent, &ready.files, me, now_ms) {
            Some(message) => vec![Change::Message { message: Box::new(message), live: false }],
            None => Vec::new(),
        },
        Effect::React { key, emoji, .. } => {
            let reaction = Reaction { from: me.clone(), emoji: emoji.clone(), ts_ms: now_ms };
            vec![Change::Reaction { key: key.clone(), reaction }]
        }
        Effect::Read { keys } => {
            // What came after them is unread still.
            let at_ms = ready.read_ms.unwrap_or(at_ms);
            keys.first().map(|key| Change::Read { chat: key.remote_jid.clone(), at_ms }).into_iter().collect()
        }
        Effect::Presence { .. } => Vec::new(),
        Effect::Star { key, on } => vec![Change::Starred { key: key.clone(), on: *on }],
        Effect::Delete { key, .. } => vec![Change::Deleted { key: key.clone() }],
        Effect::Revoke { key } => vec![Change::Revoked { key: key.clone(), at_ms }],
        Effect::Edit { key, content } => {
            let text = content.words().unwrap_or_default().to_owned();
            vec![Change::Edited { key: key.clone(), text, body: sent.body.clone(), at_ms }]
        }
        Effect::Pin { key, seconds } => {
            let until_ms = seconds.map(|seconds| now_ms + Millis::from(seconds) * 1_000);
            vec![Change::Pinned { key: key.clone(), until_ms }]
        }
        Effect::Chat { chat, change } => vec![chat_change(chat, *change, now_ms)],
    }
}

fn chat_change(chat: &Jid, change: ChatChange, at_ms: Millis) -> Change {
    let mut patch = ChatPatch::default();
    match change {
        ChatChange::Archive(on) => patch.archived = Some(on),
        ChatChange::Pin(on) => patch.pinned_ms = Some(on.then_some(at_ms)),
        ChatChange::Mute(None) => patch.muted_until_ms = Some(None),
        ChatChange::Mute(Some(Mute::Always)) => patch.muted_until_ms = Some(Some(Millis::MAX)),
        ChatChange::Mute(Some(Mute::For(ms))) => {
            patch.muted_until_ms = Some(Some(at_ms.saturating_add_unsigned(ms)));
        }
        ChatChange::Read(true) => return Change::Read { chat: chat.clone(), at_ms },
        ChatChange::Read(false) => patch.marked_unread = Some(true),
        ChatChange::Clear => return Change::Cleared { chat: chat.clone(), up_to_ms: at_ms, starred_too: true },
        ChatChange::Delete => return Change::ChatDeleted { chat: chat.clone() },
    }
    Change::Chat { chat: chat.clone(), patch, at_ms }
}

/// The message as the history keeps it; `None` for what is no message.
fn message(job: &SendJob, sent: &Sent, files: &[Arc<Ready>], me: &Jid, now_ms: Millis) -> Option<Message> {
    let Effect::Message { to, content, mentions, quoted, .. } = &job.effect else { return None };
    Some(Message {
        key: key(to, job, me),
        sender: me.clone(),
        push_name: None,
        ts_ms: now_ms,
        content_type: content_type(content, files).to_owned(),
        text: content.words().unwrap_or_default().to_owned(),
        body: sent.body.clone(),
        media: sent.media.clone(),
        quoted: quoted.as_ref().map(|key| key.id.clone()),
        mentions: mentions.clone(),
        status: MessageStatus::Server,
        starred: false,
        edited_ms: None,
        revoked_ms: None,
        pinned_until_ms: None,
    })
}

fn key(to: &Jid, job: &SendJob, me: &Jid) -> MessageKey {
    MessageKey {
        remote_jid: to.clone(),
        from_me: true,
        id: job.message_id.clone(),
        participant: to.is_group().then(|| me.clone()),
    }
}

/// The payload of `message_sent`; `None` for what is no new message.
pub(super) fn payload(job: &SendJob, sent: &Sent, ready: &Prepared, me: &Jid, now_ms: Millis) -> Option<Value> {
    let Effect::Message { to, content, mentions, quoted, forwarded } = &job.effect else { return None };
    let text = content.words().unwrap_or_default();
    let mut message = Map::from_iter([("text".to_owned(), json!(text))]);
    if !mentions.is_empty() {
        message.insert("mentions".to_owned(), json!(mentions));
    }
    if let Some(key) = quoted {
        message.insert("quoted".to_owned(), json!({ "id": key.id, "sender": key.participant }));
    }
    if let Content::Poll { question, options, selectable } = content {
        message.insert("question".to_owned(), json!(question));
        message.insert("options".to_owned(), json!(options));
        message.insert("selectable".to_owned(), json!(selectable));
    }
    let mut media = json!(sent.media);
    if media.is_object() && !text.is_empty() {
        media["caption"] = json!(text);
    }
    Some(json!({
        "messageId": job.message_id,
        "chatId": to,
        "sender": me,
        "contentType": content_type(content, &ready.files),
        "message": message,
        "media": media,
        "text": text,
        "tags": ["outbound", if job.step.is_some() { "run" } else { "api" }],
        "key": key(to, job, me),
        "timestamp": now_ms,
        "isGroup": to.is_group(),
        "isForwarded": forwarded,
        "jobId": job.id,
        "runId": job.step.as_ref().map(|(run, _)| run),
    }))
}

/// The `contentType` of a message that was sent, in the words of those that come
/// in.
fn content_type(content: &Content, files: &[Arc<Ready>]) -> &'static str {
    match content {
        Content::Text { .. } => "text",
        Content::Media(media) => kind_name(files.first().map_or(media.kind, |file| file.attachment.kind)),
        Content::Contacts { cards } if cards.len() > 1 => "contacts",
        Content::Contacts { .. } => "contact",
        Content::Location { .. } => "location",
        Content::Poll { .. } => "poll",
        Content::Buttons { .. } => "buttons",
        Content::List { .. } => "list",
        Content::Forward { .. } => "forward",
        Content::Raw { .. } => "raw",
    }
}

fn kind_name(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Auto => "media",
        MediaKind::Image => "image",
        MediaKind::Video | MediaKind::Gif => "video",
        MediaKind::Audio | MediaKind::Voice => "audio",
        MediaKind::Document => "document",
        MediaKind::Sticker => "sticker",
    }
}
