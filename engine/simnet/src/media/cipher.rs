//! What a phone does with files: it encrypts and uploads what it sends, and downloads, checks and
//! decrypts what it got. The work is done on blocking threads, in streams.

use super::serve;
use super::store::{self, StoreError};
use crate::error::SimnetError;
use crate::network::Network;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::io::{BufReader, BufWriter, Read, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use wacore::download::{DownloadUtils, MediaType};

/// Where a phone has a file.
pub(crate) enum Source {
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// An encrypted file on the media host.
pub(crate) struct Uploaded {
    pub(crate) url: String,
    pub(crate) direct_path: String,
    pub(crate) media_key: Vec<u8>,
    pub(crate) sha256: Vec<u8>,
    pub(crate) enc_sha256: Vec<u8>,
    pub(crate) length: u64,
    pub(crate) sidecar: Option<Vec<u8>>,
}

/// Encrypts a file and stores it on the media host.
pub(crate) async fn upload(net: &Arc<Network>, source: Source, kind: MediaType) -> Result<Uploaded, SimnetError> {
    let net = net.clone();
    let done = tokio::task::spawn_blocking(move || upload_blocking(&net, source, kind)).await;
    done.map_err(|_| SimnetError::Stopping)?
}

fn upload_blocking(net: &Network, source: Source, kind: MediaType) -> Result<Uploaded, SimnetError> {
    let host = net.media()?;
    let failed = |reason: String| SimnetError::Media(format!("the phone could not upload: {reason}"));
    let io = |e: std::io::Error| failed(e.to_string());
    let part = host.store.part(&hex::encode(net.chance.bytes::<16>()));
    let key = net.chance.bytes::<32>();
    let mut writer = BufWriter::new(std::fs::File::create(&part).map_err(io)?);
    let reader: Box<dyn Read> = match source {
        Source::Bytes(bytes) => Box::new(std::io::Cursor::new(bytes)),
        Source::File(path) => Box::new(BufReader::new(std::fs::File::open(path).map_err(io)?)),
    };
    let info = wacore::upload::encrypt_media_streaming_with_key(reader, &mut writer, kind, Some(&key), None)
        .map_err(|e| failed(e.to_string()))?;
    writer.flush().map_err(io)?;
    drop(writer);
    let token = URL_SAFE_NO_PAD.encode(info.file_enc_sha256);
    let id = hex::encode(net.chance.bytes::<16>());
    let id = host.store.finish(kind.mms_type(), &token, &part, id).map_err(|e| failed(e.to_string()))?;
    net.stats.count("media.uploads_of_phones");
    let direct_path = serve::direct_path(kind.mms_type(), &id);
    Ok(Uploaded {
        url: format!("https://{}{direct_path}", host.host),
        direct_path,
        media_key: info.media_key.to_vec(),
        sha256: info.file_sha256.to_vec(),
        enc_sha256: info.file_enc_sha256.to_vec(),
        length: info.file_length,
        sidecar: info.streaming_sidecar,
    })
}

/// What a message says of a file, as far as it is needed to get it.
pub(crate) struct Claim {
    pub(crate) direct_path: String,
    /// Absent for what is not encrypted.
    pub(crate) media_key: Option<Vec<u8>>,
    pub(crate) sha256: Vec<u8>,
    /// Absent for what is not encrypted.
    pub(crate) enc_sha256: Option<Vec<u8>>,
    pub(crate) length: u64,
    pub(crate) kind: MediaType,
}

/// Gets a file from the media host: every hash, the MAC and the length are checked. The plain file
/// is anonymous and vanishes when closed.
pub(crate) async fn download(net: &Arc<Network>, claim: Claim) -> Result<std::fs::File, SimnetError> {
    let net = net.clone();
    let done = tokio::task::spawn_blocking(move || download_blocking(&net, &claim)).await;
    done.map_err(|_| SimnetError::Stopping)?
}

fn download_blocking(net: &Network, claim: &Claim) -> Result<std::fs::File, SimnetError> {
    use std::io::Seek as _;
    let wrong = |reason: String| SimnetError::BadMedia(reason);
    let (path, _) = find(net, &claim.direct_path)?;
    let open = || std::fs::File::open(&path).map_err(|e| wrong(format!("the file cannot be read: {e}")));
    if let Some(expected) = &claim.enc_sha256 {
        let (hash, _) = store::digest(open()?).map_err(|e| wrong(e.to_string()))?;
        if hash != expected.as_slice() {
            return Err(wrong("fileEncSha256 is not the hash of what was uploaded".into()));
        }
    }
    let mut plain = tempfile::tempfile_in(net.media()?.store.directory()).map_err(|e| wrong(e.to_string()))?;
    match &claim.media_key {
        Some(key) => {
            let mut writer = BufWriter::new(&plain);
            DownloadUtils::decrypt_stream_to_writer(BufReader::new(open()?), key, claim.kind, &mut writer)
                .map_err(|e| wrong(format!("it cannot be decrypted: {e}")))?;
            writer.flush().map_err(|e| wrong(e.to_string()))?;
        }
        None => {
            std::io::copy(&mut open()?, &mut plain).map_err(|e| wrong(e.to_string()))?;
        }
    }
    plain.rewind().map_err(|e| wrong(e.to_string()))?;
    let (hash, length) = store::digest(&plain).map_err(|e| wrong(e.to_string()))?;
    if hash != claim.sha256.as_slice() {
        return Err(wrong("fileSha256 is not the hash of the decrypted file".into()));
    }
    if length != claim.length {
        return Err(wrong(format!("fileLength says {}, the file has {length} bytes", claim.length)));
    }
    plain.rewind().map_err(|e| wrong(e.to_string()))?;
    Ok(plain)
}

fn find(net: &Network, direct_path: &str) -> Result<(PathBuf, store::Object), SimnetError> {
    let host = net.media()?;
    serve::locate(direct_path).and_then(|id| host.store.find(&id)).map_err(|error| {
        SimnetError::BadMedia(match error {
            StoreError::Gone => "the media host answers 410: the file has expired".into(),
            _ => "the media host answers 404: directPath names no file there".into(),
        })
    })
}

/// Lets the file at a path expire.
pub(crate) fn expire(net: &Network, direct_path: &str) -> Result<(), SimnetError> {
    let id = serve::locate(direct_path).map_err(|e| SimnetError::BadMedia(e.to_string()))?;
    net.media()?.store.expire(&id).map_err(|e| SimnetError::BadMedia(e.to_string()))
}

/// Uploads the file at an expired path again; returns its new path. `None` when the phone has no
/// copy of it.
pub(crate) fn renew(net: &Network, direct_path: &str, kind: MediaType) -> Option<String> {
    let name = direct_path.split('?').next()?.rsplit('/').next()?;
    let old = name.strip_suffix(".enc")?;
    let id = net.media().ok()?.store.renew(old, hex::encode(net.chance.bytes::<16>())).ok()?;
    Some(serve::direct_path(kind.mms_type(), &id))
}
