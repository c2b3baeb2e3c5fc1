//! `POST /misc/whatsapp/poll-update-vote`: opens a vote in a poll, as its raw message has
//! it or as that whole message, with the poll's key.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Input, parse_optional, required};
use crate::files;
use crate::knowing::both;
use crate::state::ApiState;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use warest_model::jid::Jid;
use warest_pipeline::directory::SessionEntry;
use warest_pipeline::sealed::{KEY_BYTES, Poll, SealedVote, open_vote, option_hash, poll};

/// Longest id of a message, in bytes.
const ID_BYTES: usize = 128;
/// Longest vote, in bytes.
const VOTE_BYTES: usize = 64 << 10;

/// The vote, and what is known of its poll.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    session_id: Option<String>,
    session_phone: Option<String>,
    poll_enc_key: Option<String>,
    poll_msg_id: Option<String>,
    poll_creator_jid: Option<String>,
    voter_jid: Option<String>,
    poll_update_vote: Option<Update>,
}

/// The vote, by itself or in the message around it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Update {
    poll_creation_message_key: Option<Key>,
    key: Option<Key>,
    vote: Option<Vote>,
    sender_timestamp_ms: Option<Value>,
    poll_update_message: Option<Box<Update>>,
    message: Option<Message>,
}

/// What a message with a vote says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    poll_update_message: Option<Box<Update>>,
}

