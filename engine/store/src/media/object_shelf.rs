//! The shelf on an object store: a folder of this machine, or whatever else
//! `object_store` reaches.
//!
//! What is sealed has `.sealed` behind its name, so that a file in the clear cannot
//! take its place. Writing holds one part of 5 MiB, reading one stretch of 1 MiB,
//! however large the file is.

use super::segments::{HEADER, Layout, SEALED, SEGMENT, Segments, damaged};
use super::shelf::{FileStream, MediaShelf, Object, Opened, Result, ShelfError, Shelved};
use crate::secret::Cipher;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use hmac::{Hmac, KeyInit, Mac};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Name;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use sha2::{Digest, Sha256};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use warest_model::clock::Millis;
use warest_model::id::MediaId;
use zeroize::Zeroizing;

/// What is behind the name of a file that is sealed.
const SEALED_SUFFIX: &str = ".sealed";
/// What is written at once; object stores take no smaller parts.
const PART: usize = 5 << 20;
/// Segments that are read at once.
const STRETCH: u64 = 16;

/// How files are kept.
#[derive(Debug, Clone, Default)]
pub struct ShelfOptions {
    /// Whether files are sealed from now on. Those that are there stay as they are.
    pub seal: bool,
    /// The secret that links are signed with; the master key's, if there is none.
    pub signing_secret: Option<String>,
}

/// The shelf on an object store.
pub struct ObjectShelf {
    objects: Arc<dyn ObjectStore>,
    /// The folder, if it is one.
    folder: Option<PathBuf>,
    cipher: Cipher,
    seal: bool,
    signing_key: Zeroizing<Vec<u8>>,
}

impl ObjectShelf {
    /// A shelf in a folder, which is made if it is missing; files are on the disk when
    /// they are said to be.
    ///
    /// # Errors
    /// If the folder cannot be made or used.
    pub fn in_folder(folder: &Path, cipher: &Cipher, options: &ShelfOptions) -> Result<Self> {
        let unusable = |error: &dyn std::fmt::Display| {
            ShelfError::Storage(format!("the folder {} cannot be used: {error}", folder.display()))
        };
        let mut make = std::fs::DirBuilder::new();
        make.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut make, 0o700);
        make.create(folder).map_err(|error| unusable(&error))?;
        let objects = LocalFileSystem::new_with_prefix(folder).map_err(|error| unusable(&error))?;
        let objects = Arc::new(objects.with_fsync(true).with_automatic_cleanup(true));
        Ok(Self { folder: Some(folder.to_owned()), ..Self::on(objects, cipher, options)? })
    }

    /// A shelf on any object store.
    ///
    /// # Errors
    /// None in practice: every key has its derived ones.
    pub fn on(objects: Arc<dyn ObjectStore>, cipher: &Cipher, options: &ShelfOptions) -> Result<Self> {
        let signing_key = match &options.signing_secret {
            Some(secret) => Zeroizing::new(secret.as_bytes().to_vec()),
            None => {
                let key = cipher.derive_key(b"media links").map_err(|error| ShelfError::Storage(error.to_string()))?;
                Zeroizing::new(key.to_vec())
            }
        };
        Ok(Self { objects, folder: None, cipher: cipher.clone(), seal: options.seal, signing_key })
    }

    fn signature(&self, id: &MediaId, expires_ms: Millis) -> Option<Hmac<Sha256>> {
        // HMAC takes a key of any length.
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.signing_key).ok()?;
        mac.update(format!("media\0{id}\0{expires_ms}").as_bytes());
        Some(mac)
    }

    /// The stretches of a sealed file, opened.
    async fn open_sealed(&self, object: &str, name: Name, range: Option<Range<u64>>) -> Result<Opened> {
        let bytes = self.objects.head(&name).await.map_err(failed)?.size;
        let layout = Layout::of(bytes)?;
        let header = self.objects.get_range(&name, 0..HEADER as u64).await.map_err(failed)?;
        let segments = Arc::new(Segments::resume(&self.cipher, object, &header)?);
        let range = within(range, layout.size);
        let wanted = layout.covering(&range);
        let stretches = (wanted.start..wanted.end).step_by(STRETCH as usize);
        let (objects, end) = (self.objects.clone(), wanted.end);
        let opened = stream::iter(stretches).then(move |from| {
            let (objects, name, segments, range) = (objects.clone(), name.clone(), segments.clone(), range.clone());
            async move {
                let numbers = from..(from + STRETCH).min(end);
                let sealed = objects.get_range(&name, layout.place(&numbers)).await.map_err(failed)?;
                let pieces = numbers.zip(sealed.chunks(SEALED)).map(|(number, sealed)| {
                    let (mut segment, last) = (sealed.to_vec(), number + 1 == layout.segments);
                    let place = u32::try_from(number).map_err(|_| damaged("it is too long"))?;
                    segments.open(place, last, &mut segment)?;
                    let start = number * SEGMENT as u64;
                    let part = range.start.max(start)..range.end.min(start + segment.len() as u64);
                    let part = (part.start - start) as usize..part.end.max(part.start).saturating_sub(start) as usize;
                    Ok(Bytes::from(segment).slice(part))
                });
                pieces.collect::<Result<Vec<_>>>()
            }
        });
        let stream = opened
            .map_ok(|pieces| stream::iter(pieces.into_iter().map(Ok)))
            .try_flatten()
            .map_err(io_error)
            .try_filter(|piece| std::future::ready(!piece.is_empty()));
        Ok(Opened { size: layout.size, stream: stream.boxed() })
    }

    async fn open_plain(&self, name: Name, range: Option<Range<u64>>) -> Result<Opened> {
        let size = self.objects.head(&name).await.map_err(failed)?.size;
        let range = within(range, size);
        let stretch = STRETCH * SEGMENT as u64;
        let (objects, end) = (self.objects.clone(), range.end);
        let starts = (range.start..range.end).step_by(stretch as usize);
        let stream = stream::iter(starts).then(move |from| {
            let (objects, name) = (objects.clone(), name.clone());
            async move { objects.get_range(&name, from..(from + stretch).min(end)).await.map_err(failed) }
        });
        Ok(Opened { size, stream: stream.map_err(io_error).boxed() })
    }
}

