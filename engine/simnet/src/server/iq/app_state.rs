//! `w:sync:app:state`: a companion sends patches and asks for those it lacks. A patch for another
//! version is refused with a conflict and the patches it lacks; who asks for a snapshot, or is too
//! far behind for patches, gets one by way of the media host.

use super::Request;
use crate::account::lock;
use crate::app_state::{self, Refused, Update};
use crate::media::cipher::{self, Source};
use crate::network::Network;
use crate::server::{node, route};
use crate::state::Bytes;
use std::sync::Arc;
use wacore::download::MediaType;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::buffa::Message as _;
use waproto::whatsapp::{self as wa};

/// Patches in one answer.
const PAGE: usize = 100;
/// Patches up to which a device that asks for a snapshot is given the patches instead.
const FEW: usize = 20;

/// The answer about one collection, still without its snapshot.
struct Answer {
    node: NodeBuilder,
    children: Vec<Node>,
    snapshot: Option<wa::SyncdSnapshot>,
}

pub(super) async fn answer(request: &Request<'_>) -> Node {
    let asked = node::first(request.iq).map(route::children).unwrap_or_default();
    let mut changed = Vec::new();
    let answers: Vec<Answer> = asked
        .iter()
        .filter(|child| &*child.tag == "collection")
        .take(app_state::NAMES.len())
        .filter_map(|child| collection(request, child, &mut changed))
        .collect();
    let mut nodes = Vec::with_capacity(answers.len());
    for Answer { node, mut children, snapshot } in answers {
        if let Some(snapshot) = snapshot
            && let Some(blob) = blob(request.net, &snapshot).await
        {
            children.insert(0, blob);
        }
        nodes.push(if children.is_empty() { node.build() } else { node.children(children).build() });
    }
    if !changed.is_empty() {
        app_state::announce(request.net, request.account, request.device.id, &changed);
    }
    node::result(request.iq).children([NodeBuilder::new("sync").children(nodes).build()]).build()
}

fn collection(request: &Request<'_>, asked: &Node, changed: &mut Vec<(String, u64)>) -> Option<Answer> {
    let name = node::attr(asked, "name")?;
    let mut collections = lock(&request.account.collections);
    let collection = collections.get(&name)?;
    let version = node::attr(asked, "version").and_then(|v| v.parse().ok()).unwrap_or(0u64);
    let answer = NodeBuilder::new("collection").attr("name", name.clone());
    if let Some(patch) = asked.get_optional_child("patch").and_then(node::bytes) {
        let struck = request.net.faults.conflict(&request.account.phone);
        let taken = if struck { Err(Refused::Conflict) } else { collection.commit(version, patch) };
        return Some(match taken {
            Ok(version) => {
                request.net.stats.count("appstate.patches");
                changed.push((name, version));
                Answer { node: answer.attr("version", version), children: Vec::new(), snapshot: None }
            }
            Err(refused) => refuse(request, answer, collection, version, &refused, struck),
        });
    }
    let whole = node::attr(asked, "return_snapshot").is_some_and(|wanted| wanted == "true");
    let update = if whole && version == 0 && collection.kept() > FEW {
        Update::Snapshot
    } else {
        collection.since(version, PAGE)
    };
    Some(match update {
        Update::Snapshot => Answer {
            node: answer.attr("version", collection.version()),
            children: Vec::new(),
            snapshot: Some(collection.snapshot()),
        },
        Update::Patches(page, more) => {
            let upto = version.min(collection.version()) + page.len() as u64;
            let mut node = answer.attr("version", upto);
            if more {
                node = node.attr("has_more_patches", "true");
            }
            Answer { node, children: patches(page).into_iter().collect(), snapshot: None }
        }
    })
}

fn refuse(
    request: &Request<'_>,
    answer: NodeBuilder,
    collection: &app_state::Collection,
    version: u64,
    refused: &Refused,
    struck: bool,
) -> Answer {
    let (code, text) = match refused {
        Refused::Conflict => ("409", "conflict"),
        Refused::Malformed => ("400", "bad-request"),
    };
    request.net.stats.count("appstate.refused");
    let mut node = answer.attr("type", "error").attr("version", collection.version());
    let mut children = vec![NodeBuilder::new("error").attr("code", code).attr("text", text).build()];
    let mut snapshot = None;
    if *refused == Refused::Conflict {
        match collection.since(version, PAGE) {
            Update::Patches(page, more) => {
                // A conflict out of nothing sends the device to ask.
                if more || struck {
                    node = node.attr("has_more_patches", "true");
                }
                children.extend(patches(page));
            }
            Update::Snapshot => snapshot = Some(collection.snapshot()),
        }
    }
    Answer { node, children, snapshot }
}

fn patches(page: Vec<Bytes>) -> Option<Node> {
    if page.is_empty() {
        return None;
    }
    let page = page.into_iter().map(|patch| NodeBuilder::new("patch").bytes(patch.0).build());
    Some(NodeBuilder::new("patches").children(page).build())
}

/// A snapshot, as a reference to where it lies.
async fn blob(net: &Arc<Network>, snapshot: &wa::SyncdSnapshot) -> Option<Node> {
    let source = Source::Bytes(snapshot.encode_to_vec());
    let up = cipher::upload(net, source, MediaType::AppState).await;
    let up = up.inspect_err(|error| tracing::warn!(%error, "no app-state snapshot")).ok()?;
    let reference = wa::ExternalBlobReference {
        media_key: Some(up.media_key),
        direct_path: Some(up.direct_path),
        handle: Some(hex::encode(net.chance.bytes::<8>())),
        file_size_bytes: Some(up.length),
        file_sha256: Some(up.sha256),
        file_enc_sha256: Some(up.enc_sha256),
    };
    net.stats.count("appstate.snapshots");
    Some(NodeBuilder::new("snapshot").bytes(reference.encode_to_vec()).build())
}
