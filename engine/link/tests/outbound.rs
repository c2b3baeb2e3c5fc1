//! What is sent, as phones have it: every kind of message that needs no file,
//! and what is said about messages afterwards.
#![cfg(feature = "sandbox")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::{ANI, BOT, World, jid};
use warest_link::{Links as _, Outgoing, Sent};
use warest_model::content::{Button, Card, Content, Menu, Row, Section};
use warest_model::fault::{Fault, FaultKind};
use warest_model::id::SessionId;
use warest_model::jid::Jid;
use warest_model::plan::{Effect, MessageKey};

const CICI: &str = "628333000003";

struct Bot {
    world: World,
    session: SessionId,
}

impl Bot {
    async fn new() -> Self {
        let world = World::new().await;
        world.net.add_phone(CICI, "Cici").await.unwrap();
        let session = world.paired().await;
        Self { world, session }
    }

    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Sent, Fault> {
        self.world.link.send(&self.session, outgoing).await
    }

    async fn say(&self, to: &Jid, content: Content, id: &str) -> Sent {
        self.send(Outgoing::plain(&Effect::message(to.clone(), content), id)).await.unwrap()
    }

    /// What a phone got under an id: the protobuf.
    async fn got(&self, phone: &str, id: &str) -> Value {
        let deadline = tokio::time::Instant::now() + support::DEADLINE;
        loop {
            let shown = self.world.net.messages(phone, 0, None).await.unwrap();
            if let Some(one) = shown.iter().find(|one| one.id == id) {
                return one.message.clone();
            }
            assert!(tokio::time::Instant::now() < deadline, "{phone} has no {id} but {shown:#?}");
            let last = shown.last().map_or(0, |one| one.seq);
            let _ = self.world.net.messages(phone, last, Some(std::time::Duration::from_millis(500))).await;
        }
    }
}

fn key(chat: &Jid, id: &str, from_me: bool, participant: Option<&str>) -> MessageKey {
    MessageKey { remote_jid: chat.clone(), from_me, id: id.into(), participant: participant.map(jid) }
}

