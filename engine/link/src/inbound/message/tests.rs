//! What becomes of messages, one by one.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::inbound::hook::named;
use crate::inbound::who::testing::book;
use async_trait::async_trait;
use std::collections::HashMap;
use warest_model::jid::Jid as Address;
use whatsapp_rust::Jid;
use whatsapp_rust::buffa::MessageField;
use whatsapp_rust::types::message::MessageSource;
use whatsapp_rust::wacore::poll::{compute_option_hash, encrypt_poll_vote_with_secret};

const ME: &str = "62899999@s.whatsapp.net";
const ANI: &str = "62811111@s.whatsapp.net";
const BUDI: &str = "62822222@s.whatsapp.net";
const GROUP: &str = "120363025386030504@g.us";
const AT: i64 = 1_732_364_392_000;

/// What a test's history has.
#[derive(Default)]
struct History(HashMap<String, Vec<u8>>);

#[async_trait]
impl Originals for History {
    async fn message(&self, _: &Address, id: &str) -> Option<Vec<u8>> {
        self.0.get(id).cloned()
    }

    async fn secret(&self, _: &Jid, _: &Jid, _: &str) -> Option<Vec<u8>> {
        None
    }
}

fn info(chat: &str, sender: &str) -> MessageInfo {
    MessageInfo {
        id: "3EB0EC4ED6916F3F123".into(),
        push_name: "Ani".into(),
        timestamp: whatsapp_rust::chrono::DateTime::from_timestamp(AT / 1_000, 0).unwrap(),
        source: MessageSource {
            chat: chat.parse().unwrap(),
            sender: sender.parse().unwrap(),
            is_from_me: sender == ME,
            is_group: chat.ends_with("@g.us"),
            ..Default::default()
        },
        ..Default::default()
    }
}

async fn seen_with(message: &wa::Message, info: &MessageInfo, history: &History) -> Option<Observation> {
    let book = book();
    let (chat, sender) = named(&book, info).await.unwrap();
    let session = "shop".parse().unwrap();
    let seen =
        Seen { session: &session, message, info, chat: &chat, sender: &sender, names: &book, originals: history };
    if is_wanted(info) { observe(seen).await } else { None }
}

async fn seen(message: &wa::Message, info: &MessageInfo) -> Option<Observation> {
    seen_with(message, info, &History::default()).await
}

fn text(text: &str) -> wa::Message {
    wa::Message { conversation: Some(text.into()), ..Default::default() }
}

fn wa_key(from_me: bool, participant: Option<&str>) -> MessageField<wa::MessageKey> {
    MessageField::some(wa::MessageKey {
        remote_jid: Some("99@s.whatsapp.net".into()),
        from_me: Some(from_me),
        id: Some("TARGET".into()),
        participant: participant.map(str::to_owned),
    })
}

fn protocol(protocol: wa::message::ProtocolMessage) -> wa::Message {
    wa::Message { protocol_message: MessageField::some(protocol), ..Default::default() }
}

#[tokio::test]
async fn a_text_has_the_contracts_payload_and_goes_into_the_history() {
    let mut info = info("100200300@lid", "100200300:5@lid");
    info.source.sender_alt = Some("6281234567890@s.whatsapp.net".parse().unwrap());
    let message = text("Halo dari WAREST!");
    let seen = seen(&message, &info).await.unwrap();
    assert_eq!(seen.kind, EventKind::MessageReceived);
    assert_eq!(seen.chat.unwrap().as_str(), "6281234567890@s.whatsapp.net");
    assert_eq!(seen.dedup.as_deref(), Some("100200300@lid|100200300:5@lid|3EB0EC4ED6916F3F123"));
    let key = json!({"remoteJid": "6281234567890@s.whatsapp.net", "fromMe": false, "id": "3EB0EC4ED6916F3F123"});
    assert_eq!(
        seen.data,
        json!({
            "messageId": "3EB0EC4ED6916F3F123",
            "chatId": "6281234567890@s.whatsapp.net",
            "sender": "6281234567890@s.whatsapp.net",
            "contentType": "text",
            "message": {"text": "Halo dari WAREST!"},
            "media": null,
            "tags": ["inbound"],
            "text": "Halo dari WAREST!",
            "key": key,
            "pushName": "Ani",
            "timestamp": AT,
            "isGroup": false,
            "lid": "100200300@lid",
            "senderLid": "100200300@lid",
        })
    );
    let [Change::Message { message: kept, live: true }, Change::Contact(contact)] = &seen.changes[..] else {
        panic!("{:#?}", seen.changes);
    };
    assert_eq!((json!(kept.key), kept.status), (key, MessageStatus::Received));
    assert_eq!(codec::message_decode(&kept.body).unwrap(), message);
    assert_eq!(contact.push_name.as_deref(), Some("Ani"));
    assert_eq!(contact.lid.as_ref().unwrap().as_str(), "100200300@lid");
}

