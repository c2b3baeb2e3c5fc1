//! Settings that clients ask for at login: server properties, at their defaults.

use crate::server::node;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

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
