//! What a companion and its phone tell each other alone: the companion asks for app-state keys it
//! lacks or for older messages, and the phone sends them.

use super::{compose, history, receive};
use crate::account::{Account, Device};
use crate::network::Network;
use std::sync::Arc;
use waproto::whatsapp::message::protocol_message::Type;

/// Handles message `id`, padded, from an own companion.
pub(super) async fn message(net: &Arc<Network>, account: &Arc<Account>, companion: &Device, id: &str, padded: &[u8]) {
    let Some(message) = receive::unpad(padded) else { return };
    let Some(protocol) = message.protocol_message.as_option() else { return };
    net.stats.count("phone.peer_messages");
    let done = match protocol.r#type {
        Some(Type::APP_STATE_SYNC_KEY_REQUEST) => compose::share_app_state(net, account, companion.id).await,
        Some(Type::PEER_DATA_OPERATION_REQUEST_MESSAGE) => {
            let asked = protocol.peer_data_operation_request_message.as_option();
            match asked.and_then(|asked| asked.history_sync_on_demand_request.as_option()) {
                Some(asked) => history::on_demand(net, account, companion.id, asked, id).await,
                None => Ok(()),
            }
        }
        _ => Ok(()),
    };
    if let Err(error) = done {
        tracing::warn!(phone = %account.phone, device = companion.id, %error, "a companion was not answered");
    }
}