#[tokio::test]
async fn a_group_message_names_its_author_in_the_key() {
    let seen = seen(&text("x"), &info(GROUP, "10000100:5@lid")).await.unwrap();
    assert_eq!(seen.data["key"]["participant"], ANI);
    assert_eq!((&seen.data["chatId"], &seen.data["isGroup"]), (&json!(GROUP), &json!(true)));
}

#[tokio::test]
async fn a_file_is_described_beside_the_message() {
    let image = wa::message::ImageMessage {
        mimetype: Some("image/png".into()),
        caption: Some("look".into()),
        file_length: Some(7),
        width: Some(640),
        ..Default::default()
    };
    let message = wa::Message { image_message: MessageField::some(image), ..Default::default() };
    let first = seen(&message, &info(ANI, ANI)).await.unwrap();
    let media = &first.data["media"];
    assert_eq!(
        (&media["kind"], &media["mimetype"], &media["caption"]),
        (&json!("image"), &json!("image/png"), &json!("look"))
    );
    assert!(media["id"].as_str().unwrap().starts_with("med_"), "{media}");
    let again = seen(&message, &info(ANI, ANI)).await.unwrap();
    assert_eq!(&again.data["media"]["id"], &media["id"], "a redelivery has the same file");
    let Change::Message { message: kept, .. } = &first.changes[0] else { panic!() };
    assert_eq!(kept.media.as_ref().unwrap().id.as_str(), media["id"]);
}

#[tokio::test]
async fn what_the_account_wrote_elsewhere_was_sent() {
    let mut info = info("10000100@lid", ME);
    info.source.recipient_alt = Some(ANI.parse().unwrap());
    let seen = seen(&text("from my phone"), &info).await.unwrap();
    assert_eq!(seen.kind, EventKind::MessageSent);
    assert_eq!((&seen.data["chatId"], &seen.data["sender"]), (&json!(ANI), &json!(ME)));
    assert_eq!(seen.data["tags"], json!(["outbound", "device"]));
    assert_eq!(seen.data["key"], json!({"remoteJid": ANI, "fromMe": true, "id": "3EB0EC4ED6916F3F123"}));
    let Change::Message { message, .. } = &seen.changes[0] else { panic!() };
    assert_eq!((message.status, message.sender.as_str()), (MessageStatus::Server, ME));
    let Change::Contact(contact) = &seen.changes[1] else { panic!() };
    assert_eq!(contact.push_name, None, "the name that comes with it is the account's own");
}

#[tokio::test]
async fn posts_say_where_they_were_posted() {
    let status = seen(&text("s"), &info("status@broadcast", ANI)).await.unwrap();
    assert_eq!((&status.data["chatId"], &status.data["sender"]), (&json!("status@broadcast"), &json!(ANI)));
    assert_eq!(status.data["tags"], json!(["inbound", "status"]));
    let mut post = info("120363999@newsletter", "120363999@newsletter");
    post.server_id = 101;
    let post = seen(&text("n"), &post).await.unwrap();
    assert_eq!((&post.data["tags"], &post.data["serverId"]), (&json!(["inbound", "newsletter"]), &json!(101)));
    let list = seen(&text("l"), &info("1234567@broadcast", ANI)).await.unwrap();
    assert_eq!(list.data["chatId"], ANI, "a broadcast list is answered to its sender");
}

