//! Encrypted files by id, each with the hash it was uploaded under; uploads that broke off, so that
//! they can be taken up again; and plain files on their way into a message.
//!
//! Everything is a file in one directory, named so that the index can be read back from the names.
//! Bounded in files and bytes: past the limit the oldest goes. A stored file is complete and hashes
//! to its token; partial ones live under other names until then.

use crate::account::lock;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, VecDeque};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The largest single file.
pub(crate) const FILE: u64 = 512 << 20;
/// All files together.
const TOTAL: u64 = 4 << 30;
/// Files at once.
const FILES: usize = 20_000;
/// Broken-off uploads that can be taken up again.
const PARTS: usize = 64;
/// Plain files that wait to be sent.
const DRAFTS: usize = 64;

/// Why the store did not take or give something.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("no such media")]
    Unknown,
    #[error("the media has expired")]
    Gone,
    #[error("the hash in the URL is not base64 of a SHA-256")]
    Token,
    #[error("what was uploaded does not have the hash in the URL")]
    Hash,
    #[error("the upload was not begun, or not up to that offset")]
    Offset,
    #[error("a file may have at most {FILE} bytes")]
    TooLarge,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What is known of a stored file.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// Its media type in URLs: `image`, `md-msg-hist`, ….
    pub(crate) kind: String,
    /// Base64 of its SHA-256.
    pub(crate) token: String,
    pub(crate) bytes: u64,
    gone: bool,
}

#[derive(Default)]
struct Index {
    objects: HashMap<String, Object>,
    by_token: HashMap<String, String>,
    order: VecDeque<String>,
    bytes: u64,
    parts: VecDeque<(String, PathBuf, u64)>,
    drafts: VecDeque<(String, PathBuf)>,
}

/// The files of a media host.
pub(crate) struct Store {
    directory: PathBuf,
    index: Mutex<Index>,
    /// Removes the directory at the end, when nobody asked to keep it.
    _temporary: Option<tempfile::TempDir>,
}

impl Store {
    /// The store in `directory`, or one that vanishes at the end.
    pub(crate) fn open(directory: Option<PathBuf>) -> io::Result<Self> {
        let (directory, temporary) = match directory {
            Some(directory) => (directory, None),
            None => {
                let temporary = tempfile::Builder::new().prefix("simnet-media-").tempdir()?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        std::fs::create_dir_all(&directory)?;
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let fields: Vec<&str> = name.split('~').collect();
            match fields.as_slice() {
                ["media", kind, token, id] => {
                    let meta = entry.metadata()?;
                    let object =
                        Object { kind: (*kind).to_owned(), token: (*token).to_owned(), bytes: meta.len(), gone: false };
                    found.push((meta.modified()?, (*id).to_owned(), object));
                }
                ["part" | "draft", ..] => std::fs::remove_file(entry.path())?,
                _ => {}
            }
        }
        found.sort_by_key(|(modified, ..)| *modified);
        let mut index = Index::default();
        for (_, id, object) in found {
            index.enter(id, object);
        }
        Ok(Self { directory, index: Mutex::new(index), _temporary: temporary })
    }

    /// Where the files are.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, id: &str, object: &Object) -> PathBuf {
        self.directory.join(format!("media~{}~{}~{id}", object.kind, object.token))
    }

    /// A new file for an upload, named by chance.
    pub(crate) fn part(&self, name: &str) -> PathBuf {
        self.directory.join(format!("part~{name}"))
    }

    /// How much of an upload is here already: the id when all of it.
    pub(crate) fn progress(&self, token: &str) -> Progress {
        let index = lock(&self.index);
        if let Some(id) = index.by_token.get(token) {
            return Progress::Complete(id.clone());
        }
        index.parts.iter().find(|(of, ..)| of == token).map_or(Progress::Nothing, |(.., bytes)| Progress::Part(*bytes))
    }

