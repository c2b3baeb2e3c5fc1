//! Messages: sending them, and what is done to those that are there.

pub mod bulk;
pub mod chats;
mod letter;
pub mod manage;
pub mod media;
pub mod text;
pub mod words;

pub(crate) use letter::{address, field, key_of, message_id, session};
