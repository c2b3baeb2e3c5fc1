//! `w:gp2`: what the devices of members are told of a change of their group. It goes through the
//! reliable queue, so a device that was away hears of it when it is back.

use super::state::Group;
use crate::account::Account;
use crate::chance::now;
use crate::network::Network;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

/// Tells the companions of all members.
pub(crate) fn members(net: &Network, group: &Group, actor: &Account, change: &Node) {
    some(net, group, actor, group.members.keys().map(String::as_str), change);
}

/// Tells the companions of the admins.
pub(crate) fn admins(net: &Network, group: &Group, actor: &Account, change: &Node) {
    some(net, group, actor, group.members.keys().map(String::as_str).filter(|phone| group.is_admin(phone)), change);
}

/// Tells the companions of these accounts.
pub(crate) fn some<'a>(
    net: &Network,
    group: &Group,
    actor: &Account,
    phones: impl Iterator<Item = &'a str>,
    change: &Node,
) {
    let t = now();
    let id = net.chance.stanza_id();
    let name = actor.name();
    let notification = NodeBuilder::new("notification")
        .attr("from", super::jid(&group.id))
        .attr("type", "w:gp2")
        .attr("id", id)
        .attr("participant", actor.lid_jid())
        .attr("participant_pn", actor.pn_jid())
        .attr("addressing_mode", "lid")
        .attr("notify", name)
        .attr("t", t)
        .children([change.clone()])
        .build();
    for account in phones.filter_map(|phone| net.account(phone)) {
        for device in account.devices().iter().filter(|device| device.id != 0) {
            device.queue.push(notification.clone());
        }
    }
    net.stats.count("groups.changes");
    net.touch();
}
