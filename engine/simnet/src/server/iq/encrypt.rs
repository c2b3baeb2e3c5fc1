//! `encrypt`: prekey upload and count, signed prekey rotation, the digest of what is stored, and
//! key bundles of other devices.

use super::Request;
use crate::account::lock;
use crate::server::{node, route};
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

/// Prekeys in one upload at most.
const UPLOAD: usize = 1_000;
/// Devices in one bundle request at most.
const DEVICES: usize = 1_000;

pub(super) fn answer(request: &Request<'_>, kind: &str, tag: &str) -> Node {
    match (kind, tag) {
        ("get", "count") => {
            let count = lock(&request.device.keys).prekeys.len();
            let count = NodeBuilder::new("count").attr("value", count).build();
            node::result(request.iq).children([count]).build()
        }
        ("get", "digest") => digest(request),
        ("get", "key") => bundles(request),
        ("set", "rotate") => rotate(request),
        ("set", _) if request.iq.get_optional_child("list").is_some() => upload(request),
        _ => {
            request.net.stats.unknown_iq("encrypt", tag);
            node::result(request.iq).build()
        }
    }
}

fn upload(request: &Request<'_>) -> Node {
    let iq = request.iq;
    let Some(list) = iq.get_optional_child("list") else {
        return node::error(iq, 400, "bad-request");
    };
    let fresh: Vec<_> =
        list.get_children_by_tag("key").take(UPLOAD).filter_map(node::read_key).map(|(id, key, _)| (id, key)).collect();
    if !set_signed(request, iq.get_optional_child("skey")) {
        return node::error(iq, 406, "not-acceptable");
    }
    if let Some(registration) = iq.get_optional_child("registration").and_then(node::bytes)
        && let Ok(id) = registration.try_into()
    {
        lock(&request.device.keys).registration_id = u32::from_be_bytes(id);
    }
    request.net.stats.count("prekeys.uploads");
    request.device.add_prekeys(fresh);
    request.net.touch();
    node::result(iq).build()
}

fn rotate(request: &Request<'_>) -> Node {
    let skey = node::first(request.iq).and_then(|rotate| rotate.get_optional_child("skey"));
    if set_signed(request, skey) {
        request.net.touch();
        node::result(request.iq).build()
    } else {
        node::error(request.iq, 406, "not-acceptable")
    }
}

fn set_signed(request: &Request<'_>, skey: Option<&Node>) -> bool {
    let Some((id, public, Some(signature))) = skey.and_then(node::read_key) else { return false };
    let mut keys = lock(&request.device.keys);
    keys.signed_id = id;
    keys.signed_public = public;
    keys.signed_signature = signature;
    true
}

fn digest(request: &Request<'_>) -> Node {
    let device = request.device;
    let keys = lock(&device.keys).clone();
    if keys.prekeys.is_empty() {
        return node::error(request.iq, 404, "item-not-found");
    }
    let values: Vec<&[u8]> = keys.prekeys.iter().map(|(_, key)| key.0.as_slice()).collect();
    let hash = wacore::prekeys::compute_key_bundle_digest(
        &device.identity,
        &keys.signed_public,
        &keys.signed_signature,
        &values,
    );
    let list = keys.prekeys.iter().map(|(id, _)| NodeBuilder::new("id").bytes(id.to_be_bytes()[1..].to_vec()).build());
    let digest = NodeBuilder::new("digest")
        .children([
            NodeBuilder::new("registration").bytes(keys.registration_id.to_be_bytes().to_vec()).build(),
            NodeBuilder::new("type").bytes(vec![5]).build(),
            NodeBuilder::new("identity").bytes(device.identity.to_vec()).build(),
            node::key("skey", keys.signed_id, keys.signed_public.clone(), Some(keys.signed_signature.clone())),
            NodeBuilder::new("list").children(list).build(),
            NodeBuilder::new("hash").bytes(hash).build(),
        ])
        .build();
    node::result(request.iq).children([digest]).build()
}

fn bundles(request: &Request<'_>) -> Node {
    let asked = node::first(request.iq).map(route::children).unwrap_or_default();
    let users = asked.iter().take(DEVICES).filter_map(|user| {
        let jid = node::jid(user, "jid")?;
        let entry = NodeBuilder::new("user").attr("jid", jid.clone());
        let bundle =
            request.net.device_of(&jid).and_then(|device| Some((route::take_bundle(request.net, &device)?, device)));
        let Some((bundle, device)) = bundle else {
            let error = NodeBuilder::new("error").attr("code", 404).attr("text", "item-not-found");
            return Some(entry.children([error.build()]).build());
        };
        let mut children = vec![
            NodeBuilder::new("registration").bytes(bundle.registration_id.to_be_bytes().to_vec()).build(),
            NodeBuilder::new("type").bytes(vec![5]).build(),
            NodeBuilder::new("identity").bytes(bundle.identity.to_vec()).build(),
            node::key("skey", bundle.signed_id, bundle.signed_public, Some(bundle.signed_signature)),
        ];
        if let Some((id, key)) = bundle.prekey {
            children.push(node::key("key", id, key, None));
        }
        if device.id != 0 {
            children.push(NodeBuilder::new("device-identity").bytes(device.signed_identity.clone()).build());
        }
        Some(entry.children(children).build())
    });
    let list = NodeBuilder::new("list").children(users).build();
    node::result(request.iq).children([list]).build()
}
