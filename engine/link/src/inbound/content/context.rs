//! What a message answers, whom it names, and where it comes from.

use super::super::who::{Names, name_text};
use super::{base, of};
use serde_json::{Map, Value, json};
use warest_model::jid::Jid as Address;
use whatsapp_rust::waproto::whatsapp as wa;

/// Most people who can be named in a message.
const MENTIONS: usize = 1_024;
/// Most characters that are shown of a message that is answered.
const QUOTE_CHARS: usize = 1_024;

/// What a message says of others.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Context {
    /// Who is named, by phone number where known.
    pub(crate) mentions: Vec<Address>,
    /// The LIDs of those of them that are known.
    mention_lids: Vec<Address>,
    quoted: Option<Quoted>,
    forwarded: Option<u32>,
    /// After how many seconds it disappears.
    ephemeral: Option<u32>,
}

/// A message that is answered.
#[derive(Debug, Clone, PartialEq)]
struct Quoted {
    id: String,
    sender: Option<Address>,
    sender_lid: Option<Address>,
    text: Option<String>,
}

impl Context {
    /// What `message` says of others.
    pub(crate) async fn of(names: &dyn Names, message: &wa::Message) -> Self {
        let Some(said) = find(base(message)) else { return Self::default() };
        let mut context = Self {
            forwarded: (said.is_forwarded == Some(true)).then(|| said.forwarding_score.unwrap_or(1)),
            ephemeral: said.expiration.filter(|seconds| *seconds > 0),
            ..Self::default()
        };
        for text in said.mentioned_jid.iter().take(MENTIONS) {
            let Some(who) = name_text(names, text).await else { continue };
            context.mentions.push(who.address);
            context.mention_lids.extend(who.lid);
        }
        if let Some(id) = &said.stanza_id {
            let sender = match said.participant.as_deref() {
                Some(text) => name_text(names, text).await,
                None => None,
            };
            let text = said.quoted_message.as_option().and_then(of).and_then(|content| content.text);
            context.quoted = Some(Quoted {
                id: id.clone(),
                sender_lid: sender.as_ref().and_then(|who| who.lid.clone()),
                sender: sender.map(|who| who.address),
                text: text.map(|text| text.chars().take(QUOTE_CHARS).collect()),
            });
        }
        context
    }

    /// The id of the message that is answered.
    pub(crate) fn quoted_id(&self) -> Option<&str> {
        self.quoted.as_ref().map(|quoted| quoted.id.as_str())
    }

    /// Adds it to the `message` of a payload.
    pub(crate) fn add_to(&self, body: &mut Map<String, Value>) {
        if !self.mentions.is_empty() {
            body.insert("mentions".to_owned(), json!(self.mentions));
        }
        if !self.mention_lids.is_empty() {
            body.insert("mentionsLid".to_owned(), json!(self.mention_lids));
        }
        if let Some(quoted) = &self.quoted {
            let mut shown = json!({ "id": quoted.id, "sender": quoted.sender });
            if let Some(lid) = &quoted.sender_lid {
                shown["senderLid"] = json!(lid);
            }
            if let Some(text) = &quoted.text {
                shown["text"] = json!(text);
            }
            body.insert("quoted".to_owned(), shown);
        }
        if let Some(score) = self.forwarded {
            body.insert("isForwarded".to_owned(), json!(true));
            body.insert("forwardingScore".to_owned(), json!(score));
        }
        if let Some(seconds) = self.ephemeral {
            body.insert("ephemeralSeconds".to_owned(), json!(seconds));
        }
    }
}

/// The context of whatever kind of content there is.
fn find(base: &wa::Message) -> Option<&wa::ContextInfo> {
    macro_rules! first {
        ($($field:ident)+) => {$(
            if let Some(part) = base.$field.as_option() {
                return part.context_info.as_option();
            }
        )+};
    }
    first! {
        extended_text_message image_message video_message ptv_message audio_message document_message sticker_message
        sticker_pack_message location_message live_location_message contact_message contacts_array_message
        poll_creation_message poll_creation_message_v2 poll_creation_message_v3 poll_creation_message_v5
        poll_creation_message_v6 buttons_response_message template_button_reply_message list_response_message
        interactive_response_message buttons_message template_message list_message interactive_message
        group_invite_message event_message product_message order_message album_message
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::super::who::testing::book;
    use super::*;
    use whatsapp_rust::buffa::MessageField;

    fn text(context: wa::ContextInfo) -> wa::Message {
        let text = wa::message::ExtendedTextMessage {
            text: Some("hi".into()),
            context_info: MessageField::some(context),
            ..Default::default()
        };
        wa::Message { extended_text_message: MessageField::some(text), ..Default::default() }
    }

    async fn added(context: wa::ContextInfo) -> Value {
        let mut body = Map::new();
        Context::of(&book(), &text(context)).await.add_to(&mut body);
        Value::Object(body)
    }

    #[tokio::test]
    async fn people_are_named_by_phone_number_and_lid() {
        let context = wa::ContextInfo {
            stanza_id: Some("ABC".into()),
            participant: Some("20000200:3@lid".into()),
            quoted_message: MessageField::some(wa::Message {
                conversation: Some("before".into()),
                ..Default::default()
            }),
            mentioned_jid: vec!["10000100@lid".into(), "62833333@s.whatsapp.net".into(), "nonsense@@".into()],
            ..Default::default()
        };
        assert_eq!(
            added(context).await,
            json!({
                "mentions": ["62811111@s.whatsapp.net", "62833333@s.whatsapp.net"],
                "mentionsLid": ["10000100@lid"],
                "quoted": {"id": "ABC", "sender": "62822222@s.whatsapp.net", "senderLid": "20000200@lid",
                           "text": "before"},
            })
        );
    }

    #[tokio::test]
    async fn forwarded_and_disappearing_messages_say_so() {
        let context = wa::ContextInfo {
            is_forwarded: Some(true),
            forwarding_score: Some(5),
            expiration: Some(86_400),
            ..Default::default()
        };
        let said = json!({"isForwarded": true, "forwardingScore": 5, "ephemeralSeconds": 86_400});
        assert_eq!(added(context).await, said);
        assert_eq!(added(wa::ContextInfo::default()).await, json!({}));
    }
}
