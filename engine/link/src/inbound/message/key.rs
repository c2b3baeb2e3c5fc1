//! Names of messages, seen from this account.
//!
//! A message that speaks of another names it from its writer's side: `fromMe`
//! means that the writer wrote it, and in a chat of two the chat has the other's
//! name. Here it is always this account's side.

use super::Seen;
use crate::inbound::who::{Names, Who, name_text};
use warest_model::jid::Jid as Address;
use warest_model::plan::MessageKey;
use whatsapp_rust::waproto::whatsapp as wa;

/// A message's name. Who wrote it is part of it where several others could have.
pub(crate) fn key(chat: &Address, id: &str, from_me: bool, author: Option<&Address>) -> MessageKey {
    let several = !matches!(chat.server(), "s.whatsapp.net" | "lid" | "newsletter");
    let participant = author.filter(|_| several && !from_me).cloned();
    MessageKey { remote_jid: chat.clone(), from_me, id: id.to_owned(), participant }
}

/// The message that `seen` speaks of.
pub(crate) async fn seen(seen: Seen<'_>, key: Option<&wa::MessageKey>) -> MessageKey {
    resolve(seen.names, seen.chat, seen.sender, seen.info.source.is_from_me, key).await
}

/// The message that somebody calls `key`, in `chat`.
pub(crate) async fn resolve(
    names: &dyn Names,
    chat: &Who,
    sender: &Who,
    sender_is_me: bool,
    named: Option<&wa::MessageKey>,
) -> MessageKey {
    let id = named.and_then(|key| key.id.as_deref()).unwrap_or_default();
    let by_sender = named.and_then(|key| key.from_me).unwrap_or(false);
    let participant = named.and_then(|key| key.participant.as_deref()).filter(|text| !text.is_empty());
    if by_sender {
        return key(&chat.address, id, sender_is_me, Some(&sender.address));
    }
    if matches!(chat.address.server(), "s.whatsapp.net" | "lid") {
        // Of two people, the one who did not write this wrote that.
        return key(&chat.address, id, !sender_is_me, None);
    }
    let author = match participant {
        Some(text) => name_text(names, text).await,
        None => None,
    };
    let me = names.me().who();
    let from_me = author.is_some() && author.as_ref().map(|who| &who.address) == me.as_ref().map(|who| &who.address);
    key(&chat.address, id, from_me, author.as_ref().map(|who| &who.address))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::inbound::who::from_stanza;
    use crate::inbound::who::testing::book;

    const ME: &str = "62899999@s.whatsapp.net";
    const ANI: &str = "62811111@s.whatsapp.net";
    const GROUP: &str = "120363@g.us";

    async fn named(chat: &str, sender: &str, from_me: bool, participant: Option<&str>) -> MessageKey {
        let who = |jid: &str| from_stanza(&jid.parse().unwrap(), None).unwrap();
        let key = wa::MessageKey {
            remote_jid: Some("whatever@s.whatsapp.net".into()),
            from_me: Some(from_me),
            id: Some("X".into()),
            participant: participant.map(str::to_owned),
        };
        resolve(&book(), &who(chat), &who(sender), sender == ME, Some(&key)).await
    }

    #[tokio::test]
    async fn in_a_chat_of_two_the_sides_are_turned() {
        for (sender, said, from_me) in [(ANI, true, false), (ANI, false, true), (ME, true, true), (ME, false, false)] {
            let key = named(ANI, sender, said, None).await;
            assert_eq!(
                (key.from_me, key.remote_jid.as_str(), key.participant),
                (from_me, ANI, None),
                "{sender} {said}"
            );
        }
    }

    #[tokio::test]
    async fn in_a_group_the_author_is_named_unless_it_is_this_account() {
        let key = named(GROUP, ANI, true, None).await;
        assert_eq!((key.from_me, key.participant.unwrap().as_str()), (false, ANI));
        let key = named(GROUP, ANI, false, Some("20000200:4@lid")).await;
        assert_eq!((key.from_me, key.participant.unwrap().as_str()), (false, "62822222@s.whatsapp.net"));
        for own in [ME, "99900999@lid"] {
            let key = named(GROUP, ANI, false, Some(own)).await;
            assert_eq!((key.from_me, key.participant), (true, None), "{own}");
        }
    }
}
