//! The link against simnet: everything goes over the real protocol.
#![cfg(feature = "sandbox")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::atomic::Ordering;
use support::{ANI, BOT, World, jid, text};
use warest_link::{Links as _, Outgoing};
use warest_model::content::Content;
use warest_model::event::EventKind;
use warest_model::fault::FaultKind;
use warest_model::job::ReceiptKind;
use warest_model::plan::{Effect, MessageKey, PresenceState};
use warest_model::session::SessionState;
use warest_simnet::{Direction, Fault, FaultKind as Trouble};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_pairs_by_qr_and_says_so() {
    let world = World::new().await;
    let session = world.paired().await;
    let me = format!("{BOT}@s.whatsapp.net");
    assert_eq!(world.intake.me.lock().unwrap().as_deref(), Some(me.as_str()));
    assert_eq!(world.link.status(&session).unwrap().borrow().me.as_deref(), Some(me.as_str()));
    let open = world.intake.until("open", |one| one.data["state"] == "open").await;
    assert_eq!(open.data["me"], me);
    // The restart that the server asks for after pairing is no error.
    assert_eq!(world.intake.states(), ["connecting", "qr", "connecting", "open"]);
    let qr = world.intake.until("qr", |one| one.data["state"] == "qr").await;
    assert!(qr.data["qrDuration"].as_i64().unwrap() > 10);
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_comes_in_and_the_answer_carries_the_given_id_once() {
    let world = World::new().await;
    let session = world.paired().await;
    let sent = world.net.send_text(ANI, BOT, "ping", None).await.unwrap();
    let seen = world.intake.until("ping", |one| one.data["text"] == "ping").await;
    assert_eq!(seen.data["messageId"], sent.id);
    assert_eq!(seen.data["chatId"], format!("{ANI}@s.whatsapp.net"));
    assert_eq!(seen.data["sender"], format!("{ANI}@s.whatsapp.net"));
    assert_eq!(seen.chat, Some(jid(ANI)));

    world.link.send(&session, Outgoing::plain(&text(ANI, "pong"), "3EB0AAAABBBBCCCC01")).await.unwrap();
    assert_eq!(world.shown(ANI, "pong").await, ("3EB0AAAABBBBCCCC01".into(), 0));
    // A repeat after a crash carries the same id: the phone shows it once.
    world.link.send(&session, Outgoing::plain(&text(ANI, "pong"), "3EB0AAAABBBBCCCC01")).await.unwrap();
    world.link.send(&session, Outgoing::plain(&text(ANI, "last"), "3EB0AAAABBBBCCCC02")).await.unwrap();
    world.shown(ANI, "last").await;
    let shown = world.net.messages(ANI, 0, None).await.unwrap();
    let pongs: Vec<_> = shown.iter().filter(|one| one.text == "pong").collect();
    assert_eq!((pongs.len(), pongs[0].repeats), (1, 1));
    // The bot hears of none of its own messages.
    assert_eq!(world.intake.texts(), ["ping"]);
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_receipts_and_typing_cross_both_ways() {
    let world = World::new().await;
    let session = world.paired().await;
    let sent = world.net.send_text(ANI, BOT, "hi", None).await.unwrap();
    world.intake.until("hi", |one| one.data["text"] == "hi").await;
    let key = MessageKey { remote_jid: jid(ANI), from_me: false, id: sent.id.clone(), participant: None };
    let send = async |effect: Effect, id: &str| world.link.send(&session, Outgoing::plain(&effect, id)).await.unwrap();
    send(Effect::React { to: jid(ANI), key: key.clone(), emoji: "👍".into() }, "3EB0000000000000A1").await;
    send(Effect::Read { keys: vec![key.clone()] }, "").await;
    send(Effect::Presence { state: PresenceState::Available, to: None }, "").await;
    send(Effect::Presence { state: PresenceState::Composing, to: Some(jid(ANI)) }, "").await;
    let quote = Effect::Message {
        to: jid(ANI),
        content: Content::text("re"),
        mentions: vec![jid(ANI)],
        quoted: Some(key),
        forwarded: false,
    };
    send(quote, "3EB0000000000000A2").await;
    world.shown(ANI, "re").await;
    let shown = world.net.messages(ANI, 0, None).await.unwrap();
    assert!(shown.iter().any(|one| one.kind == "reaction" && one.text == "👍"), "{shown:#?}");
    let receipts = world.net.receipts(ANI, 0).await.unwrap();
    assert!(receipts.iter().any(|one| one.kind == "read" && one.ids == [sent.id.clone()]), "{receipts:#?}");
    let states = world.net.presence(ANI, 0).await.unwrap();
    assert!(states.iter().any(|one| one.state == "composing"), "{states:#?}");

    world.net.react(ANI, BOT, "3EB0000000000000A2", "🎉", false).await.unwrap();
    let seen = world.intake.until("reaction", |one| one.kind == EventKind::MessageReaction).await;
    assert_eq!(seen.data["reaction"], "🎉");
    assert_eq!(seen.data["key"]["id"], "3EB0000000000000A2");
    assert_eq!(seen.data["key"]["fromMe"], true);
    world.net.typing(ANI, BOT, warest_simnet::TypingState::Recording).await.unwrap();
    let seen = world
        .intake
        .until("typing", |one| one.kind == EventKind::PresenceUpdate && one.data["presence"] == "recording")
        .await;
    assert_eq!(seen.data["jid"], format!("{ANI}@s.whatsapp.net"));
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_recorded_is_delivered_again() {
    let world = World::new().await;
    let _session = world.paired().await;
    world.intake.failures.store(6, Ordering::SeqCst);
    world.net.send_text(ANI, BOT, "first", None).await.unwrap();
    world.net.send_text(ANI, BOT, "second", None).await.unwrap();
    world.intake.until("first", |one| one.data["text"] == "first").await;
    world.intake.until("second", |one| one.data["text"] == "second").await;
    assert_eq!(world.intake.texts().len(), 2);
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_is_made_again_and_misses_nothing() {
    let world = World::new().await;
    let session = world.paired().await;
    let cut = Fault { direction: Some(Direction::In), ..Fault::new(Trouble::Disconnect, BOT, 1) };
    world.net.add_fault(cut).await.unwrap();
    world.net.send_text(ANI, BOT, "while away", None).await.unwrap();
    world.intake.until("the message", |one| one.data["text"] == "while away").await;
    // The message can be here before the cut is noticed.
    world.intake.until_states(&["reconnecting", "open"]).await;
    world.link.send(&session, Outgoing::plain(&text(ANI, "back"), "3EB0000000000000B1")).await.unwrap();
    world.shown(ANI, "back").await;
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unacknowledged_send_is_unknown_and_its_repeat_is_shown_once() {
    let world =
        World::with(|config| warest_link::LinkConfig { send_timeout: std::time::Duration::from_secs(2), ..config })
            .await;
    let session = world.paired().await;
    let drop = Fault { direction: Some(Direction::Out), ..Fault::new(Trouble::Drop, BOT, 1) };
    world.net.add_fault(drop).await.unwrap();
    let fault = world.link.send(&session, Outgoing::plain(&text(ANI, "x"), "3EB0000000000000C1")).await.unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (FaultKind::Unknown, "ack_timeout"));
    world.link.send(&session, Outgoing::plain(&text(ANI, "x"), "3EB0000000000000C1")).await.unwrap();
    assert_eq!(world.shown(ANI, "x").await, ("3EB0000000000000C1".into(), 0));
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_has_its_kind_and_a_repeat_goes_out() {
    let world = World::new().await;
    let session = world.paired().await;
    for (code, expected) in [
        (429, (FaultKind::Retry, "overlimit")),
        (463, (FaultKind::Retry, "reach_out_locked")),
        (503, (FaultKind::Retry, "server_unavailable")),
        (403, (FaultKind::Fail, "send_forbidden")),
    ] {
        let nack = Fault { code: Some(code), to: Some(ANI.into()), ..Fault::new(Trouble::Nack, BOT, 1) };
        world.net.add_fault(nack).await.unwrap();
        let fault =
            world.link.send(&session, Outgoing::plain(&text(ANI, "x"), "3EB0000000000000F1")).await.unwrap_err();
        assert_eq!((fault.kind, fault.code.as_str()), expected);
    }
    world.link.send(&session, Outgoing::plain(&text(ANI, "x"), "3EB0000000000000F1")).await.unwrap();
    assert_eq!(world.shown(ANI, "x").await, ("3EB0000000000000F1".into(), 0));
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_recipients_phone_says_of_a_message_is_heard() {
    let world = World::new().await;
    let session = world.paired().await;
    world.link.send(&session, Outgoing::plain(&text(ANI, "x"), "3EB0000000000000F2")).await.unwrap();
    world.heard("3EB0000000000000F2", ReceiptKind::Delivered).await;
    world.net.mark_read(ANI, BOT, &["3EB0000000000000F2".to_owned()]).await.unwrap();
    world.heard("3EB0000000000000F2", ReceiptKind::Read).await;
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_keeps_the_pairing_and_a_restart_needs_no_code() {
    let world = World::new().await;
    let session = world.paired().await;
    world.link.stop(&session).await;
    assert!(world.link.status(&session).is_none());
    let fault = world.link.send(&session, Outgoing::plain(&text(ANI, "x"), "3EB0000000000000D1")).await.unwrap_err();
    assert_eq!(fault.code, "not_connected");
    world.net.send_text(ANI, BOT, "meanwhile", None).await.unwrap();
    world.link.start(&session).await.unwrap();
    world.until(&session, SessionState::Open).await;
    world.intake.until("meanwhile", |one| one.data["text"] == "meanwhile").await;
    world.link.reconnect(&session).await.unwrap();
    world.intake.until("reconnecting", |one| one.data["state"] == "reconnecting").await;
    world.until(&session, SessionState::Open).await;
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_takes_the_device_off_the_account_and_forgets_its_keys() {
    let world = World::new().await;
    let session = world.paired().await;
    assert_eq!(world.net.stats().await.companions, 1);
    world.link.logout(&session).await.unwrap();
    assert_eq!(world.net.stats().await.companions, 0);
    assert!(world.keys.is_empty());
    assert_eq!(*world.intake.me.lock().unwrap(), None);
    let status = world.link.status(&session).unwrap().borrow().clone();
    assert_eq!((status.state, status.me), (SessionState::LoggedOut, None));
    let fault = world.link.send(&session, Outgoing::plain(&text(ANI, "x"), "3EB0000000000000E1")).await.unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (FaultKind::Fail, "logged_out"));
    // It can be paired anew.
    world.paired().await;
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn being_removed_by_the_phone_forgets_the_keys() {
    let world = World::new().await;
    let session = world.paired().await;
    let device = world.net.phones().await.iter().find(|one| one.phone == BOT).unwrap().devices[0].clone();
    let number = device.split([':', '@']).nth(1).unwrap().parse().unwrap();
    assert!(world.net.unlink(BOT, number).await.unwrap());
    world.until(&session, SessionState::LoggedOut).await;
    world.intake.until("logged_out", |one| one.data["state"] == "logged_out").await;
    assert!(world.keys.is_empty());
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_that_nobody_scans_run_out() {
    let world =
        World::with(|config| warest_link::LinkConfig { pairing: std::time::Duration::from_secs(1), ..config }).await;
    let session = "bot".parse().unwrap();
    world.link.start(&session).await.unwrap();
    world.until(&session, SessionState::Qr).await;
    let end = world.intake.until("the end", |one| one.data["state"] == "logged_out").await;
    assert_eq!(end.data["reason"], "qr_expired");
    // Starting again offers new ones.
    world.paired().await;
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_are_sent_to_side_by_side() {
    let world = World::new().await;
    let session = world.paired().await;
    let phones: Vec<String> = (0..12).map(|n| format!("62833300{n:04}")).collect();
    for phone in &phones {
        world.net.add_phone(phone, "Friend").await.unwrap();
    }
    let sends = phones.iter().enumerate().map(|(n, phone)| {
        let (link, session) = (&world.link, &session);
        async move {
            let id = format!("3EB00000000000F{n:03}");
            link.send(session, Outgoing::plain(&text(phone, "hello"), &id)).await
        }
    });
    for done in futures::future::join_all(sends).await {
        done.unwrap();
    }
    for phone in &phones {
        world.shown(phone, "hello").await;
    }
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_process_finds_its_sessions_again() {
    let world = World::new().await;
    let session = world.paired().await;
    world.link.shutdown().await;
    assert_eq!(world.link.start(&session).await.unwrap_err().code, "shutting_down");
    world.net.send_text(ANI, BOT, "meanwhile", None).await.unwrap();
    let link = world.again();
    link.start(&session).await.unwrap();
    world.intake.until("meanwhile", |one| one.data["text"] == "meanwhile").await;
    let mut status = link.status(&session).unwrap();
    status.wait_for(|status| status.state == SessionState::Open).await.unwrap();
    link.send(&session, Outgoing::plain(&text(ANI, "still here"), "3EB0000000000000G1")).await.unwrap();
    world.shown(ANI, "still here").await;
    link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_loopback_is_not_dialled() {
    let world =
        World::with(|config| warest_link::LinkConfig { endpoint: "wss://192.0.2.1/ws/chat".into(), ..config }).await;
    let session = "bot".parse().unwrap();
    world.link.start(&session).await.unwrap();
    let refused = world.intake.until("the refusal", |one| !one.data["reason"].is_null()).await;
    let reason = refused.data["reason"].as_str().unwrap();
    assert!(reason.contains("sandbox builds reach only loopback"), "{reason}");
    world.link.shutdown().await;
}