fn refused(done: Result<Sent, Fault>, code: &str) {
    let fault = done.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.kind), (code, FaultKind::Fail), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_content_without_a_file_reaches_the_phone_whole() {
    let bot = Bot::new().await;
    let ani = jid(ANI);
    let card = Card { full_name: "Budi".into(), phone: Some("+62811111111".into()), ..Card::default() };
    bot.say(&ani, Content::Contacts { cards: vec![card] }, "3EB0000000000000C1").await;
    let got = bot.got(ANI, "3EB0000000000000C1").await;
    assert!(got["contact_message"]["vcard"].as_str().unwrap().contains("waid=62811111111:+62811111111"), "{got:#}");

    let place = Content::Location { latitude: -6.2, longitude: 106.8, name: Some("Jakarta".into()), address: None };
    bot.say(&ani, place, "3EB0000000000000C2").await;
    assert_eq!(bot.got(ANI, "3EB0000000000000C2").await["location_message"]["degrees_latitude"], -6.2);

    let buttons = vec![Button::Reply { text: "Yes".into(), id: "y".into() }];
    let content = Content::Buttons { text: "sure?".into(), footer: None, image: None, buttons };
    bot.say(&ani, content, "3EB0000000000000C3").await;
    let got = bot.got(ANI, "3EB0000000000000C3").await;
    let flow = &got["interactive_message"]["interactive_message"]["NativeFlowMessage"]["buttons"][0];
    assert_eq!(flow["name"], "quick_reply", "{got:#}");

    let row = Row { id: "r".into(), title: "Row".into(), description: None };
    let menu = Menu { button: "Go".into(), sections: vec![Section { title: String::new(), rows: vec![row] }] };
    let content = Content::List { title: None, text: "which?".into(), footer: None, image: None, menus: vec![menu] };
    bot.say(&ani, content, "3EB0000000000000C4").await;
    let got = bot.got(ANI, "3EB0000000000000C4").await;
    assert_eq!(got["interactive_message"]["body"]["text"], "which?", "{got:#}");

    let raw = json!({"extendedTextMessage": {"text": "raw", "contextInfo": {"mentionedJid": [ani.as_str()]}}});
    bot.say(&ani, Content::Raw { message: raw, forwarded: true }, "3EB0000000000000C5").await;
    let got = bot.got(ANI, "3EB0000000000000C5").await;
    let context = &got["extended_text_message"]["context_info"];
    assert_eq!((&context["is_forwarded"], &context["mentioned_jid"][0]), (&json!(true), &json!(ani.as_str())));
    bot.world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_carries_the_same_secret_on_every_attempt() {
    let bot = Bot::new().await;
    let poll =
        Content::Poll { question: "lunch?".into(), options: vec!["rice".into(), "noodles".into()], selectable: 1 };
    let first = bot.say(&jid(ANI), poll.clone(), "3EB0000000000000D1").await;
    let again = bot.say(&jid(ANI), poll.clone(), "3EB0000000000000D1").await;
    assert_eq!(first, again);
    let got = bot.got(ANI, "3EB0000000000000D1").await;
    assert_eq!(got["poll_creation_message_v3"]["name"], "lunch?");
    let secret = got["message_context_info"]["message_secret"].clone();
    assert_eq!(secret.as_array().map(Vec::len), Some(32), "{got:#}");
    bot.say(&jid(ANI), poll, "3EB0000000000000D2").await;
    let other = bot.got(ANI, "3EB0000000000000D2").await;
    assert_ne!(other["message_context_info"]["message_secret"], secret);
    bot.world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_quoted_forwarded_changed_pinned_and_taken_back() {
    let bot = Bot::new().await;
    let ani = jid(ANI);
    let first = bot.say(&ani, Content::text("first"), "3EB0000000000000E1").await;
    let own = key(&ani, "3EB0000000000000E1", true, None);

    let quote = Effect::Message {
        to: ani.clone(),
        content: Content::text("re"),
        mentions: Vec::new(),
        quoted: Some(own.clone()),
        forwarded: false,
    };
    let outgoing = Outgoing { original: Some(&first.body), ..Outgoing::plain(&quote, "3EB0000000000000E2") };
    bot.send(outgoing).await.unwrap();
    let got = bot.got(ANI, "3EB0000000000000E2").await;
    let context = &got["extended_text_message"]["context_info"];
    assert_eq!((&context["stanza_id"], &context["quoted_message"]["conversation"]), (&json!(own.id), &json!("first")));
    assert_eq!(context["participant"], jid(BOT).as_str());

    let forward = Effect::message(jid(CICI), Content::Forward { key: own.clone() });
    let outgoing = Outgoing { original: Some(&first.body), ..Outgoing::plain(&forward, "3EB0000000000000E3") };
    bot.send(outgoing).await.unwrap();
    let got = bot.got(CICI, "3EB0000000000000E3").await;
    assert_eq!(got["extended_text_message"]["text"], "first", "{got:#}");
    assert_eq!(got["extended_text_message"]["context_info"]["is_forwarded"], true);
    refused(bot.send(Outgoing::plain(&forward, "3EB0000000000000E4")).await, "message_unknown");

    let edit = Effect::Edit { key: own.clone(), content: Content::text("second") };
    let outgoing = Outgoing { original: Some(&first.body), ..Outgoing::plain(&edit, "3EB0000000000000E5") };
    bot.send(outgoing).await.unwrap();
    let got = bot.got(ANI, "3EB0000000000000E5").await;
    assert_eq!(got["protocol_message"]["edited_message"]["conversation"], "second", "{got:#}");
    assert_eq!(got["protocol_message"]["key"]["id"], own.id);

    bot.send(Outgoing::plain(&Effect::Pin { key: own.clone(), seconds: Some(60) }, "3EB0000000000000E6"))
        .await
        .unwrap();
    let got = bot.got(ANI, "3EB0000000000000E6").await;
    assert_eq!(got["pin_in_chat_message"]["key"]["id"], own.id, "{got:#}");
    assert_eq!(got["message_context_info"]["message_add_on_duration_in_secs"], 86_400);

    bot.send(Outgoing::plain(&Effect::Revoke { key: own.clone() }, "3EB0000000000000E7")).await.unwrap();
    let got = bot.got(ANI, "3EB0000000000000E7").await;
    assert_eq!(
        (&got["protocol_message"]["key"]["id"], &got["protocol_message"]["type"]),
        (&json!(own.id), &json!("REVOKE"))
    );
    let theirs = Effect::Revoke { key: key(&ani, "AAAA", false, None) };
    refused(bot.send(Outgoing::plain(&theirs, "3EB0000000000000E8")).await, "not_the_author");
    let theirs = Effect::Edit { key: key(&ani, "AAAA", false, None), content: Content::text("no") };
    refused(bot.send(Outgoing::plain(&theirs, "3EB0000000000000E9")).await, "not_the_author");
    bot.world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_hears_the_bot_and_an_admin_takes_back_what_others_wrote() {
    let bot = Bot::new().await;
    let net = &bot.world.net;
    let group = Jid::parse(&net.create_group(ANI, "Ani's", &[BOT, CICI], None).await.unwrap(), "62").unwrap();
    bot.say(&group, Content::text("hello all"), "3EB0000000000000F1").await;
    for phone in [ANI, CICI] {
        assert_eq!(bot.got(phone, "3EB0000000000000F1").await["conversation"], "hello all");
    }
    let theirs = net.send_text(CICI, group.as_str(), "spam", None).await.unwrap();
    bot.world.intake.until("spam", |one| one.data["text"] == "spam").await;
    let react =
        Effect::React { to: group.clone(), key: key(&group, &theirs.id, false, Some(CICI)), emoji: "👎".into() };
    bot.send(Outgoing::plain(&react, "3EB0000000000000F2")).await.unwrap();
    let got = bot.got(CICI, "3EB0000000000000F2").await;
    let participant = got["reaction_message"]["key"]["participant"].as_str().unwrap();
    assert!(participant.ends_with("@lid"), "the group goes by LIDs: {participant}");

    let read = Effect::Read { keys: vec![key(&group, &theirs.id, false, Some(CICI))] };
    bot.send(Outgoing::plain(&read, "")).await.unwrap();
    let deadline = tokio::time::Instant::now() + support::DEADLINE;
    loop {
        let receipts = net.receipts(CICI, 0).await.unwrap();
        if receipts.iter().any(|one| one.kind == "read" && one.from == BOT && one.ids == [theirs.id.clone()]) {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{receipts:#?}");
        tokio::task::yield_now().await;
    }

    let revoke = Effect::Revoke { key: key(&group, &theirs.id, false, Some(CICI)) };
    refused(bot.send(Outgoing::plain(&revoke, "3EB0000000000000F5")).await, "not_admin");
    net.change_group(ANI, group.as_str(), warest_simnet::GroupAction::Promote, &[BOT]).await.unwrap();
    bot.send(Outgoing::plain(&revoke, "3EB0000000000000F3")).await.unwrap();
    let got = bot.got(CICI, "3EB0000000000000F3").await;
    let named = &got["protocol_message"]["key"];
    assert_eq!((&named["id"], &named["participant"]), (&json!(theirs.id), &json!(participant)), "{got:#}");

    net.change_group(ANI, group.as_str(), warest_simnet::GroupAction::Remove, &[BOT]).await.unwrap();
    let gone = Jid::parse("120363999999999999@g.us", "62").unwrap();
    refused(bot.send(Outgoing::plain(&Effect::text(gone, "anybody?"), "3EB0000000000000F4")).await, "group_not_found");
    bot.world.link.shutdown().await;
}
