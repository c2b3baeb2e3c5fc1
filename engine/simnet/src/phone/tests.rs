//! Phones among themselves, with what no client can do from outside: losing a session.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::compose;
use crate::chance::Chance;
use crate::control::Control;
use crate::network::Network;
use crate::server::noise::Authority;
use std::sync::Arc;
use std::time::Duration;

const ALICE: &str = "491511111111";
const BOB: &str = "491522222222";

fn network() -> (Arc<Network>, Control) {
    let chance = Chance::new(Some(7));
    let authority = Authority::generate(&chance).unwrap();
    let net = Network::new(chance, authority);
    net.add_phone(ALICE, "Alice").unwrap();
    net.add_phone(BOB, "Bob").unwrap();
    (net.clone(), Control::new(net))
}

async fn shows(control: &Control, phone: &str, text: &str) {
    let mut after = 0;
    let deadline = Duration::from_secs(10);
    loop {
        let messages = control.messages(phone, after, Some(deadline)).await.unwrap();
        assert!(!messages.is_empty(), "{phone} never showed {text:?}");
        if messages.iter().any(|message| message.text == text) {
            return;
        }
        after = messages.last().unwrap().seq;
    }
}

#[tokio::test]
async fn a_phone_that_lost_its_session_asks_again_and_shows_the_message() {
    let (net, control) = network();
    control.send_text(ALICE, BOB, "one", None).await.unwrap();
    shows(&control, BOB, "one").await;
    control.send_text(BOB, ALICE, "two", None).await.unwrap();
    shows(&control, ALICE, "two").await;
    let alice = net.account(ALICE).unwrap().device(0).unwrap();
    let bob = net.account(BOB).unwrap();
    bob.primary.keys.lock().await.forget_session(&compose::address(&alice));
    control.send_text(ALICE, BOB, "three", None).await.unwrap();
    shows(&control, BOB, "three").await;
    assert_eq!(control.stats().await.counters["phone.retries_answered"], 1);
    control.send_text(BOB, ALICE, "four", None).await.unwrap();
    shows(&control, ALICE, "four").await;
}

#[tokio::test]
async fn prekeys_run_out_for_nobody() {
    let (_net, control) = network();
    for n in 0..60u32 {
        let phone = format!("4916{n:08}");
        control.add_phone(&phone, "Many").await.unwrap();
        control.send_text(&phone, BOB, &format!("hello {n}"), None).await.unwrap();
    }
    shows(&control, BOB, "hello 59").await;
    assert_eq!(control.messages(BOB, 0, None).await.unwrap().len(), 60);
}
