//! What is changed on the account's own devices, as its phone then shows it.
#![cfg(feature = "sandbox")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;
use support::{ANI, BOT, World, jid};
use warest_link::{Links as _, Outgoing};
use warest_model::content::{ChatChange, Mute};
use warest_model::history::Label;
use warest_model::id::SessionId;
use warest_model::plan::{Effect, MessageKey};
use warest_simnet::{ChatState, Fault, FaultKind};

async fn until<T: std::fmt::Debug>(what: &str, mut look: impl AsyncFnMut() -> T, fits: impl Fn(&T) -> bool) -> T {
    let deadline = tokio::time::Instant::now() + support::DEADLINE;
    loop {
        let seen = look().await;
        if fits(&seen) {
            return seen;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what}: {seen:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The chat with Ani at the bot's phone.
async fn chat(world: &World) -> Option<ChatState> {
    world.net.chats(BOT).await.unwrap().into_iter().find(|chat| chat.chat.contains(ANI))
}

/// Tries until the phone has handed over the keys of the account's state.
async fn perform(world: &World, session: &SessionId, effect: &Effect, last: Option<(&MessageKey, i64)>) {
    until(
        "the effect",
        async || world.link.send(session, Outgoing { last, ..Outgoing::plain(effect, "") }).await,
        |done| done.as_ref().map_err(|fault| fault.code.as_str()).err() != Some("state_keys_missing"),
    )
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stars_and_changes_of_chats_reach_the_phone() {
    let world = World::new().await;
    let session = world.paired().await;
    let sent = world.net.send_text(ANI, BOT, "hi", None).await.unwrap();
    world.intake.until("hi", |one| one.data["text"] == "hi").await;
    let key = MessageKey { remote_jid: jid(ANI), from_me: false, id: sent.id.clone(), participant: None };
    let now = 1_900_000_000_000;

    perform(&world, &session, &Effect::Star { key: key.clone(), on: true }, None).await;
    until("a star", async || world.net.starred(BOT).await.unwrap(), |all| all.iter().any(|one| one.id == sent.id))
        .await;
    perform(&world, &session, &Effect::Star { key: key.clone(), on: false }, None).await;
    until("no star", async || world.net.starred(BOT).await.unwrap(), Vec::is_empty).await;

    let change = async |change: ChatChange| {
        perform(&world, &session, &Effect::Chat { chat: jid(ANI), change }, Some((&key, now))).await;
    };
    let shows = async |what: &str, fits: &dyn Fn(&ChatState) -> bool| {
        until(what, async || chat(&world).await, |chat| chat.as_ref().is_some_and(fits)).await;
    };
    change(ChatChange::Archive(true)).await;
    shows("archived", &|chat| chat.archived).await;
    change(ChatChange::Archive(false)).await;
    shows("back", &|chat| !chat.archived).await;
    change(ChatChange::Pin(true)).await;
    shows("pinned", &|chat| chat.pinned).await;
    change(ChatChange::Pin(false)).await;
    shows("not pinned", &|chat| !chat.pinned).await;
    change(ChatChange::Mute(Some(Mute::Always))).await;
    shows("muted", &|chat| chat.muted_until == Some(-1)).await;
    change(ChatChange::Mute(Some(Mute::For(3_600_000)))).await;
    shows("muted for a time", &|chat| chat.muted_until.is_some_and(|until| until > 0)).await;
    change(ChatChange::Mute(None)).await;
    shows("loud", &|chat| chat.muted_until.is_none()).await;
    change(ChatChange::Read(false)).await;
    shows("unread", &|chat| chat.marked_unread).await;
    // Another device changes the same at the same time: the patch is built anew.
    world.net.add_fault(Fault::new(FaultKind::Conflict, BOT, 1)).await.unwrap();
    change(ChatChange::Read(true)).await;
    shows("read", &|chat| !chat.marked_unread).await;
    change(ChatChange::Clear).await;
    shows("cleared", &|chat| chat.cleared.is_some()).await;
    perform(&world, &session, &Effect::Delete { key: key.clone(), with_media: true }, None).await;
    change(ChatChange::Delete).await;
    shows("deleted", &|chat| chat.deleted.is_some()).await;
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_and_contacts_reach_the_phone() {
    let world = World::new().await;
    let session = world.paired().await;
    let star = MessageKey { remote_jid: jid(ANI), from_me: true, id: "A".into(), participant: None };
    perform(&world, &session, &Effect::Star { key: star, on: true }, None).await;
    let account = world.link.account(&session).unwrap();
    let label = Label { id: "7".into(), name: "Friends".into(), color: 3 };
    account.save_label(&label).await.unwrap();
    account.label_chat("7", &jid(ANI), true).await.unwrap();
    let shown = until("a label", async || world.net.labels(BOT).await.unwrap(), |all| !all.is_empty()).await;
    assert_eq!((shown[0].id.as_str(), shown[0].name.as_str(), shown[0].color), ("7", "Friends", 3));
    until(
        "a label on the chat",
        async || chat(&world).await,
        |chat| chat.as_ref().is_some_and(|chat| chat.labels == ["7"]),
    )
    .await;
    account.label_chat("7", &jid(ANI), false).await.unwrap();
    account.remove_label("7").await.unwrap();
    until("no label", async || world.net.labels(BOT).await.unwrap(), |all| all.iter().all(|one| one.deleted)).await;
    account.save_contact(&jid(ANI), "Ani B.", Some("Ani")).await.unwrap();
    let contacts = until("a contact", async || world.net.contacts(BOT).await.unwrap(), |all| !all.is_empty()).await;
    assert!(contacts.iter().any(|one| one.name == "Ani B."), "{contacts:?}");
    world.link.shutdown().await;
}
