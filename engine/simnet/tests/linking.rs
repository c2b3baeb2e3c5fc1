//! Linking by code, and the past that a newly linked companion is told of.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::collections::HashSet;
use support::{ALICE, BOB, Companion, network, shown, text, wait_for};
use wacore_binary::Jid;
use waproto::whatsapp::history_sync::HistorySyncType;
use waproto::whatsapp::{self as wa};
use warest_simnet::{ChatChange, Past, SimnetHandle};
use whatsapp_rust::pair_code::PairCodeOptions;
use whatsapp_rust::types::events::Event;

/// A companion that shows a code for Alice's number.
async fn asking(net: &SimnetHandle) -> (Companion, String) {
    let mut companion = Companion::new();
    companion.certificate = Some(net.media_certificate().to_owned());
    companion.start(&net.chat_url()).await;
    companion.qr().await;
    let options = PairCodeOptions { phone_number: ALICE.into(), ..Default::default() };
    let code = companion.client().pair_with_code(options).await.unwrap();
    (companion, code)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_is_linked_by_its_code() {
    let net = network().await;
    let (mut companion, code) = asking(&net).await;
    let entered = format!("{}-{}", &code[..4].to_lowercase(), &code[4..]);
    let linked = net.link_code(ALICE, &entered).await.unwrap();
    assert!(linked.device.starts_with(&format!("{ALICE}:")), "{linked:?}");
    companion.online().await;
    companion.client().send_message(Jid::pn(BOB), text("linked by code")).await.unwrap();
    shown(&net, BOB, "linked by code").await;
    net.send_text(BOB, ALICE, "welcome", None).await.unwrap();
    companion.receive("welcome").await;
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_code_links_nobody_and_says_so() {
    let net = network().await;
    let unasked = net.link_code(ALICE, "ABCD-EFGH").await.unwrap_err();
    assert_eq!(unasked.status(), 409);
    assert!(unasked.to_string().contains("nobody asks"), "{unasked}");
    let (mut companion, code) = asking(&net).await;
    let wrong = if code == "ABCDEFGH" { "HGFEDCBA" } else { "ABCDEFGH" };
    let refused = net.link_code(ALICE, wrong).await.unwrap_err();
    assert_eq!(refused.status(), 409);
    assert!(refused.to_string().contains("the code is wrong"), "{refused}");
    assert!(net.link_code(BOB, &code).await.is_err(), "the code is for another number");
    assert!(net.phones().await.iter().all(|phone| phone.devices.is_empty()));
    companion.stop().await;
}

/// All history that a companion was sent so far.
fn history(companion: &Companion) -> Vec<wa::HistorySync> {
    companion.events(|event| match event {
        Event::HistorySync(history) => history.get().cloned(),
        _ => None,
    })
}

fn messages(history: &[wa::HistorySync], chat: &str) -> HashSet<String> {
    let chats = history.iter().flat_map(|piece| &piece.conversations).filter(|conversation| conversation.id == chat);
    let infos = chats.flat_map(|conversation| &conversation.messages).filter_map(|message| message.message.as_option());
    infos.filter_map(|info| info.message.as_option()?.conversation.clone()).collect()
}

async fn linked_with_history(net: &SimnetHandle) -> Companion {
    let mut companion = Companion::new();
    companion.certificate = Some(net.media_certificate().to_owned());
    companion.history = true;
    companion.start(&net.chat_url()).await;
    let qr = companion.qr().await;
    net.link_qr(ALICE, &qr).await.unwrap();
    companion.online().await;
    companion
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_is_told_the_past_in_pieces() {
    let net = network().await;
    let past =
        Past { chats: 20, messages_per_chat: 300, with: vec![BOB.into()], unread: 2, archived: 3, pinned: 1, muted: 1 };
    net.add_past(ALICE, past).await.unwrap();
    let mut companion = linked_with_history(&net).await;
    let bob = format!("{}@lid", net.phones().await[1].lid);
    wait_for("all messages with Bob", async || (messages(&history(&companion), &bob).len() == 300).then_some(())).await;
    let told = history(&companion);
    let kinds: Vec<HistorySyncType> = told.iter().map(|piece| piece.sync_type).collect();
    for kind in
        [HistorySyncType::INITIAL_BOOTSTRAP, HistorySyncType::PUSH_NAME, HistorySyncType::RECENT, HistorySyncType::FULL]
    {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    let first = told.iter().find(|piece| piece.sync_type == HistorySyncType::INITIAL_BOOTSTRAP).unwrap();
    assert_eq!(first.conversations.len(), 20);
    let with_bob = first.conversations.iter().find(|conversation| conversation.id == bob).unwrap();
    assert_eq!(with_bob.unread_count, Some(2));
    assert!(with_bob.pinned.is_some() && with_bob.mute_end_time.is_some());
    assert_eq!(first.conversations.iter().filter(|conversation| conversation.archived == Some(true)).count(), 3);
    let newest = with_bob.messages[0].message.as_option().unwrap();
    assert_eq!(newest.message.as_option().unwrap().conversation.as_deref(), Some("message 300 of chat 1"));
    let names = told.iter().flat_map(|piece| &piece.pushnames);
    assert!(names.into_iter().any(|name| name.pushname.as_deref() == Some("Bob")));
    assert!(net.stats().await.counters["media.downloads"] >= 1, "large pieces go by the media host");
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_phone_shows_is_part_of_its_past() {
    let net = network().await;
    net.send_text(BOB, ALICE, "before the link", None).await.unwrap();
    shown(&net, ALICE, "before the link").await;
    net.change_chat(ALICE, BOB, ChatChange { archive: Some(true), ..ChatChange::default() }).await.unwrap();
    let mut companion = linked_with_history(&net).await;
    let bob = format!("{}@lid", net.phones().await[1].lid);
    wait_for("the message", async || messages(&history(&companion), &bob).contains("before the link").then_some(()))
        .await;
    let archived = history(&companion).iter().flat_map(|piece| &piece.conversations).any(|c| c.archived == Some(true));
    assert!(archived);
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_gets_older_messages_when_it_asks() {
    let net = network().await;
    let past = Past { chats: 1, messages_per_chat: 50, with: vec![BOB.into()], ..Past::default() };
    net.add_past(ALICE, past).await.unwrap();
    let mut companion = linked_with_history(&net).await;
    let bob = format!("{}@lid", net.phones().await[1].lid);
    wait_for("the past", async || (messages(&history(&companion), &bob).len() == 50).then_some(())).await;
    let oldest = history(&companion)
        .iter()
        .flat_map(|piece| piece.conversations.clone())
        .flat_map(|conversation| conversation.messages)
        .filter_map(|message| message.message.into_option())
        .find(|info| info.message.as_option().unwrap().conversation.as_deref() == Some("message 31 of chat 1"))
        .unwrap();
    let key = oldest.key.as_option().unwrap().clone();
    let at = i64::try_from(oldest.message_timestamp.unwrap()).unwrap() * 1000;
    let chat: Jid = bob.parse().unwrap();
    let client = companion.client();
    client.fetch_message_history(&chat, &key.id.unwrap(), key.from_me.unwrap(), at, 5).await.unwrap();
    let answer = companion
        .event("older messages", |event| match event {
            Event::HistorySync(history) => {
                history.get().filter(|piece| piece.sync_type == HistorySyncType::ON_DEMAND).cloned()
            }
            _ => None,
        })
        .await;
    let expected: HashSet<String> = (26..=30).map(|n| format!("message {n} of chat 1")).collect();
    assert_eq!(messages(&[answer], &bob), expected);
    companion.stop().await;
}

#[tokio::test]
async fn a_past_is_bounded() {
    let net = network().await;
    for (chats, messages_per_chat) in [(0, 1), (1, 0), (2_000, 1), (1_000, 101)] {
        let past = Past { chats, messages_per_chat, ..Past::default() };
        assert_eq!(net.add_past(ALICE, past).await.unwrap_err().status(), 400);
    }
}
