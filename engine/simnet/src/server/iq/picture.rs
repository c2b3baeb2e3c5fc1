//! `w:profile:picture`: pictures of accounts and groups. Clients are given a URL of simnet's own;
//! who may see an account's picture is that account's privacy.

use super::Request;
use crate::account::{Account, lock};
use crate::network::Network;
use crate::person::Picture;
use crate::server::group::{self, id_of, settings};
use crate::server::{node, people};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

/// The largest picture.
pub(crate) const PICTURE: usize = 200 * 1024;

pub(super) fn answer(request: &Request<'_>, kind: &str) -> Node {
    let target = node::jid(request.iq, "target").filter(|jid| !jid.user.is_empty());
    let answered = if kind == "get" { get(request, target) } else { set(request, target) };
    match answered {
        Ok(Some(picture)) => node::result(request.iq).children([picture]).build(),
        Ok(None) => node::result(request.iq).build(),
        Err((code, text)) => node::error(request.iq, code, text),
    }
}

type Answer = Result<Option<Node>, (u16, &'static str)>;

fn get(request: &Request<'_>, target: Option<Jid>) -> Answer {
    let target = target.unwrap_or_else(|| request.account.pn_jid());
    let missing = (404, "item-not-found");
    let (owner, picture) = match id_of(&target) {
        Some(id) => {
            let found = request.net.groups.read(id, |group| Ok(group.picture.clone()));
            (id.to_owned(), found.map_err(|refusal| (refusal.code(), refusal.text()))?)
        }
        None => {
            let account = request.net.account_of(&target).ok_or(missing)?;
            if !visible(&account, request.account) {
                return Err((401, "not-authorized"));
            }
            let picture = lock(&account.person).picture.clone();
            (account.phone.to_string(), picture)
        }
    };
    let picture = picture.ok_or(missing)?;
    let known = node::first(request.iq).and_then(|asked| node::attr(asked, "id"));
    if known.is_some_and(|known| known == picture.id) {
        return Ok(Some(NodeBuilder::new("picture").build()));
    }
    let kind = node::first(request.iq).and_then(|asked| node::attr(asked, "type")).unwrap_or_else(|| "image".into());
    let node = NodeBuilder::new("picture").attr("type", kind);
    Ok(Some(described(node, request.net, &owner, &picture).build()))
}

/// Whether an account lets another one see its picture.
pub(super) fn visible(owner: &Account, viewer: &Account) -> bool {
    owner.phone == viewer.phone || (owner.allows("profile", viewer) && !owner.blocks(viewer))
}

/// A `<picture>` with where the picture is to be had.
pub(super) fn described(node: NodeBuilder, net: &Network, owner: &str, picture: &Picture) -> NodeBuilder {
    let path = format!("/pictures/{owner}/{}", picture.id);
    let node = node.attr("id", picture.id.as_str()).attr("direct_path", path.as_str());
    match net.address.get() {
        Some(address) => node.attr("url", format!("http://{address}{path}")),
        None => node,
    }
}

fn set(request: &Request<'_>, target: Option<Jid>) -> Answer {
    let bytes = request.iq.get_optional_child("picture").and_then(node::bytes);
    if bytes.is_some_and(|bytes| bytes.is_empty() || bytes.len() > PICTURE) {
        return Err((406, "not-acceptable"));
    }
    let picture = bytes.map(|bytes| fresh(request.net, bytes));
    let id = match target.as_ref().and_then(id_of) {
        Some(id) => settings::picture(request.net, request.account, id, picture)
            .map_err(|refusal| (refusal.code(), refusal.text()))?,
        None => {
            let own = target.is_none_or(|target| {
                request.net.account_of(&target).is_some_and(|account| account.phone == request.account.phone)
            });
            if !own {
                return Err((403, "forbidden"));
            }
            people::set_picture(request.net, request.account, Some(request.device.id), picture)
        }
    };
    Ok(id.map(|id| NodeBuilder::new("picture").attr("id", id).build()))
}

/// A picture under a new id.
pub(crate) fn fresh(net: &Network, bytes: &[u8]) -> Picture {
    let id = u64::from_be_bytes(net.chance.bytes()) % 1_000_000_000 + 1_000_000_000;
    Picture { id: id.to_string(), bytes: crate::state::Bytes(bytes.to_vec()) }
}

/// The bytes of a picture that was described.
pub(crate) fn find(net: &Network, owner: &str, id: &str) -> Option<Vec<u8>> {
    let picture = match net.account(owner) {
        Some(account) => lock(&account.person).picture.clone(),
        None => net.groups.read(group::id_in(owner), |group| Ok(group.picture.clone())).ok().flatten(),
    };
    picture.filter(|picture| picture.id == id).map(|picture| picture.bytes.0)
}
