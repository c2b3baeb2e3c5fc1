//! `w:m`: where files are uploaded and fetched, and the token for it.

use super::Request;
use crate::media::AUTH_TTL;
use crate::server::node;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

/// How long a client may keep the answer, in seconds.
const TTL: u64 = 300;

pub(super) fn answer(request: &Request<'_>) -> Node {
    let Ok(media) = request.net.media() else {
        return node::error(request.iq, 503, "service-unavailable");
    };
    let everything = || [NodeBuilder::new("upload").build(), NodeBuilder::new("download").build()];
    let host = NodeBuilder::new("host")
        .attr("hostname", media.host.as_str())
        .attr("type", "primary")
        .attr("maxContentLengthBytes", crate::media::store::FILE)
        .children(everything())
        .build();
    let conn = NodeBuilder::new("media_conn")
        .attr("auth", media.token(&request.account.phone))
        .attr("ttl", TTL)
        .attr("auth_ttl", AUTH_TTL)
        .attr("max_buckets", "12")
        .attr("is_new", "1")
        .children([host])
        .build();
    request.net.stats.count("media.conns");
    node::result(request.iq).children([conn]).build()
}
