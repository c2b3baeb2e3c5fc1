//! Files of messages, from WhatsApp's servers.
//!
//! A file is decrypted on its way to the disk and checked twice: its MAC by the
//! library, its hash here; what does not fit is removed. What a message says of
//! its file was written by a peer, so neither its path may lead to another host
//! nor its size be exceeded. A file that is no longer there is asked of the
//! phone that sent it, and then fetched once more.

use crate::Remote;
use crate::http::HttpError;
use crate::outbound::address::Chat;
use crate::outbound::fault::{not_connected, of_chain};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use warest_model::fault::Fault;
use whatsapp_rust::download::DownloadParams;
use whatsapp_rust::proto_helpers::MessageExt as _;
use whatsapp_rust::wacore::download::{DownloadWriter, MediaType};
use whatsapp_rust::waproto::codec::message_decode;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::{Client, ErrorChainExt, IqError, MediaRetryResult, MediaReuploadError, MediaReuploadRequest};

/// Largest file: WhatsApp's own bound.
const MOST: u64 = 2 << 30;

/// Downloads the file of a message to `to`.
pub(crate) async fn download(client: &Client, message: Remote<'_>, to: &Path) -> Result<(), Fault> {
    let decoded = message_decode(message.body)
        .map_err(|error| Fault::fail("message_unreadable", format!("the message cannot be read: {error}")))?;
    let mut file = file_of(&decoded)
        .ok_or_else(|| Fault::fail("media_missing", "this message has no file that can be downloaded"))?;
    checked(&file.direct_path)?;
    match fetch(client, &file, to).await {
        Err(fault) if fault.code == "media_gone" => {
            file.direct_path = asked_again(client, message, &file).await?;
            checked(&file.direct_path)?;
            fetch(client, &file, to).await
        }
        done => done,
    }
}

/// The file of a message, as the message describes it.
fn file_of(message: &wa::Message) -> Option<DownloadParams> {
    macro_rules! file {
        ($part:expr, $kind:ident) => {
            if let Some(part) = $part {
                return Some(DownloadParams {
                    direct_path: part.direct_path.clone()?,
                    media_key: part.media_key.clone(),
                    file_sha256: part.file_sha256.clone().unwrap_or_default(),
                    file_enc_sha256: part.file_enc_sha256.clone(),
                    file_length: part.file_length.unwrap_or(0),
                    media_type: MediaType::$kind,
                });
            }
        };
    }
    let message = message.get_base_message();
    file!(message.image_message.as_option(), Image);
    file!(message.video_message.as_option(), Video);
    file!(message.ptv_message.as_option(), Video);
    file!(message.audio_message.as_option(), Audio);
    file!(message.document_message.as_option(), Document);
    file!(message.sticker_message.as_option(), Sticker);
    let header = message.interactive_message.as_option()?.header.as_option()?;
    match header.media.as_ref()? {
        wa::message::interactive_message::header::Media::ImageMessage(image) => file!(Some(image), Image),
        wa::message::interactive_message::header::Media::VideoMessage(video) => file!(Some(video), Video),
        wa::message::interactive_message::header::Media::DocumentMessage(file) => file!(Some(file), Document),
        _ => {}
    }
    None
}

/// Refuses a path that would lead to another host: it is written right behind
/// the host's name.
fn checked(path: &str) -> Result<(), Fault> {
    if path.starts_with('/') && path.len() <= 2_048 && path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Fault::fail("media_unverified", "the message names a place for its file that is none of WhatsApp's"))
}

async fn fetch(client: &Client, file: &DownloadParams, to: &Path) -> Result<(), Fault> {
    let sink = Sink::create(to, file.file_length).map_err(unwritable)?;
    let emptied = Arc::clone(&sink.emptied);
    let fetched = client.download_from_params_to_writer(file, sink).await;
    let verified = match fetched {
        Ok(mut sink) => sink.verify(&file.file_sha256),
        // It is emptied before each attempt, and once more after the last.
        Err(error) => Err(of_download(&error, emptied.load(Ordering::Relaxed) > 1)),
    };
    if verified.is_err() {
        // Nobody may take it for the file.
        let _ = tokio::fs::remove_file(to).await;
    }
    verified
}