    /// Takes a broken-off upload over, to go on at `offset`.
    pub(crate) fn resume(&self, token: &str, offset: u64) -> Result<PathBuf, StoreError> {
        let mut index = lock(&self.index);
        let at = index.parts.iter().position(|(of, ..)| of == token).ok_or(StoreError::Offset)?;
        if index.parts.get(at).is_none_or(|(.., bytes)| *bytes < offset) {
            return Err(StoreError::Offset);
        }
        index.parts.remove(at).map(|(_, path, _)| path).ok_or(StoreError::Offset)
    }

    /// Keeps what there is of an upload that broke off.
    pub(crate) fn keep_part(&self, token: &str, path: PathBuf) {
        let bytes = std::fs::metadata(&path).map_or(0, |meta| meta.len());
        let mut stale = Vec::new();
        {
            let mut index = lock(&self.index);
            if let Some(at) = index.parts.iter().position(|(of, ..)| of == token) {
                stale.extend(index.parts.remove(at).map(|(_, path, _)| path));
            }
            index.parts.push_back((token.to_owned(), path, bytes));
            if index.parts.len() > PARTS {
                stale.extend(index.parts.pop_front().map(|(_, path, _)| path));
            }
        }
        remove(stale);
    }

    /// Files a complete upload under its hash, if it has it. Returns the id; the file is moved.
    /// Reads the whole file: for a blocking thread.
    pub(crate) fn finish(&self, kind: &str, token: &str, part: &Path, id: String) -> Result<String, StoreError> {
        let wanted = URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).map_err(|_| StoreError::Token)?;
        let (hash, bytes) = digest(std::fs::File::open(part)?)?;
        if wanted != hash {
            let _ = std::fs::remove_file(part);
            return Err(if wanted.len() == hash.len() { StoreError::Hash } else { StoreError::Token });
        }
        // The token in the name is always in the one alphabet.
        let token = URL_SAFE_NO_PAD.encode(hash);
        let kind: String = kind.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
        let object = Object { kind, token, bytes, gone: false };
        std::fs::rename(part, self.path(&id, &object))?;
        let stale: Vec<PathBuf> = {
            let mut index = lock(&self.index);
            index.enter(id.clone(), object);
            index.shrink().into_iter().map(|(id, object)| self.path(&id, &object)).collect()
        };
        remove(stale);
        Ok(id)
    }

    /// The file of an id.
    pub(crate) fn find(&self, id: &str) -> Result<(PathBuf, Object), StoreError> {
        let object = lock(&self.index).objects.get(id).cloned().ok_or(StoreError::Unknown)?;
        if object.gone {
            return Err(StoreError::Gone);
        }
        Ok((self.path(id, &object), object))
    }

    /// Lets a file expire: its id answers no more. The phones' own copies stay.
    pub(crate) fn expire(&self, id: &str) -> Result<(), StoreError> {
        let mut index = lock(&self.index);
        let object = index.objects.get_mut(id).ok_or(StoreError::Unknown)?;
        object.gone = true;
        let token = object.token.clone();
        index.by_token.remove(&token);
        Ok(())
    }

    /// Makes an expired file available under a new id, as a phone does that uploads it again. One
    /// that has not expired keeps its id.
    pub(crate) fn renew(&self, old: &str, new: String) -> Result<String, StoreError> {
        let mut index = lock(&self.index);
        if index.objects.get(old).is_some_and(|object| !object.gone) {
            return Ok(old.to_owned());
        }
        let object = index.objects.remove(old).ok_or(StoreError::Unknown)?;
        let fresh = Object { gone: false, ..object.clone() };
        if let Err(error) = std::fs::rename(self.path(old, &object), self.path(&new, &fresh)) {
            index.objects.insert(old.to_owned(), object);
            return Err(error.into());
        }
        index.bytes -= object.bytes;
        index.order.retain(|id| id != old);
        index.enter(new.clone(), fresh);
        Ok(new)
    }

    /// Remembers a plain file as one that a message can be made of; returns where it may be written.
    pub(crate) fn draft(&self, name: &str) -> PathBuf {
        let path = self.directory.join(format!("draft~{name}"));
        let mut index = lock(&self.index);
        index.drafts.push_back((name.to_owned(), path.clone()));
        let stale = if index.drafts.len() > DRAFTS { index.drafts.pop_front() } else { None };
        drop(index);
        remove(stale.map(|(_, path)| path));
        path
    }

    /// A plain file that was uploaded to a phone.
    pub(crate) fn find_draft(&self, name: &str) -> Option<PathBuf> {
        lock(&self.index).drafts.iter().find(|(known, _)| known == name).map(|(_, path)| path.clone())
    }
}

