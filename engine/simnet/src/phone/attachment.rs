//! The file that came with a message: what the message says of it, in one form for every kind, and
//! what is wrong with that.

use super::describe;
use crate::media::cipher::Claim;
use serde::{Deserialize, Serialize};
use wacore::download::MediaType;
use waproto::whatsapp as wa;

/// What a message says of its file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MediaInfo {
    /// `image`, `video`, `gif`, `ptv`, `audio`, `ptt`, `document` or `sticker`.
    pub kind: String,
    /// Its MIME type.
    pub mimetype: String,
    /// Bytes of the plain file.
    pub length: u64,
    /// Pixels across.
    pub width: Option<u32>,
    /// Pixels down.
    pub height: Option<u32>,
    /// How long it plays.
    pub seconds: Option<u32>,
    /// Its caption.
    pub caption: Option<String>,
    /// A document's name.
    pub file_name: Option<String>,
    /// A document's title.
    pub title: Option<String>,
    /// Pages of a document.
    pub pages: Option<u32>,
    /// Samples of a voice note's waveform.
    pub waveform: usize,
    /// Bytes of the thumbnail.
    pub thumbnail: usize,
    /// Whether it may be seen once only.
    pub view_once: bool,
    /// Whether a sticker moves.
    pub animated: bool,
    /// What the message should have said otherwise; empty when all is well.
    pub problems: Vec<String>,
}

/// A file as a message names it.
pub(crate) struct Attachment {
    pub(crate) info: MediaInfo,
    pub(crate) kind: MediaType,
    pub(crate) direct_path: Option<String>,
    pub(crate) media_key: Option<Vec<u8>>,
    sha256: Option<Vec<u8>>,
    enc_sha256: Option<Vec<u8>>,
}

impl Attachment {
    /// What the phone needs to get the file, or why it cannot.
    pub(crate) fn claim(self) -> Result<Claim, String> {
        if let Some(problem) = self.info.problems.first() {
            return Err(problem.clone());
        }
        let missing = |field: &str| format!("{field} is missing");
        Ok(Claim {
            direct_path: self.direct_path.ok_or_else(|| missing("directPath"))?,
            sha256: self.sha256.ok_or_else(|| missing("fileSha256"))?,
            enc_sha256: self.enc_sha256,
            media_key: self.media_key,
            length: self.info.length,
            kind: self.kind,
        })
    }
}

/// The fields that every kind has.
macro_rules! attachment {
    ($message:expr, $kind:expr, $name:expr, $info:expr) => {{
        let message = $message;
        Attachment {
            info: MediaInfo {
                kind: $name.to_owned(),
                mimetype: message.mimetype.clone().unwrap_or_default(),
                length: message.file_length.unwrap_or_default(),
                ..$info
            },
            kind: $kind,
            direct_path: message.direct_path.clone(),
            media_key: message.media_key.clone(),
            sha256: message.file_sha256.clone(),
            enc_sha256: message.file_enc_sha256.clone(),
        }
    }};
}

/// The file of a message. `open` says that files of this chat are not encrypted.
pub(crate) fn attachment(message: &wa::Message, open: bool) -> Option<Attachment> {
    let unwrapped = describe::unwrap(message);
    let mut found = find(unwrapped.message)?;
    found.info.view_once = unwrapped.view_once;
    let thumbnail = thumbnail(unwrapped.message);
    found.info.thumbnail = thumbnail.map_or(0, <[u8]>::len);
    found.info.problems = problems(&found, thumbnail, open);
    Some(found)
}

fn find(message: &wa::Message) -> Option<Attachment> {
    if let Some(m) = message.image_message.as_option() {
        let info = MediaInfo { width: m.width, height: m.height, caption: m.caption.clone(), ..MediaInfo::default() };
        return Some(attachment!(m, MediaType::Image, "image", info));
    }
    let video = |m: &wa::message::VideoMessage, name: &str| {
        let info = MediaInfo {
            width: m.width,
            height: m.height,
            seconds: m.seconds,
            caption: m.caption.clone(),
            ..MediaInfo::default()
        };
        attachment!(m, MediaType::Video, name, info)
    };
    if let Some(m) = message.video_message.as_option() {
        return Some(video(m, if m.gif_playback == Some(true) { "gif" } else { "video" }));
    }
    if let Some(m) = message.ptv_message.as_option() {
        return Some(video(m, "ptv"));
    }
    if let Some(m) = message.audio_message.as_option() {
        let waveform = m.waveform.as_ref().map_or(0, Vec::len);
        let info = MediaInfo { seconds: m.seconds, waveform, ..MediaInfo::default() };
        return Some(attachment!(m, MediaType::Audio, if m.ptt == Some(true) { "ptt" } else { "audio" }, info));
    }
    if let Some(m) = message.document_message.as_option() {
        let info = MediaInfo {
            caption: m.caption.clone(),
            file_name: m.file_name.clone(),
            title: m.title.clone(),
            pages: m.page_count,
            ..MediaInfo::default()
        };
        return Some(attachment!(m, MediaType::Document, "document", info));
    }
    let m = message.sticker_message.as_option()?;
    let info =
        MediaInfo { width: m.width, height: m.height, animated: m.is_animated == Some(true), ..MediaInfo::default() };
    Some(attachment!(m, MediaType::Sticker, "sticker", info))
}

fn thumbnail(message: &wa::Message) -> Option<&[u8]> {
    if let Some(m) = message.image_message.as_option() {
        return m.jpeg_thumbnail.as_deref();
    }
    if let Some(m) = message.video_message.as_option().or(message.ptv_message.as_option()) {
        return m.jpeg_thumbnail.as_deref();
    }
    if let Some(m) = message.document_message.as_option() {
        return m.jpeg_thumbnail.as_deref();
    }
    message.sticker_message.as_option()?.png_thumbnail.as_deref()
}

/// What other clients could not show, or show badly.
fn problems(found: &Attachment, thumbnail: Option<&[u8]>, open: bool) -> Vec<String> {
    let mut problems = Vec::new();
    let mut check = |bad: bool, what: &str| {
        if bad {
            problems.push(what.to_owned());
        }
    };
    let hash = |hash: &Option<Vec<u8>>| hash.as_ref().is_none_or(|hash| hash.len() != 32);
    check(found.direct_path.as_deref().is_none_or(str::is_empty), "directPath is missing");
    check(hash(&found.sha256), "fileSha256 is missing, or no SHA-256");
    if !open {
        check(hash(&found.media_key), "mediaKey is missing, or not 32 bytes long");
        check(hash(&found.enc_sha256), "fileEncSha256 is missing, or no SHA-256");
    }
    check(found.info.mimetype.is_empty(), "mimetype is missing");
    check(found.info.length == 0, "fileLength is missing, or 0");
    check(found.info.kind == "image" && thumbnail.is_none(), "jpegThumbnail is missing");
    let bitmap = thumbnail.is_some_and(|bytes| match found.info.kind.as_str() {
        "sticker" => !bytes.starts_with(b"\x89PNG"),
        _ => !bytes.starts_with(&[0xff, 0xd8]),
    });
    check(bitmap, "the thumbnail is no picture of its kind");
    problems
}
