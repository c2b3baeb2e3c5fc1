//! Texts.

use super::context::Context;
use whatsapp_rust::waproto::whatsapp as wa;

/// A text. It takes the extended form only where it needs it: for a context, or
/// to have its first link shown as one.
pub(super) fn message(text: &str, preview: bool, context: &Context) -> wa::Message {
    let link = preview.then(|| first_link(text)).flatten();
    if link.is_none() && context.is_empty() {
        return wa::Message { conversation: Some(text.to_owned()), ..Default::default() };
    }
    wa::Message {
        extended_text_message: wa::message::ExtendedTextMessage {
            text: Some(text.to_owned()),
            matched_text: link.map(str::to_owned),
            preview_type: link.map(|_| wa::message::extended_text_message::PreviewType::NONE),
            ..Default::default()
        }
        .into(),
        ..Default::default()
    }
}

/// The first link of a text, without the punctuation after it.
fn first_link(text: &str) -> Option<&str> {
    text.split_whitespace().find_map(|word| {
        let start = [word.find("https://"), word.find("http://")].into_iter().flatten().min()?;
        let link = word[start..].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '>', '"', '\'']);
        let (_, rest) = link.split_once("://")?;
        rest.contains('.').then_some(link)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_link_is_found_without_the_punctuation_around_it() {
        assert_eq!(first_link("see (https://a.example/b?c=1), ok"), Some("https://a.example/b?c=1"));
        assert_eq!(first_link("http://a.example."), Some("http://a.example"));
        assert_eq!(first_link("a.example, https:// and http://x"), None);
    }

    #[test]
    fn a_preview_is_only_there_if_it_was_asked_for() {
        let text = "look: https://a.example/x";
        assert_eq!(message(text, false, &Context::default()).conversation.as_deref(), Some(text));
        let shown = message(text, true, &Context::default()).extended_text_message.into_option().unwrap();
        assert_eq!(shown.matched_text.as_deref(), Some("https://a.example/x"));
        assert_eq!(shown.text.as_deref(), Some(text));
        assert!(message("no link", true, &Context::default()).conversation.is_some());
    }
}
