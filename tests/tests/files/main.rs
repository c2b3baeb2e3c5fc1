#![allow(clippy::unwrap_used, missing_docs)]
//! Files through the real engine: large ones, which must not cost memory, and
//! those that were made to harm, which must end in an error that says what to do.
//! The engine is a process of its own, so that its memory can be read; that takes
//! Linux.
#![cfg(target_os = "linux")]

mod hostile;
mod large;
mod made;
mod server;
mod stage;
