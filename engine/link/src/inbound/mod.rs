//! From stanzas to observations.
//!
//! [`hook`] stands between decryption and the acknowledgement and keeps the
//! first law; [`message`] and [`presence`] say what was seen, in the contract's
//! payloads; [`content`] and [`json`] show what a message holds; [`who`] names
//! people by phone number wherever that is known.

mod content;
pub(crate) mod hook;
mod json;
mod message;
pub(crate) mod presence;
pub(crate) mod who;
