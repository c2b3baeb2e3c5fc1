//! What a phone does with what arrives: it decrypts messages, shows each id once, answers with a
//! delivery receipt, asks for a retry when it cannot decrypt, and answers retries of its own
//! messages with a new session.

use super::compose;
use super::describe;
use super::inbox::ShownMessage;
use super::thread;
use crate::account::{Account, Bundle, Device};
use crate::chance::{now, now_millis};
use crate::network::Network;
use crate::server::group::id_in;
use crate::server::{node, route, status};
use std::sync::Arc;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use wacore_libsignal::protocol::SignalProtocolError;
use waproto::whatsapp::{self as wa};

/// How often a phone asks for the same message again.
const RETRIES: u32 = 4;

/// Handles one stanza from the phone's queue.
pub(crate) async fn stanza(net: &Arc<Network>, account: &Arc<Account>, stanza: &Node) {
    match &*stanza.tag {
        "message" => message(net, account, stanza).await,
        "receipt" => receipt(net, account, stanza).await,
        "notification" if node::attr(stanza, "type").is_some_and(|kind| kind == "server_sync") => {
            super::sync::absorb(net, account);
        }
        _ => {}
    }
}

async fn message(net: &Arc<Network>, account: &Arc<Account>, stanza: &Node) {
    let (Some(id), Some(from)) = (node::attr(stanza, "id"), node::jid(stanza, "from")) else {
        return;
    };
    let group = status::shared_id(&from).map(str::to_owned);
    let Some(author) = author(stanza) else { return };
    let (Some(sender), Some(own)) = (net.device_of(&author), account.device(0)) else { return };
    let peer = node::attr(stanza, "category").is_some_and(|value| value == "peer");
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
                if peer && sender.phone == account.phone {
                    super::peer::message(net, account, &sender, &id, &padded).await;
                } else {
                    take_sender_key(account, &sender, &padded).await;
                    show(net, account, &sender, group.as_deref(), &id, &padded);
                }
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
    if read && !peer && sender.phone != account.phone {
        deliver_receipt(net, &own, &from, &author, &id);
    }
}

/// Who wrote a stanza: the sender, or in a group the participant.
fn author(stanza: &Node) -> Option<Jid> {
    let from = node::jid(stanza, "from")?;
    if status::shared_id(&from).is_some() { node::jid(stanza, "participant") } else { Some(from) }
}

/// Keeps the sender key that a message brings.
async fn take_sender_key(account: &Account, sender: &Device, padded: &[u8]) {
    let Some(brought) = unpad(padded).and_then(|mut message| message.sender_key_distribution_message.take()) else {
        return;
    };
    let (Some(chat), Some(key)) = (brought.group_id, brought.axolotl_sender_key_distribution_message) else { return };
    let taken = account.primary.keys.lock().await.groups.take(sender, id_in(&chat), &key).await;
    if let Err(error) = taken {
        tracing::debug!(phone = %account.phone, jid = %sender.pn_jid(), %error, "unusable sender key");
    }
}

fn show(net: &Arc<Network>, account: &Arc<Account>, sender: &Device, group: Option<&str>, id: &str, padded: &[u8]) {
    let Some(mut message) = unpad(padded) else {
        tracing::warn!(phone = %account.phone, %id, "decrypted bytes are no message");
        return;
    };
    let from_me = sender.phone == account.phone;
    let mut chat = group.map_or_else(|| sender.phone.to_string(), |group| status::shared_jid(group).to_string());
    message.sender_key_distribution_message.take();
    if let Some(sent) = message.device_sent_message.take() {
        let destination = sent.destination_jid.as_deref().and_then(|jid| jid.parse::<Jid>().ok());
        if let Some(jid) = destination {
            chat = match net.account_of(&jid) {
                Some(account) => account.phone.to_string(),
                None => jid.user.to_string(),
            };
        }
        let context = std::mem::take(&mut message.message_context_info);
        if let Some(inner) = sent.message.into_option() {
            message = inner;
        }
        // The secret of a poll stands inside or outside.
        let inside = message.message_context_info.as_option().is_some_and(|info| info.message_secret.is_some());
        if !inside && context.is_set() {
            message.message_context_info = context;
        }
    }
    if message == wa::Message::default() {
        // It only brought a sender key.
        return;
    }
    let author = net.account(&sender.phone);
    let inbox = &account.primary.inbox;
    let shown = describe::describe(inbox, author.as_deref(), &message, &|phone| net.account(phone));
    // Whoever sends it, the server lets it through: it does not see what is in a message.
    let revoked = shown.about.as_deref().filter(|_| shown.kind == "revoke");
    if revoked.is_some_and(|revoked| !thread::may_revoke(net, inbox, &sender.phone, &chat, revoked)) {
        net.stats.count("phone.revocations_ignored");
        return;
    }
    inbox.show(ShownMessage {
        seq: 0,
        id: id.to_owned(),
        from: sender.phone.to_string(),
        chat,
        from_me,
        kind: shown.kind.to_owned(),
        text: shown.text,
        message: describe::as_json(&message),
        ts: now_millis(),
        repeats: 0,
        device: sender.id,
        about: shown.about,
        options: shown.options,
    });
}

/// The message in a padded plaintext.
pub(super) fn unpad(padded: &[u8]) -> Option<wa::Message> {
    let pad = padded.last().map_or(0, |byte| usize::from(*byte));
    waproto::codec::message_decode(padded.get(..padded.len().checked_sub(pad)?)?).ok()
}

fn deliver_receipt(net: &Arc<Network>, own: &Device, to: &Jid, author: &Jid, id: &str) {
    let mut node = NodeBuilder::new("receipt").attr("to", to).attr("id", id);
    if status::shared_id(to).is_some() {
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
    if status::shared_id(to).is_some() {
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
    if kind == "server-error" && sender.phone == account.phone {
        super::reupload::answer(net, account, &sender, &id, stanza);
    }
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
