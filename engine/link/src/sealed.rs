//! What WhatsApp seals, opened with keys that a caller has: files, and votes in
//! polls. Pure functions; nothing here asks a session or the network.

use crate::inbound::content;
use crate::inbound::message::vote::secret_of;
use warest_model::fault::Fault;
use whatsapp_rust::wacore::download::{DownloadUtils, MediaDecryptionError, MediaType};
use whatsapp_rust::wacore::poll::{PollVoteCiphertext, compute_option_hash, decrypt_poll_vote_with_secret};
use whatsapp_rust::waproto::codec;

/// Bytes of a file's key, and of a message's secret.
pub const KEY_BYTES: usize = 32;
/// Fewest bytes of a sealed file: a block and what vouches for it.
pub const SEALED_BYTES: usize = 16 + 10;
/// Most options that a vote may name.
const OPTIONS: usize = 256;

/// What files are sealed as; each has keys of its own.
const KINDS: [MediaType; 8] = [
    MediaType::Image,
    MediaType::Video,
    MediaType::Audio,
    MediaType::Document,
    MediaType::StickerPack,
    MediaType::LinkThumbnail,
    MediaType::History,
    MediaType::AppState,
];

/// Opens a file. What it was sealed as, its seal says: every kind is tried, the
/// one that `mime` suggests first.
///
/// # Errors
/// `file_too_small`, `key_invalid`, or `seal_broken` if the key is not the file's
/// or the file is not whole.
pub fn open_file(mut sealed: Vec<u8>, key: &[u8], mime: Option<&str>) -> Result<Vec<u8>, Fault> {
    if key.len() != KEY_BYTES {
        return Err(Fault::fail("key_invalid", format!("the key of a file has {KEY_BYTES} bytes")));
    }
    if sealed.len() < SEALED_BYTES {
        return Err(Fault::fail("file_too_small", format!("a sealed file has at least {SEALED_BYTES} bytes")));
    }
    let likely = match mime.and_then(|mime| mime.split('/').next()) {
        Some("image") => MediaType::Image,
        Some("video") => MediaType::Video,
        Some("audio") => MediaType::Audio,
        _ => MediaType::Document,
    };
    for kind in std::iter::once(likely).chain(KINDS.into_iter().filter(|kind| *kind != likely)) {
        // Nothing is touched unless the seal is right.
        match DownloadUtils::verify_and_decrypt_in_place(&mut sealed, key, kind) {
            Ok(()) => return Ok(sealed),
            Err(MediaDecryptionError::InvalidMac) => {}
            Err(_) => break,
        }
    }
    Err(Fault::fail("seal_broken", "the key does not open this file, or the file is not whole"))
}

/// A poll, as its message makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    /// What it asks.
    pub title: String,
    /// The answers, in order.
    pub options: Vec<String>,
    /// How many may be chosen; 0 is any number.
    pub selectable: u32,
    /// What its votes are sealed with.
    pub secret: Option<Vec<u8>>,
}

/// The poll that a message makes: WhatsApp's protobuf. `None` if it makes none.
pub fn poll(body: &[u8]) -> Option<Poll> {
    let message = codec::message_decode(body).ok()?;
    let poll = content::poll(content::base(&message))?;
    Some(Poll {
        title: poll.name.clone().unwrap_or_default(),
        options: poll.options.iter().filter_map(|option| option.option_name.clone()).take(OPTIONS).collect(),
        selectable: poll.selectable_options_count.unwrap_or(0),
        secret: secret_of(&message).map(Vec::from),
    })
}

/// A vote, as its message has it.
#[derive(Debug, Clone, Copy)]
pub struct SealedVote<'a> {
    /// The vote.
    pub payload: &'a [u8],
    /// The nonce of its seal.
    pub iv: &'a [u8],
    /// The id of the poll's message.
    pub poll_id: &'a str,
}

