//! Where stanzas go: messages to one device, receipts to the devices they concern, chat
//! states to whoever is there. Everything that must not be lost goes through the device's
//! queue; chat states go to live connections only. Nothing here waits.
//!
//! Messages are LID-addressed, with the number beside it (`sender_pn`, `peer_recipient_pn`).

use super::{group, node, status};
use crate::account::{Account, Bundle, Device};
use crate::chance::{now, now_millis};
use crate::network::Network;
use crate::phone;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, NodeContent};

/// Prekeys left below which a companion is asked for more.
const LOW_PREKEYS: usize = 10;

/// What all copies of one message have in common.
pub(crate) struct Parcel<'a> {
    pub(crate) sender: &'a Device,
    pub(crate) name: &'a str,
    pub(crate) recipient: &'a Account,
    pub(crate) id: &'a str,
    /// The stanza's `type`.
    pub(crate) kind: &'a str,
    pub(crate) category: Option<&'a str>,
    pub(crate) edit: Option<&'a str>,
}

/// Queues one device's copy of a message.
pub(crate) fn deliver(net: &Network, parcel: &Parcel<'_>, target: &Device, content: Vec<Node>) {
    let mut stanza = NodeBuilder::new("message")
        .attr("from", parcel.sender.lid_jid())
        .attr("id", parcel.id)
        .attr("t", now())
        .attr("type", parcel.kind)
        .attr("notify", parcel.name);
    if target.phone != parcel.sender.phone {
        stanza = stanza.attr("sender_pn", parcel.sender.pn_jid().to_non_ad());
    } else if let Some(category) = parcel.category {
        stanza = stanza.attr("category", category);
    } else {
        stanza =
            stanza.attr("recipient", parcel.recipient.lid_jid()).attr("peer_recipient_pn", parcel.recipient.pn_jid());
    }
    if let Some(edit) = parcel.edit {
        stanza = stanza.attr("edit", edit);
    }
    net.stats.count("messages.delivered");
    target.queue.push(stanza.children(content).build());
    net.touch();
}

/// Passes a receipt on to the devices it concerns.
pub(crate) fn receipt(net: &Arc<Network>, sender: &Device, stanza: &Node) {
    let (Some(to), Some(id)) = (node::jid(stanza, "to"), node::attr(stanza, "id")) else { return };
    if let Some(group) = status::shared_id(&to) {
        return group::message::receipt(net, sender, stanza, group);
    }
    let Some(account) = net.account_of(&to) else { return };
    let kind = node::attr(stanza, "type");
    net.stats.count("receipts.relayed");
    // Who asks for something needs the answer at the device that asked.
    let asks = matches!(kind.as_deref(), Some("retry" | "server-error"));
    let from = if asks { sender.lid_jid() } else { sender.lid_jid().to_non_ad() };
    let mut copy = NodeBuilder::new("receipt")
        .attr("from", from)
        .attr("id", id)
        .attr("t", node::attr(stanza, "t").unwrap_or_else(|| now().to_string()));
    if let Some(kind) = kind.as_deref() {
        copy = copy.attr("type", kind.to_owned());
    }
    for key in ["recipient", "category"] {
        if let Some(value) = stanza.attrs.get(key) {
            copy = copy.attr(key, value.clone());
        }
    }
    let copy = copy.apply_content(stanza.content.clone()).build();
    if matches!(kind.as_deref(), Some("read" | "read-self"))
        && let Some(reader) = net.account(&sender.phone)
    {
        reader.primary.inbox.read(&account.phone, &node::receipt_ids(stanza));
        tell_own_devices(&reader, sender, &account, &copy);
    }
    let own = account.phone == sender.phone;
    let targets: Vec<_> = match kind.as_deref() {
        Some("retry") => account.device(to.device).into_iter().collect(),
        Some("peer_msg" | "sender" | "hist_sync" | "server-error") if own => account.device(0).into_iter().collect(),
        _ => account.devices().into_iter().filter(|d| !own || d.id != sender.id).collect(),
    };
    for device in targets {
        device.queue.push(copy.clone());
    }
    net.touch();
}

/// Tells the other companions of an account what was read, and in whose chat.
fn tell_own_devices(reader: &Account, device: &Device, chat: &Account, receipt: &Node) {
    if reader.phone == chat.phone {
        return;
    }
    let mut copy = receipt.clone();
    copy.attrs.insert("recipient", chat.lid_jid());
    for other in reader.devices().iter().filter(|other| other.id != device.id && other.id != 0) {
        other.queue.push(copy.clone());
    }
}

/// Passes a chat state (`composing`, `recording`, `paused`) on.
pub(crate) fn chat_state(net: &Network, sender: &Account, to: &Account, state: &'static str) {
    if to.blocks(sender) {
        return;
    }
    net.stats.count("chatstates.relayed");
    let stanza =
        NodeBuilder::new("chatstate").attr("from", sender.lid_jid()).children([chat_state_node(state)]).build();
    to.primary.inbox.presence(&sender.phone, state, now_millis());
    for connection in to.devices().iter().filter_map(|device| device.connection()) {
        connection.offer(stanza.clone());
    }
}

/// What a chat state is inside its stanza.
pub(crate) fn chat_state_node(state: &'static str) -> Node {
    let (tag, media) = if state == "recording" { ("composing", true) } else { (state, false) };
    let node = NodeBuilder::new(tag);
    if media { node.attr("media", "audio").build() } else { node.build() }
}

/// Takes a key bundle of a device; tells its owner when few one-time prekeys are left.
pub(crate) fn take_bundle(net: &Network, device: &Device) -> Option<Bundle> {
    let bundle = device.take_bundle()?;
    if device.id == 0 {
        if let Some(account) = net.account(&device.phone) {
            phone::replenish_if_low(&account, bundle.left);
        }
    } else if bundle.left < LOW_PREKEYS && !device.low_announced.swap(true, Ordering::AcqRel) {
        device.queue.push(
            NodeBuilder::new("notification")
                .attr("from", node::SERVER)
                .attr("id", net.chance.stanza_id())
                .attr("type", "encrypt")
                .attr("t", now())
                .children([NodeBuilder::new("count").attr("value", bundle.left).build()])
                .build(),
        );
    }
    net.touch();
    Some(bundle)
}

/// The children of a node that are nodes.
pub(crate) fn children(node: &Node) -> &[Node] {
    match &node.content {
        Some(NodeContent::Nodes(nodes)) => nodes,
        _ => &[],
    }
}
