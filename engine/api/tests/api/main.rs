//! The REST API over a real store and a real engine, with a double for the
//! network: what is asserted is what a client sees, and what is in the store.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod account;
mod auth;
mod bad_input;
mod contract;
mod deliveries;
mod flows;
mod groups;
mod guards;
mod idempotency;
mod jobs;
mod links;
mod misc;
mod plugins;
mod profile;
mod receiver;
mod runs;
mod sends;
mod server;
mod sessions;
mod sockets;
mod streams;
mod targets;
mod throttle;
mod watch;
mod world;
