//! Newsletters: what is posted is not encrypted, and a post is changed or taken
//! back under its own id.

use super::fault;
use warest_model::fault::Fault;
use warest_model::plan::MessageKey;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::{Client, Jid};

/// Whether this is the address of one.
pub(super) fn is(chat: &warest_model::jid::Jid) -> bool {
    chat.server() == "newsletter"
}

/// Lets a post say something else.
pub(super) async fn edit(client: &Client, chat: &Jid, key: &MessageKey, content: wa::Message) -> Result<(), Fault> {
    client.newsletter().edit_message(chat, &key.id, content).await.map_err(fault::of_newsletter)
}

/// Takes a post back.
pub(super) async fn revoke(client: &Client, chat: &Jid, key: &MessageKey) -> Result<(), Fault> {
    client.newsletter().revoke_message(chat, &key.id).await.map_err(fault::of_newsletter)
}

/// Reacts to a post, which is named by its number.
pub(super) async fn react(client: &Client, chat: &Jid, key: &MessageKey, emoji: &str) -> Result<(), Fault> {
    let server_id: u64 = key.id.parse().map_err(|_| {
        Fault::fail("post_unknown", "a post of a newsletter is named by its number; give its `serverId` as `id`")
    })?;
    client.newsletter().send_reaction(chat, server_id, emoji).await.map_err(fault::of_newsletter)
}
