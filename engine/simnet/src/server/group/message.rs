//! Messages, receipts and chat states in groups. A message reaches every device of every member:
//! the ciphertext for all, and the copy for that device that brings the sender key when there is
//! one. The server checks who may write, never what is written.

use super::jid;
use super::refusal::Refusal;
use super::state::Group;
use crate::account::{Account, Device};
use crate::chance::{now, now_millis};
use crate::network::Network;
use crate::server::{node, route, status};
use std::collections::HashMap;
use std::sync::Arc;
use wacore::messages::MessageUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

/// What all copies of one group message have in common.
pub(crate) struct Parcel<'a> {
    pub(crate) sender: &'a Device,
    pub(crate) name: &'a str,
    /// The group's id.
    pub(crate) group: &'a str,
    pub(crate) id: &'a str,
    /// The stanza's `type`.
    pub(crate) kind: &'a str,
    pub(crate) edit: Option<&'a str>,
}

/// The devices that get what `sender` writes to a group: all of its members' but the sending one.
pub(crate) fn roster(net: &Network, sender: &Device, id: &str) -> Result<Vec<Arc<Device>>, Refusal> {
    if id == status::ID {
        return Ok(status::audience(net, sender));
    }
    net.groups.read(id, |group| {
        may_write(group, &sender.phone)?;
        let accounts = group.members.keys().filter_map(|phone| net.account(phone));
        let devices = accounts.flat_map(|account| account.devices());
        Ok(devices.filter(|device| device.phone != sender.phone || device.id != sender.id).collect())
    })
}

fn may_write(group: &Group, phone: &str) -> Result<(), Refusal> {
    group.rank(phone).ok_or(Refusal::NotMember)?;
    if group.settings.announcement && !group.is_admin(phone) {
        return Err(Refusal::NotAdmin);
    }
    Ok(())
}

/// Queues one device's copy.
pub(crate) fn deliver(net: &Network, parcel: &Parcel<'_>, target: &Device, content: Vec<Node>) {
    let mut stanza = NodeBuilder::new("message")
        .attr("from", status::shared_jid(parcel.group))
        .attr("participant", parcel.sender.lid_jid())
        .attr("participant_pn", parcel.sender.pn_jid().to_non_ad())
        .attr("addressing_mode", "lid")
        .attr("id", parcel.id)
        .attr("t", now())
        .attr("type", parcel.kind)
        .attr("notify", parcel.name);
    if let Some(edit) = parcel.edit {
        stanza = stanza.attr("edit", edit);
    }
    net.stats.count("messages.delivered");
    target.queue.push(stanza.children(content).build());
    net.touch();
}

/// Fans a companion's message out. Returns the hash of the participants when the sender's differs.
pub(crate) fn accept(
    net: &Network,
    account: &Account,
    sender: &Device,
    stanza: &Node,
    shared: &[Node],
) -> Result<Option<String>, Refusal> {
    let to = node::jid(stanza, "to").ok_or(Refusal::Malformed)?;
    let group = status::shared_id(&to).ok_or(Refusal::UnknownGroup)?;
    let id = node::attr(stanza, "id").ok_or(Refusal::Malformed)?;
    let devices = match group {
        status::ID => status::listed(net, account, sender, stanza),
        _ => roster(net, sender, group)?,
    };
    let kind = node::attr(stanza, "type").unwrap_or_else(|| "text".into());
    let edit = node::attr(stanza, "edit");
    let name = account.name();
    let parcel = Parcel { sender, name: &name, group, id: &id, kind: &kind, edit: edit.as_deref() };
    let common: Vec<Node> = stanza.get_children_by_tag("enc").cloned().collect();
    // An answer to a device that could not read the message is for that device alone.
    if let Some(only) = node::jid(stanza, "participant").and_then(|jid| net.device_of(&jid)) {
        if devices.iter().any(|device| device.phone == only.phone && device.id == only.id) {
            deliver(net, &parcel, &only, content(sender, common, shared));
        }
        return Ok(None);
    }
    let mut keys: HashMap<(Arc<str>, u16), Vec<Node>> = HashMap::new();
    let copies = stanza.get_optional_child("participants").map(route::children).unwrap_or_default();
    for copy in copies {
        if let Some(device) = node::jid(copy, "jid").and_then(|jid| net.device_of(&jid)) {
            let encs = copy.get_children_by_tag("enc").cloned();
            keys.entry((device.phone.clone(), device.id)).or_default().extend(encs);
        }
    }
    for device in &devices {
        let mut encs = keys.remove(&(device.phone.clone(), device.id)).unwrap_or_default();
        encs.extend(common.iter().cloned());
        deliver(net, &parcel, device, content(sender, encs, shared));
    }
    if group == status::ID {
        // Who lists the recipients need not be told who they are.
        return Ok(None);
    }
    let given = node::attr(stanza, "phash");
    let ours = hash(sender, &devices);
    Ok(ours.filter(|ours| given.is_some_and(|given| given != *ours)))
}

