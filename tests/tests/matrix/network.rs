//! The network between engine and WhatsApp: silent in either direction, broken,
//! and passing messages on twice, late, in another order or not at all.

use crate::receiver::Receiver;
use crate::stage::Stage;
use crate::wire::Wire;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_goes_silent_in_either_direction_loses_nothing() {
    let (network, folder) = Stage::ground();
    let wire = Wire::before(&network.url).await;
    let mut stage = Stage::over(network, folder, wire.url.clone(), 10, Vec::new(), Receiver::start().await).await;
    for (out, back) in [(true, false), (false, true), (true, true)] {
        for breaks in [false, true] {
            let writing = stage.writing(Duration::from_millis(200));
            tokio::time::sleep(Duration::from_millis(500)).await;
            let before = wire.held();
            wire.cut(out, back);
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert!(wire.held() > before, "nothing was to be passed on");
            if breaks {
                wire.break_all();
            }
            wire.cut(false, false);
            writing.end().await;
            stage.settles(&format!("silent out {out}, back {back}, then broken {breaks}")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_breaks_again_and_again_loses_nothing() {
    let (network, folder) = Stage::ground();
    let wire = Wire::before(&network.url).await;
    let mut stage = Stage::over(network, folder, wire.url.clone(), 10, Vec::new(), Receiver::start().await).await;
    let writing = stage.writing(Duration::from_millis(200));
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(rand::random_range(200..1_500))).await;
        wire.break_all();
    }
    writing.end().await;
    stage.settles("broken again and again").await;
}

/// Some rounds under a fault, and what is owed afterwards.
async fn under(stage: &mut Stage, fault: Value) -> crate::count::Tally {
    let before = stage.no_faults().await;
    stage.fault(fault.clone()).await;
    stage.customers.rounds(4).await;
    // What is dropped comes again with the next connection.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let struck = stage.no_faults().await - before;
    assert!(struck > 0, "{fault} never struck");
    if fault["kind"] == "drop" {
        stage.reconnect().await;
    }
    stage.settle(&format!("{fault}, {struck} times")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_come_twice_late_or_not_at_all_are_handled_once() {
    let mut stage = Stage::new(10, Vec::new()).await;
    for fault in [
        json!({"kind": "duplicate", "count": 60}),
        json!({"kind": "delay", "count": 6, "ms": 200}),
        json!({"kind": "drop", "count": 5, "direction": "out"}),
        json!({"kind": "disconnect", "count": 2, "direction": "in"}),
        json!({"kind": "disconnect", "count": 2, "direction": "out"}),
        json!({"kind": "reorder", "count": 10, "direction": "out"}),
    ] {
        let tally = under(&mut stage, fault.clone()).await;
        assert!(tally.is_clean(), "{fault}: {tally}\n{}", tally.details.join("\n"));
    }
}

/// The network changes the order of arrival; the replies follow the log all the same.
#[tokio::test(flavor = "multi_thread")]
async fn messages_that_arrive_in_another_order_are_answered_in_the_order_of_the_log() {
    let mut stage = Stage::new(10, Vec::new()).await;
    for fault in [
        json!({"kind": "reorder", "count": 10, "ms": 100, "direction": "in"}),
        // What is dropped arrives after what was not.
        json!({"kind": "drop", "count": 5, "direction": "in"}),
    ] {
        let tally = under(&mut stage, fault).await;
        assert!(tally.is_clean_but_for_arrival(), "{tally}\n{}", tally.details.join("\n"));
    }
}
