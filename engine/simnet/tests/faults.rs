//! Faults that tests switch on, as the real client lives through them.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use support::{ALICE, BOB, network, paired, shown, text, wait_for};
use wacore_binary::Jid;
use warest_simnet::{Direction, Fault, FaultKind};

fn fault(kind: FaultKind, count: u32, direction: Direction) -> Fault {
    Fault { direction: Some(direction), ..Fault::new(kind, ALICE, count) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_message_comes_after_the_next_login() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    net.add_fault(fault(FaultKind::Drop, 1, Direction::In)).await.unwrap();
    net.send_text(BOB, ALICE, "dropped", None).await.unwrap();
    net.send_text(BOB, ALICE, "arrives", None).await.unwrap();
    companion.receive("arrives").await;
    assert!(companion.got().iter().all(|got| got.text != "dropped"));
    companion.client().reconnect_immediately().await;
    companion.receive("dropped").await;
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_and_reordering_lose_nothing() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    net.add_fault(fault(FaultKind::Duplicate, 3, Direction::In)).await.unwrap();
    net.add_fault(fault(FaultKind::Reorder, 2, Direction::In)).await.unwrap();
    for n in 0..8 {
        net.send_text(BOB, ALICE, &format!("text {n}"), None).await.unwrap();
    }
    for n in 0..8 {
        companion.receive(&format!("text {n}")).await;
    }
    wait_for("an empty queue", async || (net.stats().await.queued == 0).then_some(())).await;
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_comes_back_and_gets_the_message() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    net.add_fault(fault(FaultKind::Disconnect, 1, Direction::In)).await.unwrap();
    net.send_text(BOB, ALICE, "through the cut", None).await.unwrap();
    companion.receive("through the cut").await;
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_dropped_on_the_way_out_is_not_acked_and_not_shown() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    net.add_fault(fault(FaultKind::Drop, 1, Direction::Out)).await.unwrap();
    let client = companion.client();
    client.send_message(Jid::pn(BOB), text("lost on the way")).await.unwrap();
    client.send_message(Jid::pn(BOB), text("comes through")).await.unwrap();
    shown(&net, BOB, "comes through").await;
    let messages = net.messages(BOB, 0, None).await.unwrap();
    assert!(messages.iter().all(|message| message.text != "lost on the way"));
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_logs_the_companion_out() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    let ban = Fault { direction: None, ..fault(FaultKind::Ban, 1, Direction::In) };
    net.add_fault(ban).await.unwrap();
    wait_for("the logout", async || companion.logged_out().then_some(())).await;
    assert!(net.faults().await.is_empty());
    companion.stop().await;
}

#[tokio::test]
async fn faults_are_bounded() {
    let net = network().await;
    for count in [0, 10_001] {
        let refused = net.add_fault(fault(FaultKind::Drop, count, Direction::In)).await;
        assert_eq!(refused.err().unwrap().status(), 400);
    }
    for _ in 0..100 {
        net.add_fault(fault(FaultKind::Drop, 1, Direction::In)).await.unwrap();
    }
    assert!(net.add_fault(fault(FaultKind::Drop, 1, Direction::In)).await.is_err());
    for (kind, code) in [(FaultKind::Nack, None), (FaultKind::Nack, Some(200)), (FaultKind::Drop, Some(429))] {
        let refused = net.add_fault(Fault { code, ..Fault::new(kind, ALICE, 1) }).await;
        assert_eq!(refused.err().unwrap().status(), 400, "{kind:?} {code:?}");
    }
    assert_eq!(net.clear_faults().await, 100);
}
