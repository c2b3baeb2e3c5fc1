//! The file of a message, as the message describes it.

use super::base;
use serde_json::{Value, json};
use warest_model::birth::Births;
use warest_model::clock::Millis;
use warest_model::history::Media;
use warest_model::id::{MediaId, SessionId};
use whatsapp_rust::waproto::codec::message_decode;
use whatsapp_rust::waproto::whatsapp as wa;

/// Longest type and file name that are kept.
const MIME_BYTES: usize = 255;
const NAME_BYTES: usize = 1_024;

/// The name of a message's file: the same whenever the message is delivered.
/// `message` names it within its session.
pub(crate) fn id(session: &SessionId, message: &str, at_ms: Millis) -> MediaId {
    Births::derived(at_ms, &[b"media", session.as_str().as_bytes(), message.as_bytes()]).next()
}

/// The file of `message`, named `id`.
pub(crate) fn of(message: &wa::Message, id: MediaId) -> Option<Media> {
    macro_rules! described {
        ($part:ident, $kind:expr, $mime:literal) => {
            Media {
                id,
                kind: $kind.to_owned(),
                mimetype: clip($part.mimetype.as_deref().unwrap_or($mime), MIME_BYTES),
                size: $part.file_length.unwrap_or(0),
                sha256: hex($part.file_sha256.as_deref().unwrap_or_default()),
                file_name: None,
                width: None,
                height: None,
                seconds: None,
            }
        };
    }
    let base = base(message);
    if let Some(part) = base.image_message.as_option() {
        let media = described!(part, "image", "image/jpeg");
        return Some(Media { width: part.width, height: part.height, ..media });
    }
    if let Some(part) = base.video_message.as_option().or(base.ptv_message.as_option()) {
        let kind = if part.gif_playback == Some(true) { "gif" } else { "video" };
        let media = described!(part, kind, "video/mp4");
        return Some(Media { width: part.width, height: part.height, seconds: part.seconds, ..media });
    }
    if let Some(part) = base.audio_message.as_option() {
        let kind = if part.ptt == Some(true) { "voice" } else { "audio" };
        return Some(Media { seconds: part.seconds, ..described!(part, kind, "audio/ogg; codecs=opus") });
    }
    if let Some(part) = base.document_message.as_option() {
        let name = part.file_name.as_deref().or(part.title.as_deref());
        let media = described!(part, "document", "application/octet-stream");
        return Some(Media { file_name: name.map(|name| clip(name, NAME_BYTES)), ..media });
    }
    let part = base.sticker_message.as_option()?;
    let media = described!(part, "sticker", "image/webp");
    Some(Media { width: part.width, height: part.height, ..media })
}

/// The file of a message that was sent, in WhatsApp's own form.
pub(crate) fn of_sent(body: &[u8], id: MediaId) -> Option<Media> {
    of(&message_decode(body).ok()?, id)
}

/// The `media` of the payload.
pub(crate) fn shown(media: Option<&Media>, caption: Option<&str>) -> Value {
    let Some(media) = media else { return Value::Null };
    let mut shown = json!(media);
    if let Some(caption) = caption.filter(|caption| !caption.is_empty()) {
        shown["caption"] = json!(caption);
    }
    shown
}

fn hex(bytes: &[u8]) -> String {
    // A hash; more is no hash.
    bytes.iter().take(32).fold(String::new(), |out, byte| out + &format!("{byte:02x}"))
}

fn clip(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use whatsapp_rust::buffa::MessageField;

    #[test]
    fn a_file_is_described_and_keeps_its_name() {
        let session: SessionId = "shop".parse().unwrap();
        let name = |message: &str| id(&session, message, 1_700_000_000_000);
        assert_eq!(name("a|b|c"), name("a|b|c"));
        assert_ne!(name("a|b|c"), name("a|b|d"));
        let document = wa::message::DocumentMessage {
            mimetype: Some("application/pdf".into()),
            file_name: Some("bill.pdf".into()),
            file_length: Some(1_234),
            file_sha256: Some(vec![0xab; 32]),
            ..Default::default()
        };
        let message = wa::Message { document_message: MessageField::some(document), ..Default::default() };
        let media = of(&message, name("x")).unwrap();
        assert_eq!(
            shown(Some(&media), Some("read this")),
            json!({"id": name("x"), "kind": "document", "mimetype": "application/pdf", "size": 1_234,
                   "sha256": "ab".repeat(32), "fileName": "bill.pdf", "caption": "read this"})
        );
    }

    #[test]
    fn kinds_follow_how_a_file_is_played() {
        let id = id(&"s".parse().unwrap(), "m", 1);
        let video = |gif| wa::message::VideoMessage { gif_playback: Some(gif), seconds: Some(9), ..Default::default() };
        let audio = |ptt| wa::message::AudioMessage { ptt: Some(ptt), ..Default::default() };
        let kind = |message: wa::Message| of(&message, id.clone()).unwrap().kind;
        let of_video = |gif| wa::Message { video_message: MessageField::some(video(gif)), ..Default::default() };
        let of_audio = |ptt| wa::Message { audio_message: MessageField::some(audio(ptt)), ..Default::default() };
        assert_eq!([kind(of_video(false)), kind(of_video(true))], ["video", "gif"]);
        assert_eq!([kind(of_audio(false)), kind(of_audio(true))], ["audio", "voice"]);
        assert_eq!(of(&wa::Message::default(), id.clone()), None);
    }
}