#[async_trait]
impl MediaShelf for ObjectShelf {
    async fn put(&self, name: &str, file: FileStream, most: u64) -> Result<Shelved> {
        let object = if self.seal { format!("{name}{SEALED_SUFFIX}") } else { name.to_owned() };
        let place = Name::parse(&object).map_err(|error| ShelfError::Storage(error.to_string()))?;
        let mut parts = Parts { objects: self.objects.as_ref(), place, part: Vec::new(), upload: None };
        match write(self, &object, file, most, &mut parts).await {
            Ok((size, sha256)) => {
                parts.finish().await?;
                Ok(Shelved { object, size, sha256 })
            }
            Err(error) => {
                parts.abandon().await;
                Err(error)
            }
        }
    }

    async fn open(&self, object: &str, range: Option<Range<u64>>) -> Result<Opened> {
        let name = Name::parse(object).map_err(|_| ShelfError::NotFound)?;
        match object.ends_with(SEALED_SUFFIX) {
            true => self.open_sealed(object, name, range).await,
            false => self.open_plain(name, range).await,
        }
    }

    async fn size(&self, object: &str) -> Result<Option<u64>> {
        let name = Name::parse(object).map_err(|_| ShelfError::NotFound)?;
        let bytes = match self.objects.head(&name).await.map_err(failed) {
            Ok(object) => object.size,
            Err(ShelfError::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        match object.ends_with(SEALED_SUFFIX) {
            true => Ok(Some(Layout::of(bytes)?.size)),
            false => Ok(Some(bytes)),
        }
    }

    async fn remove(&self, object: &str) -> Result<()> {
        let Ok(name) = Name::parse(object) else { return Ok(()) };
        match self.objects.delete(&name).await.map_err(failed) {
            Err(ShelfError::NotFound) => Ok(()),
            removed => removed,
        }
    }

    fn objects(&self) -> BoxStream<'static, Result<Object>> {
        let listed = self.objects.list(None).map_err(failed).map_ok(|object| Object {
            name: object.location.to_string(),
            bytes: object.size,
            written_ms: object.last_modified.timestamp_millis(),
        });
        listed.boxed()
    }

    async fn sweep(&self, before_ms: Millis) -> Result<u64> {
        // What an object store elsewhere does about unfinished uploads is set there.
        let Some(folder) = self.folder.clone() else { return Ok(0) };
        let before = SystemTime::UNIX_EPOCH + Duration::from_millis(before_ms.max(0).unsigned_abs());
        let swept = tokio::task::spawn_blocking(move || sweep(&folder, before)).await;
        let failed = |error: &dyn std::fmt::Display| ShelfError::Storage(error.to_string());
        swept.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }

    fn sign(&self, id: &MediaId, expires_ms: Millis) -> String {
        self.signature(id, expires_ms).map(|mac| hex::encode(mac.finalize().into_bytes())).unwrap_or_default()
    }

    fn verify(&self, id: &MediaId, expires_ms: Millis, signature: &str, now_ms: Millis) -> bool {
        let (Ok(given), Some(mac)) = (hex::decode(signature), self.signature(id, expires_ms)) else { return false };
        // In constant time.
        now_ms < expires_ms && mac.verify_slice(&given).is_ok()
    }
}

/// Writes a file in parts; its size and hash.
async fn write(
    shelf: &ObjectShelf,
    object: &str,
    mut file: FileStream,
    most: u64,
    parts: &mut Parts<'_>,
) -> Result<(u64, String)> {
    let sealing = match shelf.seal {
        true => {
            let (segments, header) = Segments::begin(&shelf.cipher, object)?;
            parts.write(&header).await?;
            Some(segments)
        }
        false => None,
    };
    let (mut size, mut hash, mut number) = (0_u64, Sha256::new(), 0_u32);
    let mut segment = Vec::with_capacity(SEALED);
    while let Some(piece) = file.next().await {
        let piece = piece.map_err(ShelfError::Source)?;
        size += piece.len() as u64;
        if size > most {
            return Err(ShelfError::TooLarge { most });
        }
        hash.update(&piece);
        let Some(segments) = &sealing else {
            parts.write(&piece).await?;
            continue;
        };
        let mut rest = piece.as_ref();
        while !rest.is_empty() {
            // A full one is sealed once it is known not to be the last.
            if segment.len() == SEGMENT {
                segments.seal(number, false, &mut segment)?;
                parts.write(&segment).await?;
                segment.clear();
                number = number.checked_add(1).ok_or(ShelfError::TooLarge { most })?;
            }
            let (now, later) = rest.split_at(rest.len().min(SEGMENT - segment.len()));
            segment.extend_from_slice(now);
            rest = later;
        }
    }
    if let Some(segments) = &sealing {
        segments.seal(number, true, &mut segment)?;
        parts.write(&segment).await?;
    }
    Ok((size, hex::encode(hash.finalize())))
}

/// An object that is being written: in one go if it is small, else in parts.
struct Parts<'a> {
    objects: &'a dyn ObjectStore,
    place: Name,
    part: Vec<u8>,
    upload: Option<Box<dyn MultipartUpload>>,
}

