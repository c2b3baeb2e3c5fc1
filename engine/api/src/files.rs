//! Files that a client gives in a field: a data URL, base64, an http(s) URL, or the
//! file part of a form. Never a path: what lies on this machine is nobody's.
//!
//! Bounded by [`ApiConfig::file_bytes`](crate::ApiConfig::file_bytes); URLs are
//! fetched by way of egress, which decides where requests may go.

use crate::codes;
use crate::error::ApiError;
use crate::state::ApiState;
use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use std::io::Write as _;
use std::time::Duration;
use tempfile::TempPath;
use warest_model::content::MediaSource;
use warest_model::fault::{Fault, FaultKind};
use warest_pipeline::files::Fetched;
use warest_pipeline::media::MediaError;

/// Longest time that a file is waited for.
const FETCH: Duration = Duration::from_secs(30);
/// Largest file that is fetched to be worked on where it lies, in bytes.
const LARGE: u64 = 64 << 20;

/// Base64 as clients write it: with padding or without.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// What is in it.
    pub bytes: Bytes,
    /// Its type, as it was declared.
    pub mime: Option<String>,
}

/// The file that a field names.
pub async fn file(state: &ApiState, field: &str, text: &str) -> Result<File, ApiError> {
    let text = text.trim();
    if let Some(rest) = strip_prefix(text, "data:") {
        return data_url(field, rest);
    }
    if is_url(text) {
        let fetched = fetch(state, field, text, state.config.file_bytes as u64).await?;
        let bytes = tokio::fs::read(&fetched.file).await.map_err(|error| lost(&error))?;
        return Ok(File { bytes: bytes.into(), mime: fetched.mime });
    }
    match base64(text) {
        Some(bytes) if !bytes.is_empty() => Ok(File { bytes: bytes.into(), mime: None }),
        _ => Err(ApiError::invalid(format!("`{field}` takes a data URL, base64 or an http(s) URL"))),
    }
}

/// The file of a field, or of a form, on the disk; it goes when this is dropped.
pub async fn on_disk(state: &ApiState, field: &str, given: Given) -> Result<TempPath, ApiError> {
    let bytes = match given {
        Given::Upload(bytes) => bytes,
        Given::Text(text) if is_url(text.trim()) => {
            return Ok(fetch(state, field, text.trim(), LARGE).await?.file);
        }
        Given::Text(text) => file(state, field, &text).await?.bytes,
    };
    write(state, bytes).await
}

/// A file as a client gives it.
#[derive(Debug)]
pub enum Given {
    /// The file of a form.
    Upload(Bytes),
    /// A data URL, base64 or an http(s) URL.
    Text(String),
}

impl Given {
    /// The one of both that there is.
    pub fn of(upload: Option<Bytes>, text: Option<String>) -> Option<Self> {
        let text = text.filter(|text| !text.is_empty());
        upload.map(Self::Upload).or_else(|| text.map(Self::Text))
    }
}

/// Bytes as a file.
pub async fn write(state: &ApiState, bytes: Bytes) -> Result<TempPath, ApiError> {
    let (mut file, path) = state.engine.temp_file()?.into_parts();
    let written = tokio::task::spawn_blocking(move || file.write_all(&bytes)).await;
    written.unwrap_or_else(|panic| Err(std::io::Error::other(panic))).map_err(|error| lost(&error))?;
    Ok(path)
}

async fn fetch(state: &ApiState, field: &str, url: &str, most: u64) -> Result<Fetched, ApiError> {
    let fetched = state.engine.fetcher().within(most, FETCH).fetch(&MediaSource::Url(url.to_owned())).await;
    fetched.map_err(|fault| not_fetched(field, &fault))
}

/// A file that this machine could not keep or read.
pub fn lost(error: &std::io::Error) -> ApiError {
    tracing::error!(%error, "a file could not be kept or read");
    ApiError::new(codes::INTERNAL_ERROR, "the file could not be kept; see the server's log")
}

/// Why a file could not be worked on.
pub fn unfit(field: &str, error: MediaError) -> ApiError {
    let code = match &error {
        MediaError::TooLarge { .. } | MediaError::TooHeavy { .. } => codes::MEDIA_TOO_LARGE,
        MediaError::Unsupported { .. } | MediaError::Corrupt { .. } | MediaError::Ffmpeg(_) => {
            codes::MEDIA_UNSUPPORTED_FORMAT
        }
        MediaError::Refused { .. } => codes::INVALID_PARAMETER,
        MediaError::FfmpegMissing { .. } => codes::UNSUPPORTED_OPERATION,
        MediaError::Timeout { .. } => codes::TIMEOUT,
        MediaError::Io(error) => return lost(error),
    };
    ApiError::new(code, format!("`{field}`: {error}"))
}

