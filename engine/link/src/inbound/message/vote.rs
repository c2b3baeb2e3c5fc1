//! Votes in polls.
//!
//! A vote is encrypted with the secret of its poll, and names options by hash.
//! Both need the poll, which the history has, or the batch at hand; the key store
//! has the secrets of polls that the history does not. A vote that cannot be read
//! is an event all the same, with `options` null.

use super::{EventKind, Parts, Seen, at_ms, key};
use crate::inbound::content;
use crate::inbound::who::{Names, is_lid};
use async_trait::async_trait;
use serde_json::{Map, json};
use warest_model::history::{Change, Vote};
use warest_model::jid::Jid as Address;
use warest_model::plan::MessageKey;
use whatsapp_rust::Jid;
use whatsapp_rust::types::message::MessageInfo;
use whatsapp_rust::wacore::poll::{PollVoteCiphertext, compute_option_hash, decrypt_poll_vote_with_secret};
use whatsapp_rust::waproto::codec;
use whatsapp_rust::waproto::whatsapp as wa;

/// Bytes of a message's secret.
const SECRET: usize = 32;
/// Most options that a vote may name.
const OPTIONS: usize = 256;

/// Messages that came before, and their secrets.
#[async_trait]
pub(crate) trait Originals: Send + Sync {
    /// A message of a chat: WhatsApp's protobuf.
    async fn message(&self, chat: &Address, id: &str) -> Option<Vec<u8>>;
    /// The secret of a message that is only known to the key store. The names are
    /// those of stanzas.
    async fn secret(&self, chat: &Jid, author: &Jid, id: &str) -> Option<Vec<u8>>;
}

/// A vote.
pub(super) async fn observe(seen: Seen<'_>, update: &wa::message::PollUpdateMessage) -> Option<Parts> {
    let vote = update.vote.as_option()?;
    let key = key::seen(seen, update.poll_creation_message_key.as_option()).await;
    let poll = seen.originals.message(&key.remote_jid, &key.id).await;
    let poll = poll.and_then(|body| codec::message_decode(&body).ok());
    let hashes = read(seen, &key, vote, poll.as_ref()).await;
    let options = hashes.as_ref().zip(poll.as_ref()).and_then(|(hashes, poll)| named_options(hashes, poll));
    let ts_ms = update.sender_timestamp_ms.filter(|ms| *ms > 0).unwrap_or_else(|| at_ms(seen.info));
    let hex = |hash: &Vec<u8>| hash.iter().fold(String::new(), |out, byte| out + &format!("{byte:02x}"));
    let mut data = Map::from_iter([
        ("key".to_owned(), json!(key)),
        ("voter".to_owned(), json!(seen.sender.address)),
        ("options".to_owned(), json!(options)),
    ]);
    if let Some(hashes) = &hashes {
        data.insert("optionHashes".to_owned(), json!(hashes.iter().map(hex).collect::<Vec<_>>()));
    }
    if let Some(question) = poll.as_ref().and_then(|poll| content::poll(content::base(poll))?.name.clone()) {
        data.insert("question".to_owned(), json!(question));
    }
    let vote = options.map(|options| Vote { from: seen.sender.address.clone(), options, ts_ms });
    let changes = vote.map(|vote| Change::Vote { key, vote }).into_iter().collect();
    Some((EventKind::PollVote, data, changes))
}

/// The hashes of what was chosen.
async fn read(
    seen: Seen<'_>,
    key: &MessageKey,
    vote: &wa::message::PollEncValue,
    poll: Option<&wa::Message>,
) -> Option<Vec<Vec<u8>>> {
    let sealed = PollVoteCiphertext { enc_payload: vote.enc_payload.as_deref()?, enc_iv: vote.enc_iv.as_deref()? };
    let authors = author(seen, key).await;
    let voters = both(seen.names, &seen.info.source.sender, seen.info.source.sender_alt.as_ref()).await;
    let secret = match poll.and_then(secret_of) {
        Some(secret) => Some(secret.to_vec()),
        None => kept(seen, &authors, &key.id).await,
    };
    let Some(secret) = secret else {
        tracing::info!(session = %seen.session, poll = %key.id, "a vote came in a poll that is not known");
        return None;
    };
    // Either name of both can be what the vote was sealed with.
    for author in &authors {
        for voter in &voters {
            let (author, voter) = (author.to_string(), voter.to_string());
            if let Ok(hashes) = decrypt_poll_vote_with_secret(sealed, &secret, &key.id, &author, &voter) {
                return Some(hashes.into_iter().take(OPTIONS).collect());
            }
        }
    }
    tracing::info!(session = %seen.session, poll = %key.id, "a vote could not be read");
    None
}

/// The names of who made the poll.
async fn author(seen: Seen<'_>, key: &MessageKey) -> Vec<Jid> {
    let me = seen.names.me();
    let jid = match (key.from_me, &key.participant) {
        (true, _) => me.phone.or(me.lid),
        (false, Some(author)) => author.as_str().parse().ok(),
        (false, None) => key.remote_jid.as_str().parse().ok(),
    };
    match jid {
        Some(jid) => both(seen.names, &jid, None).await,
        None => Vec::new(),
    }
}

/// Both names of a person, without their device; first the one that was given.
async fn both(names: &dyn Names, jid: &Jid, alt: Option<&Jid>) -> Vec<Jid> {
    let own = jid.to_non_ad();
    let other = match alt.filter(|alt| is_lid(alt) != is_lid(jid)) {
        Some(alt) => Some(alt.to_non_ad()),
        None => names.other(&own).await,
    };
    std::iter::once(own).chain(other).collect()
}

async fn kept(seen: Seen<'_>, authors: &[Jid], id: &str) -> Option<Vec<u8>> {
    let MessageInfo { source, .. } = seen.info;
    for chat in both(seen.names, &source.chat, None).await {
        for author in authors {
            if let Some(secret) = seen.originals.secret(&chat, author, id).await {
                return Some(secret);
            }
        }
    }
    None
}

/// The secret that a message carries.
pub(crate) fn secret_of(message: &wa::Message) -> Option<[u8; SECRET]> {
    let secret = |one: &wa::Message| one.message_context_info.as_option()?.message_secret.as_deref()?.try_into().ok();
    secret(message).or_else(|| secret(content::base(message)))
}

/// The options with these hashes; `None` if the poll does not have one of them.
pub(crate) fn named_options(hashes: &[Vec<u8>], poll: &wa::Message) -> Option<Vec<String>> {
    let poll = content::poll(content::base(poll))?;
    let names = poll.options.iter().filter_map(|option| option.option_name.as_deref());
    let known: Vec<_> = names.map(|name| (compute_option_hash(name), name)).collect();
    let name =
        |hash: &Vec<u8>| known.iter().find(|(known, _)| known[..] == hash[..]).map(|(_, name)| (*name).to_owned());
    hashes.iter().map(name).collect()
}
