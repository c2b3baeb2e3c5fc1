//! `<group>`: a group as the server describes it to those who ask.

use super::state::{Group, Member, Rank};
use crate::network::Network;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

/// How much of a group is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Detail {
    pub(crate) participants: bool,
    pub(crate) description: bool,
}

impl Detail {
    pub(crate) const ALL: Self = Self { participants: true, description: true };
    /// For those who are outside and have an invite code.
    pub(crate) const OUTSIDE: Self = Self { participants: false, description: true };
}

/// The `<group>` of a group.
pub(crate) fn group(net: &Network, group: &Group, detail: Detail) -> Node {
    let mut node = NodeBuilder::new("group")
        .attr("id", group.id.as_str())
        .attr("addressing_mode", "lid")
        .attr("subject", group.subject.text.as_str())
        .attr("s_t", group.subject.at)
        .attr("creation", group.created)
        .attr("size", group.members.len());
    if let Some((lid, pn)) = jids(net, &group.creator) {
        node = node.attr("creator", lid).attr("creator_pn", pn);
    }
    if let Some((lid, pn)) = jids(net, &group.subject.by) {
        node = node.attr("s_o", lid).attr("s_o_pn", pn);
    }
    let mut children = Vec::new();
    if detail.participants {
        children.extend(group.members.iter().filter_map(|(phone, member)| participant(net, phone, Some(member))));
    }
    if let Some(text) = group.description.as_ref().filter(|_| detail.description) {
        let mut description = NodeBuilder::new("description").attr("id", text.id.as_str()).attr("t", text.at);
        if let Some((lid, pn)) = jids(net, &text.by) {
            description = description.attr("participant", lid).attr("participant_pn", pn);
        }
        children.push(description.children([body(&text.text)]).build());
    }
    children.extend(settings(group));
    children.extend(place(group));
    node.children(children).build()
}

fn settings(group: &Group) -> Vec<Node> {
    let settings = &group.settings;
    let flags = [
        (settings.locked, "locked"),
        (settings.announcement, "announcement"),
        (settings.no_frequently_forwarded, "no_frequently_forwarded"),
        (settings.allow_admin_reports, "allow_admin_reports"),
        (settings.history, "group_history"),
        (settings.limit_sharing, "limit_sharing_enabled"),
    ];
    let mut nodes: Vec<Node> =
        flags.into_iter().filter(|(on, _)| *on).map(|(_, tag)| NodeBuilder::new(tag).build()).collect();
    if settings.ephemeral > 0 {
        nodes.push(NodeBuilder::new("ephemeral").attr("expiration", settings.ephemeral).build());
    }
    if settings.approval {
        nodes.push(approval_mode(true));
    }
    let named = [
        ("member_add_mode", add_mode(settings.admin_add)),
        ("member_link_mode", if settings.open_link { "all_member_link" } else { "admin_link" }),
        ("member_share_group_history_mode", if settings.open_history { "all_member_share" } else { "admin_share" }),
    ];
    nodes.extend(named.map(|(tag, value)| NodeBuilder::new(tag).string_content(value).build()));
    nodes
}

fn place(group: &Group) -> Vec<Node> {
    let place = &group.place;
    let mut nodes = Vec::new();
    if place.parent {
        let mut parent = NodeBuilder::new("parent");
        if place.closed {
            parent = parent.attr("default_membership_approval_mode", "request_required");
        }
        nodes.push(parent.build());
    }
    if let Some(linked) = &place.linked {
        nodes.push(NodeBuilder::new("linked_parent").attr("jid", super::jid(linked)).build());
    }
    let flags = [
        (place.announcements, "default_sub_group"),
        (place.general, "general_chat"),
        (place.open_creation, "allow_non_admin_sub_group_creation"),
    ];
    nodes.extend(flags.into_iter().filter(|(on, _)| *on).map(|(_, tag)| NodeBuilder::new(tag).build()));
    nodes
}

/// `<membership_approval_mode>`.
pub(crate) fn approval_mode(on: bool) -> Node {
    let state = if on { "on" } else { "off" };
    let join = NodeBuilder::new("group_join").attr("state", state).build();
    NodeBuilder::new("membership_approval_mode").children([join]).build()
}

/// The content of `<member_add_mode>`.
pub(crate) fn add_mode(admin_add: bool) -> &'static str {
    if admin_add { "admin_add" } else { "all_member_add" }
}

/// `<body>` of a description.
pub(crate) fn body(text: &str) -> Node {
    NodeBuilder::new("body").bytes(text.as_bytes().to_vec()).build()
}

/// `<participant>` of a member, or of somebody who is named in a change.
pub(crate) fn participant(net: &Network, phone: &str, member: Option<&Member>) -> Option<Node> {
    let (lid, pn) = jids(net, phone)?;
    let mut node = NodeBuilder::new("participant").attr("jid", lid).attr("phone_number", pn);
    match member.map(|member| member.rank) {
        Some(Rank::Superadmin) => node = node.attr("type", "superadmin"),
        Some(Rank::Admin) => node = node.attr("type", "admin"),
        Some(Rank::Member) | None => {}
    }
    Some(node.build())
}

/// The LID and the number of an account, as JIDs.
pub(crate) fn jids(net: &Network, phone: &str) -> Option<(Jid, Jid)> {
    let account = net.account(phone)?;
    Some((account.lid_jid(), account.pn_jid()))
}
