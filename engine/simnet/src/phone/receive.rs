//! What a phone does with what arrives: it decrypts messages, shows each id once, answers with a
//! delivery receipt, asks for a retry when it cannot decrypt, and answers retries of its own
//! messages with a new session.

use super::compose;
use super::inbox::ShownMessage;
use crate::account::{Account, Bundle, Device};
use crate::chance::{now, now_millis};
use crate::network::Network;
use crate::server::group::{id_in, id_of, jid};
use crate::server::{node, route};
use std::sync::Arc;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};
use wacore_libsignal::protocol::SignalProtocolError;
use waproto::whatsapp as wa;

/// How often a phone asks for the same message again.
const RETRIES: u32 = 4;

/// Handles one stanza from the phone's queue.
pub(crate) async fn stanza(net: &Arc<Network>, account: &Arc<Account>, stanza: &Node) {
    match &*stanza.tag {
        "message" => message(net, account, stanza).await,
        "receipt" => receipt(net, account, stanza).await,
        _ => {}
    }
}

async fn message(net: &Arc<Network>, account: &Arc<Account>, stanza: &Node) {
    let (Some(id), Some(from)) = (node::attr(stanza, "id"), node::jid(stanza, "from")) else {
        return;
    };
    let group = id_of(&from).map(str::to_owned);
    let Some(author) = author(stanza) else { return };
    let (Some(sender), Some(own)) = (net.device_of(&author), account.device(0)) else { return };
    let mut read = false;
    for enc in stanza.get_children_by_tag("enc") {
        let kind = node::attr(enc, "type").unwrap_or_default();
        let Some(bytes) = node::bytes(enc) else { continue };
        let opened = {
            let mut keys = account.primary.keys.lock().await;
            match &group {
                Some(group) if kind == "skmsg" => keys.groups.open(&sender, group, bytes).await,
                _ => keys.open(&compose::address(&sender), &kind, bytes).await,
            }
        };
        match opened {
            Ok(padded) => {
                read = true;
                take_sender_key(account, &sender, &padded).await;
                show(net, account, &sender, group.as_deref(), &id, &padded);
            }
            Err(SignalProtocolError::DuplicatedMessage(..)) => net.stats.count("phone.duplicates"),
            Err(error) => {
                tracing::debug!(phone = %account.phone, %from, %id, %error, "cannot decrypt");
                net.stats.count("phone.undecryptable");
                // In a group the message is of no use without the key that comes with it.
                return ask_again(net, account, &own, (&from, &author), &id).await;
            }
        }
    }
    let peer = node::attr(stanza, "category").is_some_and(|value| value == "peer");
    if read && !peer && sender.phone != account.phone {
        deliver_receipt(net, &own, &from, &author, &id);
    }
}

/// Who wrote a stanza: the sender, or in a group the participant.
fn author(stanza: &Node) -> Option<Jid> {
    let from = node::jid(stanza, "from")?;
    if from.is_group() { node::jid(stanza, "participant") } else { Some(from) }
}

/// The message in a padded plaintext.
fn decode(padded: &[u8]) -> Option<wa::Message> {
    let pad = padded.last().map_or(0, |byte| usize::from(*byte));
    waproto::codec::message_decode(&padded[..padded.len().saturating_sub(pad)]).ok()
}

/// Keeps the sender key that a message brings.
async fn take_sender_key(account: &Account, sender: &Device, padded: &[u8]) {
    let Some(brought) = decode(padded).and_then(|mut message| message.sender_key_distribution_message.take()) else {
        return;
    };
    let (Some(chat), Some(key)) = (brought.group_id, brought.axolotl_sender_key_distribution_message) else { return };
    let taken = account.primary.keys.lock().await.groups.take(sender, id_in(&chat), &key).await;
    if let Err(error) = taken {
        tracing::debug!(phone = %account.phone, jid = %sender.pn_jid(), %error, "unusable sender key");
    }
}