/// Whether a text is an http(s) URL.
pub fn is_url(text: &str) -> bool {
    strip_prefix(text, "http://").is_some() || strip_prefix(text, "https://").is_some()
}

/// What base64 stands for: either alphabet, with padding or without, spaces
/// between. `None` if it is not base64.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let plain = |c: char| match c {
        '-' => '+',
        '_' => '/',
        other => other,
    };
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).map(plain).collect();
    LENIENT.decode(text).ok()
}

/// What a text stands for, if nothing but letters of base64 are in it: of a last
/// group that is not whole, what there is of it.
pub fn base64_prefix(text: &str) -> Option<Vec<u8>> {
    let letters = text.trim_end_matches('=');
    // A letter alone stands for no byte.
    let whole = if letters.len() % 4 == 1 { letters.len() - 1 } else { letters.len() };
    let is_letter = |c: char| c.is_ascii_alphanumeric() || "+/-_".contains(c);
    if whole == 0 || !letters.chars().all(is_letter) {
        return None;
    }
    base64(letters.get(..whole)?)
}

/// The file of a data URL, whose `data:` is off.
pub fn data_url(field: &str, rest: &str) -> Result<File, ApiError> {
    let wrong = || ApiError::invalid(format!("`{field}` is not a data URL, such as data:image/png;base64,…"));
    let (head, data) = rest.split_once(',').ok_or_else(wrong)?;
    let mime = head.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_base64 = head.split(';').skip(1).any(|part| part.trim().eq_ignore_ascii_case("base64"));
    let bytes = match is_base64 {
        true => base64(data).ok_or_else(wrong)?,
        false => percent_encoding::percent_decode_str(data).collect(),
    };
    Ok(File { bytes: bytes.into(), mime: Some(mime).filter(|mime| !mime.is_empty()) })
}

/// The rest of a text after a lead in any case.
pub fn strip_prefix<'a>(text: &'a str, lead: &str) -> Option<&'a str> {
    let head = text.get(..lead.len())?;
    head.eq_ignore_ascii_case(lead).then(|| &text[lead.len()..])
}

fn not_fetched(field: &str, fault: &Fault) -> ApiError {
    let code = match (fault.code.as_str(), fault.kind) {
        ("url_invalid" | "url_refused", _) => codes::INVALID_PARAMETER,
        ("media_too_large", _) => codes::MEDIA_TOO_LARGE,
        (_, FaultKind::Retry | FaultKind::Fail | FaultKind::Unknown) => codes::MEDIA_DOWNLOAD_FAILED,
    };
    ApiError::new(code, format!("`{field}`: {}", fault.message))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn base64_is_read_in_every_spelling() {
        for text in ["aGk/Pj4=", "aGk/Pj4", "aGk_Pj4", " aGk/\nPj4= "] {
            assert_eq!(base64(text).unwrap(), b"hi?>>", "{text}");
        }
        for text in ["a", "aGk*", "/etc/passwd.", "é"] {
            assert_eq!(base64(text), None, "{text}");
        }
    }

    #[test]
    fn what_could_be_base64_is_read_as_far_as_it_goes() {
        assert_eq!(base64_prefix("hello").unwrap(), base64("hell").unwrap());
        assert_eq!(base64_prefix("aGVsbG8=").unwrap(), b"hello");
        for text in ["hello world", "a", "", "é", "====", "a=b"] {
            assert_eq!(base64_prefix(text), None, "{text}");
        }
    }

    #[test]
    fn data_urls_are_read_with_their_type() {
        let read = |url: &str| data_url("file", url);
        let hello = read("text/plain;charset=utf-8;base64,aGVsbG8=").unwrap();
        assert_eq!((hello.bytes.as_ref(), hello.mime.as_deref()), (&b"hello"[..], Some("text/plain")));
        assert_eq!(read(",a%20b%zz%").unwrap(), File { bytes: "a b%zz%".into(), mime: None });
        assert!(read("image/png;base64").is_err());
        assert!(read("image/png;base64,***").is_err());
    }
}
