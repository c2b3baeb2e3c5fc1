//! Pairing by code. A companion asks to be linked to a number and shows eight characters; the phone
//! of that number is given them, and both prove to each other that they know the same ones, through
//! messages that the server only passes on. Then the phone admits the companion as after a scan.
//!
//! A code is good for three minutes and one companion. That a code is wrong is seen by the phone, in
//! what the companion answers.

use super::node;
use super::pairing::{self, Pending};
use crate::account::{Account, lock};
use crate::chance::now;
use crate::error::SimnetError;
use crate::network::Network;
use crate::phone::pair_code::{Entered, code_of};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;
use wacore::pair_code::PairCodeUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

const DEADLINE: Duration = Duration::from_secs(30);
const REG: &str = "link_code_companion_reg";

/// A companion's request to be linked by code.
#[derive(Default)]
pub(crate) struct CodeFlow(Mutex<Option<Asked>>);

struct Asked {
    phone: Arc<str>,
    reference: Vec<u8>,
    wrapped: Vec<u8>,
    at: u64,
    answer: Option<oneshot::Sender<Finish>>,
}

/// A companion whose code can be entered now.
struct Waiting {
    pending: Arc<Pending>,
    wrapped: Vec<u8>,
    reference: Vec<u8>,
}

/// What a companion answers to the phone's hello.
struct Finish {
    bundle: Vec<u8>,
    identity: [u8; 32],
}

/// Handles a request of an unpaired companion that is about codes, and answers it.
pub(crate) fn request(net: &Arc<Network>, pending: &Pending, iq: &Node) -> Option<Node> {
    let reg = iq.get_optional_child(REG)?;
    let stage = node::attr(reg, "stage").unwrap_or_default();
    Some(match stage.as_str() {
        "companion_hello" => hello(net, pending, iq, reg),
        "companion_finish" => finish(pending, iq, reg),
        _ => node::error(iq, 400, "bad-request"),
    })
}

fn hello(net: &Arc<Network>, pending: &Pending, iq: &Node, reg: &Node) -> Node {
    let account = node::jid(reg, "jid").and_then(|jid| net.account_of(&jid));
    let wrapped = reg.get_optional_child("link_code_pairing_wrapped_companion_ephemeral_pub").and_then(node::bytes);
    let (Some(account), Some(wrapped)) = (account, wrapped.filter(|bytes| bytes.len() == 80)) else {
        return node::error(iq, 400, "bad-request");
    };
    let reference = net.chance.bytes::<24>().to_vec();
    *lock(&pending.code.0) = Some(Asked {
        phone: account.phone.clone(),
        reference: reference.clone(),
        wrapped: wrapped.to_vec(),
        at: now(),
        answer: None,
    });
    net.stats.count("pairings.codes");
    let reference = NodeBuilder::new("link_code_pairing_ref").bytes(reference).build();
    let reg = NodeBuilder::new(REG).attr("stage", "companion_hello").children([reference]).build();
    node::result(iq).children([reg]).build()
}

fn finish(pending: &Pending, iq: &Node, reg: &Node) -> Node {
    let field = |tag| reg.get_optional_child(tag).and_then(node::bytes);
    let answer = {
        let mut asked = lock(&pending.code.0);
        asked
            .as_mut()
            .filter(|asked| field("link_code_pairing_ref") == Some(&asked.reference))
            .and_then(|a| a.answer.take())
    };
    let identity = field("companion_identity_public").and_then(|key| key.try_into().ok());
    let (Some(answer), Some(bundle), Some(identity)) =
        (answer, field("link_code_pairing_wrapped_key_bundle"), identity)
    else {
        return node::error(iq, 400, "bad-request");
    };
    let _ = answer.send(Finish { bundle: bundle.to_vec(), identity });
    node::result(iq).build()
}

/// The code is entered at the phone. Waits until the companion is linked; returns its device.
pub(crate) async fn enter(net: &Arc<Network>, account: &Arc<Account>, code: &str) -> Result<Jid, SimnetError> {
    let code = code_of(code)?;
    let Waiting { pending, wrapped, reference } = waiting(net, account)?;
    // Deriving keys from a code takes long on purpose.
    let fork = net.chance.fork();
    let entered = tokio::task::spawn_blocking(move || Entered::new(code, &wrapped, fork)).await;
    let entered = entered.map_err(|_| SimnetError::Stopping)??;
    let (answer, answered) = oneshot::channel();
    match lock(&pending.code.0).as_mut().filter(|asked| asked.reference == reference) {
        Some(asked) if asked.answer.as_ref().is_none_or(oneshot::Sender::is_closed) => asked.answer = Some(answer),
        Some(_) => return Err(SimnetError::Pairing("the code is being entered already".into())),
        None => return Err(SimnetError::Pairing("the companion asked for another code meanwhile".into())),
    }
    let hello = NodeBuilder::new(REG)
        .attr("stage", "primary_hello")
        .children([
            NodeBuilder::new("link_code_pairing_wrapped_primary_ephemeral_pub").bytes(entered.wrapped()).build(),
            NodeBuilder::new("primary_identity_pub").bytes(account.primary.identity.public().to_vec()).build(),
            NodeBuilder::new("link_code_pairing_ref").bytes(reference).build(),
        ])
        .build();
    let notification = NodeBuilder::new("notification")
        .attr("from", node::SERVER)
        .attr("id", net.chance.stanza_id())
        .attr("type", REG)
        .attr("t", now())
        .children([hello])
        .build();
    pending.connection().send(notification).await;
    let Finish { bundle, identity } = match tokio::time::timeout(DEADLINE, answered).await {
        Ok(Ok(finish)) => finish,
        Ok(Err(_)) => return Err(SimnetError::Pairing("the companion hung up; ask for a fresh code".into())),
        Err(_) => return Err(SimnetError::Pairing("the companion did not answer within 30 s".into())),
    };
    let scanned = entered.open(&account.primary.identity, &bundle, identity, *pending.noise())?;
    lock(&pending.code.0).take();
    pairing::admit(net, account, &pending, &scanned).await
}

/// The companion that asked last to be linked to an account by code.
fn waiting(net: &Network, account: &Account) -> Result<Waiting, SimnetError> {
    let all: Vec<Arc<Pending>> = lock(&net.pairings).values().cloned().collect();
    let found = all.into_iter().filter_map(|pending| {
        let asked = lock(&pending.code.0);
        let asked = asked.as_ref().filter(|asked| asked.phone == account.phone)?;
        let (wrapped, reference) = (asked.wrapped.clone(), asked.reference.clone());
        Some((asked.at, Waiting { pending: pending.clone(), wrapped, reference }))
    });
    let (at, waiting) = found.max_by_key(|(at, _)| *at).ok_or_else(|| {
        SimnetError::Pairing(format!("nobody asks to be linked to {} by code: ask for a code first", account.phone))
    })?;
    if now().saturating_sub(at) > PairCodeUtils::code_validity().as_secs() {
        return Err(SimnetError::Pairing("the code has expired: ask for a fresh one".into()));
    }
    Ok(waiting)
}