#[tokio::test]
async fn a_reaction_names_the_message_it_is_on() {
    let reaction = wa::message::ReactionMessage {
        key: wa_key(false, None),
        text: Some("👍".into()),
        sender_timestamp_ms: Some(AT + 5),
        ..Default::default()
    };
    let reaction = wa::Message { reaction_message: MessageField::some(reaction), ..Default::default() };
    let seen = seen(&reaction, &info(ANI, ANI)).await.unwrap();
    assert_eq!((seen.kind, &seen.data["reaction"]), (EventKind::MessageReaction, &json!("👍")));
    assert_eq!(seen.data["key"], json!({"remoteJid": ANI, "fromMe": true, "id": "TARGET"}));
    assert_eq!(seen.data["messageId"], "3EB0EC4ED6916F3F123");
    assert!(seen.data.get("text").is_none());
    let Change::Reaction { key, reaction } = &seen.changes[0] else { panic!() };
    assert_eq!((key.id.as_str(), key.from_me), ("TARGET", true));
    assert_eq!((reaction.from.as_str(), reaction.emoji.as_str(), reaction.ts_ms), (ANI, "👍", AT + 5));
}

#[tokio::test]
async fn an_edit_says_what_the_message_says_now() {
    let edit = protocol(wa::message::ProtocolMessage {
        key: wa_key(true, None),
        r#type: Some(wa::message::protocol_message::Type::MESSAGE_EDIT),
        edited_message: MessageField::some(text("better")),
        timestamp_ms: Some(AT + 9),
        ..Default::default()
    });
    let wrapped = wa::Message {
        edited_message: MessageField::some(wa::message::FutureProofMessage {
            message: MessageField::some(edit.clone()),
        }),
        ..Default::default()
    };
    for edit in [edit, wrapped] {
        let seen = seen(&edit, &info(ANI, ANI)).await.unwrap();
        assert_eq!((seen.kind, &seen.data["text"]), (EventKind::MessageEdited, &json!("better")));
        assert_eq!(seen.data["message"], json!({"text": "better"}));
        assert_eq!(seen.data["key"], json!({"remoteJid": ANI, "fromMe": false, "id": "TARGET"}));
        assert_eq!(seen.data["previous"], Value::Null);
        let Change::Edited { key, text, at_ms, .. } = &seen.changes[0] else { panic!() };
        assert_eq!((key.id.as_str(), text.as_str(), *at_ms), ("TARGET", "better", AT + 9));
    }
}

#[tokio::test]
async fn a_revocation_says_who_took_it_back() {
    let revoke = |participant: Option<&str>, from_me| {
        protocol(wa::message::ProtocolMessage {
            key: wa_key(from_me, participant),
            r#type: Some(wa::message::protocol_message::Type::REVOKE),
            ..Default::default()
        })
    };
    let own = seen(&revoke(None, true), &info(GROUP, ANI)).await.unwrap();
    assert_eq!((own.kind, &own.data["byAdmin"]), (EventKind::MessageRevoked, &json!(false)));
    assert_eq!(own.data["key"], json!({"remoteJid": GROUP, "fromMe": false, "id": "TARGET", "participant": ANI}));
    let admin = seen(&revoke(Some("20000200@lid"), false), &info(GROUP, ANI)).await.unwrap();
    assert_eq!((&admin.data["by"], &admin.data["byAdmin"]), (&json!(ANI), &json!(true)));
    assert_eq!(admin.data["key"]["participant"], BUDI);
    let mine = seen(&revoke(Some(ME), false), &info(GROUP, ANI)).await.unwrap();
    assert_eq!((&mine.data["key"]["fromMe"], &mine.data["byAdmin"]), (&json!(true), &json!(true)));
    assert!(matches!(&mine.changes[0], Change::Revoked { at_ms: AT, .. }));
}

#[tokio::test]
async fn pins_and_disappearing_are_changes_of_the_chat() {
    let pin = wa::message::PinInChatMessage {
        key: wa_key(true, None),
        r#type: Some(wa::message::pin_in_chat_message::Type::PIN_FOR_ALL),
        sender_timestamp_ms: Some(AT),
    };
    let pin = wa::Message {
        pin_in_chat_message: MessageField::some(pin),
        message_context_info: MessageField::some(wa::MessageContextInfo {
            message_add_on_duration_in_secs: Some(60),
            ..Default::default()
        }),
        ..Default::default()
    };
    let pinned = seen(&pin, &info(ANI, ANI)).await.unwrap();
    assert_eq!((pinned.kind, &pinned.data["change"]), (EventKind::ChatUpdate, &json!("pin_message")));
    assert_eq!((&pinned.data["pinned"], &pinned.data["until"]), (&json!(true), &json!(AT + 60_000)));
    assert!(matches!(&pinned.changes[0], Change::Pinned { until_ms: Some(until), .. } if *until == AT + 60_000));

    let setting = |seconds| {
        protocol(wa::message::ProtocolMessage {
            r#type: Some(wa::message::protocol_message::Type::EPHEMERAL_SETTING),
            ephemeral_expiration: Some(seconds),
            ..Default::default()
        })
    };
    for (seconds, kept) in [(86_400, Some(86_400)), (0, None)] {
        let set = seen(&setting(seconds), &info(ANI, ANI)).await.unwrap();
        assert_eq!((&set.data["change"], &set.data["value"]), (&json!("ephemeral"), &json!(seconds)));
        let Change::Chat { patch, .. } = &set.changes[0] else { panic!() };
        assert_eq!(patch.ephemeral_seconds, Some(kept));
    }
}