/// Opens a vote; answers the hashes of the chosen options. A vote is sealed with
/// one of the addresses of who made the poll and one of who voted: all that are
/// given are tried. `None` if none of them opens it.
pub fn open_vote(vote: SealedVote<'_>, secret: &[u8], creators: &[String], voters: &[String]) -> Option<Vec<Vec<u8>>> {
    let sealed = PollVoteCiphertext { enc_payload: vote.payload, enc_iv: vote.iv };
    let pairs = creators.iter().flat_map(|creator| voters.iter().map(move |voter| (creator, voter)));
    let mut opened = pairs.filter_map(|(creator, voter)| {
        decrypt_poll_vote_with_secret(sealed, secret, vote.poll_id, creator, voter).ok()
    });
    opened.next().map(|hashes| hashes.into_iter().take(OPTIONS).collect())
}

/// The hash by which votes name an option.
pub fn option_hash(name: &str) -> [u8; 32] {
    compute_option_hash(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use whatsapp_rust::wacore::poll::encrypt_poll_vote_with_secret;
    use whatsapp_rust::wacore::upload::encrypt_media;
    use whatsapp_rust::waproto::whatsapp as wa;

    #[test]
    fn a_file_is_opened_with_its_key_whatever_kind_it_is_taken_for() {
        let sealed = encrypt_media(b"hello", MediaType::Audio).unwrap();
        let (file, key) = (sealed.data_to_upload.to_vec(), sealed.media_key);
        for mime in [None, Some("audio/ogg"), Some("image/png"), Some("nonsense")] {
            assert_eq!(open_file(file.clone(), &key, mime).unwrap(), b"hello");
        }
        let mut broken = file.clone();
        broken[0] ^= 1;
        assert_eq!(open_file(broken, &key, None).unwrap_err().code, "seal_broken");
        assert_eq!(open_file(file.clone(), &[7; 32], None).unwrap_err().code, "seal_broken");
        assert_eq!(open_file(file, &key[1..], None).unwrap_err().code, "key_invalid");
        assert_eq!(open_file(vec![0; 25], &key, None).unwrap_err().code, "file_too_small");
    }

    #[test]
    fn a_vote_is_opened_by_either_name_of_creator_and_voter() {
        let (secret, red) = ([7; 32], option_hash("Red"));
        let sealed = encrypt_poll_vote_with_secret(&[red.to_vec()], &secret, "POLL", "1@lid", "2@s.whatsapp.net");
        let (payload, iv) = sealed.unwrap();
        let vote = SealedVote { payload: &payload, iv: &iv, poll_id: "POLL" };
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let creators = names(&["1@s.whatsapp.net", "1@lid"]);
        let opened = open_vote(vote, &secret, &creators, &names(&["2@lid", "2@s.whatsapp.net"]));
        assert_eq!(opened, Some(vec![red.to_vec()]));
        assert_eq!(open_vote(vote, &secret, &creators, &names(&["3@lid"])), None);
        assert_eq!(open_vote(vote, &[8; 32], &creators, &names(&["2@s.whatsapp.net"])), None);
        assert_eq!(open_vote(SealedVote { iv: &[], ..vote }, &secret, &creators, &creators), None);
    }

    #[test]
    fn a_poll_is_read_and_what_is_none_is_not() {
        let option = |name: &str| wa::message::poll_creation_message::Option {
            option_name: Some(name.to_owned()),
            ..Default::default()
        };
        let poll = wa::message::PollCreationMessage {
            name: Some("Colour?".to_owned()),
            options: vec![option("Red"), option("Green")],
            selectable_options_count: Some(1),
            ..Default::default()
        };
        let message = wa::Message { poll_creation_message_v3: Some(poll).into(), ..Default::default() };
        let read = super::poll(&codec::message_to_vec(&message)).unwrap();
        assert_eq!((read.title.as_str(), read.options.len(), read.selectable), ("Colour?", 2, 1));
        assert_eq!(super::poll(&[]), None);
        assert_eq!(super::poll(b"\xff\xff"), None);
    }
}