/// How much of an upload is here.
pub(crate) enum Progress {
    Nothing,
    Part(u64),
    Complete(String),
}

impl Index {
    fn enter(&mut self, id: String, object: Object) {
        self.bytes += object.bytes;
        self.by_token.insert(object.token.clone(), id.clone());
        self.order.push_back(id.clone());
        self.objects.insert(id, object);
    }

    /// Drops the oldest until the rest fits.
    fn shrink(&mut self) -> Vec<(String, Object)> {
        let mut dropped = Vec::new();
        while self.bytes > TOTAL || self.order.len() > FILES {
            let Some(id) = self.order.pop_front() else { break };
            let Some(object) = self.objects.remove(&id) else { continue };
            self.bytes -= object.bytes;
            if self.by_token.get(&object.token) == Some(&id) {
                self.by_token.remove(&object.token);
            }
            dropped.push((id, object));
        }
        dropped
    }
}

fn remove(paths: impl IntoIterator<Item = PathBuf>) {
    for path in paths {
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::debug!(%error, "a stale media file stays");
        }
    }
}

/// SHA-256 and length of what a reader gives.
pub(crate) fn digest(mut reader: impl Read) -> io::Result<([u8; 32], u64)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        let n = reader.read(&mut buffer)?;
        if n == 0 {
            return Ok((hasher.finalize().into(), bytes));
        }
        hasher.update(&buffer[..n]);
        bytes += n as u64;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::{Progress, Store, StoreError, URL_SAFE_NO_PAD};
    use base64::Engine as _;
    use sha2::{Digest as _, Sha256};

    fn put(store: &Store, bytes: &[u8], id: &str) -> Result<String, StoreError> {
        let part = store.part(id);
        std::fs::write(&part, bytes).unwrap();
        store.finish("image", &URL_SAFE_NO_PAD.encode(Sha256::digest(bytes)), &part, id.into())
    }

    #[test]
    fn a_file_is_found_again_by_the_next_run() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(Some(directory.path().into())).unwrap();
        put(&store, b"kept", "a1").unwrap();
        drop(store);
        let store = Store::open(Some(directory.path().into())).unwrap();
        let (path, object) = store.find("a1").unwrap();
        assert_eq!(std::fs::read(path).unwrap(), b"kept");
        assert_eq!((object.kind.as_str(), object.bytes), ("image", 4));
    }

    #[test]
    fn what_does_not_have_its_hash_is_not_stored() {
        let store = Store::open(None).unwrap();
        let part = store.part("p");
        std::fs::write(&part, b"other").unwrap();
        let refused = store.finish("image", &URL_SAFE_NO_PAD.encode(Sha256::digest(b"this")), &part, "a1".into());
        assert!(matches!(refused, Err(StoreError::Hash)), "{refused:?}");
        assert!(matches!(store.find("a1"), Err(StoreError::Unknown)));
        assert!(!part.exists());
    }

    #[test]
    fn an_expired_file_is_gone_until_it_is_uploaded_again() {
        let store = Store::open(None).unwrap();
        put(&store, b"old", "a1").unwrap();
        store.expire("a1").unwrap();
        assert!(matches!(store.find("a1"), Err(StoreError::Gone)));
        let token = URL_SAFE_NO_PAD.encode(Sha256::digest(b"old"));
        assert!(matches!(store.progress(&token), Progress::Nothing));
        store.renew("a1", "b2".into()).unwrap();
        let (path, _) = store.find("b2").unwrap();
        assert_eq!(std::fs::read(path).unwrap(), b"old");
        assert!(matches!(store.progress(&token), Progress::Complete(id) if id == "b2"));
    }
}
