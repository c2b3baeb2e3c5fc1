//! Message protobufs of the effects.

use warest_model::clock::Millis;
use warest_model::jid::Jid as Address;
use warest_model::plan::MessageKey;
use whatsapp_rust::Jid;
use whatsapp_rust::buffa::MessageField;
use whatsapp_rust::proto_helpers::{MessageBuilderExt as _, build_reaction_message};
use whatsapp_rust::waproto::whatsapp as wa;

/// A text; it takes the extended form only if it mentions or quotes.
pub(super) fn text(
    text: &str,
    mentions: &[Address],
    quoted: Option<&MessageKey>,
    to: &Address,
    me: Option<&Jid>,
) -> wa::Message {
    if mentions.is_empty() && quoted.is_none() {
        return wa::Message::text(text);
    }
    let mut context =
        wa::ContextInfo { mentioned_jid: mentions.iter().map(Address::to_string).collect(), ..Default::default() };
    if let Some(key) = quoted {
        context.stanza_id = Some(key.id.clone());
        context.participant = author(key, me);
        // The original is not at hand: clients find it by its id, and show an
        // empty quote where they do not have it.
        context.quoted_message = MessageField::some(wa::Message::text(""));
        if key.remote_jid != *to {
            context.remote_jid = Some(key.remote_jid.to_string());
        }
    }
    wa::Message::text_with_context(text, context)
}

/// A reaction; an empty emoji takes it off.
pub(super) fn reaction(key: &MessageKey, emoji: &str, now_ms: Millis) -> wa::Message {
    let key = wa::MessageKey {
        remote_jid: Some(key.remote_jid.to_string()),
        from_me: Some(key.from_me),
        id: Some(key.id.clone()),
        participant: key.participant.as_ref().map(Address::to_string),
    };
    build_reaction_message(key, emoji, now_ms)
}

fn author(key: &MessageKey, me: Option<&Jid>) -> Option<String> {
    match &key.participant {
        Some(participant) => Some(participant.to_string()),
        None if key.from_me => me.map(Jid::to_non_ad_string),
        None if key.remote_jid.is_group() => None,
        None => Some(key.remote_jid.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text, "62").unwrap()
    }

    #[test]
    fn a_plain_text_is_a_conversation() {
        let message = text("hi", &[], None, &address("62811111"), None);
        assert_eq!(message.conversation.as_deref(), Some("hi"));
    }

    #[test]
    fn a_quote_names_its_author_and_its_chat() {
        let key = MessageKey { remote_jid: address("62811111"), from_me: false, id: "A".into(), participant: None };
        let me: Jid = "62899999:3@s.whatsapp.net".parse().unwrap();
        let context = |key: &MessageKey, to: &str| {
            let message = text("hi", &[address("62833333")], Some(key), &address(to), Some(&me));
            message.extended_text_message.as_option().unwrap().context_info.as_option().unwrap().clone()
        };
        let same = context(&key, "62811111");
        assert_eq!(same.participant.as_deref(), Some("62811111@s.whatsapp.net"));
        assert_eq!(same.mentioned_jid, ["62833333@s.whatsapp.net"]);
        assert_eq!(same.remote_jid, None);
        let other = context(&MessageKey { from_me: true, ..key }, "62822222");
        assert_eq!(other.participant.as_deref(), Some("62899999@s.whatsapp.net"));
        assert_eq!(other.remote_jid.as_deref(), Some("62811111@s.whatsapp.net"));
    }
}
