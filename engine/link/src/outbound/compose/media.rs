//! Files: pictures, films, sound, documents, stickers.

use super::super::upload::Uploaded;
use warest_model::content::{Media, MediaKind};
use whatsapp_rust::wacore::download::MediaType;
use whatsapp_rust::waproto::whatsapp as wa;

/// Under which keys a file is encrypted.
pub(in super::super) fn keys_of(kind: MediaKind) -> MediaType {
    match kind {
        MediaKind::Image => MediaType::Image,
        MediaKind::Sticker => MediaType::Sticker,
        MediaKind::Video | MediaKind::Gif => MediaType::Video,
        MediaKind::Audio | MediaKind::Voice => MediaType::Audio,
        MediaKind::Document | MediaKind::Auto => MediaType::Document,
    }
}

/// A message of one file.
pub(super) fn message(media: &Media, file: &Uploaded) -> wa::Message {
    let caption = media.caption.clone().filter(|caption| !caption.is_empty());
    let mut message = bare(file, caption.clone());
    if media.view_once {
        return view_once(message);
    }
    // Clients show the caption of a document only in this wrapper.
    if caption.is_some() && message.document_message.is_set() {
        message = with_caption(message);
    }
    message
}

/// A document with its caption, as clients send it.
pub(super) fn with_caption(message: wa::Message) -> wa::Message {
    wa::Message { document_with_caption_message: wrapped(message), ..Default::default() }
}

/// A part of a message that is a file, with what all kinds of files have.
macro_rules! part {
    ($kind:ident, $file:expr, { $($field:ident: $value:expr),* $(,)? }) => {{
        let place = &$file.place;
        wa::message::$kind {
            url: Some(place.url.clone()),
            direct_path: Some(place.direct_path.clone()),
            media_key: Some(place.media_key.clone()),
            media_key_timestamp: Some(place.media_key_timestamp),
            file_sha256: Some(place.file_sha256.clone()),
            file_enc_sha256: Some(place.file_enc_sha256.clone()),
            file_length: Some(place.file_length),
            mimetype: Some($file.attachment.mime.clone()),
            $($field: $value,)*
            ..Default::default()
        }
    }};
}

/// A picture, as other messages carry it, too.
pub(super) fn image(file: &Uploaded, caption: Option<String>) -> wa::message::ImageMessage {
    let attachment = &file.attachment;
    part!(ImageMessage, file, {
        caption: caption,
        jpeg_thumbnail: attachment.thumbnail.clone(),
        width: attachment.width,
        height: attachment.height,
    })
}

fn bare(file: &Uploaded, caption: Option<String>) -> wa::Message {
    let (attachment, place) = (&file.attachment, &file.place);
    match attachment.kind {
        MediaKind::Image => wa::Message { image_message: image(file, caption).into(), ..Default::default() },
        MediaKind::Video | MediaKind::Gif => {
            let video = part!(VideoMessage, file, {
                caption: caption,
                jpeg_thumbnail: attachment.thumbnail.clone(),
                width: attachment.width,
                height: attachment.height,
                seconds: attachment.seconds,
                gif_playback: (attachment.kind == MediaKind::Gif).then_some(true),
                streaming_sidecar: place.streaming_sidecar.clone(),
            });
            wa::Message { video_message: video.into(), ..Default::default() }
        }
        MediaKind::Audio | MediaKind::Voice => {
            let voice = attachment.kind == MediaKind::Voice;
            let audio = part!(AudioMessage, file, {
                seconds: attachment.seconds,
                ptt: voice.then_some(true),
                waveform: attachment.waveform.clone().filter(|_| voice),
                streaming_sidecar: place.streaming_sidecar.clone(),
            });
            wa::Message { audio_message: audio.into(), ..Default::default() }
        }
        MediaKind::Sticker => {
            let sticker = part!(StickerMessage, file, {
                width: attachment.width,
                height: attachment.height,
                is_animated: Some(attachment.animated),
            });
            wa::Message { sticker_message: sticker.into(), ..Default::default() }
        }
        MediaKind::Document | MediaKind::Auto => {
            let document = part!(DocumentMessage, file, {
                caption: caption,
                title: attachment.file_name.clone(),
                file_name: attachment.file_name.clone(),
                jpeg_thumbnail: attachment.thumbnail.clone(),
            });
            wa::Message { document_message: document.into(), ..Default::default() }
        }
    }
}

/// Shown once: pictures, films and sound say so themselves and are wrapped, as
/// older clients know the one and newer ones the other. Nothing else can be.
fn view_once(mut message: wa::Message) -> wa::Message {
    if let Some(audio) = message.audio_message.as_option_mut() {
        audio.view_once = Some(true);
        return wa::Message { view_once_message_v2_extension: wrapped(message), ..Default::default() };
    }
    if let Some(image) = message.image_message.as_option_mut() {
        image.view_once = Some(true);
    } else if let Some(video) = message.video_message.as_option_mut() {
        video.view_once = Some(true);
    } else {
        return message;
    }
    wa::Message { view_once_message_v2: wrapped(message), ..Default::default() }
}

fn wrapped(message: wa::Message) -> whatsapp_rust::buffa::MessageField<wa::message::FutureProofMessage> {
    wa::message::FutureProofMessage { message: message.into() }.into()
}
