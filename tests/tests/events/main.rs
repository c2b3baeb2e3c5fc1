#![allow(clippy::unwrap_used, missing_docs)]
//! Every event, caused by a phone or another device, as it arrives at a webhook, a
//! flow and a plugin. The snapshots beside this are the payloads, to be read by eye;
//! `INSTA_UPDATE=always` writes them anew.

mod groups;
mod messages;
mod people;
mod sessions;
mod stage;
