//! What a phone writes to a group, or posts as its status: it gives its sender key to the devices that have not got it,
//! encrypts the message once for all, and answers a device that could not read it with a copy for
//! that device alone.

use super::compose::seal;
use super::describe;
use super::envelope::Envelope;
use super::inbox::ShownMessage;
use crate::account::{Account, Device};
use crate::chance::now_millis;
use crate::error::SimnetError;
use crate::network::Network;
use crate::server::group::id_in;
use crate::server::group::message::{self, Parcel, deliver};
use crate::server::status;
use std::sync::Arc;
use wacore_binary::Node;
use wacore_libsignal::protocol::SignalProtocolError;
use waproto::buffa::MessageField;
use waproto::whatsapp::{self as wa, message as content};

fn signal(error: SignalProtocolError) -> SimnetError {
    SimnetError::Signal(error.to_string())
}

/// Sends a message to a group; returns its id.
pub(crate) async fn send(
    net: &Arc<Network>,
    account: &Arc<Account>,
    group: &str,
    message: wa::Message,
    id: String,
) -> Result<String, SimnetError> {
    let own = account.device(0).ok_or(SimnetError::Stopping)?;
    let devices = message::roster(net, &own, group)?;
    let chat = status::shared_jid(group).to_string();
    let envelope = Envelope::of(&message);
    let mut copies: Vec<(Arc<Device>, Vec<Node>)> = Vec::with_capacity(devices.len());
    {
        let mut rng = net.chance.fork();
        let mut keys = account.primary.keys.lock().await;
        let due = keys.groups.due(&own, group, &devices);
        let distribution = keys.groups.own(&own, group, &mut rng).await.map_err(signal)?;
        let distribution = wa::Message {
            sender_key_distribution_message: MessageField::some(content::SenderKeyDistributionMessage {
                group_id: Some(chat.clone()),
                axolotl_sender_key_distribution_message: Some(distribution),
            }),
            ..Default::default()
        };
        let wrapping = Envelope::of(&distribution);
        let distribution = waproto::codec::message_to_vec(&distribution);
        let mut given = std::collections::HashMap::new();
        for device in due {
            match seal(net, &mut keys, &device, &distribution).await {
                Ok(Some(enc)) => {
                    keys.groups.gave(group, &device);
                    given.insert((device.phone.clone(), device.id), wrapping.enc(enc, 0));
                }
                Ok(None) => tracing::debug!(jid = %device.pn_jid(), "device has no keys yet"),
                Err(error) => tracing::warn!(jid = %device.pn_jid(), %error, "cannot give the sender key"),
            }
        }
        let padded = super::compose::pad(net, &waproto::codec::message_to_vec(&message));
        let sealed = keys.groups.seal(&own, group, &padded, &mut rng).await.map_err(signal)?;
        let common = envelope.enc(sealed, 0);
        for device in devices {
            let key = given.remove(&(device.phone.clone(), device.id));
            let meta = envelope.meta().cloned();
            copies.push((device, key.into_iter().chain([common.clone()]).chain(meta).collect()));
        }
    }
    let name = account.name();
    let (kind, edit) = (envelope.kind, envelope.edit.as_deref());
    let parcel = Parcel { sender: &own, name: &name, group, id: &id, kind, edit };
    for (device, encs) in copies {
        deliver(net, &parcel, &device, encs);
    }
    let shown = describe::describe(&account.primary.inbox, Some(account), &message, &|phone| net.account(phone));
    account.primary.inbox.show(ShownMessage {
        seq: 0,
        id: id.clone(),
        from: account.phone.to_string(),
        chat: chat.clone(),
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
    account.primary.inbox.sent(&id, &chat, message);
    Ok(id)
}

/// Sends an earlier message again to the one device that could not read it, which also gets the
/// sender key with the next message.
pub(crate) async fn resend(
    net: &Arc<Network>,
    account: &Arc<Account>,
    device: &Arc<Device>,
    chat: &str,
    message: &wa::Message,
    id: &str,
    count: u64,
) -> Result<(), SimnetError> {
    let group = id_in(chat);
    let own = account.device(0).ok_or(SimnetError::Stopping)?;
    message::roster(net, &own, group)?;
    let content = waproto::codec::message_to_vec(message);
    let enc = {
        let mut keys = account.primary.keys.lock().await;
        keys.groups.forget(group, device);
        seal(net, &mut keys, device, &content).await?
    };
    if let Some(enc) = enc {
        let name = account.name();
        let envelope = Envelope::of(message);
        let (kind, edit) = (envelope.kind, envelope.edit.as_deref());
        let parcel = Parcel { sender: &own, name: &name, group, id, kind, edit };
        deliver(net, &parcel, device, envelope.copy(enc, count));
    }
    Ok(())
}
