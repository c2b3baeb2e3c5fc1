//! Files on their way to WhatsApp's servers.
//!
//! A file is encrypted beside where it lies, into a file without a name, and
//! sent from there: neither form of it is ever in memory as a whole. Its key is
//! derived from the message and the content, so that a repeat uploads the same
//! bytes, which the server knows or goes on with; within a process, what was
//! uploaded for a message is not uploaded for it again.

use super::compose::media::keys_of;
use super::fault;
use super::secret::Own;
use crate::Attachment;
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use warest_model::clock::Millis;
use warest_model::fault::Fault;
use whatsapp_rust::Client;
use whatsapp_rust::upload::UploadResponse;
use whatsapp_rust::wacore::download::MediaType;
use whatsapp_rust::wacore::upload::{EncryptedMediaInfo, UploadSource, encrypt_media_streaming_with_key};

/// Results kept, of all messages of a session.
const KEPT: usize = 64;
/// For how long: their addresses are good for days.
const KEPT_MS: Millis = 3_600_000;

/// A file that is on WhatsApp's servers.
#[derive(Debug, Clone)]
pub(crate) struct Uploaded {
    /// What it is.
    pub(super) attachment: Attachment,
    /// Where it is.
    pub(super) place: Place,
}

/// Where a file is, and what a recipient needs to read it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) url: String,
    pub(super) direct_path: String,
    pub(super) media_key: Vec<u8>,
    /// In seconds.
    pub(super) media_key_timestamp: i64,
    pub(super) file_sha256: Vec<u8>,
    pub(super) file_enc_sha256: Vec<u8>,
    pub(super) file_length: u64,
    /// Of films and sound: by which players check what they have so far.
    pub(super) streaming_sidecar: Option<Vec<u8>>,
}

impl From<UploadResponse> for Place {
    fn from(upload: UploadResponse) -> Self {
        Self {
            url: upload.url,
            direct_path: upload.direct_path,
            media_key: upload.media_key.to_vec(),
            media_key_timestamp: upload.media_key_timestamp,
            file_sha256: upload.file_sha256.to_vec(),
            file_enc_sha256: upload.file_enc_sha256.to_vec(),
            file_length: upload.file_length,
            streaming_sidecar: upload.streaming_sidecar,
        }
    }
}

/// What was uploaded lately for the messages of a session.
#[derive(Default)]
pub(crate) struct Uploads {
    kept: Mutex<Kept>,
}

/// The file `index` of a message, by the hash of its content.
type Name = (String, usize, [u8; 32]);

#[derive(Default)]
struct Kept {
    results: HashMap<Name, (Millis, Place)>,
    order: VecDeque<Name>,
}

impl Uploads {
    /// Uploads the files of a message.
    pub(crate) async fn all(
        &self,
        client: &Client,
        files: &[Attachment],
        message_id: &str,
        now_ms: Millis,
    ) -> Result<Vec<Uploaded>, Fault> {
        let own = Own::of(client);
        let mut uploaded = Vec::with_capacity(files.len());
        for (index, attachment) in files.iter().enumerate() {
            let place = self.one(client, &own, attachment, message_id, index, now_ms).await?;
            uploaded.push(Uploaded { attachment: attachment.clone(), place });
        }
        Ok(uploaded)
    }

    async fn one(
        &self,
        client: &Client,
        own: &Own,
        attachment: &Attachment,
        message_id: &str,
        index: usize,
        now_ms: Millis,
    ) -> Result<Place, Fault> {
        let path = attachment.file.clone();
        let sha256 = blocking(move || hash(&path)).await.map_err(unreadable)?;
        let name = (message_id.to_owned(), index, sha256);
        if let Some(known) = self.known(&name, now_ms) {
            return Ok(known);
        }
        let kind = keys_of(attachment.kind);
        let key = own.file(message_id, index, kind.app_info(), &sha256);
        let path = attachment.file.clone();
        let (source, info) = blocking(move || encrypted(&path, kind, &key)).await.map_err(unreadable)?;
        let place = Place::from(client.upload_stream(source, info, kind).await.map_err(fault::of_upload)?);
        self.keep(name, place.clone(), now_ms);
        Ok(place)
    }

    fn known(&self, name: &Name, now_ms: Millis) -> Option<Place> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.results.get(name).filter(|(at, _)| now_ms - at < KEPT_MS).map(|(_, place)| place.clone())
    }

    fn keep(&self, name: Name, place: Place, now_ms: Millis) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.results.insert(name.clone(), (now_ms, place)).is_none() {
            kept.order.push_back(name);
        }
        while kept.order.len() > KEPT {
            if let Some(oldest) = kept.order.pop_front() {
                kept.results.remove(&oldest);
            }
        }
    }
}

fn hash(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hash.finalize().into()),
            read => hash.update(&chunk[..read]),
        }
    }
}

fn encrypted(path: &Path, kind: MediaType, key: &[u8; 32]) -> io::Result<(Encrypted, EncryptedMediaInfo)> {
    let plain = BufReader::with_capacity(64 << 10, File::open(path)?);
    let beside = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // It has no name, so a crash leaves nothing behind.
    let mut out = BufWriter::with_capacity(64 << 10, tempfile::tempfile_in(beside)?);
    let info = encrypt_media_streaming_with_key(plain, &mut out, kind, Some(key), None).map_err(io::Error::other)?;
    out.flush()?;
    let file = out.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    let size = file.metadata()?.len();
    Ok((Encrypted { file: Arc::new(file), size }, info))
}

/// An encrypted file, readable from several places at once.
struct Encrypted {
    file: Arc<File>,
    size: u64,
}

impl UploadSource for Encrypted {
    fn len(&self) -> u64 {
        self.size
    }

    fn reader_from(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Reader { file: Arc::clone(&self.file), at: offset }))
    }
}

struct Reader {
    file: Arc<File>,
    at: u64,
}

impl Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(out, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// The file is the pipeline's: where it is not there, it is made anew.
fn unreadable(error: io::Error) -> Fault {
    Fault::retry("file_unreadable", format!("the file of the message cannot be read: {error}"))
}
