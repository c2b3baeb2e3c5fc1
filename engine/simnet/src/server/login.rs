//! Who is at the other end of a fresh socket: a companion that wants to pair, or one that logs in.
//! A login is checked against the device's Noise key; an older connection of the same device is
//! replaced. Then the session hands every stanza to the room that knows it.

use super::socket::Connection;
use super::{calls, group, iq, message, node, pair_code, pairing, people, presence, route};
use crate::account::{Account, Device, lock};
use crate::chance::now;
use crate::faults::FaultKind;
use crate::network::Network;
use std::sync::Arc;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp::ClientPayload;

/// A client that has been told who it is.
pub(crate) struct Session {
    pub(crate) net: Arc<Network>,
    pub(crate) connection: Arc<Connection>,
    who: Who,
}

enum Who {
    /// Refused; nothing it says matters.
    Nobody,
    Pairing(Arc<pairing::Pending>),
    Companion(Arc<Account>, Arc<Device>),
}

/// Greets a client after its handshake.
pub(crate) async fn begin(
    net: &Arc<Network>,
    connection: &Arc<Connection>,
    client_static: [u8; 32],
    payload: &ClientPayload,
) -> Session {
    let who = match payload.username {
        Some(username) => {
            let device = payload.device.unwrap_or(0);
            log_in(net, connection, client_static, &username.to_string(), device).await
        }
        None => match pairing::begin(net, connection, client_static, payload).await {
            Some(pending) => Who::Pairing(pending),
            None => {
                refuse(net, connection, "400");
                Who::Nobody
            }
        },
    };
    if payload.passive == Some(false)
        && let Who::Companion(_, device) = &who
    {
        connection.drain(device.clone()).await;
    }
    Session { net: net.clone(), connection: connection.clone(), who }
}

async fn log_in(
    net: &Arc<Network>,
    connection: &Arc<Connection>,
    client_static: [u8; 32],
    phone: &str,
    device: u32,
) -> Who {
    if let Some(fault) = net.faults.refuse(phone) {
        let reason = if fault.kind == FaultKind::Ban { "403" } else { "503" };
        refuse(net, connection, reason);
        return Who::Nobody;
    }
    let known = net.account(phone).and_then(|account| {
        let device = account.device(u16::try_from(device).ok()?)?;
        Some((account, device))
    });
    let Some((account, device)) = known.filter(|(_, d)| d.id != 0 && d.noise == client_static) else {
        refuse(net, connection, "401");
        return Who::Nobody;
    };
    let replaced = lock(&device.connection).replace(connection.clone());
    if let Some(old) = replaced {
        let conflict = NodeBuilder::new("conflict").attr("type", "replaced").build();
        old.close_with(NodeBuilder::new("stream:error").children([conflict]).build());
    }
    net.stats.count("logins");
    let success = NodeBuilder::new("success")
        .attr("t", now())
        .attr("props", "1")
        .attr("location", "sim")
        .attr("lid", device.lid_jid())
        .attr("display_name", account.name())
        .build();
    connection.send(success).await;
    Who::Companion(account, device)
}

fn refuse(net: &Network, connection: &Connection, reason: &'static str) {
    net.stats.count("logins.refused");
    connection.close_with(NodeBuilder::new("failure").attr("reason", reason).attr("location", "sim").build());
}

impl Session {
    /// Handles one stanza.
    pub(crate) async fn handle(&mut self, stanza: Node) {
        match &self.who {
            Who::Nobody => {}
            Who::Pairing(pending) => {
                pairing::stanza(&self.net, pending, &stanza).await;
                if &*stanza.tag == "iq" && node::attr(&stanza, "type").is_some_and(|t| t == "get" || t == "set") {
                    let answer = pair_code::request(&self.net, pending, &stanza);
                    self.connection.send(answer.unwrap_or_else(|| node::result(&stanza).build())).await;
                }
            }
            Who::Companion(account, device) => self.companion(account, device, stanza).await,
        }
    }