/// A copy's content: with what proves the sender's identity when it opens a session.
fn content(sender: &Device, mut encs: Vec<Node>, shared: &[Node]) -> Vec<Node> {
    let opens = encs.iter().any(|enc| enc.attrs.get("type").is_some_and(|kind| kind == "pkmsg"));
    if opens && sender.id != 0 {
        encs.push(NodeBuilder::new("device-identity").bytes(sender.signed_identity.clone()).build());
    }
    encs.extend(shared.iter().cloned());
    encs
}

/// The hash over all devices of a group that both sides compute.
fn hash(sender: &Device, others: &[Arc<Device>]) -> Option<String> {
    let mut jids: Vec<Jid> = others.iter().map(|device| device.lid_jid()).collect();
    jids.push(sender.lid_jid());
    MessageUtils::participant_list_hash(&jids).ok()
}

/// The hash over the members of a group that clients compare what they know with.
pub(crate) fn members_hash(net: &Network, group: &Group) -> Option<String> {
    let accounts = group.members.keys().filter_map(|phone| net.account(phone));
    let jids: Vec<Jid> = accounts.map(|account| account.lid_jid()).collect();
    MessageUtils::participant_list_hash(&jids).ok()
}

/// Passes a receipt about group messages on to the devices of whoever wrote them.
pub(crate) fn receipt(net: &Arc<Network>, sender: &Device, stanza: &Node, group: &str) {
    let Some(id) = node::attr(stanza, "id") else { return };
    let Some(author) = node::jid(stanza, "participant") else { return };
    let Some(account) = net.account_of(&author) else { return };
    let kind = node::attr(stanza, "type");
    let retry = kind.as_deref() == Some("retry");
    if matches!(kind.as_deref(), Some("read" | "read-self"))
        && let Some(reader) = net.account(&sender.phone)
    {
        reader.primary.inbox.read(&status::shared_jid(group).to_string(), &node::receipt_ids(stanza));
    }
    net.stats.count("receipts.relayed");
    let mut copy = NodeBuilder::new("receipt")
        .attr("from", status::shared_jid(group))
        .attr("participant", if retry { sender.lid_jid() } else { sender.lid_jid().to_non_ad() })
        .attr("participant_pn", sender.pn_jid().to_non_ad())
        .attr("id", id)
        .attr("t", node::attr(stanza, "t").unwrap_or_else(|| now().to_string()));
    if let Some(kind) = kind {
        copy = copy.attr("type", kind);
    }
    let copy = copy.apply_content(stanza.content.clone()).build();
    let targets: Vec<_> = if retry {
        account.device(author.device).into_iter().collect()
    } else {
        account.devices().into_iter().filter(|device| device.phone != sender.phone || device.id != sender.id).collect()
    };
    for device in targets {
        device.queue.push(copy.clone());
    }
    net.touch();
}

/// Shows a chat state to the other members who are there.
pub(crate) fn chat_state(net: &Network, sender: &Account, group: &str, state: &'static str) -> Result<(), Refusal> {
    let members: Vec<String> = net.groups.read(group, |group| {
        may_write(group, &sender.phone)?;
        Ok(group.members.keys().filter(|phone| **phone != *sender.phone).cloned().collect())
    })?;
    net.stats.count("chatstates.relayed");
    let stanza = NodeBuilder::new("chatstate")
        .attr("from", jid(group))
        .attr("participant", sender.lid_jid())
        .children([route::chat_state_node(state)])
        .build();
    for account in members.iter().filter_map(|phone| net.account(phone)) {
        account.primary.inbox.presence(&sender.phone, state, now_millis());
        for connection in account.devices().iter().filter_map(|device| device.connection()) {
            connection.offer(stanza.clone());
        }
    }
    Ok(())
}
