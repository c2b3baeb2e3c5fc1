//! Chats and messages of the history, as the contract shows them. Times are epoch
//! seconds where the contract's are, else milliseconds.

use crate::state::ApiState;
use serde_json::{Value, json};
use warest_model::clock::Millis;
use warest_model::history::{Chat, Vote};
use warest_store::MessageRecord;
use warest_store::media::MediaState;

/// A chat.
pub fn chat_json(chat: &Chat) -> Value {
    let (last, last_ms) = match &chat.last {
        Some((text, ms)) => (Some(text), Some(*ms)),
        None => (None, None),
    };
    let name = chat.name.clone().unwrap_or_else(|| chat.jid.user().to_owned());
    json!({
        "id": chat.jid,
        "jid": chat.jid,
        "lid": chat.lid,
        "name": chat.name,
        "displayName": name,
        "isGroup": chat.jid.is_group(),
        "unreadCount": chat.unread,
        "markedUnread": chat.marked_unread,
        "archived": chat.archived,
        "pinnedAt": chat.pinned_ms,
        "mutedUntil": chat.muted_until_ms.map(|until| if until == Millis::MAX { -1 } else { until }),
        "lastMessage": last,
        "lastMessageTimestamp": last_ms.map(|ms| ms / 1_000),
        "ephemeralExpiry": chat.ephemeral_seconds,
        "createdAt": chat.created_ms,
        "updatedAt": chat.updated_ms,
    })
}

/// A message.
pub fn message_json(state: &ApiState, record: &MessageRecord) -> Value {
    let message = &record.message;
    let media = message.media.as_ref();
    let file = media.map(|media| {
        json!({
            "id": media.id,
            "url": state.engine.media_url(&media.id),
            "mimeType": media.mimetype,
            "fileName": media.file_name,
            "fileSize": media.size,
            "sha256": media.sha256,
            "width": media.width,
            "height": media.height,
            "seconds": media.seconds,
            "state": record.media.map(MediaState::as_str),
        })
    });
    let reactions: Vec<_> = record
        .reactions
        .iter()
        .map(|reaction| json!({ "from": reaction.from, "emoji": reaction.emoji, "timestamp": reaction.ts_ms / 1_000 }))
        .collect();
    let updated_ms = message.revoked_ms.or(message.edited_ms).unwrap_or(message.ts_ms);
    json!({
        "id": message.key.id,
        "key": message.key,
        "toJid": message.key.remote_jid,
        "senderJid": message.sender,
        "pushName": message.push_name,
        "fromMe": message.key.from_me,
        "messageType": message.content_type,
        "body": message.text,
        "timestamp": message.ts_ms / 1_000,
        "status": message.status.as_str(),
        "isMedia": media.is_some(),
        "mediaType": media.map(|media| &media.kind),
        "mediaMetadata": file,
        "messageTypeDetails": { "type": message.content_type },
        "quotedMessageId": message.quoted,
        "mentionedJids": message.mentions,
        "reactions": reactions,
        "starred": message.starred,
        "pinnedUntil": message.pinned_until_ms,
        "isEdited": message.edited_ms.is_some(),
        "isDeleted": message.revoked_ms.is_some(),
        "deletedAt": message.revoked_ms,
        "poll": (message.content_type == "poll").then(|| poll_json(&message.text, &record.votes)),
        "createdAt": message.ts_ms,
        "updatedAt": updated_ms,
    })
}

/// A poll with its votes, counted.
fn poll_json(question: &str, votes: &[Vote]) -> Value {
    let mut counts: Vec<(&str, Vec<&str>)> = Vec::new();
    for vote in votes {
        for option in &vote.options {
            match counts.iter_mut().find(|(name, _)| name == option) {
                Some((_, voters)) => voters.push(vote.from.as_str()),
                None => counts.push((option, vec![vote.from.as_str()])),
            }
        }
    }
    let results: Vec<_> = counts
        .into_iter()
        .map(|(name, voters)| json!({ "name": name, "votes": voters.len(), "voters": voters }))
        .collect();
    json!({ "question": question, "voters": votes.len(), "results": results })
}
