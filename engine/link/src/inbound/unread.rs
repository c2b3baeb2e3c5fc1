//! Messages that were decrypted, but whose text a crash has taken.
//!
//! Their ratchet was saved a moment before the text was there to be saved with
//! it. The key store finds out when the stanza is delivered again: it cannot be
//! read a second time, and neither event nor text is there. It stays
//! unacknowledged, and its sender is asked to send it once more, as for any
//! message that cannot be read; what comes after it waits (`order`).

use super::order::Order;
use crate::Unread;
use std::sync::{Arc, Weak};
use tokio::sync::mpsc;
use warest_model::id::SessionId;
use whatsapp_rust::features::RetryRequestOptions;
use whatsapp_rust::types::message::MessageInfo;
use whatsapp_rust::{Client, Jid, NodeBuilder};

/// Messages that may wait to be asked for; the others are on the next connection.
const WAITING: usize = 1_024;

/// A message to ask for.
pub(crate) struct Lost {
    chat: Jid,
    sender: Jid,
    id: String,
}

/// What the key store calls, and what [`ask`] hears of it.
pub(crate) fn channel(order: Arc<Order>) -> (Unread, mpsc::Receiver<Lost>) {
    let (tell, told) = mpsc::channel(WAITING);
    let unread = Arc::new(move |chat: &str, sender: &str, id: &str| {
        let (Ok(chat), Ok(sender)) = (chat.parse::<Jid>(), sender.parse::<Jid>()) else { return };
        let mut info = MessageInfo { id: id.into(), ..Default::default() };
        (info.source.chat, info.source.sender) = (chat.clone(), sender.clone());
        order.unreadable(&info);
        // Full: it is still unacknowledged, and comes again.
        let _ = tell.try_send(Lost { chat, sender, id: id.to_owned() });
    });
    (unread, told)
}

/// Asks the senders, until the client is gone.
pub(crate) async fn ask(session: SessionId, client: Weak<Client>, mut lost: mpsc::Receiver<Lost>) {
    while let Some(Lost { chat, sender, id }) = lost.recv().await {
        let Some(client) = client.upgrade() else { return };
        tracing::warn!(session = %session, message = %id, "a crash took a message's text; its sender is asked for it");
        let is_direct = chat.user == sender.user;
        let stanza = NodeBuilder::new("message").attr("id", id).attr("type", "text");
        let stanza = stanza.attr("t", whatsapp_rust::chrono::Utc::now().timestamp());
        let stanza = match is_direct {
            true => stanza.attr("from", sender),
            false => stanza.attr("from", chat).attr("participant", sender),
        };
        let stanza = stanza.build();
        // With keys: the sender is to begin a new session for it.
        let options = RetryRequestOptions::new().with_force_include_keys(true);
        if let Err(error) = client.request_message_retry(&stanza.as_node_ref(), options).await {
            tracing::warn!(session = %session, %error, "the sender could not be asked; the next connection asks again");
        }
    }
}
