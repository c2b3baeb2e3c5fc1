//! What is known of a file: read from its header, and by ffprobe where a header
//! is not enough.

use crate::container::{self, Shape};
use crate::error::MediaError;
use crate::ffmpeg::Ffmpeg;
use crate::mime;
use crate::riff;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

/// How a file is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A picture that can be decoded here: JPEG, PNG, WebP, GIF, BMP.
    Image,
    /// A video that ffmpeg knows.
    Video,
    /// Audio that ffmpeg knows.
    Audio,
    /// Everything else, SVG among it.
    Document,
}

/// What is known of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Its MIME type; that of OGG Opus is `audio/ogg; codecs=opus`.
    pub mime: String,
    /// The usual ending of such files, without the dot.
    pub extension: String,
    /// How it is sent.
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// Pixels across, as it is shown.
    pub width: Option<u32>,
    /// Pixels down, as it is shown.
    pub height: Option<u32>,
    /// Playing time.
    pub seconds: Option<f64>,
    /// Whether a video has sound, if that is known.
    pub has_audio: Option<bool>,
    /// Whether an image moves.
    pub animated: bool,
}

impl Facts {
    /// Pixels of a picture or frame, if they are known.
    pub(crate) fn pixels(&self) -> Option<u64> {
        Some(u64::from(self.width?) * u64::from(self.height?))
    }

    fn take(&mut self, shape: Shape) {
        self.width = self.width.or(shape.width);
        self.height = self.height.or(shape.height);
        self.seconds = self.seconds.or(shape.seconds);
        self.has_audio = self.has_audio.or(shape.has_audio);
    }
}

/// What a file is as a document: its type, by its first bytes, and its size.
pub(crate) fn of_document(path: &Path, declared: Option<&str>, name: Option<&str>) -> Result<Facts, MediaError> {
    beginning(path, declared, name).map(|(facts, ..)| facts)
}

/// A file as a document, its first bytes, and the file at its beginning.
fn beginning(path: &Path, declared: Option<&str>, name: Option<&str>) -> Result<(Facts, Vec<u8>, File), MediaError> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut head = Vec::with_capacity(mime::HEAD);
    (&mut file).take(mime::HEAD as u64).read_to_end(&mut head)?;
    file.rewind()?;
    let mime = mime::choose(&head, declared, name);
    let extension = mime::extension(&mime, name);
    let facts = Facts {
        mime,
        extension,
        kind: Kind::Document,
        size,
        width: None,
        height: None,
        seconds: None,
        has_audio: None,
        animated: false,
    };
    Ok((facts, head, file))
}

/// What a file's own bytes say. Reads headers only, whatever the file's size.
pub(crate) fn of_file(path: &Path, declared: Option<&str>, name: Option<&str>) -> Result<Facts, MediaError> {
    let (mut facts, head, file) = beginning(path, declared, name)?;
    // A declared type that the content does not show is a word, not a kind.
    let shown = mime::by_content(&head) == Some(facts.mime.as_str());
    if shown {
        facts.kind = mime::kind(&facts.mime);
    }
    let mut reader = BufReader::new(file);
    match facts.mime.as_str() {
        _ if !shown => {}
        "image/gif" => {
            let gif = container::gif(&mut reader)?;
            facts.animated = gif.frames > 1;
            facts.width = Some(gif.width);
            facts.height = Some(gif.height);
            facts.seconds = facts.animated.then_some(gif.seconds);
        }
        "image/webp" => {
            let webp = riff::read(&mut reader)?;
            facts.animated = webp.frames > 1;
            facts.width = Some(webp.width);
            facts.height = Some(webp.height);
            facts.seconds = facts.animated.then_some(f64::from(webp.milliseconds) / 1000.0);
        }
        mime::OGG_OPUS => facts.seconds = container::opus_seconds(&mut reader, &head)?,
        "video/mp4" | "video/quicktime" | "video/3gpp" | "audio/mp4" => {
            let (shape, has_video) = container::mp4(&mut reader, facts.size)?;
            facts.take(shape);
            if has_video == Some(false) {
                facts.kind = Kind::Audio;
                facts.mime = "audio/mp4".to_owned();
                facts.extension = mime::extension(&facts.mime, name);
            }
        }
        _ if facts.kind == Kind::Image => {
            let (width, height) = crate::picture::shown_size(reader, &facts.mime)?;
            facts.width = Some(width);
            facts.height = Some(height);
        }
        _ => {}
    }
    Ok(facts)
}

/// Adds what ffprobe says of sound and video, where a header did not say it.
pub(crate) async fn ask_ffprobe(facts: &mut Facts, path: &Path, ffmpeg: &Ffmpeg<'_>) -> Result<(), MediaError> {
    let open = match facts.kind {
        Kind::Audio => facts.seconds.is_none(),
        Kind::Video => facts.pixels().is_none() || facts.seconds.is_none() || facts.has_audio.is_none(),
        _ => false,
    };
    if !open || !ffmpeg.can_probe() {
        return Ok(());
    }
    let shape = ffmpeg.probe(path, &facts.mime).await?;
    if shape.width.is_none() && facts.kind == Kind::Video && shape.has_audio == Some(true) {
        facts.kind = Kind::Audio;
        facts.mime = facts.mime.replacen("video/", "audio/", 1);
    }
    facts.take(shape);
    Ok(())
}