    async fn companion(&self, account: &Arc<Account>, device: &Arc<Device>, stanza: Node) {
        match &*stanza.tag {
            "iq" => {
                let request =
                    iq::Request { net: &self.net, account, device, connection: &self.connection, iq: &stanza };
                if let Some(answer) = iq::answer(request).await {
                    self.connection.send(answer).await;
                }
            }
            "message" => {
                message::receive(&self.net, account, device, &self.connection, stanza).await;
            }
            "receipt" => {
                let of_call = ["offer", "accept", "reject"].iter().any(|tag| stanza.get_optional_child(tag).is_some());
                if of_call {
                    device.queue.ack("call", &node::attr(&stanza, "id").unwrap_or_default(), None);
                } else {
                    settle(device, &stanza);
                    route::receipt(&self.net, device, &stanza);
                }
                self.connection.send(ack(&stanza, "receipt")).await;
            }
            "ack" => {
                let class = node::attr(&stanza, "class").unwrap_or_default();
                let id = node::attr(&stanza, "id").unwrap_or_default();
                let from = node::jid(&stanza, "to");
                let user = from.as_ref().map(|jid| jid.user.as_str());
                if stanza.attrs.contains_key("error") {
                    self.net.stats.count("nacks");
                }
                if device.queue.ack(&class, &id, user) {
                    self.net.touch();
                }
            }
            "presence" => {
                if let Some(name) = node::attr(&stanza, "name") {
                    people::set_name(&self.net, account, &name);
                }
                let to = node::jid(&stanza, "to");
                let whom = to.as_ref().and_then(|to| self.net.account_of(to));
                match (node::attr(&stanza, "type").as_deref(), whom, to) {
                    (Some("available"), _, None) => presence::set(&self.net, account, device.id, true),
                    (Some("unavailable"), _, None) => presence::set(&self.net, account, device.id, false),
                    (Some("subscribe"), Some(whom), Some(to)) => {
                        presence::subscribe(&whom, account, &self.connection, to);
                    }
                    (Some("unsubscribe"), Some(whom), _) => presence::unsubscribe(&whom, &self.connection),
                    _ => {}
                }
            }
            "chatstate" => {
                let (Some(to), Some(state)) = (node::jid(&stanza, "to"), node::first(&stanza)) else {
                    return;
                };
                let state = match &*state.tag {
                    "paused" => "paused",
                    _ if state.attrs.get("media").is_some_and(|media| media == "audio") => "recording",
                    _ => "composing",
                };
                if let Some(group) = group::id_of(&to) {
                    // Typing where one may not write is shown to nobody.
                    let _ = group::message::chat_state(&self.net, account, group, state);
                } else if let Some(to) = self.net.account_of(&to) {
                    route::chat_state(&self.net, account, &to, state);
                }
            }
            "call" => {
                calls::from_companion(&self.net, account, device, &stanza);
                self.connection.send(ack(&stanza, "call")).await;
            }
            "notification" => self.connection.send(ack(&stanza, "call")).await,
            _ => {}
        }
    }

    /// Cleans up after the socket.
    pub(crate) fn end(&mut self) {
        match &self.who {
            Who::Nobody => {}
            Who::Pairing(pending) => pairing::end(&self.net, pending),
            Who::Companion(account, device) => {
                let mut live = lock(&device.connection);
                if live.as_ref().is_some_and(|live| Arc::ptr_eq(live, &self.connection)) {
                    *live = None;
                    drop(live);
                    presence::set(&self.net, account, device.id, false);
                }
            }
        }
    }
}

/// A delivery receipt is also the device's ack of the messages it names.
fn settle(device: &Device, receipt: &Node) {
    let kind = node::attr(receipt, "type");
    if !matches!(kind.as_deref(), None | Some("" | "inactive" | "sender" | "peer_msg" | "hist_sync")) {
        return;
    }
    let to = node::jid(receipt, "to");
    let user = to.as_ref().map(|jid| jid.user.as_str());
    for id in node::receipt_ids(receipt) {
        device.queue.ack("message", &id, user);
    }
}

/// The server's ack of a stanza.
pub(crate) fn ack(stanza: &Node, class: &'static str) -> Node {
    let mut ack = NodeBuilder::new("ack").attr("class", class).attr("t", now());
    for (from, to) in [("id", "id"), ("to", "from"), ("type", "type"), ("participant", "participant")] {
        if let Some(value) = stanza.attrs.get(from) {
            ack = ack.attr(to, value.clone());
        }
    }
    ack.build()
}
