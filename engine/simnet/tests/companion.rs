//! The real `whatsapp-rust` client against simnet: pairing, texts both ways, redelivery, repeats,
//! several companions, restart from the state file.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::time::Duration;
use support::{ALICE, BOB, DEADLINE, log, network, paired, shown, text, wait_for};
use wacore_binary::Jid;
use warest_simnet::{Simnet, SimnetConfig};
use whatsapp_rust::SendOptions;

#[tokio::test(flavor = "multi_thread")]
async fn pairs_by_qr_and_texts_both_ways() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;

    let sent = net.send_text(BOB, ALICE, "hello companion", None).await.unwrap();
    let got = companion.receive("hello companion").await;
    assert_eq!(got.id, sent.id);
    assert!(got.chat.ends_with("@lid"), "{got:?}");
    assert_eq!(got.sender_alt.as_deref(), Some(format!("{BOB}@s.whatsapp.net").as_str()));
    assert!(!got.from_me);

    companion.client().send_message(Jid::pn(BOB), text("hello phone")).await.unwrap();
    let message = shown(&net, BOB, "hello phone").await;
    assert_eq!((message.from.as_str(), message.kind.as_str()), (ALICE, "text"));
    assert_eq!((message.from_me, message.repeats), (false, 0));

    // The account's own phone gets the fan-out of both directions.
    shown(&net, ALICE, "hello companion").await;
    let own = shown(&net, ALICE, "hello phone").await;
    assert!(own.from_me);
    assert_eq!(own.chat, BOB);

    // Receipts came back to the sender's phone, and the queue is acknowledged.
    wait_for("a delivery receipt", async || {
        let receipts = net.receipts(BOB, 0).await.unwrap();
        receipts.iter().any(|seen| seen.kind == "delivery" && seen.ids.contains(&sent.id)).then_some(())
    })
    .await;
    wait_for("an empty queue", async || (net.stats().await.queued == 0).then_some(())).await;
    companion.stop().await;
    net.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_not_acked_comes_again_after_reconnect() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    companion.refuse(1);
    let sent = net.send_text(BOB, ALICE, "do not lose me", None).await.unwrap();
    wait_for("the refused commit", async || (companion.attempts() > 0).then_some(())).await;
    assert!(companion.got().is_empty());
    companion.client().reconnect_immediately().await;
    let got = companion.receive("do not lose me").await;
    assert_eq!(got.id, sent.id);
    wait_for("an empty queue", async || (net.stats().await.queued == 0).then_some(())).await;
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_while_away_waits_in_the_queue() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    companion.stop().await;
    for n in 0..50 {
        net.send_text(BOB, ALICE, &format!("while away {n}"), None).await.unwrap();
    }
    companion.start(&net.chat_url()).await;
    companion.receive("while away 49").await;
    let texts: Vec<String> = companion.got().into_iter().map(|got| got.text).collect();
    let expected: Vec<String> = (0..50).map(|n| format!("while away {n}")).collect();
    assert_eq!(texts, expected);
    assert!(companion.got().iter().all(|got| got.offline));
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_twice_is_shown_once_and_counted() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    for _ in 0..2 {
        let options = SendOptions::default().with_message_id("3EB0AAAABBBBCCCCDDDD");
        companion.client().send_message_with_options(Jid::pn(BOB), text("only once"), options).await.unwrap();
    }
    let repeated = wait_for("a repeat", async || {
        let messages = net.messages(BOB, 0, None).await.unwrap();
        messages.into_iter().find(|message| message.repeats == 1)
    })
    .await;
    assert_eq!(repeated.id, "3EB0AAAABBBBCCCCDDDD");
    assert_eq!(net.messages(BOB, 0, None).await.unwrap().len(), 1);
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_companions_get_the_same_message_and_each_others() {
    let net = network().await;
    let mut first = paired(&net, ALICE).await;
    let mut second = paired(&net, ALICE).await;
    net.send_text(BOB, ALICE, "to both", None).await.unwrap();
    first.receive("to both").await;
    second.receive("to both").await;
    first.client().send_message(Jid::pn(BOB), text("from the first")).await.unwrap();
    shown(&net, BOB, "from the first").await;
    let copy = second.receive("from the first").await;
    assert!(copy.from_me);
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn companions_of_two_accounts_text_each_other() {
    let net = network().await;
    let mut alice = paired(&net, ALICE).await;
    let mut bob = paired(&net, BOB).await;
    alice.client().send_message(Jid::pn(BOB), text("ping")).await.unwrap();
    let got = bob.receive("ping").await;
    let chat: Jid = got.chat.parse().unwrap();
    bob.client().send_message(chat, text("pong")).await.unwrap();
    alice.receive("pong").await;
    alice.stop().await;
    bob.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_from_the_state_file_finds_everything_again() {
    log();
    let directory = tempfile::tempdir().unwrap();
    let state = Some(directory.path().join("simnet.json"));
    let listen = "127.0.0.1:0".parse().unwrap();
    let net = Simnet::start(SimnetConfig { listen, state: state.clone() }).await.unwrap();
    net.add_phone(ALICE, "Alice").await.unwrap();
    net.add_phone(BOB, "Bob").await.unwrap();
    let mut companion = paired(&net, ALICE).await;
    net.send_text(BOB, ALICE, "before", None).await.unwrap();
    companion.receive("before").await;
    companion.client().send_message(Jid::pn(BOB), text("answer before")).await.unwrap();
    shown(&net, BOB, "answer before").await;
    companion.stop().await;
    net.send_text(BOB, ALICE, "queued over the restart", None).await.unwrap();
    let root = net.root().await.public_key;
    net.shutdown().await.unwrap();

    let net = Simnet::start(SimnetConfig { listen, state }).await.unwrap();
    assert_eq!(net.root().await.public_key, root);
    assert_eq!(net.phones().await.len(), 2);
    shown(&net, BOB, "answer before").await;
    companion.start(&net.chat_url()).await;
    companion.receive("queued over the restart").await;
    net.send_text(BOB, ALICE, "after", None).await.unwrap();
    companion.receive("after").await;
    companion.client().send_message(Jid::pn(BOB), text("answer after")).await.unwrap();
    let answer = shown(&net, BOB, "answer after").await;
    assert!(answer.seq > 1);
    companion.stop().await;
    net.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_that_logs_out_is_gone() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    assert!(net.unlink(ALICE, 1).await.unwrap());
    wait_for("the logout", async || companion.logged_out().then_some(())).await;
    let alice = &net.phones().await[0];
    assert!(alice.devices.is_empty());
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_poll_returns_as_soon_as_there_is_something() {
    let net = network().await;
    let control = net.control();
    let waiting = tokio::spawn(async move { control.messages(ALICE, 0, Some(DEADLINE)).await });
    net.send_text(BOB, ALICE, "wake up", None).await.unwrap();
    let messages = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    assert_eq!(messages.unwrap()[0].text, "wake up");
}

#[tokio::test]
async fn only_loopback_is_served() {
    let listen = "0.0.0.0:0".parse().unwrap();
    let refused = Simnet::start(SimnetConfig { listen, state: None }).await;
    let message = refused.err().unwrap().to_string();
    assert!(message.contains("loopback only"), "{message}");
}