impl Update {
    /// The vote without the message around it, whose key says who voted.
    fn unwrapped(mut self) -> Self {
        let said = self.message.take().and_then(|message| message.poll_update_message);
        match self.poll_update_message.take().or(said) {
            Some(vote) => {
                let vote = *vote;
                Self { key: self.key.or(vote.key), ..vote }
            }
            None => self,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    id: Option<String>,
    remote_jid: Option<String>,
    participant: Option<String>,
    from_me: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vote {
    enc_payload: Option<Value>,
    enc_iv: Option<Value>,
}

/// Opens it.
pub async fn post(caller: Caller, State(state): State<ApiState>, ask: Input<Ask>) -> ApiResult {
    let ask = ask.fields;
    let update = required("pollUpdateVote", ask.poll_update_vote)?.unwrapped();
    let vote = update.vote.ok_or_else(|| ApiError::invalid("pollUpdateVote.vote is required"))?;
    let payload = bytes("encPayload", vote.enc_payload.as_ref())?;
    let iv = bytes("encIv", vote.enc_iv.as_ref())?;
    let poll_key = update.poll_creation_message_key.unwrap_or_default();
    let id = ask.poll_msg_id.filter(|id| !id.is_empty()).or(poll_key.id.clone()).filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| ApiError::invalid("poll message id is required"))?;
    if id.len() > ID_BYTES {
        return Err(ApiError::invalid(format!("`pollMsgId` takes {ID_BYTES} bytes")));
    }
    let entry = session(&caller, &state, ask.session_id.as_deref(), ask.session_phone.as_deref())?;
    let me = state.engine.own_address(&entry);
    let creator = whose(&state, "pollCreatorJid", ask.poll_creator_jid.as_deref(), &poll_key, me.as_ref())?;
    let voter_key = update.key.unwrap_or_default();
    let voter = whose(&state, "voterJid", ask.voter_jid.as_deref(), &voter_key, me.as_ref())?;

    let poll = known_poll(&state, &entry, &poll_key, &id).await?;
    let secret = match ask.poll_enc_key.as_deref().filter(|key| !key.is_empty()) {
        Some(key) => secret(key)?,
        None => poll.as_ref().and_then(|poll| poll.secret.clone()).ok_or_else(|| {
            ApiError::new(codes::MESSAGE_NOT_FOUND, "the poll is not in the history of this session; give `pollEncKey`")
        })?,
    };
    let sealed = SealedVote { payload: &payload, iv: &iv, poll_id: &id };
    let (creators, voters) = (names(&state, &entry, &creator).await, names(&state, &entry, &voter).await);
    let hashes = open_vote(sealed, &secret, &creators, &voters).ok_or_else(|| {
        ApiError::invalid("the vote cannot be opened: the key, the poll's id, its creator or the voter is another")
    })?;

    let options = poll.as_ref().map(|poll| poll.options.as_slice()).unwrap_or_default();
    let place = |hash: &Vec<u8>| options.iter().position(|option| option_hash(option)[..] == hash[..]);
    let chosen: Vec<usize> = hashes.iter().filter_map(place).collect();
    let names: Vec<&String> = chosen.iter().map(|place| &options[*place]).collect();
    let shown: Vec<Value> =
        options.iter().enumerate().map(|(index, name)| json!({ "index": index, "name": name })).collect();
    Ok(Reply::new(codes::SUCCESS, "Poll vote decrypted").results(vec![json!({
        "messageKey": {
            "id": id,
            "remoteJid": poll_key.remote_jid,
            "participant": poll_key.participant,
            "fromMe": poll_key.from_me,
        },
        "pollCreatorJid": creator,
        "voterJid": voter,
        "votedOptionIndexes": chosen,
        "votedOptionNames": names,
        "votedOptionHashes": hashes.iter().map(hex::encode).collect::<Vec<_>>(),
        "pollTitle": poll.as_ref().map(|poll| poll.title.as_str()),
        "selectableOptionsCount": poll.as_ref().map(|poll| poll.selectable),
        "pollOptions": shown,
        "timestampMs": update.sender_timestamp_ms.as_ref().and_then(moment),
    })]))
}

/// The session by its name, or by its account's number.
fn session(
    caller: &Caller,
    state: &ApiState,
    name: Option<&str>,
    phone: Option<&str>,
) -> Result<SessionEntry, ApiError> {
    if let Some(id) = parse_optional("sessionId", name)? {
        return caller.session(state, &id);
    }
    let Some(phone) = phone.filter(|phone| !phone.is_empty()) else {
        return Err(ApiError::new(codes::MISSING_PARAMETER, "Provide sessionId or sessionPhone"));
    };
    let jid = state.engine.recipient(phone).map_err(|error| ApiError::invalid(format!("`sessionPhone`: {error}")))?;
    let mut own = state.engine.sessions(&caller.user).into_iter();
    let found = own.find(|entry| state.engine.own_address(entry).as_ref() == Some(&jid));
    found.ok_or_else(|| ApiError::new(codes::SESSION_NOT_FOUND, "Session not found"))
}

/// Who made the poll, or voted: as it was given, or as the key of the message says.
fn whose(state: &ApiState, field: &str, given: Option<&str>, key: &Key, me: Option<&Jid>) -> Result<Jid, ApiError> {
    let given = given.filter(|text| !text.is_empty());
    if given.is_none()
        && key.from_me == Some(true)
        && let Some(me) = me
    {
        return Ok(me.clone());
    }
    let text = given.or(key.participant.as_deref()).or(key.remote_jid.as_deref());
    let text = text.ok_or_else(|| ApiError::invalid(format!("`{field}` is required: no message key names them")))?;
    state.engine.recipient(text).map_err(|error| ApiError::invalid(format!("`{field}`: {error}")))
}

/// All addresses that somebody is known by: votes are sealed with one of them.
async fn names(state: &ApiState, entry: &SessionEntry, whose: &Jid) -> Vec<String> {
    let other = match state.engine.account(entry) {
        Ok(account) => both(account.as_ref(), whose).await,
        Err(_) => (None, None),
    };
    let mut names = vec![whose.to_string()];
    for name in [other.0, other.1].into_iter().flatten().map(|jid| jid.to_string()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The poll, if the history has it.
async fn known_poll(state: &ApiState, entry: &SessionEntry, key: &Key, id: &str) -> Result<Option<Poll>, ApiError> {
    let chat = key.remote_jid.as_deref().and_then(|chat| state.engine.recipient(chat).ok());
    let message = state.engine.store().message(&entry.session.id, chat.as_ref(), id).await?;
    Ok(message.and_then(|record| poll(&record.message.body)))
}

fn secret(text: &str) -> Result<Vec<u8>, ApiError> {
    let key = match text.len() == 2 * KEY_BYTES {
        true => hex::decode(text).ok(),
        false => files::base64(text),
    };
    key.filter(|key| key.len() == KEY_BYTES).ok_or_else(|| ApiError::invalid("pollEncKey is invalid"))
}

/// Bytes as JSON has them: base64, or as Node writes buffers.
fn bytes(field: &str, value: Option<&Value>) -> Result<Vec<u8>, ApiError> {
    let wrong = || ApiError::invalid(format!("pollUpdateVote.vote.{field} takes base64"));
    let value = value.filter(|value| !value.is_null()).ok_or_else(wrong)?;
    let bytes = match value.get("data").unwrap_or(value) {
        Value::String(text) => files::base64(text),
        Value::Array(numbers) if numbers.len() <= VOTE_BYTES => {
            numbers.iter().map(|number| number.as_u64().and_then(|number| u8::try_from(number).ok())).collect()
        }
        _ => None,
    };
    bytes.filter(|bytes| !bytes.is_empty() && bytes.len() <= VOTE_BYTES).ok_or_else(wrong)
}

fn moment(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_vote_is_read_out_of_the_message_around_it() {
        let sealed = json!({ "encPayload": "AAAA", "encIv": "AAAA" });
        let vote = json!({ "pollCreationMessageKey": { "id": "POLL" }, "vote": sealed });
        let key = json!({ "id": "VOTE", "participant": "6281133344455@s.whatsapp.net" });
        let mut bare = vote.clone();
        bare["key"] = key.clone();
        for given in [
            bare.clone(),
            json!({ "pollUpdateMessage": bare }),
            json!({ "key": key, "pollUpdateMessage": vote }),
            json!({ "key": key, "message": { "pollUpdateMessage": vote } }),
        ] {
            let update = serde_json::from_value::<Update>(given.clone()).unwrap().unwrapped();
            assert!(update.vote.is_some(), "{given}");
            assert_eq!(update.poll_creation_message_key.unwrap().id.as_deref(), Some("POLL"), "{given}");
            assert_eq!(update.key.unwrap().participant.as_deref(), Some("6281133344455@s.whatsapp.net"), "{given}");
        }
    }
}
