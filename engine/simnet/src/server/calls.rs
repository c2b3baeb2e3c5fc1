//! Calls, as far as they are signalled: a phone rings, hangs up, sees that it was turned down. There
//! is no sound and no picture. What is signalled goes through the reliable queue, so a companion
//! that was away learns that it missed a call.

use super::group::{self, refusal::Refusal};
use super::node;
use crate::account::{Account, Device, lock};
use crate::chance::{now, now_millis};
use crate::network::Network;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

/// Calls remembered.
const CALLS: usize = 10_000;

/// How a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallState {
    /// Nobody has answered yet.
    Ringing,
    /// The called side answered.
    Accepted,
    /// The called side turned it down.
    Rejected,
    /// The caller hung up.
    Ended,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Its id.
    pub id: String,
    /// Who calls.
    pub from: String,
    /// Who is called.
    pub to: Vec<String>,
    /// Whether with a picture.
    pub video: bool,
    /// The group it is in, if any.
    pub group: Option<String>,
    /// How it stands.
    pub state: CallState,
    /// When it began, milliseconds since 1970.
    pub ts: u64,
}

/// The calls of the network, the newest last.
#[derive(Default)]
pub(crate) struct Calls(Mutex<VecDeque<Call>>);

impl Calls {
    fn add(&self, call: Call) {
        let mut calls = lock(&self.0);
        if calls.len() >= CALLS {
            calls.pop_front();
        }
        calls.push_back(call);
    }

    /// Changes how a call stands, if it still rings or goes on. Returns the call as it was.
    fn change(&self, id: &str, state: CallState, may: impl Fn(&Call) -> bool) -> Option<Call> {
        let mut calls = lock(&self.0);
        let call = calls.iter_mut().rev().find(|call| call.id == id)?;
        let open = matches!(call.state, CallState::Ringing | CallState::Accepted);
        if !open || !may(call) {
            return None;
        }
        let before = call.clone();
        call.state = state;
        Some(before)
    }

    /// The calls in which an account takes part.
    pub(crate) fn of(&self, phone: &str) -> Vec<Call> {
        lock(&self.0)
            .iter()
            .filter(|call| call.from == phone || call.to.iter().any(|to| to == phone))
            .cloned()
            .collect()
    }
}

/// A phone calls a number, or all members of a group. Returns the call's id.
pub(crate) fn ring(
    net: &Arc<Network>,
    caller: &Account,
    to: Vec<Arc<Account>>,
    video: bool,
    group: Option<&str>,
) -> Result<String, Refusal> {
    if let Some(group) = group {
        net.groups.read(group, |group| group.rank(&caller.phone).map(drop).ok_or(Refusal::NotMember))?;
    }
    let own = caller.device(0).ok_or(Refusal::Malformed)?;
    let id = net.chance.message_id();
    let mut offer = action(&own, "offer", &id).attr("caller_pn", caller.pn_jid());
    if let Some(group) = group {
        offer = offer.attr("group-jid", group::jid(group));
    }
    let audio = |rate: &'static str| NodeBuilder::new("audio").attr("enc", "opus").attr("rate", rate).build();
    let mut children = vec![audio("8000"), audio("16000")];
    if video {
        children.push(NodeBuilder::new("video").attr("enc", "h264").attr("dec", "h264").build());
    }
    children.push(NodeBuilder::new("net").attr("medium", "3").build());
    children.push(NodeBuilder::new("encopt").attr("keygen", "2").build());
    let offer = offer.children(children).build();
    net.calls.add(Call {
        id: id.clone(),
        from: caller.phone.to_string(),
        to: to.iter().map(|account| account.phone.to_string()).collect(),
        video,
        group: group.map(|group| group::jid(group).to_string()),
        state: CallState::Ringing,
        ts: now_millis(),
    });
    net.stats.count("calls.rung");
    for account in to {
        if !account.blocks(caller) && account.allows("calladd", caller) {
            signal(net, &own, caller, &account, None, &offer);
        }
    }
    Ok(id)
}

/// A phone hangs up. False when it has no such call that still goes on.
pub(crate) fn end(net: &Arc<Network>, account: &Account, id: &str) -> bool {
    let Some(own) = account.device(0) else { return false };
    let Some(call) = net.calls.change(id, CallState::Ended, |call| call.from == *account.phone) else { return false };
    let terminate = action(&own, "terminate", id).build();
    for other in call.to.iter().filter_map(|phone| net.account(phone)) {
        signal(net, &own, account, &other, None, &terminate);
    }
    true
}

/// What a companion signals of a call: it turns it down, answers it, ends or begins one.
pub(crate) fn from_companion(net: &Arc<Network>, account: &Account, device: &Device, stanza: &Node) {
    let Some(said) = node::first(stanza) else { return };
    let Some(id) = node::attr(said, "call-id") else { return };
    let other = node::jid(stanza, "to").and_then(|to| net.account_of(&to));
    let state = match &*said.tag {
        "reject" => CallState::Rejected,
        "accept" => CallState::Accepted,
        "terminate" => CallState::Ended,
        "offer" => CallState::Ringing,
        _ => return,
    };
    if state == CallState::Ringing {
        let Some(other) = other else { return };
        net.calls.add(Call {
            id,
            from: account.phone.to_string(),
            to: vec![other.phone.to_string()],
            video: said.get_optional_child("video").is_some(),
            group: None,
            state,
            ts: now_millis(),
        });
        if !other.blocks(account) {
            signal(net, device, account, &other, None, said);
        }
        return;
    }
    let takes_part = |call: &Call| call.from == *account.phone || call.to.iter().any(|to| *to == *account.phone);
    let Some(call) = net.calls.change(&id, state, takes_part) else { return };
    if let Some(other) = other {
        signal(net, device, account, &other, None, said);
    }
    // The account's own other companions stop ringing.
    if state != CallState::Ended && call.from != *account.phone {
        let reason = if state == CallState::Rejected { "rejected_elsewhere" } else { "accepted_elsewhere" };
        let caller = net.account(&call.from).and_then(|caller| Some((caller.device(0)?, caller)));
        if let Some((own, caller)) = caller {
            let stop = action(&own, "terminate", &id).attr("reason", reason).build();
            signal(net, &own, &caller, account, Some(device.id), &stop);
        }
    }
}

/// What is said of a call, by the one who made it.
fn action(creator: &Device, tag: &'static str, id: &str) -> NodeBuilder {
    NodeBuilder::new(tag).attr("call-id", id).attr("call-creator", creator.lid_jid())
}

/// Queues what is said of a call for an account's companions.
fn signal(net: &Network, from: &Device, sender: &Account, to: &Account, except: Option<u16>, said: &Node) {
    let stanza = NodeBuilder::new("call")
        .attr("from", from.lid_jid())
        .attr("id", net.chance.stanza_id())
        .attr("t", now())
        .attr("notify", sender.name())
        .attr("platform", "android")
        .attr("version", "2.25.1.1")
        .children([said.clone()])
        .build();
    for device in to.devices().iter().filter(|device| device.id != 0 && Some(device.id) != except) {
        device.queue.push(stanza.clone());
    }
    net.touch();
}
