//! Secrets: the master key, and the sealing of what is stored under it.
//!
//! Everything secret that reaches the database is sealed with AES-256-GCM under
//! a random 96-bit nonce, and bound by associated data to the place it is kept
//! in, so that a row moved elsewhere does not open. One random nonce space holds
//! about 2^32 seals; [`Cipher::derive`] gives every key store a key of its own,
//! so that no busy session comes near it. Nothing here is ever shown by `Debug`.

use crate::error::StoreError;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Version of the sealed form: `1 || nonce (12) || ciphertext and tag`.
const SEALED_V1: u8 = 1;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not 64 hexadecimal digits.
    #[error("a master key is 64 hexadecimal digits (32 bytes), such as `openssl rand -hex 32` prints")]
    Shape,
    /// The key file holds something else.
    #[error("{path} does not hold a master key (64 hexadecimal digits); restore it from your backup")]
    File {
        /// The file.
        path: PathBuf,
    },
    /// The key file cannot be read or written.
    #[error("the master key file {path} cannot be used: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The key that everything secret in the store is sealed under.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// A key of random bytes.
    pub fn random() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// A key from its bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads a key from 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`KeyError::Shape`] if it is anything else.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), bytes.as_mut_slice()).map_err(|_| KeyError::Shape)?;
        Ok(Self(bytes))
    }

    /// Reads the key file at `path`, or makes one that only this user can read.
    ///
    /// The new file is complete and on the disk before it has its name, so a
    /// crash leaves a whole key or none.
    ///
    /// # Errors
    /// [`KeyError::File`] if the file holds something else; it is never replaced.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        match Self::load(path) {
            Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                create_key_file(path, &Self::random())
                    .map_err(|source| KeyError::Io { path: path.to_owned(), source })?;
                Self::load(path)
            }
            loaded => loaded,
        }
    }

    /// Reads the key file at `path`.
    ///
    /// # Errors
    /// [`KeyError::Io`] if it cannot be read, [`KeyError::File`] if it holds
    /// something else.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let mut text = Zeroizing::new(String::new());
        let read = File::open(path).and_then(|file| file.take(1_024).read_to_string(&mut text));
        match read {
            Ok(_) => Self::from_hex(&text).map_err(|_| KeyError::File { path: path.to_owned() }),
            Err(source) if source.kind() == io::ErrorKind::InvalidData => Err(KeyError::File { path: path.to_owned() }),
            Err(source) => Err(KeyError::Io { path: path.to_owned(), source }),
        }
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

fn create_key_file(path: &Path, key: &MasterKey) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut unnamed = path.as_os_str().to_owned();
    unnamed.push(".new");
    let unnamed = PathBuf::from(unnamed);
    if let Err(error) = fs::remove_file(&unnamed)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unnamed)?;
    let text = Zeroizing::new(hex::encode(key.0.as_slice()));
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&unnamed, path)?;
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// Seals and opens secrets. Cheap to clone.
#[derive(Clone)]
pub struct Cipher {
    aes: Aes256Gcm,
    key: Zeroizing<[u8; 32]>,
}

impl Cipher {
    /// A cipher under the master key.
    pub fn new(key: &MasterKey) -> Self {
        Self::of(key.0.clone())
    }

    fn of(key: Zeroizing<[u8; 32]>) -> Self {
        Self { aes: Aes256Gcm::new(&(*key).into()), key }
    }

    /// A cipher under a key of its own for one purpose.
    ///
    /// # Errors
    /// None in practice: HMAC takes a key of this length.
    pub fn derive(&self, purpose: &[u8]) -> Result<Self, StoreError> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.key.as_slice()).map_err(|_| refused())?;
        mac.update(b"warest derived key\0");
        mac.update(purpose);
        Ok(Self::of(Zeroizing::new(mac.finalize().into_bytes().into())))
    }

    /// A key of its own for one purpose that is no sealing of short values.
    pub(crate) fn derive_key(&self, purpose: &[u8]) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        Ok(self.derive(purpose)?.key)
    }

    /// Seals `plaintext`; `aad` names the place it is kept in.
    ///
    /// # Errors
    /// Only for a plaintext of more than 64 GiB.
    pub fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, StoreError> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let sealed = self.aes.encrypt(&Nonce::from(nonce), Payload { msg: plaintext, aad }).map_err(|_| refused())?;
        let mut out = Vec::with_capacity(1 + NONCE_BYTES + sealed.len());
        out.push(SEALED_V1);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens what [`Cipher::seal`] made for the same place.
    ///
    /// # Errors
    /// [`StoreError::WrongKey`] if it was sealed under another key, for another
    /// place, or was changed; [`StoreError::Corrupt`] if it is no sealed value.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (nonce, body) = match sealed.split_first() {
            Some((&SEALED_V1, rest)) if rest.len() >= NONCE_BYTES + TAG_BYTES => rest.split_at(NONCE_BYTES),
            _ => {
                return Err(StoreError::Corrupt {
                    what: "secret",
                    why: "it has not the shape of a sealed value".into(),
                });
            }
        };
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| refused())?;
        self.aes.decrypt(&Nonce::from(nonce), Payload { msg: body, aad }).map_err(|_| StoreError::WrongKey)
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(…)")
    }
}

fn refused() -> StoreError {
    StoreError::Corrupt { what: "secret", why: "the cipher refused its input".into() }
}

/// What is stored of an API key. Keys are random and long, so a plain hash does.
pub fn api_key_hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_with_its_key_and_in_its_place() {
        let cipher = Cipher::new(&MasterKey::from_bytes([7; 32]));
        let sealed = cipher.seal(b"here", b"secret").unwrap();
        assert_eq!(cipher.open(b"here", &sealed).unwrap(), b"secret");
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_ne!(sealed, cipher.seal(b"here", b"secret").unwrap(), "the nonce is fresh");
        assert!(matches!(cipher.open(b"there", &sealed), Err(StoreError::WrongKey)));
        let other = Cipher::new(&MasterKey::from_bytes([8; 32]));
        assert!(matches!(other.open(b"here", &sealed), Err(StoreError::WrongKey)));
        let derived = cipher.derive(b"purpose").unwrap();
        assert!(matches!(derived.open(b"here", &sealed), Err(StoreError::WrongKey)));
    }

    #[test]
    fn a_changed_or_cut_value_never_opens() {
        let cipher = Cipher::new(&MasterKey::from_bytes([7; 32]));
        let sealed = cipher.seal(b"", b"secret").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(cipher.open(b"", &changed).is_err(), "byte {at}");
            assert!(cipher.open(b"", &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn the_key_file_is_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data").join("master.key");
        let made = MasterKey::load_or_create(&path).unwrap();
        let read = MasterKey::load_or_create(&path).unwrap();
        assert_eq!(made.0, read.0);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_damaged_key_file_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        fs::write(&path, "00ff").unwrap();
        assert!(matches!(MasterKey::load_or_create(&path), Err(KeyError::File { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "00ff");
    }

    #[test]
    fn debug_shows_no_key() {
        let key = MasterKey::from_hex(&"ab".repeat(32)).unwrap();
        let shown = format!("{key:?} {:?}", Cipher::new(&key));
        assert!(!shown.contains("ab") && !shown.contains("171"), "{shown}");
    }
}
