//! `newsletter`: what was posted, and live updates.

use super::Request;
use crate::chance::now;
use crate::server::newsletter::{jid, reactions};
use crate::server::node;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

/// Posts in one answer.
const PAGE: usize = 100;
/// How long live updates last, in seconds.
const LIVE: u32 = 300;

pub(super) fn answer(request: &Request<'_>, tag: &str) -> Node {
    let iq = request.iq;
    let to = node::jid(iq, "to");
    let id = to.as_ref().map(|jid| jid.user.as_str()).unwrap_or_default();
    let posts = request.net.newsletters.with(id, |one| one.posts.clone());
    let (Some(posts), Some(asked)) = (posts, node::first(iq)) else {
        return node::error(iq, 404, "item-not-found");
    };
    match tag {
        "live_updates" => {
            let live = NodeBuilder::new("live_updates").attr("duration", LIVE).build();
            node::result(iq).children([live]).build()
        }
        "messages" | "message_updates" => {
            let number = |key| node::attr(asked, key).and_then(|value| value.parse::<u64>().ok());
            let count = number("count").and_then(|n| usize::try_from(n).ok()).unwrap_or(PAGE).min(PAGE);
            let before = number("before").unwrap_or(u64::MAX);
            let after = number("after").unwrap_or(0);
            let mut page: Vec<_> =
                posts.iter().rev().filter(|p| p.server_id < before && p.server_id > after).take(count).collect();
            page.reverse();
            let nodes = page.into_iter().map(|post| {
                let mut node = NodeBuilder::new("message")
                    .attr("id", post.id.as_str())
                    .attr("server_id", post.server_id)
                    .attr("t", post.at)
                    .attr("type", post.kind.as_str());
                if *post.by == *request.account.phone {
                    node = node.attr("is_sender", "true");
                }
                let body = NodeBuilder::new("plaintext").bytes(post.body.0.clone()).build();
                node.children([body, reactions(post)]).build()
            });
            let messages = NodeBuilder::new("messages").attr("jid", jid(id)).attr("t", now()).children(nodes).build();
            node::result(iq).children([messages]).build()
        }
        _ => {
            request.net.stats.unknown_iq("newsletter", tag);
            node::result(iq).build()
        }
    }
}
