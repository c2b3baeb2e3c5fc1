//! From stanzas to observations.
//!
//! [`hook`] stands between decryption and the acknowledgement and keeps the
//! first law; [`order`] says what has to come before what; [`message`] and
//! [`presence`] say what was seen, in the contract's payloads; [`receipt`] says
//! what became of messages that were sent; [`content`] and [`json`] show what a
//! message holds; [`who`] names
//! people by phone number wherever that is known.

mod content;
pub(crate) mod hook;
mod json;
pub(crate) mod message;
pub(crate) mod order;
pub(crate) mod presence;
pub(crate) mod receipt;
pub(crate) mod unread;
pub(crate) mod who;
