//! How a file is sealed: in segments of 64 KiB, so that one of any size is written
//! and read with little memory, and read from anywhere.
//!
//! A sealed file begins with four letters and 32 random bytes. These, with the name
//! it is kept under, give it a key of its own under the master key. Each segment is
//! AES-256-GCM with the STREAM construction: its number and whether it is the last
//! are part of its nonce, so that a segment that is missing, moved or added, or that
//! belongs to another file, does not open.

use super::shelf::{Result, ShelfError};
use crate::secret::Cipher;
use aead_stream::{NewStream, Nonce, StreamBE32, StreamPrimitive};
use aes_gcm::Aes256Gcm;
use aes_gcm::aead::KeyInit;
use std::ops::Range;

/// What a sealed file begins with.
const MAGIC: [u8; 4] = *b"WRS1";
/// Of the random bytes.
const SALT: usize = 32;
/// Of what is before the first segment.
pub(super) const HEADER: usize = MAGIC.len() + SALT;
/// Of a segment's content.
pub(super) const SEGMENT: usize = 64 << 10;
/// What sealing adds to a segment.
const TAG: usize = 16;
/// Of a sealed segment.
pub(super) const SEALED: usize = SEGMENT + TAG;

/// Seals and opens the segments of one file.
pub(super) struct Segments {
    stream: StreamBE32<Aes256Gcm>,
}

impl Segments {
    /// Of a new file, with its header.
    pub(super) fn begin(cipher: &Cipher, object: &str) -> Result<(Self, Vec<u8>)> {
        let salt: [u8; SALT] = rand::random();
        Ok((Self::of(cipher, object, &salt)?, [MAGIC.as_slice(), &salt].concat()))
    }

    /// Of a file that begins with this.
    pub(super) fn resume(cipher: &Cipher, object: &str, header: &[u8]) -> Result<Self> {
        match header.split_at_checked(MAGIC.len()) {
            Some((magic, salt)) if *magic == MAGIC && salt.len() == SALT => Self::of(cipher, object, salt),
            _ => Err(damaged("it does not begin as a sealed file does")),
        }
    }

    fn of(cipher: &Cipher, object: &str, salt: &[u8]) -> Result<Self> {
        let purpose = [b"media object\0".as_slice(), salt, object.as_bytes()].concat();
        let key = cipher.derive_key(&purpose).map_err(|error| ShelfError::Storage(error.to_string()))?;
        // No other file has this key, so there is nothing to tell apart by the nonce.
        let nonce = Nonce::<Aes256Gcm, StreamBE32<Aes256Gcm>>::default();
        Ok(Self { stream: StreamBE32::from_aead(Aes256Gcm::new(&(*key).into()), &nonce) })
    }

    /// Seals a segment.
    pub(super) fn seal(&self, number: u32, last: bool, segment: &mut Vec<u8>) -> Result<()> {
        let sealed = self.stream.encrypt_in_place(number, last, &[], segment);
        sealed.map_err(|_| ShelfError::Storage("the cipher refused a segment".to_owned()))
    }

    /// Opens a segment.
    pub(super) fn open(&self, number: u32, last: bool, segment: &mut Vec<u8>) -> Result<()> {
        let opened = self.stream.decrypt_in_place(number, last, &[], segment);
        opened.map_err(|_| damaged("a part of it does not open: it was changed, cut, or sealed under another key"))
    }
}

/// How the segments of a file lie in its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Of the file, in bytes.
    pub size: u64,
    /// How many segments there are.
    pub segments: u64,
    /// Of the object.
    bytes: u64,
}

impl Layout {
    /// Of an object of this size.
    pub(super) fn of(bytes: u64) -> Result<Self> {
        let cut = || damaged("it was cut");
        let body = bytes.checked_sub(HEADER as u64).ok_or_else(cut)?;
        let segments = body.div_ceil(SEALED as u64).max(1);
        let size = body.checked_sub(segments * TAG as u64).ok_or_else(cut)?;
        if segments > u64::from(u32::MAX) || (segments > 1 && size <= (segments - 1) * SEGMENT as u64) {
            return Err(cut());
        }
        Ok(Self { size, segments, bytes })
    }

    /// The segments that have a range of the file.
    pub(super) fn covering(&self, range: &Range<u64>) -> Range<u64> {
        if range.is_empty() && self.size > 0 {
            return 0..0;
        }
        // An empty file has one, which tells that nothing was cut.
        range.start / SEGMENT as u64..range.end.div_ceil(SEGMENT as u64).clamp(1, self.segments)
    }

    /// Where in the object some of the segments are.
    pub(super) fn place(&self, segments: &Range<u64>) -> Range<u64> {
        let start = |segment: u64| HEADER as u64 + segment * SEALED as u64;
        start(segments.start)..start(segments.end).min(self.bytes)
    }
}

pub(super) fn damaged(why: &str) -> ShelfError {
    ShelfError::Damaged { why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_layout_is_read_off_the_size_alone() {
        let of = |size: u64| {
            let segments = size.div_ceil(SEGMENT as u64).max(1);
            HEADER as u64 + size + segments * TAG as u64
        };
        for size in [0, 1, 65_535, 65_536, 65_537, 131_072, 100 << 20] {
            let layout = Layout::of(of(size)).unwrap();
            assert_eq!((layout.size, layout.segments), (size, size.div_ceil(65_536).max(1)));
            assert_eq!(layout.place(&(0..layout.segments)), HEADER as u64..of(size));
        }
        for bytes in [0, 35, 36, 51, of(65_536) + 1, of(65_536) + 16] {
            assert!(Layout::of(bytes).is_err(), "{bytes}");
        }
        let layout = Layout::of(of(200_000)).unwrap();
        assert_eq!(layout.covering(&(65_535..65_537)), 0..2);
        assert_eq!(layout.covering(&(65_536..200_000)), 1..4);
        assert_eq!(layout.covering(&(7..7)), 0..0);
        assert_eq!(Layout::of(of(0)).unwrap().covering(&(0..0)), 0..1);
    }
}