/// A poll of this account, and Ani's vote for rice in it, sealed with these names.
fn poll_and_vote(creator: &str, voter: &str) -> (History, wa::Message) {
    let option = |name: &str| wa::message::poll_creation_message::Option {
        option_name: Some(name.into()),
        ..Default::default()
    };
    let poll = wa::message::PollCreationMessage {
        name: Some("Lunch?".into()),
        options: vec![option("Soup"), option("Rice")],
        ..Default::default()
    };
    let secret = [7; 32];
    let poll = wa::Message {
        poll_creation_message_v3: MessageField::some(poll),
        message_context_info: MessageField::some(wa::MessageContextInfo {
            message_secret: Some(secret.to_vec()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let chosen = [compute_option_hash("Rice").to_vec()];
    let (payload, iv) = encrypt_poll_vote_with_secret(&chosen, &secret, "TARGET", creator, voter).unwrap();
    let vote = wa::message::PollUpdateMessage {
        poll_creation_message_key: wa_key(false, None),
        vote: MessageField::some(wa::message::PollEncValue { enc_payload: Some(payload), enc_iv: Some(iv.to_vec()) }),
        sender_timestamp_ms: Some(AT + 1),
        ..Default::default()
    };
    let vote = wa::Message { poll_update_message: MessageField::some(vote), ..Default::default() };
    (History(HashMap::from([("TARGET".to_owned(), codec::message_to_vec(&poll))])), vote)
}

#[tokio::test]
async fn a_vote_is_read_with_the_secret_of_its_poll_under_either_name() {
    for (creator, voter) in [(ME, ANI), ("99900999@lid", "10000100@lid"), (ME, "10000100@lid")] {
        let (history, vote) = poll_and_vote(creator, voter);
        let seen = seen_with(&vote, &info(ANI, ANI), &history).await.unwrap();
        assert_eq!((seen.kind, &seen.data["options"]), (EventKind::PollVote, &json!(["Rice"])), "{creator} {voter}");
        assert_eq!((&seen.data["voter"], &seen.data["question"]), (&json!(ANI), &json!("Lunch?")));
        assert_eq!(seen.data["key"], json!({"remoteJid": ANI, "fromMe": true, "id": "TARGET"}));
        let Change::Vote { vote, .. } = &seen.changes[0] else { panic!() };
        assert_eq!((vote.options.as_slice(), vote.ts_ms), (&["Rice".to_owned()][..], AT + 1));
    }
}

#[tokio::test]
async fn a_vote_that_cannot_be_read_is_seen_all_the_same() {
    let (_, vote) = poll_and_vote(ME, ANI);
    let seen = seen(&vote, &info(ANI, ANI)).await.unwrap();
    assert_eq!((seen.kind, &seen.data["options"]), (EventKind::PollVote, &Value::Null));
    assert!(!seen.changes.iter().any(|change| matches!(change, Change::Vote { .. })));
}

#[tokio::test]
async fn what_devices_tell_each_other_and_what_nobody_sees_is_no_event() {
    let mut peer = info(ANI, ANI);
    peer.category = MessageCategory::Peer;
    assert_eq!(seen(&text("x"), &peer).await, None);
    assert_eq!(seen(&wa::Message::default(), &info(ANI, ANI)).await, None);
    let keys = protocol(wa::message::ProtocolMessage {
        r#type: Some(wa::message::protocol_message::Type::APP_STATE_SYNC_KEY_SHARE),
        ..Default::default()
    });
    assert_eq!(seen(&keys, &info(ANI, ME)).await, None);
}
