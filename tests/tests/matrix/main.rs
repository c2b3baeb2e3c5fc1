#![allow(clippy::unwrap_used, missing_docs)]
//! The fault matrix: what `docs/guarantees.md` promises, under fire. Real
//! processes, a real database, the simulated network; ten customers who write,
//! three reactors that answer each message, and one fault after the other.
//!
//! What counts is counted outside the engine, where users would: in the
//! customers' inboxes and at the webhook receiver. For every fault the same
//! must come out ([`count::Tally`]): nothing lost, nothing shown twice, nothing
//! out of order within a chat, every event with one id.
//!
//! Longer runs: `WAREST_TEST_KILLS=1000` for the random kills,
//! `WAREST_TEST_SOAK_MINUTES=30` for the soak.

mod clock;
mod count;
mod disk;
mod kills;
mod network;
mod receiver;
mod receivers;
mod shim;
mod soak;
mod stage;
mod wire;

/// A number from the environment, for the longer versions of a test.
fn setting(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}
