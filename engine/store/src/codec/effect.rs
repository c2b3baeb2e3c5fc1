//! Records of effects. A plain text has a record of its own, the first that there
//! was; what any other message says is kept as JSON, which grows with the model.

use super::{corrupt, jid, jid_or_none, known};
use crate::Result;
use warest_model::content::Content;
use warest_model::jid::Jid;
use warest_model::plan::{Effect, MessageKey, PresenceState};
use warest_proto::v1;

/// The record of an effect.
pub(super) fn effect_to(effect: &Effect) -> v1::Effect {
    use v1::effect::Effect as To;
    let to = match effect {
        Effect::Message { to, content: Content::Text { text, preview: false }, mentions, quoted, forwarded: false } => {
            To::Text(v1::Text {
                to: to.to_string(),
                text: text.clone(),
                mentions: mentions.iter().map(Jid::to_string).collect(),
                quoted: quoted.as_ref().map(key_to),
            })
        }
        Effect::Message { to, content, mentions, quoted, forwarded } => To::Message(v1::ContentMessage {
            to: to.to_string(),
            content: json(content),
            mentions: mentions.iter().map(Jid::to_string).collect(),
            quoted: quoted.as_ref().map(key_to),
            forwarded: *forwarded,
        }),
        Effect::React { to, key, emoji } => {
            To::React(v1::React { to: to.to_string(), key: Some(key_to(key)), emoji: emoji.clone() })
        }
        Effect::Read { keys } => To::Read(v1::Read { keys: keys.iter().map(key_to).collect() }),
        Effect::Presence { state, to } => To::Presence(v1::Presence {
            state: match state {
                PresenceState::Available => v1::PresenceState::Available,
                PresenceState::Unavailable => v1::PresenceState::Unavailable,
                PresenceState::Composing => v1::PresenceState::Composing,
                PresenceState::Recording => v1::PresenceState::Recording,
                PresenceState::Paused => v1::PresenceState::Paused,
            }
            .into(),
            to: to.as_ref().map(Jid::to_string),
        }),
        Effect::Star { key, on } => To::Star(v1::Star { key: Some(key_to(key)), on: *on }),
        Effect::Delete { key, with_media } => {
            To::Delete(v1::Delete { key: Some(key_to(key)), with_media: *with_media })
        }
        Effect::Revoke { key } => To::Revoke(v1::Revoke { key: Some(key_to(key)) }),
        Effect::Edit { key, content } => To::Edit(v1::Edit { key: Some(key_to(key)), content: json(content) }),
        Effect::Pin { key, seconds } => To::Pin(v1::Pin { key: Some(key_to(key)), seconds: *seconds }),
        Effect::Chat { chat, change } => To::Chat(v1::Chat { chat: chat.to_string(), change: json(change) }),
    };
    v1::Effect { effect: Some(to) }
}

/// The effect of a record.
pub(super) fn effect_from(effect: v1::Effect) -> Result<Effect> {
    use v1::effect::Effect as From;
    const WHAT: &str = "effect";
    let addresses = |texts: Vec<String>| texts.into_iter().map(|text| jid(WHAT, text)).collect::<Result<_>>();
    Ok(match effect.effect.ok_or_else(|| corrupt(WHAT, "it is of no known kind"))? {
        From::Text(text) => Effect::Message {
            to: jid(WHAT, text.to)?,
            content: Content::text(text.text),
            mentions: addresses(text.mentions)?,
            quoted: text.quoted.map(key_from).transpose()?,
            forwarded: false,
        },
        From::Message(message) => Effect::Message {
            to: jid(WHAT, message.to)?,
            content: of_json(&message.content)?,
            mentions: addresses(message.mentions)?,
            quoted: message.quoted.map(key_from).transpose()?,
            forwarded: message.forwarded,
        },
        From::React(react) => Effect::React { to: jid(WHAT, react.to)?, key: named(react.key)?, emoji: react.emoji },
        From::Read(read) => Effect::Read { keys: read.keys.into_iter().map(key_from).collect::<Result<_>>()? },
        From::Presence(presence) => Effect::Presence {
            state: match known(WHAT, v1::PresenceState::try_from(presence.state))? {
                v1::PresenceState::Unspecified => return Err(corrupt(WHAT, "a presence has no state")),
                v1::PresenceState::Available => PresenceState::Available,
                v1::PresenceState::Unavailable => PresenceState::Unavailable,
                v1::PresenceState::Composing => PresenceState::Composing,
                v1::PresenceState::Recording => PresenceState::Recording,
                v1::PresenceState::Paused => PresenceState::Paused,
            },
            to: jid_or_none(WHAT, presence.to)?,
        },
        From::Star(star) => Effect::Star { key: named(star.key)?, on: star.on },
        From::Delete(delete) => Effect::Delete { key: named(delete.key)?, with_media: delete.with_media },
        From::Revoke(revoke) => Effect::Revoke { key: named(revoke.key)? },
        From::Edit(edit) => Effect::Edit { key: named(edit.key)?, content: of_json(&edit.content)? },
        From::Pin(pin) => Effect::Pin { key: named(pin.key)?, seconds: pin.seconds },
        From::Chat(chat) => Effect::Chat { chat: jid(WHAT, chat.chat)?, change: of_json(&chat.change)? },
    })
}

fn json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    // These types have string keys only, and no floats that JSON lacks: latitudes
    // are checked when an action is read.
    serde_json::to_vec(value).unwrap_or_default()
}

fn of_json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| corrupt("effect", error))
}

fn named(key: Option<v1::MessageKey>) -> Result<MessageKey> {
    key_from(key.ok_or_else(|| corrupt("effect", "it names no message"))?)
}

fn key_to(key: &MessageKey) -> v1::MessageKey {
    v1::MessageKey {
        remote_jid: key.remote_jid.to_string(),
        from_me: key.from_me,
        id: key.id.clone(),
        participant: key.participant.as_ref().map(Jid::to_string),
    }
}

fn key_from(key: v1::MessageKey) -> Result<MessageKey> {
    const WHAT: &str = "message key";
    Ok(MessageKey {
        remote_jid: jid(WHAT, key.remote_jid)?,
        from_me: key.from_me,
        id: key.id,
        participant: jid_or_none(WHAT, key.participant)?,
    })
}
