//! Requests of a companion, one file per namespace. What simnet does not know is answered with an
//! empty `result`, counted in the statistics and logged, so that gaps are seen.

mod app_state;
mod communities;
mod encrypt;
mod groups;
mod media;
mod mex;
mod newsletter;
pub(crate) mod picture;
mod profile;
mod settings;
mod usync;

use super::socket::Connection;
use super::{devices, node};
use crate::account::{Account, Device};
use crate::network::Network;
use std::sync::Arc;
use wacore_binary::Node;

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
    if let Some(code) = request.net.faults.iq(&request.account.phone, &xmlns) {
        request.net.stats.count("faults.struck");
        let text = if code == 429 { "rate-overlimit" } else { "simulated" };
        return Some(node::error(iq, code, text));
    }
    Some(match (xmlns.as_str(), tag.as_str()) {
        ("w:p", _) => node::result(iq).attr("t", crate::chance::now()).build(),
        ("w:g2", _) => groups::answer(&request, &kind, &tag),
        ("w:mex", _) => mex::answer(&request),
        ("newsletter", _) => newsletter::answer(&request, &tag),
        ("w:profile:picture", _) => picture::answer(&request, &kind),
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
        ("w:m", "media_conn") => media::answer(&request),
        ("w:sync:app:state", "sync") => app_state::answer(&request).await,
        ("abt" | "w", "props") => settings::props(iq),
        ("status", _) => profile::about(&request, &kind),
        ("privacy", "privacy") if kind == "get" => profile::privacy(&request),
        ("privacy", "privacy") => profile::set_privacy(&request),
        ("disappearing_mode", _) => profile::disappearing(&request),
        ("w:biz", "business_profile") if kind == "get" => profile::business(&request),
        ("urn:xmpp:whatsapp:dirty" | "tos" | "w:web" | "w:stats", _) if kind == "set" => node::result(iq).build(),
        ("blocklist", _) => profile::blocklist(&request, &kind),
        _ => {
            tracing::debug!(%xmlns, %tag, %kind, "unknown request answered with an empty result");
            request.net.stats.unknown_iq(&xmlns, &tag);
            node::result(iq).build()
        }
    })
}