fn show(net: &Network, account: &Account, sender: &Device, group: Option<&str>, id: &str, padded: &[u8]) {
    let Some(mut message) = decode(padded) else {
        tracing::warn!(phone = %account.phone, %id, "decrypted bytes are no message");
        return;
    };
    let from_me = sender.phone == account.phone;
    let mut chat = group.map_or_else(|| sender.phone.to_string(), |group| jid(group).to_string());
    message.sender_key_distribution_message.take();
    if let Some(sent) = message.device_sent_message.take() {
        let destination = sent.destination_jid.as_deref().and_then(|jid| jid.parse::<Jid>().ok());
        if let Some(jid) = destination {
            chat = match net.account_of(&jid) {
                Some(account) => account.phone.to_string(),
                None => jid.user.to_string(),
            };
        }
        let context = message.message_context_info.take();
        if let Some(inner) = sent.message.into_option() {
            message = inner;
        }
        if let Some(context) = context {
            message.message_context_info = waproto::buffa::MessageField::some(context);
        }
    }
    if message.protocol_message.is_set() && from_me {
        // Companions talk to their own phone in protocol messages; these are not shown.
        return;
    }
    if message == wa::Message::default() {
        // It only brought a sender key.
        return;
    }
    let (kind, text) = describe(&message);
    account.primary.inbox.show(ShownMessage {
        seq: 0,
        id: id.to_owned(),
        from: sender.phone.to_string(),
        chat,
        from_me,
        kind,
        text,
        message: as_json(&message),
        ts: now_millis(),
        repeats: 0,
        device: sender.id,
    });
}

fn deliver_receipt(net: &Arc<Network>, own: &Device, to: &Jid, author: &Jid, id: &str) {
    let mut node = NodeBuilder::new("receipt").attr("to", to).attr("id", id);
    if to.is_group() {
        node = node.attr("participant", author);
    }
    route::receipt(net, own, &node.build());
}

async fn ask_again(net: &Arc<Network>, account: &Account, own: &Device, (to, author): (&Jid, &Jid), id: &str) {
    let count = account.primary.inbox.count_retry(id);
    if count > RETRIES {
        return;
    }
    let identity = &account.primary.identity;
    let (signed, fresh) = {
        let mut keys = account.primary.keys.lock().await;
        (keys.signed_prekey(), keys.replenish(&net.chance))
    };
    let Ok((signed_id, signed_public, signature)) = signed else { return };
    let mut fresh = fresh.into_iter();
    let Some((prekey_id, prekey)) = fresh.next() else { return };
    own.add_prekeys(fresh);
    let keys = NodeBuilder::new("keys")
        .children([
            NodeBuilder::new("type").bytes(vec![5]).build(),
            NodeBuilder::new("identity").bytes(identity.public().to_vec()).build(),
            node::key("key", prekey_id, prekey, None),
            node::key("skey", signed_id, signed_public, Some(signature)),
        ])
        .build();
    let retry = NodeBuilder::new("retry").attr("v", "1").attr("id", id).attr("t", now()).attr("count", count).build();
    let registration = NodeBuilder::new("registration").bytes(identity.registration_id.to_be_bytes().to_vec()).build();
    let mut receipt = NodeBuilder::new("receipt").attr("to", to).attr("id", id).attr("type", "retry").attr("t", now());
    if to.is_group() {
        receipt = receipt.attr("participant", author);
    }
    net.stats.count("phone.retries_sent");
    route::receipt(net, own, &receipt.children([retry, registration, keys]).build());
}

