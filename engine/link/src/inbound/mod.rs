//! From stanzas to observations.
//!
//! [`hook`] stands between decryption and the acknowledgement and keeps the
//! first law; [`order`] says what has to come before what; [`message`] says what
//! was seen of a message, in the contract's payloads, with the help of [`content`]
//! and [`json`], which show what it holds, and of [`originals`], which finds what
//! it speaks of. [`news`] records what comes beside messages: [`group`], [`call`],
//! [`settings`], [`contact`], [`audit`]. [`presence`] and [`receipt`] record what
//! passes, [`sync`] the phone's history. [`who`] names people by phone number
//! wherever that is known.

mod audit;
mod call;
mod contact;
pub(crate) mod content;
mod group;
pub(crate) mod hook;
mod json;
pub(crate) mod message;
pub(crate) mod news;
pub(crate) mod order;
pub(crate) mod originals;
pub(crate) mod presence;
pub(crate) mod receipt;
mod settings;
pub(crate) mod sync;
pub(crate) mod unread;
pub(crate) mod who;
