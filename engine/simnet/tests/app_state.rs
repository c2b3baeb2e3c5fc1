//! App state between the real client and its phone: what one changes, the other sees, also when both
//! change at once.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use support::{ALICE, BOB, Companion, network, paired, shown_id, text, wait_for};
use wacore_binary::Jid;
use warest_simnet::{ChatChange, ChatState, Fault, FaultKind, LabelChange, SimnetHandle};
use whatsapp_rust::types::events::Event;

/// Waits until the chat with Bob is as told at Alice's phone.
async fn chat(net: &SimnetHandle, is: impl Fn(&ChatState) -> bool) -> ChatState {
    wait_for("the chat to change", async || {
        let chats = net.chats(ALICE).await.unwrap();
        chats.into_iter().find(|state| state.chat == BOB && is(state))
    })
    .await
}

/// A companion of Alice that has its keys, and the JID of Bob as it knows him.
async fn ready(net: &SimnetHandle) -> (Companion, Jid) {
    let companion = paired(net, ALICE).await;
    let sent = net.send_text(BOB, ALICE, "hello", None).await.unwrap();
    let bob = companion.message(&sent.id).await.chat.parse().unwrap();
    shown_id(net, ALICE, &sent.id).await;
    (companion, bob)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_sees_what_its_companion_changes() {
    let net = network().await;
    let (mut companion, bob) = ready(&net).await;
    let client = companion.client();
    let actions = client.chat_actions();
    actions.archive_chat(&bob, None).await.unwrap();
    chat(&net, |state| state.archived).await;
    actions.unarchive_chat(&bob, None).await.unwrap();
    chat(&net, |state| !state.archived).await;
    actions.pin_chat(&bob).await.unwrap();
    actions.mute_chat(&bob).await.unwrap();
    let state = chat(&net, |state| state.pinned && state.muted_until == Some(-1)).await;
    assert_eq!(state.unread, 1);
    actions.mark_chat_as_read(&bob, true, None).await.unwrap();
    chat(&net, |state| state.unread == 0).await;
    actions.mark_chat_as_read(&bob, false, None).await.unwrap();
    chat(&net, |state| state.marked_unread).await;

    let sent = client.send_message(bob.clone(), text("worth keeping")).await.unwrap();
    shown_id(&net, ALICE, &sent.message_id).await;
    actions.star_message(&bob, None, &sent.message_id, true).await.unwrap();
    let starred = wait_for("a star", async || net.starred(ALICE).await.unwrap().into_iter().next()).await;
    assert_eq!((starred.chat.as_str(), starred.id, starred.from_me), (BOB, sent.message_id.clone(), true));
    actions.unstar_message(&bob, None, &sent.message_id, true).await.unwrap();
    wait_for("no star", async || net.starred(ALICE).await.unwrap().is_empty().then_some(())).await;

    client.labels().create_label("7", "Customers", 3).await.unwrap();
    client.labels().add_chat_label("7", &bob).await.unwrap();
    chat(&net, |state| state.labels == ["7"]).await;
    let labels = net.labels(ALICE).await.unwrap();
    assert_eq!((labels[0].name.as_str(), labels[0].color, labels[0].deleted), ("Customers", 3, false));
    client.labels().delete_label("7").await.unwrap();
    wait_for("the label to go", async || net.labels(ALICE).await.unwrap()[0].deleted.then_some(())).await;

    actions.save_contact(&Jid::pn(BOB), Some("Bob Builder".into()), Some("Bob".into()), true).await.unwrap();
    let contact = wait_for("the contact", async || net.contacts(ALICE).await.unwrap().into_iter().next()).await;
    assert_eq!((contact.phone.as_str(), contact.name.as_str()), (BOB, "Bob Builder"));
    actions.clear_chat(&bob, true, false, None).await.unwrap();
    actions.delete_chat(&bob, true, None).await.unwrap();
    chat(&net, |state| state.cleared.is_some() && state.deleted.is_some()).await;
    let report = net.app_state(ALICE).await.unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert!(report.versions["regular_high"] >= 4, "{:?}", report.versions);
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_sees_what_its_phone_changes() {
    let net = network().await;
    let (mut companion, bob) = ready(&net).await;
    let change = ChatChange { archive: Some(true), pin: Some(true), mute: Some(-1), ..ChatChange::default() };
    net.change_chat(ALICE, BOB, change).await.unwrap();
    let archived = companion
        .event("the archive", |event| match event {
            Event::ArchiveUpdate(update) => Some((update.jid.clone(), update.action.archived)),
            _ => None,
        })
        .await;
    assert_eq!(archived, (bob.clone(), Some(true)));
    companion.event("the pin", |event| matches!(event, Event::PinUpdate(_)).then_some(())).await;
    companion.event("the mute", |event| matches!(event, Event::MuteUpdate(_)).then_some(())).await;

    let sent = net.send_text(ALICE, BOB, "from the phone", None).await.unwrap();
    net.star(ALICE, BOB, &sent.id, true).await.unwrap();
    let starred = companion
        .event("the star", |event| match event {
            Event::StarUpdate(update) => Some((update.message_id.clone(), update.from_me)),
            _ => None,
        })
        .await;
    assert_eq!(starred, (sent.id, true));

    let id = net.set_label(ALICE, None, "Friends", 5, false).await.unwrap();
    let label = LabelChange { id: id.clone(), on: true };
    net.change_chat(ALICE, BOB, ChatChange { label: Some(label), ..ChatChange::default() }).await.unwrap();
    let edited = companion
        .event("the label", |event| match event {
            Event::LabelEditUpdate(update) => Some((update.label_id.clone(), update.action.name.clone())),
            _ => None,
        })
        .await;
    assert_eq!(edited, (id, Some("Friends".into())));
    companion.event("the labelled chat", |event| matches!(event, Event::LabelAssociationUpdate(_)).then_some(())).await;

    net.set_contact(ALICE, BOB, Some("Bobby Tables")).await.unwrap();
    let contact = companion
        .event("the contact", |event| match event {
            Event::ContactUpdate(update) => update.action.full_name.clone(),
            _ => None,
        })
        .await;
    assert_eq!(contact, "Bobby Tables");
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_resolved_and_loses_neither_change() {
    let net = network().await;
    let (mut companion, bob) = ready(&net).await;
    let client = companion.client();
    client.chat_actions().pin_chat(&bob).await.unwrap();
    // The companion's next patch is refused, and its phone is faster with another one.
    net.add_fault(Fault::new(FaultKind::Conflict, ALICE, 1)).await.unwrap();
    let quick = ChatChange { archive: Some(true), ..ChatChange::default() };
    let actions = client.chat_actions();
    let (phone, companions) = tokio::join!(net.change_chat(ALICE, BOB, quick), actions.unpin_chat(&bob));
    phone.unwrap();
    companions.unwrap();
    chat(&net, |state| state.archived && !state.pinned).await;
    assert!(net.stats().await.counters["appstate.refused"] >= 1);
    assert!(net.app_state(ALICE).await.unwrap().problems.is_empty());
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_companion_learns_the_state_so_far_from_a_snapshot() {
    let net = network().await;
    let (mut first, bob) = ready(&net).await;
    for n in 0..30 {
        let change = ChatChange { pin: Some(n % 2 == 0), ..ChatChange::default() };
        net.change_chat(ALICE, BOB, change).await.unwrap();
    }
    net.change_chat(ALICE, BOB, ChatChange { pin: Some(true), ..ChatChange::default() }).await.unwrap();
    let mut second = paired(&net, ALICE).await;
    let pinned = second
        .event("the pin", |event| match event {
            Event::PinUpdate(update) => Some((update.jid.clone(), update.action.pinned)),
            _ => None,
        })
        .await;
    assert_eq!(pinned, (bob.clone(), Some(true)));
    assert!(net.stats().await.counters["appstate.snapshots"] >= 1);
    // What the second changes, the first is told of, and the phone.
    second.client().chat_actions().mute_chat(&bob).await.unwrap();
    first.event("the mute", |event| matches!(event, Event::MuteUpdate(_)).then_some(())).await;
    chat(&net, |state| state.muted_until.is_some()).await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn app_state_outlives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let state = Some(directory.path().join("simnet.json"));
    let listen = "127.0.0.1:0".parse().unwrap();
    let config = warest_simnet::SimnetConfig { listen, state };
    let net = warest_simnet::Simnet::start(config.clone()).await.unwrap();
    net.add_phone(ALICE, "Alice").await.unwrap();
    net.add_phone(BOB, "Bob").await.unwrap();
    net.change_chat(ALICE, BOB, ChatChange { archive: Some(true), ..ChatChange::default() }).await.unwrap();
    let certificate = net.media_certificate().to_owned();
    net.shutdown().await.unwrap();
    let net = warest_simnet::Simnet::start(config).await.unwrap();
    assert!(chat(&net, |state| state.archived).await.archived);
    net.change_chat(ALICE, BOB, ChatChange { archive: Some(false), ..ChatChange::default() }).await.unwrap();
    chat(&net, |state| !state.archived).await;
    assert_eq!(net.media_certificate(), certificate);
    net.shutdown().await.unwrap();
}
