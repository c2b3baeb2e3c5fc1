//! What a phone sends: it encrypts a message for every device of the recipient and of its own
//! account, opening sessions from key bundles where it has none, and hands the stanzas to the
//! server. It keeps what it sent, so that it can answer a retry.

use super::envelope::Envelope;
use super::{describe, inbox::ShownMessage, store::Sealed};
use crate::account::{Account, Device};
use crate::chance::{now, now_millis};
use crate::error::SimnetError;
use crate::network::Network;
use crate::server::route::{self, Parcel};
use crate::server::status;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use wacore_libsignal::protocol::ProtocolAddress;
use waproto::buffa::MessageField;
use waproto::whatsapp::{self as wa, message};

/// The Signal address of a device, the same for both of its JIDs.
pub(crate) fn address(device: &Device) -> ProtocolAddress {
    ProtocolAddress::new(&device.phone, u32::from(device.id).into())
}

/// Sends a message to every device of `to` and to the own companions; returns its id.
pub(crate) async fn send(
    net: &Arc<Network>,
    account: &Arc<Account>,
    to: &Arc<Account>,
    message: wa::Message,
    id: String,
) -> Result<String, SimnetError> {
    let own = account.device(0).ok_or(SimnetError::Stopping)?;
    let plain = waproto::codec::message_to_vec(&message);
    let own_copy = device_sent(to, &message);
    let mut sealed = Vec::new();
    {
        let mut keys = account.primary.keys.lock().await;
        // Who blocked this account gets nothing, and this account learns nothing of it.
        let blocked = to.blocks(account);
        let others = to.devices().into_iter().filter(|device| device.phone != account.phone && !blocked);
        let companions = account.devices().into_iter().filter(|device| device.id != 0);
        for device in others.chain(companions) {
            let content = if device.phone == account.phone { &own_copy } else { &plain };
            let result = seal(net, &mut keys, &device, content).await;
            match result {
                Ok(Some(enc)) => sealed.push((device, enc)),
                Ok(None) => tracing::debug!(jid = %device.pn_jid(), "device has no keys yet"),
                Err(error) => tracing::warn!(jid = %device.pn_jid(), %error, "cannot encrypt"),
            }
        }
    }
    account.met(&to.phone);
    to.met(&account.phone);
    let envelope = Envelope::of(&message);
    let name = account.name();
    let parcel = Parcel {
        sender: &own,
        name: &name,
        recipient: to,
        id: &id,
        kind: envelope.kind,
        category: None,
        edit: envelope.edit.as_deref(),
    };
    for (device, sealed) in sealed {
        route::deliver(net, &parcel, &device, envelope.copy(sealed, 0));
    }
    let shown = describe::describe(&account.primary.inbox, Some(account), &message, &|phone| net.account(phone));
    account.primary.inbox.show(ShownMessage {
        seq: 0,
        id: id.clone(),
        from: account.phone.to_string(),
        chat: to.phone.to_string(),
        from_me: true,
        kind: shown.kind.to_owned(),
        text: shown.text,
        message: describe::as_json(&message),
        ts: now_millis(),
        repeats: 0,
        device: 0,
        about: shown.about,
        options: shown.options,
    });
    account.primary.inbox.sent(&id, &to.phone, message);
    Ok(id)
}

/// Sends an earlier message again to the one device that could not read it.
pub(crate) async fn resend(
    net: &Arc<Network>,
    account: &Arc<Account>,
    device: &Arc<Device>,
    id: &str,
    count: u64,
) -> Result<(), SimnetError> {
    let Some((chat, message)) = account.primary.inbox.find_sent(id) else {
        return Err(SimnetError::Signal(format!("message {id} is no longer kept")));
    };
    if chat.ends_with("@g.us") || chat == status::ID {
        return super::group::resend(net, account, device, &chat, &message, id, count).await;
    }
    let to = net.require(&chat)?;
    let own = account.device(0).ok_or(SimnetError::Stopping)?;
    let content = if device.phone == account.phone {
        device_sent(&to, &message)
    } else {
        waproto::codec::message_to_vec(&message)
    };
    let enc = seal(net, &mut *account.primary.keys.lock().await, device, &content).await?;
    if let Some(enc) = enc {
        let name = account.name();
        let envelope = Envelope::of(&message);
        let parcel = Parcel {
            sender: &own,
            name: &name,
            recipient: &to,
            id,
            kind: envelope.kind,
            category: None,
            edit: envelope.edit.as_deref(),
        };
        route::deliver(net, &parcel, device, envelope.copy(enc, count));
    }
    Ok(())
}

