//! A build for the real WhatsApp does not believe simnet.
#![cfg(not(feature = "sandbox"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::World;
use warest_link::Links as _;

#[tokio::test(flavor = "multi_thread")]
async fn simnets_certificate_is_refused() {
    let world = World::new().await;
    let session = "bot".parse().unwrap();
    world.link.start(&session).await.unwrap();
    let refused = world.intake.until("the refusal", |one| !one.data["reason"].is_null()).await;
    assert_eq!(refused.data["reason"], "handshake_failed");
    // The network was reached, and no code to scan was ever offered.
    assert!(world.net.stats().await.counters["sockets"] >= 1);
    assert!(world.intake.states().iter().all(|state| state == "connecting"));
    world.link.shutdown().await;
}
