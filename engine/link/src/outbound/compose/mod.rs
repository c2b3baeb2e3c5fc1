//! From what a message says to WhatsApp's protobuf: one file per family.
//!
//! Composing asks nobody: what it needs (addresses, uploaded files, the message
//! that is quoted or forwarded, a secret) comes in [`Parts`]. The same effect
//! with the same parts is the same message, byte for byte, so a repeat is one.

pub(super) mod addon;
mod contact;
pub(super) mod context;
mod flow;
mod forward;
pub(super) mod media;
mod poll;
mod proto_json;
mod raw;
mod text;

use super::upload::Uploaded;
use context::Context;
use warest_model::content::Content;
use warest_model::fault::Fault;
use whatsapp_rust::waproto::whatsapp as wa;

/// What a message is composed of, beside its content.
pub(super) struct Parts<'a> {
    /// Mentions, quote, forwarding mark.
    pub(super) context: Context,
    /// Its files, in the order of [`Content::sources`].
    pub(super) files: &'a [Uploaded],
    /// The message that is forwarded.
    pub(super) original: Option<&'a wa::Message>,
    /// The message's own secret: 32 bytes, the same on every attempt.
    pub(super) secret: [u8; 32],
}

/// Composes a message.
pub(super) fn message(content: &Content, parts: Parts<'_>) -> Result<wa::Message, Fault> {
    let mut message = match content {
        Content::Text { text, preview } => text::message(text, *preview, &parts.context),
        Content::Media(media) => media::message(media, file(parts.files)?),
        Content::Contacts { cards } => contact::message(cards),
        Content::Location { latitude, longitude, name, address } => wa::Message {
            location_message: wa::message::LocationMessage {
                degrees_latitude: Some(*latitude),
                degrees_longitude: Some(*longitude),
                name: name.clone(),
                address: address.clone(),
                ..Default::default()
            }
            .into(),
            ..Default::default()
        },
        Content::Poll { question, options, selectable } => poll::message(question, options, *selectable),
        Content::Buttons { text, footer, image, buttons } => {
            let image = image.as_ref().map(|_| file(parts.files)).transpose()?;
            flow::buttons(text, footer.as_deref(), image, buttons)
        }
        Content::List { title, text, footer, image, menus } => {
            let image = image.as_ref().map(|_| file(parts.files)).transpose()?;
            flow::lists(title.as_deref(), text, footer.as_deref(), image, menus)
        }
        Content::Forward { .. } => forward::message(parts.original)?,
        Content::Raw { message, forwarded } => raw::message(message, *forwarded)?,
    };
    parts.context.apply(&mut message);
    poll::add_secret(&mut message, &parts.secret);
    Ok(message)
}

fn file(files: &[Uploaded]) -> Result<&Uploaded, Fault> {
    files.first().ok_or_else(|| Fault::fail("file_missing", "the file of this message is not there; send it again"))
}

#[cfg(test)]
mod tests;