/// Sends a companion the key of the account's app state, as primaries do after linking.
pub(crate) async fn share_app_state(
    net: &Arc<Network>,
    account: &Arc<Account>,
    companion: u16,
) -> Result<(), SimnetError> {
    let message = wa::Message {
        protocol_message: MessageField::some(message::ProtocolMessage {
            r#type: Some(message::protocol_message::Type::APP_STATE_SYNC_KEY_SHARE),
            app_state_sync_key_share: MessageField::some(message::AppStateSyncKeyShare {
                keys: vec![message::AppStateSyncKey {
                    key_id: MessageField::some(message::AppStateSyncKeyId { key_id: Some(APP_STATE_KEY_ID.to_vec()) }),
                    key_data: MessageField::some(message::AppStateSyncKeyData {
                        key_data: Some(app_state_key(account).to_vec()),
                        fingerprint: MessageField::some(message::AppStateSyncKeyFingerprint {
                            raw_id: Some(account.raw_id),
                            current_index: Some(0),
                            device_indexes: vec![0],
                        }),
                        timestamp: Some(i64::try_from(now()).unwrap_or(i64::MAX)),
                    }),
                }],
            }),
            ..Default::default()
        }),
        ..Default::default()
    };
    peer(net, account, companion, &message).await
}

/// Sends a companion what is between it and its phone only.
pub(crate) async fn peer(
    net: &Arc<Network>,
    account: &Arc<Account>,
    companion: u16,
    message: &wa::Message,
) -> Result<(), SimnetError> {
    let (Some(own), Some(device)) = (account.device(0), account.device(companion)) else {
        return Ok(());
    };
    let content = waproto::codec::message_to_vec(message);
    let sealed = seal(net, &mut *account.primary.keys.lock().await, &device, &content).await?;
    if let Some(sealed) = sealed {
        let id = net.chance.message_id();
        let name = account.name();
        let parcel = Parcel {
            sender: &own,
            name: &name,
            recipient: account,
            id: &id,
            kind: "text",
            category: Some("peer"),
            edit: None,
        };
        route::deliver(net, &parcel, &device, Envelope::of(message).copy(sealed, 0));
    }
    Ok(())
}

/// The id of the one app-state key of an account.
pub(crate) const APP_STATE_KEY_ID: [u8; 6] = [0, 0, 0, 0, 0, 1];

/// The key of an account's app state, the same in every run.
pub(crate) fn app_state_key(account: &Account) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"simnet app state");
    hasher.update(account.primary.identity.private().serialize());
    hasher.finalize().into()
}

pub(super) async fn seal(
    net: &Network,
    keys: &mut super::store::Keys,
    device: &Device,
    content: &[u8],
) -> Result<Option<Sealed>, SimnetError> {
    let signal = |e: wacore_libsignal::protocol::SignalProtocolError| SimnetError::Signal(e.to_string());
    let address = address(device);
    if !keys.has_session(&address) {
        let Some(bundle) = route::take_bundle(net, device) else { return Ok(None) };
        let bundle = bundle.for_device(device.id).map_err(signal)?;
        keys.open_session(&address, &bundle).await.map_err(signal)?;
    }
    keys.seal(&address, &pad(net, content)).await.map(Some).map_err(signal)
}

/// A plaintext with the padding that hides its length.
pub(super) fn pad(net: &Network, content: &[u8]) -> Vec<u8> {
    let pad = usize::from(net.chance.bytes::<1>()[0] & 0x0f) + 1;
    let mut padded = Vec::with_capacity(content.len() + pad);
    padded.extend_from_slice(content);
    // `pad` is at most 16.
    padded.resize(content.len() + pad, pad as u8);
    padded
}

fn device_sent(to: &Account, message: &wa::Message) -> Vec<u8> {
    waproto::codec::message_to_vec(&wa::Message {
        device_sent_message: MessageField::some(message::DeviceSentMessage {
            destination_jid: Some(to.lid_jid().to_string()),
            message: MessageField::some(message.clone()),
            ..Default::default()
        }),
        ..Default::default()
    })
}
