//! Messages in groups: between phones and companions, with sender keys.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use support::{ALICE, BOB, CAROL, log, network_of_three, paired, shown, text, wait_for};
use wacore_binary::Jid;
use warest_simnet::{Direction, Fault, FaultKind, GroupAction, GroupChange, Simnet, SimnetConfig};
use whatsapp_rust::types::events::Event;

#[tokio::test(flavor = "multi_thread")]
async fn texts_go_both_ways_and_to_own_devices() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let mut second = paired(&net, ALICE).await;
    let mut carol = paired(&net, CAROL).await;
    let group = net.create_group(BOB, "All", &[ALICE, CAROL], None).await.unwrap();
    let jid: Jid = group.parse().unwrap();

    for n in 0..3 {
        net.send_text(BOB, &group, &format!("from a phone {n}"), None).await.unwrap();
    }
    for companion in [&alice, &second, &carol] {
        for n in 0..3 {
            let got = companion.receive(&format!("from a phone {n}")).await;
            assert_eq!(got.chat, group);
            assert_eq!(got.sender_alt.as_deref(), Some(format!("{BOB}@s.whatsapp.net").as_str()));
        }
    }
    for n in 0..3 {
        alice.client().send_message(jid.clone(), text(&format!("from a companion {n}"))).await.unwrap();
    }
    for phone in [BOB, CAROL, ALICE] {
        for n in 0..3 {
            let message = shown(&net, phone, &format!("from a companion {n}")).await;
            assert_eq!((message.chat.as_str(), message.from.as_str()), (group.as_str(), ALICE));
            assert_eq!(message.from_me, phone == ALICE);
        }
    }
    let copy = second.receive("from a companion 2").await;
    assert!(copy.from_me);
    carol.receive("from a companion 2").await;
    wait_for("an empty queue", async || (net.stats().await.queued == 0).then_some(())).await;
    assert_eq!(net.stats().await.counters.get("phone.undecryptable"), None);
    alice.stop().await;
    second.stop().await;
    carol.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_name_who_got_the_message() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let group = net.create_group(BOB, "All", &[ALICE, CAROL], None).await.unwrap();
    let sent = net.send_text(BOB, &group, "who has it?", None).await.unwrap();
    alice.receive("who has it?").await;
    for phone in [ALICE, CAROL] {
        wait_for("a delivery receipt", async || {
            let receipts = net.receipts(BOB, 0).await.unwrap();
            receipts.iter().any(|seen| seen.from == phone && seen.ids.contains(&sent.id)).then_some(())
        })
        .await;
    }
    let jid: Jid = group.parse().unwrap();
    let own = alice.client().send_message(jid.clone(), text("seen?")).await.unwrap();
    let message = shown(&net, CAROL, "seen?").await;
    net.mark_read(CAROL, &group, &[message.id]).await.unwrap();
    let reader = alice
        .event("a read receipt", |event| match event {
            Event::Receipt(receipt) if receipt.message_ids.contains(&own.message_id) => {
                (format!("{:?}", receipt.r#type) == "Read").then(|| receipt.source.clone())
            }
            _ => None,
        })
        .await;
    assert_eq!((reader.chat, reader.sender_alt), (jid, Some(Jid::pn(CAROL))));
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_and_typing_reach_the_group() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let group = net.create_group(BOB, "All", &[ALICE, CAROL], None).await.unwrap();
    let sent = net.send_text(BOB, &group, "react to me", None).await.unwrap();
    shown(&net, CAROL, "react to me").await;
    net.react(CAROL, &group, &sent.id, "👍", false).await.unwrap();
    let reaction = shown(&net, BOB, "👍").await;
    assert_eq!((reaction.kind.as_str(), reaction.chat.as_str()), ("reaction", group.as_str()));
    alice.receive("react to me").await;
    let jid: Jid = group.parse().unwrap();
    alice.client().chatstate().send_composing(&jid).await.unwrap();
    wait_for("typing", async || {
        let seen = net.presence(CAROL, 0).await.unwrap();
        seen.iter().any(|seen| seen.from == ALICE && seen.state == "composing").then_some(())
    })
    .await;
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_is_refused() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let group = net.create_group(BOB, "News", &[ALICE], None).await.unwrap();
    let jid: Jid = group.parse().unwrap();
    assert_eq!(net.send_text(CAROL, &group, "outside", None).await.unwrap_err().status(), 403);
    let change = GroupChange { announcement: Some(true), ..GroupChange::default() };
    net.set_group_settings(BOB, &group, change).await.unwrap();
    assert_eq!(net.send_text(ALICE, &group, "not allowed", None).await.unwrap_err().status(), 403);
    let sent = alice.client().send_message(jid.clone(), text("not allowed either")).await.unwrap();
    let error = alice
        .event("the refusal", |event| match event {
            Event::ServerAck(ack) if ack.id == sent.message_id => ack.error.clone(),
            _ => None,
        })
        .await;
    assert_eq!(error, "403");
    net.change_group(BOB, &group, GroupAction::Promote, &[ALICE]).await.unwrap();
    alice.client().send_message(jid, text("allowed now")).await.unwrap();
    shown(&net, BOB, "allowed now").await;
    let messages = net.messages(BOB, 0, None).await.unwrap();
    assert!(messages.iter().all(|message| message.text != "not allowed either"));
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_removed_reads_nothing_more() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let mut carol = paired(&net, CAROL).await;
    let group = net.create_group(BOB, "Fewer", &[ALICE, CAROL], None).await.unwrap();
    let jid: Jid = group.parse().unwrap();
    net.send_text(BOB, &group, "to all", None).await.unwrap();
    alice.client().send_message(jid.clone(), text("also to all")).await.unwrap();
    for received in ["to all", "also to all"] {
        carol.receive(received).await;
    }
    net.change_group(BOB, &group, GroupAction::Remove, &[CAROL]).await.unwrap();
    net.send_text(BOB, &group, "without her", None).await.unwrap();
    alice.receive("without her").await;
    alice.client().send_message(jid, text("also without her")).await.unwrap();
    shown(&net, BOB, "also without her").await;
    net.send_text(BOB, CAROL, "a word aside", None).await.unwrap();
    carol.receive("a word aside").await;
    assert!(carol.got().iter().all(|got| !got.text.contains("without her")));
    assert!(net.messages(CAROL, 0, None).await.unwrap().iter().all(|shown| !shown.text.contains("without her")));

    // She is let in again and reads what comes from then on.
    net.change_group(BOB, &group, GroupAction::Add, &[CAROL]).await.unwrap();
    net.send_text(BOB, &group, "welcome back", None).await.unwrap();
    carol.receive("welcome back").await;
    shown(&net, CAROL, "welcome back").await;
    alice.stop().await;
    carol.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_group_message_is_sent_again() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let group = net.create_group(BOB, "Noise", &[ALICE], None).await.unwrap();
    let jid: Jid = group.parse().unwrap();
    let fault = Fault { direction: Some(Direction::Out), ..Fault::new(FaultKind::Garble, ALICE, 1) };
    net.add_fault(fault).await.unwrap();
    alice.client().send_message(jid.clone(), text("garbled on the way")).await.unwrap();
    let message = shown(&net, BOB, "garbled on the way").await;
    assert_eq!(message.chat, group);
    assert!(net.stats().await.counters["phone.retries_sent"] >= 1);
    alice.client().send_message(jid, text("clear again")).await.unwrap();
    shown(&net, BOB, "clear again").await;
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_their_keys_outlive_a_restart() {
    log();
    let directory = tempfile::tempdir().unwrap();
    let state = Some(directory.path().join("simnet.json"));
    let listen = "127.0.0.1:0".parse().unwrap();
    let net = Simnet::start(SimnetConfig { listen, state: state.clone() }).await.unwrap();
    for (phone, name) in [(ALICE, "Alice"), (BOB, "Bob")] {
        net.add_phone(phone, name).await.unwrap();
    }
    let mut alice = paired(&net, ALICE).await;
    let group = net.create_group(BOB, "Lasting", &[ALICE], Some("for long")).await.unwrap();
    let jid: Jid = group.parse().unwrap();
    net.send_text(BOB, &group, "before", None).await.unwrap();
    alice.receive("before").await;
    alice.client().send_message(jid.clone(), text("answer before")).await.unwrap();
    shown(&net, BOB, "answer before").await;
    alice.stop().await;
    let info = net.group(&group).await.unwrap();
    net.shutdown().await.unwrap();

    let net = Simnet::start(SimnetConfig { listen, state }).await.unwrap();
    assert_eq!(net.group(&group).await.unwrap(), info);
    alice.start(&net.chat_url()).await;
    net.send_text(BOB, &group, "after", None).await.unwrap();
    alice.receive("after").await;
    alice.client().send_message(jid, text("answer after")).await.unwrap();
    shown(&net, BOB, "answer after").await;
    assert_eq!(net.stats().await.counters.get("phone.undecryptable"), None);
    alice.stop().await;
    net.shutdown().await.unwrap();
}
