//! Requests of a companion, one file per namespace. What simnet does not know is answered with an
//! empty `result`, counted in the statistics and logged, so that gaps are seen.

pub(crate) mod app_state;
mod encrypt;
mod settings;
mod usync;

use super::socket::Connection;
use super::{devices, node};
use crate::account::{Account, Device};
use crate::network::Network;
use std::sync::Arc;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

/// A request and who asks.
pub(crate) struct Request<'a> {
    pub(crate) net: &'a Arc<Network>,
    pub(crate) account: &'a Arc<Account>,
    pub(crate) device: &'a Arc<Device>,
    pub(crate) connection: &'a Arc<Connection>,
    pub(crate) iq: &'a Node,
}

/// The answer to a request; `None` when it needs none.
pub(crate) async fn answer(request: Request<'_>) -> Option<Node> {
    let iq = request.iq;
    let kind = node::attr(iq, "type").unwrap_or_default();
    if kind != "get" && kind != "set" {
        return None;
    }
    let xmlns = node::attr(iq, "xmlns").unwrap_or_default();
    let tag = node::first(iq).map(|child| child.tag.to_string()).unwrap_or_default();
    Some(match (xmlns.as_str(), tag.as_str()) {
        ("w:p", _) => node::result(iq).attr("t", crate::chance::now()).build(),
        ("encrypt", _) => encrypt::answer(&request, &kind, &tag),
        ("usync", "usync") => usync::answer(&request),
        ("passive", "active") => {
            request.connection.send(node::result(iq).build()).await;
            request.connection.drain(request.device.clone()).await;
            return None;
        }
        ("passive", _) => node::result(iq).build(),
        ("md", "remove-companion-device") => {
            let whom = node::first(iq).and_then(|child| node::jid(child, "jid"));
            let id = whom.map_or(request.device.id, |jid| jid.device);
            request.connection.send(node::result(iq).build()).await;
            devices::unlink(request.net, request.account, id);
            return None;
        }
        ("w:sync:app:state", "sync") => app_state::answer(&request),
        ("abt" | "w", "props") => settings::props(iq),
        ("privacy", "privacy") if kind == "get" => settings::privacy(iq),
        ("privacy" | "urn:xmpp:whatsapp:dirty" | "tos" | "w:web" | "w:stats" | "w:g2", _) if kind == "set" => {
            node::result(iq).build()
        }
        ("blocklist", _) => node::result(iq).children([NodeBuilder::new("list").build()]).build(),
        _ => {
            tracing::debug!(%xmlns, %tag, %kind, "unknown request answered with an empty result");
            request.net.stats.unknown_iq(&xmlns, &tag);
            node::result(iq).build()
        }
    })
}
