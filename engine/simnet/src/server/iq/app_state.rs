//! `w:sync:app:state`: an account's app-state collections. A companion's patch is appended when it
//! is for the next version and refused with a conflict otherwise; everybody else gets it as stored
//! and can check it, since the server reads none of it.

use super::Request;
use crate::account::lock;
use crate::chance::now;
use crate::server::{node, route};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::buffa::{Message as _, MessageField};

/// Patches kept per collection; further ones are refused.
const PATCHES: usize = 10_000;
/// Patches in one answer.
const PAGE: usize = 100;
/// Collections of one account.
const NAMES: usize = 16;

/// An account's collections by name: their patches, the first being version 1.
#[derive(Default, Clone, Serialize, Deserialize)]
pub(crate) struct Collections(BTreeMap<String, Vec<crate::state::Bytes>>);

pub(super) fn answer(request: &Request<'_>) -> Node {
    let asked = node::first(request.iq).map(route::children).unwrap_or_default();
    let mut changed = Vec::new();
    let answers: Vec<Node> = {
        let mut collections = lock(&request.account.collections);
        asked
            .iter()
            .filter(|child| &*child.tag == "collection")
            .take(NAMES)
            .filter_map(|child| collection(&mut collections, child, &mut changed))
            .collect()
    };
    if !changed.is_empty() {
        announce(request, &changed);
        request.net.touch();
    }
    node::result(request.iq).children([NodeBuilder::new("sync").children(answers).build()]).build()
}

fn collection(collections: &mut Collections, asked: &Node, changed: &mut Vec<(String, usize)>) -> Option<Node> {
    let name = node::attr(asked, "name")?;
    if !collections.0.contains_key(&name) && collections.0.len() >= NAMES {
        return None;
    }
    let patches = collections.0.entry(name.clone()).or_default();
    let version = node::attr(asked, "version").and_then(|v| v.parse().ok()).unwrap_or(0usize);
    let mut answer = NodeBuilder::new("collection").attr("name", name.clone());
    if let Some(patch) = asked.get_optional_child("patch").and_then(node::bytes) {
        if version == patches.len() && patches.len() < PATCHES {
            let next = version as u64 + 1;
            patches.push(crate::state::Bytes(numbered(patch, next)?));
            changed.push((name, patches.len()));
            return Some(answer.attr("version", next).build());
        }
        let conflict = NodeBuilder::new("error").attr("code", "409").attr("text", "conflict").build();
        return Some(
            answer
                .attr("type", "error")
                .attr("version", patches.len())
                .attr("has_more_patches", "true")
                .children([conflict])
                .build(),
        );
    }
    let page: Vec<Node> = patches
        .iter()
        .skip(version)
        .take(PAGE)
        .map(|patch| NodeBuilder::new("patch").bytes(patch.0.clone()).build())
        .collect();
    let upto = version.min(patches.len()) + page.len();
    answer = answer.attr("version", upto);
    if upto < patches.len() {
        answer = answer.attr("has_more_patches", "true");
    }
    if page.is_empty() {
        return Some(answer.build());
    }
    Some(answer.children([NodeBuilder::new("patches").children(page).build()]).build())
}

/// The patch with its version filled in, as the server does.
fn numbered(patch: &[u8], version: u64) -> Option<Vec<u8>> {
    let mut patch = waproto::codec::syncd_patch_decode(patch).ok()?;
    patch.version = MessageField::some(waproto::whatsapp::SyncdVersion { version: Some(version) });
    Some(patch.encode_to_vec())
}

fn announce(request: &Request<'_>, changed: &[(String, usize)]) {
    for device in request.account.devices() {
        if device.id == 0 || device.id == request.device.id {
            continue;
        }
        let children = changed.iter().map(|(name, version)| {
            NodeBuilder::new("collection").attr("name", name.clone()).attr("version", *version).build()
        });
        device.queue.push(
            NodeBuilder::new("notification")
                .attr("from", node::SERVER)
                .attr("id", request.net.chance.stanza_id())
                .attr("type", "server_sync")
                .attr("t", now())
                .children(children)
                .build(),
        );
    }
}