async fn receipt(net: &Arc<Network>, account: &Arc<Account>, stanza: &Node) {
    let (Some(id), Some(from)) = (node::attr(stanza, "id"), author(stanza)) else {
        return;
    };
    let Some(sender) = net.device_of(&from) else { return };
    let kind = match node::attr(stanza, "type").as_deref() {
        None | Some("" | "inactive") => "delivery".to_owned(),
        Some(other) => other.to_owned(),
    };
    if kind == "retry" {
        let count = stanza
            .get_optional_child("retry")
            .and_then(|retry| node::attr(retry, "count"))
            .and_then(|count| count.parse().ok())
            .unwrap_or(1);
        net.stats.count("phone.retries_answered");
        match bundle_in(stanza) {
            // The session so far is archived, as on every phone: what is under way in it can be read.
            Some(bundle) => open_from(account, &sender, &bundle).await,
            None => account.primary.keys.lock().await.forget_session(&compose::address(&sender)),
        }
        if let Err(error) = compose::resend(net, account, &sender, &id, count).await {
            tracing::debug!(phone = %account.phone, %id, %error, "retry not answered");
        }
    }
    if sender.phone != account.phone {
        let ids = node::receipt_ids(stanza);
        account.primary.inbox.receipt(&sender.phone, ids, &kind, now_millis());
    }
}

async fn open_from(account: &Account, sender: &Device, bundle: &Bundle) {
    let address = compose::address(sender);
    let opened = match bundle.for_device(sender.id) {
        Ok(bundle) => account.primary.keys.lock().await.open_session(&address, &bundle).await,
        Err(error) => Err(error),
    };
    if let Err(error) = opened {
        tracing::debug!(jid = %sender.pn_jid(), %error, "retry carried unusable keys");
    }
}

/// The key bundle in a retry receipt, if it has one.
fn bundle_in(stanza: &Node) -> Option<Bundle> {
    let keys = stanza.get_optional_child("keys")?;
    let identity = node::bytes(keys.get_optional_child("identity")?)?;
    let registration = node::bytes(stanza.get_optional_child("registration")?)?;
    let (signed_id, signed_public, signature) = node::read_key(keys.get_optional_child("skey")?)?;
    let prekey = keys.get_optional_child("key").and_then(node::read_key);
    // Keys may carry their type byte in front.
    let identity = &identity[identity.len().checked_sub(32)?..];
    Some(Bundle {
        registration_id: u32::from_be_bytes(registration.try_into().ok()?),
        identity: identity.try_into().ok()?,
        signed_id,
        signed_public,
        signed_signature: signature?,
        prekey: prekey.map(|(id, key, _)| (id, key)),
        left: 0,
    })
}

/// The decrypted protobuf as JSON.
pub(crate) fn as_json(message: &wa::Message) -> serde_json::Value {
    let mut json = serde_json::to_value(message).unwrap_or_default();
    drop_unset(&mut json);
    json
}

/// Takes out the fields that are not set: a message type has a hundred of them.
fn drop_unset(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null() && field.as_array().is_none_or(|list| !list.is_empty()));
            fields.values_mut().for_each(drop_unset);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(drop_unset),
        _ => {}
    }
}

/// What a message is, and its text.
pub(crate) fn describe(message: &wa::Message) -> (String, String) {
    if let Some(text) = &message.conversation {
        return ("text".into(), text.clone());
    }
    if let Some(text) = message.extended_text_message.as_option() {
        return ("text".into(), text.text.clone().unwrap_or_default());
    }
    if let Some(reaction) = message.reaction_message.as_option() {
        return ("reaction".into(), reaction.text.clone().unwrap_or_default());
    }
    if let Some(image) = message.image_message.as_option() {
        return ("image".into(), image.caption.clone().unwrap_or_default());
    }
    if let Some(video) = message.video_message.as_option() {
        return ("video".into(), video.caption.clone().unwrap_or_default());
    }
    if let Some(document) = message.document_message.as_option() {
        return ("document".into(), document.caption.clone().unwrap_or_default());
    }
    if message.audio_message.is_set() {
        return ("audio".into(), String::new());
    }
    if message.sticker_message.is_set() {
        return ("sticker".into(), String::new());
    }
    if message.location_message.is_set() {
        return ("location".into(), String::new());
    }
    if message.contact_message.is_set() || message.contacts_array_message.is_set() {
        return ("contact".into(), String::new());
    }
    if message.protocol_message.is_set() {
        return ("protocol".into(), String::new());
    }
    ("other".into(), String::new())
}
