//! Messages with a file: the phone encrypts it, uploads it, and says of it what its owner says.

use super::{Desk, invalid};
use crate::chance::now;
use crate::error::SimnetError;
use crate::media::cipher::{self, Source, Uploaded};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use wacore::download::MediaType;
use waproto::buffa::MessageField;
use waproto::whatsapp::message;
use waproto::whatsapp::{self as wa};

/// A picture of one point: what stands for a thumbnail when none is given.
const POINT: &str = "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA=";
/// The most bytes that a thumbnail or a waveform may have.
const SMALL: usize = 64 * 1024;

/// A file and what is said of it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct File {
    /// Base64.
    data: Option<String>,
    /// The name of an upload to the phone.
    upload: Option<String>,
    mimetype: Option<String>,
    file_name: Option<String>,
    title: Option<String>,
    pages: Option<u32>,
    width: Option<u32>,
    height: Option<u32>,
    seconds: Option<u32>,
    /// Base64 of a JPEG.
    thumbnail: Option<String>,
    /// Base64, one byte a sample, 0 to 100.
    waveform: Option<String>,
    animated: bool,
}

/// Fills the fields that every kind has.
macro_rules! message {
    ($kind:ident, $up:expr, $mimetype:expr, { $($field:ident: $value:expr),* $(,)? }) => {{
        let up: Uploaded = $up;
        MessageField::some(message::$kind {
            url: Some(up.url),
            direct_path: Some(up.direct_path),
            media_key: Some(up.media_key),
            file_sha256: Some(up.sha256),
            file_enc_sha256: Some(up.enc_sha256),
            file_length: Some(up.length),
            media_key_timestamp: Some(i64::try_from(now()).unwrap_or(i64::MAX)),
            mimetype: Some($mimetype),
            $($field: $value,)*
            ..Default::default()
        })
    }};
}

impl File {
    async fn uploaded(&mut self, desk: &Desk<'_>, kind: MediaType) -> Result<Uploaded, SimnetError> {
        let source = match (self.data.take(), self.upload.take()) {
            (Some(data), None) => Source::Bytes(decode(&data, "data")?),
            (None, Some(upload)) => Source::File(
                desk.net
                    .media()?
                    .store
                    .find_draft(&upload)
                    .ok_or_else(|| invalid("no such upload: POST the file to …/uploads first, and send it soon"))?,
            ),
            _ => return Err(invalid("a file is either data (base64) or upload (what …/uploads answered)")),
        };
        cipher::upload(desk.net, source, kind).await
    }

    fn mimetype(&mut self, usual: &str) -> String {
        self.mimetype.take().unwrap_or_else(|| usual.to_owned())
    }

    fn thumbnail(&self) -> Result<Vec<u8>, SimnetError> {
        small(self.thumbnail.as_deref().unwrap_or(POINT), "thumbnail")
    }

    pub(super) async fn image(mut self, desk: &Desk<'_>, caption: Option<String>) -> Result<wa::Message, SimnetError> {
        let thumbnail = self.thumbnail()?;
        let up = self.uploaded(desk, MediaType::Image).await?;
        let image = message!(ImageMessage, up, self.mimetype("image/jpeg"), {
            caption: caption,
            width: self.width.or(Some(1)),
            height: self.height.or(Some(1)),
            jpeg_thumbnail: Some(thumbnail),
        });
        Ok(wa::Message { image_message: image, ..Default::default() })
    }

    async fn moving(
        mut self,
        desk: &Desk<'_>,
        caption: Option<String>,
        gif: bool,
    ) -> Result<MessageField<message::VideoMessage>, SimnetError> {
        let thumbnail = self.thumbnail()?;
        let mut up = self.uploaded(desk, MediaType::Video).await?;
        let sidecar = up.sidecar.take();
        Ok(message!(VideoMessage, up, self.mimetype("video/mp4"), {
            caption: caption,
            width: self.width.or(Some(1)),
            height: self.height.or(Some(1)),
            seconds: self.seconds.or(Some(1)),
            gif_playback: gif.then_some(true),
            jpeg_thumbnail: Some(thumbnail),
            streaming_sidecar: sidecar,
        }))
    }

    pub(super) async fn video(
        self,
        desk: &Desk<'_>,
        caption: Option<String>,
        gif: bool,
    ) -> Result<wa::Message, SimnetError> {
        Ok(wa::Message { video_message: self.moving(desk, caption, gif).await?, ..Default::default() })
    }

    pub(super) async fn round_video(
        self,
        desk: &Desk<'_>,
        caption: Option<String>,
    ) -> Result<wa::Message, SimnetError> {
        Ok(wa::Message { ptv_message: self.moving(desk, caption, false).await?, ..Default::default() })
    }

    pub(super) async fn audio(mut self, desk: &Desk<'_>, note: bool) -> Result<wa::Message, SimnetError> {
        let waveform = self.waveform.take().map(|samples| small(&samples, "waveform")).transpose()?;
        let mut up = self.uploaded(desk, MediaType::Audio).await?;
        let sidecar = up.sidecar.take();
        let usual = if note { "audio/ogg; codecs=opus" } else { "audio/mpeg" };
        let audio = message!(AudioMessage, up, self.mimetype(usual), {
            seconds: self.seconds.or(Some(1)),
            ptt: Some(note),
            waveform: if note { waveform.or(Some(vec![0; 64])) } else { waveform },
            streaming_sidecar: sidecar,
        });
        Ok(wa::Message { audio_message: audio, ..Default::default() })
    }

    pub(super) async fn document(
        mut self,
        desk: &Desk<'_>,
        caption: Option<String>,
    ) -> Result<wa::Message, SimnetError> {
        let thumbnail = self.thumbnail.take().map(|picture| small(&picture, "thumbnail")).transpose()?;
        let up = self.uploaded(desk, MediaType::Document).await?;
        let name = self.file_name.take().unwrap_or_else(|| "file".into());
        let captioned = caption.is_some();
        let document = message!(DocumentMessage, up, self.mimetype("application/octet-stream"), {
            caption: caption,
            title: self.title.take().or(Some(name.clone())),
            file_name: Some(name),
            page_count: self.pages,
            jpeg_thumbnail: thumbnail,
        });
        let plain = wa::Message { document_message: document, ..Default::default() };
        if !captioned {
            return Ok(plain);
        }
        Ok(wa::Message {
            document_with_caption_message: MessageField::some(message::FutureProofMessage {
                message: MessageField::some(plain),
            }),
            ..Default::default()
        })
    }

    pub(super) async fn sticker(mut self, desk: &Desk<'_>) -> Result<wa::Message, SimnetError> {
        let up = self.uploaded(desk, MediaType::Sticker).await?;
        let sticker = message!(StickerMessage, up, self.mimetype("image/webp"), {
            width: self.width.or(Some(512)),
            height: self.height.or(Some(512)),
            is_animated: Some(self.animated),
        });
        Ok(wa::Message { sticker_message: sticker, ..Default::default() })
    }
}

fn decode(text: &str, what: &str) -> Result<Vec<u8>, SimnetError> {
    STANDARD.decode(text).map_err(|_| SimnetError::Invalid(format!("{what} is not base64")))
}

fn small(text: &str, what: &str) -> Result<Vec<u8>, SimnetError> {
    let bytes = decode(text, what)?;
    if bytes.len() > SMALL {
        return Err(SimnetError::Invalid(format!("{what} has more than {SMALL} bytes")));
    }
    Ok(bytes)
}
