//! The shelf: where files are kept, whatever that is.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::ops::Range;
use warest_model::clock::Millis;
use warest_model::id::{MediaId, SessionId};

/// Why a file cannot be put on the shelf, or read.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// There is no such file.
    #[error("there is no file of that name in the storage")]
    NotFound,
    /// It is larger than allowed.
    #[error("the file has more than {most} bytes, which is the most that is allowed")]
    TooLarge {
        /// In bytes.
        most: u64,
    },
    /// It is not as it was written, or was written under another key.
    #[error("a stored file is damaged: {why}; restore it from a backup")]
    Damaged {
        /// What is wrong with it.
        why: String,
    },
    /// Where it came from failed.
    #[error("the file could not be read to its end: {0}")]
    Source(#[source] std::io::Error),
    /// The storage refused or failed.
    #[error("the storage failed: {0}")]
    Storage(String),
}

/// The result of asking the shelf.
pub type Result<T, E = ShelfError> = std::result::Result<T, E>;

/// A file as it goes in or comes out, piece by piece.
pub type FileStream = BoxStream<'static, std::io::Result<Bytes>>;

/// A file that was put on the shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelved {
    /// Its name there: the name that it was given, and what tells how it is kept.
    pub object: String,
    /// In bytes.
    pub size: u64,
    /// Of its content, in hexadecimal.
    pub sha256: String,
}

/// A file that is read.
pub struct Opened {
    /// Of the whole file, in bytes.
    pub size: u64,
    /// The bytes that were asked for, in small pieces. Ends in an error of kind
    /// `InvalidData` where the file was changed or cut.
    pub stream: FileStream,
}

/// An object that lies on the shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its name.
    pub name: String,
    /// What it takes, in bytes.
    pub bytes: u64,
    /// When it was written.
    pub written_ms: Millis,
}

/// Where files are kept.
#[async_trait]
pub trait MediaShelf: Send + Sync {
    /// Puts a file on the shelf, durably; more than `most` bytes are refused as
    /// `TooLarge`. Until it is all there, nothing has its name; what has its name
    /// already is replaced.
    async fn put(&self, name: &str, file: FileStream, most: u64) -> Result<Shelved>;
    /// Opens a file, or a range of it (cut where the file ends). `NotFound` if there
    /// is none.
    async fn open(&self, object: &str, range: Option<Range<u64>>) -> Result<Opened>;
    /// Of a file, the size in bytes; none if there is no such file.
    async fn size(&self, object: &str) -> Result<Option<u64>>;
    /// Removes a file; none is fine, too.
    async fn remove(&self, object: &str) -> Result<()>;
    /// What lies on the shelf.
    fn objects(&self) -> BoxStream<'static, Result<Object>>;
    /// Removes what was begun before `before_ms` and never finished. How many there
    /// were.
    async fn sweep(&self, before_ms: Millis) -> Result<u64>;
    /// What lets the file of this id be read until `expires_ms` by whoever has it: 64
    /// hexadecimal digits.
    fn sign(&self, id: &MediaId, expires_ms: Millis) -> String;
    /// Whether [`sign`](Self::sign) made this, and its time is not over.
    fn verify(&self, id: &MediaId, expires_ms: Millis, signature: &str, now_ms: Millis) -> bool;
}

/// The name under which a file is put on the shelf:
/// `sessions/<session>/media/<yyyy>/<mm>/<dd>/<id>`, by the day on which its row was
/// made.
pub fn object_name(session: &SessionId, id: &MediaId, created_ms: Millis) -> String {
    let day = chrono::DateTime::from_timestamp_millis(created_ms).unwrap_or_default();
    // Two names would mean something else to a file system.
    let session = match session.as_str() {
        dots @ ("." | "..") => dots.replace('.', "%2E"),
        name => name.to_owned(),
    };
    format!("sessions/{session}/media/{}/{id}", day.format("%Y/%m/%d"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_tell_the_session_and_the_day() {
        let at = |ms| object_name(&"support-1".parse().unwrap(), &MediaId::new(ms), ms);
        assert!(at(0).starts_with("sessions/support-1/media/1970/01/01/med_"));
        assert!(at(1_732_406_400_000).starts_with("sessions/support-1/media/2024/11/24/med_"));
        assert!(at(1_709_251_199_999).contains("/2024/02/29/"));
        assert!(at(1_709_251_200_000).contains("/2024/03/01/"));
        assert!(at(4_102_444_799_999).contains("/2099/12/31/"));
        let odd = object_name(&"..".parse().unwrap(), &MediaId::new(0), 0);
        assert!(odd.starts_with("sessions/%2E%2E/media/"), "{odd}");
    }
}
