//! What a session costs in memory; run by hand, it prints its figures:
//! `cargo nextest run --release -p warest-link --features sandbox --run-ignored only --no-capture footprint`.
#![cfg(feature = "sandbox")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Instant;
use support::{ANI, World, text};
use warest_link::{Links as _, Outgoing};
use warest_model::id::SessionId;
use warest_model::session::SessionState;

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; run by hand"]
async fn footprint_of_many_sessions() {
    let world = World::new().await;
    let sessions: Vec<(SessionId, String)> =
        (0..100).map(|n| (format!("s{n}").parse().unwrap(), format!("6285550{n:05}"))).collect();
    for (_, phone) in &sessions {
        world.net.add_phone(phone, "Bot").await.unwrap();
    }
    let before = resident();
    let begun = Instant::now();
    for (session, phone) in &sessions {
        world.link.start(session).await.unwrap();
        let qr = world.until(session, SessionState::Qr).await.qr.unwrap();
        world.net.link_qr(phone, &qr.text).await.unwrap();
        world.until(session, SessionState::Open).await;
    }
    let paired = begun.elapsed();
    let open = resident();
    for (n, (session, _)) in sessions.iter().enumerate() {
        world.link.send(session, Outgoing::plain(&text(ANI, "hello"), &format!("3EB0000000000{n:05}"))).await.unwrap();
    }
    let sent = resident();
    world.link.shutdown().await;

    let count = sessions.len() as u64;
    println!("sessions {count}, paired one after another in {paired:?}");
    println!("memory per open session, simnet's side and key store in memory included:");
    println!("  after pairing {} KiB, after a first message {} KiB", (open - before) / count, (sent - before) / count);

    // The same sessions again, all at once: no code to scan, a restart.
    let world_link = world.again();
    let begun = Instant::now();
    for (session, _) in &sessions {
        world_link.start(session).await.unwrap();
    }
    for (session, _) in &sessions {
        let mut status = world_link.status(session).unwrap();
        status.wait_for(|status| status.state == SessionState::Open).await.unwrap();
    }
    println!("restart: all open after {:?}", begun.elapsed());
    world_link.shutdown().await;
}
