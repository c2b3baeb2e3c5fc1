//! A message that a companion sends: acked, and each encrypted copy put in the queue of the device
//! it is for. The server looks at no ciphertext and drops no repeat: whether an id was shown before
//! is for the phone to know.

use super::login::ack;
use super::route::{self, Parcel};
use super::socket::Connection;
use super::{group, newsletter, node, status};
use crate::account::{Account, Device};
use crate::faults::{Direction, FaultKind};
use crate::network::Network;
use std::sync::Arc;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node, NodeContent};

/// Children that are for the server, not for the recipient.
const NOT_FORWARDED: [&str; 4] = ["participants", "enc", "device-identity", "tctoken"];

/// Handles a message stanza, through the faults in force.
pub(crate) async fn receive(
    net: &Arc<Network>,
    account: &Arc<Account>,
    device: &Arc<Device>,
    connection: &Arc<Connection>,
    stanza: Node,
) {
    let to = node::jid(&stanza, "to").and_then(|to| net.account_of(&to));
    if let Some(code) = net.faults.nack(&account.phone, to.as_deref().map(|to| &*to.phone)) {
        net.stats.count("faults.struck");
        return refuse(net, connection, &stanza, code).await;
    }
    let mut stanza = stanza;
    let Some(fault) = net.faults.strike(&account.phone, Direction::Out) else {
        return accept(net, account, device, connection, &stanza).await;
    };
    net.stats.count("faults.struck");
    match fault.kind {
        FaultKind::Drop => {}
        FaultKind::Delay => {
            tokio::time::sleep(fault.wait()).await;
            accept(net, account, device, connection, &stanza).await;
        }
        FaultKind::Duplicate => {
            accept(net, account, device, connection, &stanza).await;
            accept(net, account, device, connection, &stanza).await;
        }
        FaultKind::Disconnect => connection.cut(),
        FaultKind::Reorder => {
            let (net, account, device, connection) = (net.clone(), account.clone(), device.clone(), connection.clone());
            tokio::spawn(async move {
                tokio::time::sleep(fault.wait()).await;
                accept(&net, &account, &device, &connection, &stanza).await;
            });
        }
        FaultKind::Garble => {
            garble(&mut stanza);
            accept(net, account, device, connection, &stanza).await;
        }
        FaultKind::Nack
        | FaultKind::Iq
        | FaultKind::Refuse
        | FaultKind::Ban
        | FaultKind::Media
        | FaultKind::Conflict => {
            accept(net, account, device, connection, &stanza).await;
        }
    }
}

/// Makes every encrypted copy in a stanza unreadable.
fn garble(node: &mut Node) {
    match &mut node.content {
        Some(NodeContent::Nodes(children)) => children.iter_mut().for_each(garble),
        Some(NodeContent::Bytes(bytes)) if node.tag == "enc" => {
            if let Some(last) = bytes.last_mut() {
                *last ^= 1;
            }
        }
        _ => {}
    }
}

async fn accept(
    net: &Arc<Network>,
    account: &Arc<Account>,
    device: &Arc<Device>,
    connection: &Arc<Connection>,
    stanza: &Node,
) {
    let (Some(to), Some(id)) = (node::jid(stanza, "to"), node::attr(stanza, "id")) else { return };
    net.stats.count("messages.accepted");
    if status::shared_id(&to).is_some() {
        return accept_in_group(net, account, device, connection, stanza).await;
    }
    if to.is_newsletter() {
        return match newsletter::receive(net, account, device.id, &to.user, stanza) {
            Ok(server_id) => {
                let mut answer = ack(stanza, "message");
                if let Some(server_id) = server_id {
                    answer.attrs.insert("server_id", server_id.to_string());
                }
                connection.send(answer).await;
            }
            Err(code) => refuse(net, connection, stanza, code).await,
        };
    }
    let Some(recipient) = net.account_of(&to) else {
        return refuse(net, connection, stanza, 404).await;
    };
    let kind = node::attr(stanza, "type").unwrap_or_else(|| "text".into());
    let category = node::attr(stanza, "category");
    let edit = node::attr(stanza, "edit");
    let name = account.name();
    // A copy for an own device names the chat in `recipient`, or in `to`.
    let chat = node::jid(stanza, "recipient").and_then(|jid| net.account_of(&jid)).unwrap_or_else(|| recipient.clone());
    let parcel = Parcel {
        sender: device,
        name: &name,
        recipient: &chat,
        id: &id,
        kind: &kind,
        category: category.as_deref(),
        edit: edit.as_deref(),
    };
    let shared: Vec<Node> =
        route::children(stanza).iter().filter(|child| !NOT_FORWARDED.contains(&&*child.tag)).cloned().collect();
    for (jid, encs) in copies(stanza, &to) {
        if recipient.phone != account.phone
            && recipient.blocks(account)
            && net.account_of(&jid).is_some_and(|to| to.phone == recipient.phone)
        {
            // The sender learns nothing of it.
            net.stats.count("messages.blocked");
            continue;
        }
        let Some(target) = net.device_of(&jid) else {
            net.stats.count("messages.no_such_device");
            continue;
        };
        let opens = encs.iter().any(|enc| enc.attrs.get("type").is_some_and(|kind| kind == "pkmsg"));
        let mut content = encs;
        if opens {
            content.push(NodeBuilder::new("device-identity").bytes(device.signed_identity.clone()).build());
        }
        content.extend(shared.iter().cloned());
        route::deliver(net, &parcel, &target, content);
    }
    account.met(&recipient.phone);
    recipient.met(&account.phone);
    connection.send(ack(stanza, "message")).await;
}

async fn accept_in_group(
    net: &Arc<Network>,
    account: &Arc<Account>,
    device: &Arc<Device>,
    connection: &Arc<Connection>,
    stanza: &Node,
) {
    let shared: Vec<Node> =
        route::children(stanza).iter().filter(|child| !NOT_FORWARDED.contains(&&*child.tag)).cloned().collect();
    match group::message::accept(net, account, device, stanza, &shared) {
        Ok(hash) => {
            let mut answer = ack(stanza, "message");
            if let Some(hash) = hash {
                answer.attrs.insert("phash", hash);
            }
            connection.send(answer).await;
        }
        Err(refusal) => refuse(net, connection, stanza, refusal.code()).await,
    }
}

/// Acknowledges a message with an error.
async fn refuse(net: &Network, connection: &Connection, stanza: &Node, code: u16) {
    net.stats.count("messages.refused");
    let mut refusal = ack(stanza, "message");
    refusal.attrs.insert("error", code.to_string());
    connection.send(refusal).await;
}

/// The encrypted copies in a stanza, each with its device.
fn copies(stanza: &Node, to: &Jid) -> Vec<(Jid, Vec<Node>)> {
    let direct: Vec<Node> = stanza.get_children_by_tag("enc").cloned().collect();
    let mut copies = Vec::new();
    if !direct.is_empty() {
        copies.push((to.clone(), direct));
    }
    if let Some(participants) = stanza.get_optional_child("participants") {
        for copy in participants.get_children_by_tag("to") {
            if let Some(jid) = node::jid(copy, "jid") {
                copies.push((jid, copy.get_children_by_tag("enc").cloned().collect()));
            }
        }
    }
    copies
}
