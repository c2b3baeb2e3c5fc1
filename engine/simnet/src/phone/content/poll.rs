//! Polls, whose secret goes with them, and votes, encrypted with it.

use super::{Desk, invalid};
use crate::chance::now_millis;
use crate::error::SimnetError;
use crate::phone::describe;
use serde::Deserialize;
use wacore::poll::{compute_option_hash, encrypt_poll_vote_with_secret};
use waproto::buffa::MessageField;
use waproto::whatsapp::message::{self, poll_creation_message};
use waproto::whatsapp::{self as wa};

/// Options of a poll, as the apps allow.
const OPTIONS: usize = 12;

/// A question with options.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Poll {
    name: String,
    options: Vec<String>,
    /// How many may be chosen; 0, or absent, any number.
    #[serde(default)]
    selectable: u32,
}

/// The options chosen, by name; none takes the vote back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vote {
    /// The poll's message.
    id: String,
    options: Vec<String>,
}

impl Poll {
    pub(super) fn message(self, desk: &Desk<'_>) -> Result<wa::Message, SimnetError> {
        let distinct: std::collections::HashSet<&String> = self.options.iter().collect();
        if self.options.len() < 2 || self.options.len() > OPTIONS || distinct.len() != self.options.len() {
            return Err(SimnetError::Invalid(format!("a poll has 2 to {OPTIONS} different options")));
        }
        let single = self.selectable == 1;
        let options = self
            .options
            .into_iter()
            .map(|name| poll_creation_message::Option { option_name: Some(name), ..Default::default() });
        let poll = MessageField::some(message::PollCreationMessage {
            name: Some(self.name),
            options: options.collect(),
            selectable_options_count: Some(self.selectable),
            ..Default::default()
        });
        let secret = MessageField::some(wa::MessageContextInfo {
            message_secret: Some(desk.net.chance.bytes::<32>().to_vec()),
            ..Default::default()
        });
        let mut message = wa::Message { message_context_info: secret, ..Default::default() };
        if single {
            message.poll_creation_message_v3 = poll;
        } else {
            message.poll_creation_message = poll;
        }
        Ok(message)
    }
}

impl Vote {
    pub(super) fn message(self, desk: &Desk<'_>) -> Result<wa::Message, SimnetError> {
        let keyed = desk.key_of(&self.id)?;
        let original = keyed.shown.decoded().unwrap_or_default();
        let poll =
            describe::poll(describe::unwrap(&original).message).ok_or_else(|| invalid("that message is no poll"))?;
        let known = describe::options(poll);
        if let Some(other) = self.options.iter().find(|name| !known.contains(name)) {
            return Err(SimnetError::Invalid(format!("the poll has no option {other:?}: it has {known:?}")));
        }
        let secret = original.message_context_info.as_option().and_then(|info| info.message_secret.clone());
        let secret = secret.ok_or_else(|| invalid("that poll came without its secret"))?;
        let creator = desk.net.require(&keyed.shown.from)?.lid_jid().to_string();
        let voter = desk.account.lid_jid().to_string();
        let hashes: Vec<Vec<u8>> = self.options.iter().map(|name| compute_option_hash(name).to_vec()).collect();
        let (payload, iv) = encrypt_poll_vote_with_secret(&hashes, &secret, &self.id, &creator, &voter)
            .map_err(|e| SimnetError::Signal(e.to_string()))?;
        Ok(wa::Message {
            poll_update_message: MessageField::some(message::PollUpdateMessage {
                poll_creation_message_key: MessageField::some(keyed.key),
                vote: MessageField::some(message::PollEncValue {
                    enc_payload: Some(payload),
                    enc_iv: Some(iv.to_vec()),
                }),
                sender_timestamp_ms: Some(i64::try_from(now_millis()).unwrap_or(i64::MAX)),
                ..Default::default()
            }),
            ..Default::default()
        })
    }
}
