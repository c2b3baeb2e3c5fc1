//! Settings that clients ask for at login: server properties and privacy, at their defaults.

use crate::server::node;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

const CATEGORIES: [(&str, &str); 7] = [
    ("readreceipts", "all"),
    ("profile", "all"),
    ("status", "contacts"),
    ("last", "all"),
    ("online", "all"),
    ("groupadd", "all"),
    ("calladd", "all"),
];

/// Server properties: none differ from the client's defaults.
pub(super) fn props(iq: &Node) -> Node {
    let props = NodeBuilder::new("props")
        .attr("protocol", "1")
        .attr("hash", "simnet")
        .attr("ab_key", "simnet")
        .attr("refresh", "86400")
        .attr("refresh_id", "1")
        .build();
    node::result(iq).children([props]).build()
}

/// Privacy settings.
pub(super) fn privacy(iq: &Node) -> Node {
    let categories = CATEGORIES
        .iter()
        .map(|(name, value)| NodeBuilder::new("category").attr("name", *name).attr("value", *value).build());
    node::result(iq).children([NodeBuilder::new("privacy").children(categories).build()]).build()
}