/// Asks the phone that sent a file to upload it again. Answers where it is then.
async fn asked_again(client: &Client, message: Remote<'_>, file: &DownloadParams) -> Result<String, Fault> {
    let gone = || Fault::fail("media_gone", "the file is neither on WhatsApp's servers nor on the phone any more");
    let Some(media_key) = &file.media_key else { return Err(gone()) };
    let chat = Chat::of(client, &message.key.remote_jid).await?;
    let participant = chat.participant(message.key).await?;
    let asked = MediaReuploadRequest {
        msg_id: &message.key.id,
        chat_jid: &chat.jid,
        media_key,
        is_from_me: message.key.from_me,
        participant: participant.as_ref(),
    };
    match client.media_reupload().request(&asked).await {
        Ok(MediaRetryResult::Success { direct_path }) => Ok(direct_path),
        Ok(MediaRetryResult::NotFound | MediaRetryResult::DecryptionError) => Err(gone()),
        Ok(MediaRetryResult::GeneralError) => {
            Err(Fault::retry("media_not_uploaded", "the phone could not upload the file again"))
        }
        Err(MediaReuploadError::Timeout) => Err(Fault::retry(
            "media_awaits_phone",
            "the file is no longer on WhatsApp's servers, and the phone that has it did not answer; it may be off",
        )),
        Err(MediaReuploadError::NotLoggedIn) => Err(not_connected()),
        Err(MediaReuploadError::InvalidRequest(_)) => Err(gone()),
        Err(error) => Err(of_chain(&error)),
    }
}

/// Why a file did not come; `tried` tells whether a server was asked for it.
fn of_download(error: &anyhow::Error, tried: bool) -> Fault {
    let error: &(dyn std::error::Error + Send + Sync + 'static) = error.as_ref();
    match error.http_status() {
        Some(404 | 410) => return Fault::fail("media_gone", "the file is no longer on WhatsApp's servers"),
        Some(status) => {
            return Fault::retry(
                "download_failed",
                format!("WhatsApp's media server did not give the file ({status})"),
            );
        }
        None => {}
    }
    if error.is_transport_unavailable() {
        return not_connected();
    }
    let moved = error.sources().any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        cause.is::<HttpError>()
            || cause.is::<IqError>()
            || io.is_some_and(|io| io.kind() != io::ErrorKind::FileTooLarge)
    });
    if tried && !moved {
        // Neither the network nor the disk: the library has no type for what it
        // finds wrong with the content.
        return unverified();
    }
    Fault::retry("download_failed", format!("the file could not be downloaded: {error:#}"))
}

fn unverified() -> Fault {
    Fault::fail("media_unverified", "the file on WhatsApp's servers is not the one that the message names")
}

fn unwritable(error: io::Error) -> Fault {
    Fault::retry("file_unwritable", format!("the file cannot be written: {error}"))
}

/// The file that is written, with its hash so far and its bound.
struct Sink {
    file: File,
    hash: Sha256,
    written: u64,
    most: u64,
    /// How often it was emptied.
    emptied: Arc<AtomicU32>,
}

impl Sink {
    fn create(path: &Path, declared: u64) -> io::Result<Self> {
        let most = if declared == 0 { MOST } else { declared.min(MOST) };
        Ok(Self { file: File::create(path)?, hash: Sha256::new(), written: 0, most, emptied: Arc::default() })
    }

    fn verify(&mut self, sha256: &[u8]) -> Result<(), Fault> {
        // A message without a hash is checked by its MAC alone.
        if !sha256.is_empty() && self.hash.clone().finalize()[..] != *sha256 {
            return Err(unverified());
        }
        self.file.sync_all().map_err(unwritable)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written + bytes.len() as u64 > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Sink {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl DownloadWriter for Sink {
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        // It is only ever emptied, before an attempt and after one that failed.
        self.hash = Sha256::new();
        self.written = 0;
        self.emptied.fetch_add(1, Ordering::Relaxed);
        self.file.set_len(length)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_path_that_leads_elsewhere_is_refused() {
        assert!(checked("/v/t62.7118-24/1?ccb=11-4&oh=01").is_ok());
        for path in ["@evil.example/1", ".evil.example/1", "", ":80/1", "/1\r\nHost: a", "/ü", "https://a.example/1"] {
            assert_eq!(checked(path).unwrap_err().code, "media_unverified", "{path}");
        }
    }

    #[test]
    fn a_file_grows_no_larger_than_declared_and_must_have_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut sink = Sink::create(&path, 5).unwrap();
        sink.write_all(b"wrong").unwrap();
        sink.truncate(0).unwrap();
        sink.rewind().unwrap();
        sink.write_all(b"hello").unwrap();
        assert!(sink.verify(&Sha256::digest(b"hello")).is_ok());
        assert_eq!(sink.verify(&Sha256::digest(b"other")).unwrap_err().code, "media_unverified");
        assert_eq!(std::fs::read(&path).unwrap(), b"hello");
        assert_eq!(sink.write_all(b"!").unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
