//! Small helpers to read and build stanzas.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeContent};

/// The server's own address.
pub(crate) const SERVER: &str = "s.whatsapp.net";

/// An attribute as text.
pub(crate) fn attr(node: &Node, key: &str) -> Option<String> {
    node.attrs.get(key).map(|value| value.as_str().into_owned())
}

/// An attribute as a JID.
pub(crate) fn jid(node: &Node, key: &str) -> Option<Jid> {
    node.attrs.get(key).and_then(|value| value.to_jid())
}

/// A node's content as bytes.
pub(crate) fn bytes(node: &Node) -> Option<&[u8]> {
    match &node.content {
        Some(NodeContent::Bytes(bytes)) => Some(bytes),
        Some(NodeContent::String(text)) => Some(text.as_bytes()),
        _ => None,
    }
}

/// The first child.
pub(crate) fn first(node: &Node) -> Option<&Node> {
    node.children()?.first()
}

/// `<key>` or `<skey>`: id (3 bytes), value, signature.
pub(crate) fn key(tag: &'static str, id: u32, value: Vec<u8>, signature: Option<Vec<u8>>) -> Node {
    let mut children = vec![
        NodeBuilder::new("id").bytes(id.to_be_bytes()[1..].to_vec()).build(),
        NodeBuilder::new("value").bytes(value).build(),
    ];
    if let Some(signature) = signature {
        children.push(NodeBuilder::new("signature").bytes(signature).build());
    }
    NodeBuilder::new(tag).children(children).build()
}

/// Reads a `<key>` or `<skey>`: id, value (32 bytes), signature.
pub(crate) fn read_key(node: &Node) -> Option<(u32, Vec<u8>, Option<Vec<u8>>)> {
    let id = bytes(node.get_optional_child("id")?)?;
    let id = id.iter().fold(0u32, |sum, byte| (sum << 8) | u32::from(*byte));
    let value = bytes(node.get_optional_child("value")?)?;
    let value = value.get(value.len().checked_sub(32)?..)?.to_vec();
    let signature = node.get_optional_child("signature").and_then(bytes).map(<[u8]>::to_vec);
    Some((id, value, signature))
}

/// The messages a receipt is about.
pub(crate) fn receipt_ids(receipt: &Node) -> Vec<String> {
    let listed = receipt.get_optional_child("list").into_iter();
    let items = listed.flat_map(|list| list.get_children_by_tag("item"));
    attr(receipt, "id").into_iter().chain(items.filter_map(|item| attr(item, "id"))).collect()
}

/// The answer to an IQ, empty.
pub(crate) fn result(iq: &Node) -> NodeBuilder {
    let mut answer = NodeBuilder::new("iq").attr("from", SERVER).attr("type", "result");
    if let Some(id) = attr(iq, "id") {
        answer = answer.attr("id", id);
    }
    answer
}

/// The refusal of an IQ.
pub(crate) fn error(iq: &Node, code: u16, text: &'static str) -> Node {
    let mut answer = NodeBuilder::new("iq").attr("from", SERVER).attr("type", "error");
    if let Some(id) = attr(iq, "id") {
        answer = answer.attr("id", id);
    }
    answer.children([NodeBuilder::new("error").attr("code", code).attr("text", text).build()]).build()
}
