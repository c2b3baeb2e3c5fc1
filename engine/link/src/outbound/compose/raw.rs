//! Messages that a client gives in WhatsApp's own form. What only devices of an
//! account say to each other, or to the keys of others, is refused: a client of
//! the API is no device.

use super::context::{context_of, mark_forwarded};
use super::proto_json;
use serde_json::Value;
use warest_model::fault::Fault;
use whatsapp_rust::waproto::codec::message_to_vec;
use whatsapp_rust::waproto::whatsapp as wa;

/// Parts that are refused wherever they are.
const REFUSED: [&str; 10] = [
    "protocolmessage",
    "senderkeydistributionmessage",
    "fastratchetkeysenderkeydistributionmessage",
    "devicesentmessage",
    "editedmessage",
    "stickersyncrmrmessage",
    "messagehistorybundle",
    "messagehistorynotice",
    "grouprootkeyshare",
    "rootsecretdistributemessage",
];

/// Reads a message.
pub(super) fn message(json: &Value, forwarded: bool) -> Result<wa::Message, Fault> {
    if let Some(name) = refused(json) {
        return Err(Fault::fail(
            "message_invalid",
            format!("`{name}` cannot be sent raw; use the actions `edit`, `revoke` and `delete`"),
        ));
    }
    let mut message: wa::Message = proto_json::read(json)
        .map_err(|error| Fault::fail("message_invalid", format!("`message` is not in WhatsApp's own form: {error}")))?;
    let body = wa::Message { message_context_info: Default::default(), ..message.clone() };
    if message_to_vec(&body).is_empty() {
        return Err(Fault::fail("message_invalid", "`message` says nothing; give one of WhatsApp's message types"));
    }
    if forwarded && let Some(context) = context_of(&mut message) {
        mark_forwarded(context);
    }
    Ok(message)
}

fn refused(json: &Value) -> Option<&str> {
    match json {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let refuses = !value.is_null() && REFUSED.contains(&proto_json::plain(name).as_str());
            if refuses { Some(name.as_str()) } else { refused(value) }
        }),
        Value::Array(items) => items.iter().find_map(refused),
        _ => None,
    }
}