impl Parts<'_> {
    async fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            if self.part.len() == PART {
                self.flush().await?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(PART - self.part.len()));
            self.part.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        // The next is as large, so it need not grow from nothing.
        let part = PutPayload::from(std::mem::replace(&mut self.part, Vec::with_capacity(PART)));
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(self.objects.put_multipart(&self.place).await.map_err(failed)?),
        };
        upload.put_part(part).await.map_err(failed)
    }

    /// Gives the object its name.
    async fn finish(mut self) -> Result<()> {
        if self.upload.is_none() {
            let whole = PutPayload::from(std::mem::take(&mut self.part));
            self.objects.put(&self.place, whole).await.map_err(failed)?;
            return Ok(());
        }
        let written = match self.flush().await {
            Ok(()) => match &mut self.upload {
                Some(upload) => upload.complete().await.map(drop).map_err(failed),
                None => Ok(()),
            },
            Err(error) => Err(error),
        };
        if written.is_err() {
            self.abandon().await;
        }
        written
    }

    /// Removes what was written.
    async fn abandon(self) {
        if let Some(mut upload) = self.upload
            && let Err(error) = upload.abort().await
        {
            // The sweep finds it.
            tracing::debug!(%error, "a part of a file was left on the shelf");
        }
    }
}

/// A range, cut where the file ends.
fn within(range: Option<Range<u64>>, size: u64) -> Range<u64> {
    let range = range.unwrap_or(0..size);
    let end = range.end.min(size);
    range.start.min(end)..end
}

/// Removes what the object store began and did not finish: names with a number
/// behind `#`. How many there were.
fn sweep(folder: &Path, before: SystemTime) -> io::Result<u64> {
    let (mut swept, mut folders) = (0, vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            // Folders that become empty go while we look.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let Ok(there) = entry.metadata() else { continue };
            let name = entry.file_name();
            let unfinished = name
                .to_string_lossy()
                .rsplit_once('#')
                .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
            if there.is_dir() {
                folders.push(entry.path());
            } else if unfinished && there.modified()? < before && std::fs::remove_file(entry.path()).is_ok() {
                swept += 1;
            }
        }
    }
    Ok(swept)
}

fn failed(error: object_store::Error) -> ShelfError {
    match error {
        object_store::Error::NotFound { .. } => ShelfError::NotFound,
        other => ShelfError::Storage(other.to_string()),
    }
}

fn io_error(error: ShelfError) -> io::Error {
    let kind = match &error {
        ShelfError::NotFound => io::ErrorKind::NotFound,
        ShelfError::Damaged { .. } => io::ErrorKind::InvalidData,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
