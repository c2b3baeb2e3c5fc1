//! Pairing by a code that a person types into the phone.
#![cfg(feature = "sandbox")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::{ANI, BOT, World, jid, text};
use warest_link::{Links as _, Outgoing};
use warest_model::fault::FaultKind;
use warest_model::id::SessionId;
use warest_model::session::SessionState;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_pairs_by_the_code_that_is_shown_until_then() {
    let world = World::new().await;
    let session: SessionId = "bot".parse().unwrap();
    let code = world.link.pair_code(&session, &jid(BOT)).await.unwrap();
    assert_eq!((code.len(), code.chars().nth(4)), (9, Some('-')), "{code}");
    let status = world.until(&session, SessionState::PairingCode).await;
    let shown = status.pairing_code.unwrap();
    assert_eq!((shown.text.as_str(), shown.phone.as_str()), (code.as_str(), BOT));
    assert!(status.qr.is_some(), "the code to scan would do, too");
    let told = world.intake.until("the code", |one| one.data["state"] == "pairing_code").await;
    assert_eq!(told.data["pairingCode"], code);
    assert!(told.data["pairingCodeDuration"].as_i64().unwrap() > 60);
    assert_eq!(world.link.pair_code(&session, &jid(BOT)).await.unwrap(), code, "asked again, it is the same");

    world.net.link_code(BOT, &code).await.unwrap();
    let open = world.until(&session, SessionState::Open).await;
    assert_eq!((open.qr, open.pairing_code), (None, None));
    world.link.send(&session, Outgoing::plain(&text(ANI, "by code"), "3EB0AAAABBBBCCCC01")).await.unwrap();
    world.shown(ANI, "by code").await;
    let fault = world.link.pair_code(&session, &jid(BOT)).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.kind), ("already_paired", FaultKind::Fail));
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_takes_the_codes_place_and_the_first_is_worth_nothing() {
    let world = World::new().await;
    let session: SessionId = "bot".parse().unwrap();
    let first = world.link.pair_code(&session, &jid(ANI)).await.unwrap();
    let second = world.link.pair_code(&session, &jid(BOT)).await.unwrap();
    assert_ne!(first, second);
    world.net.link_code(BOT, &second).await.unwrap();
    let open = world.until(&session, SessionState::Open).await;
    assert_eq!(open.me.as_deref(), Some(jid(BOT).as_str()));
    let group = warest_model::jid::Jid::parse("120363999999999999@g.us", "62").unwrap();
    assert_eq!(world.link.pair_code(&session, &group).await.unwrap_err().code, "phone_invalid");
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_shows_a_code_to_type_still_pairs_by_the_one_to_scan() {
    let world = World::new().await;
    let session: SessionId = "bot".parse().unwrap();
    world.link.pair_code(&session, &jid(BOT)).await.unwrap();
    let status = world.until(&session, SessionState::PairingCode).await;
    world.net.link_qr(BOT, &status.qr.unwrap().text).await.unwrap();
    world.until(&session, SessionState::Open).await;
    world.link.shutdown().await;
}
