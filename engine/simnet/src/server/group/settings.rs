//! What is set in a group: subject, description, switches, invite code, picture. Subject,
//! description and picture are every member's while the group is not locked; the rest is for
//! admins.

use super::act::{check_description, check_subject};
use super::describe::{self, add_mode, approval_mode, body};
use super::join::must_be_admin;
use super::notify;
use super::refusal::Refusal;
use super::state::{Group, Text};
use crate::account::Account;
use crate::chance::now;
use crate::network::Network;
use crate::person::Picture;
use std::sync::Arc;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

/// A switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    Locked(bool),
    Announcement(bool),
    /// Seconds; 0 for off.
    Ephemeral(u32),
    Approval(bool),
    AdminAdd(bool),
    OpenLink(bool),
    OpenHistory(bool),
    NoFrequentlyForwarded(bool),
    AdminReports(bool),
    History(bool),
    LimitSharing(bool),
}

/// Refuses those who may not change what the group shows of itself.
fn must_edit(group: &Group, actor: &Account) -> Result<(), Refusal> {
    if group.settings.locked {
        return must_be_admin(group, actor);
    }
    group.rank(&actor.phone).map(drop).ok_or(Refusal::NotMember)
}

/// Sets the subject.
pub(crate) fn subject(net: &Arc<Network>, actor: &Account, id: &str, text: &str) -> Result<(), Refusal> {
    check_subject(text)?;
    net.groups.change(id, |group| {
        must_edit(group, actor)?;
        group.subject = Text { id: String::new(), text: text.to_owned(), by: actor.phone.to_string(), at: now() };
        let node = NodeBuilder::new("subject")
            .attr("subject", text)
            .attr("s_t", group.subject.at)
            .attr("s_o", actor.lid_jid())
            .attr("s_o_pn", actor.pn_jid())
            .build();
        notify::members(net, group, actor, &node);
        Ok(())
    })
}

/// Sets the description, or takes it away. `previous` must name the one that is replaced.
pub(crate) fn description(
    net: &Arc<Network>,
    actor: &Account,
    id: &str,
    text: Option<(String, String)>,
    previous: Option<&str>,
) -> Result<(), Refusal> {
    if let Some((_, text)) = &text {
        check_description(text)?;
    }
    net.groups.change(id, |group| {
        must_edit(group, actor)?;
        if group.description.as_ref().map(|text| text.id.as_str()) != previous {
            return Err(Refusal::Conflict);
        }
        let by = actor.phone.to_string();
        group.description = text.map(|(id, text)| Text { id, text, by, at: now() });
        notify::members(net, group, actor, &described(net, group, actor));
        Ok(())
    })
}

fn described(net: &Network, group: &Group, actor: &Account) -> Node {
    let node = NodeBuilder::new("description").attr("participant", actor.lid_jid());
    match &group.description {
        Some(text) => node.attr("id", text.id.as_str()).attr("t", text.at).children([body(&text.text)]).build(),
        None => {
            let gone = NodeBuilder::new("delete").build();
            node.attr("id", net.chance.stanza_id()).attr("t", now()).children([gone]).build()
        }
    }
}

/// The description's id now.
pub(crate) fn description_id(net: &Network, id: &str) -> Result<Option<String>, Refusal> {
    net.groups.read(id, |group| Ok(group.description.as_ref().map(|text| text.id.clone())))
}

/// Switches something.
pub(crate) fn set(net: &Arc<Network>, actor: &Account, id: &str, setting: Setting) -> Result<(), Refusal> {
    net.groups.change(id, |group| {
        must_be_admin(group, actor)?;
        let settings = &mut group.settings;
        let flag = |on, yes: &'static str, no: &'static str| NodeBuilder::new(if on { yes } else { no }).build();
        let node = match setting {
            Setting::Locked(on) => {
                settings.locked = on;
                flag(on, "locked", "unlocked")
            }
            Setting::Announcement(on) => {
                settings.announcement = on;
                flag(on, "announcement", "not_announcement")
            }
            Setting::Ephemeral(0) => {
                settings.ephemeral = 0;
                NodeBuilder::new("not_ephemeral").build()
            }
            Setting::Ephemeral(seconds) => {
                settings.ephemeral = seconds;
                NodeBuilder::new("ephemeral").attr("expiration", seconds).build()
            }
            Setting::Approval(on) => {
                settings.approval = on;
                approval_mode(on)
            }
            Setting::AdminAdd(on) => {
                settings.admin_add = on;
                NodeBuilder::new("member_add_mode").string_content(add_mode(on)).build()
            }
            Setting::NoFrequentlyForwarded(on) => {
                settings.no_frequently_forwarded = on;
                flag(on, "no_frequently_forwarded", "frequently_forwarded_ok")
            }
            Setting::AdminReports(on) => {
                settings.allow_admin_reports = on;
                flag(on, "allow_admin_reports", "not_allow_admin_reports")
            }
            Setting::History(on) => {
                settings.history = on;
                flag(on, "group_history", "no_group_history")
            }
            Setting::LimitSharing(on) => {
                settings.limit_sharing = on;
                flag(on, "limit_sharing_enabled", "not_limit_sharing_enabled")
            }
            Setting::OpenLink(on) => {
                settings.open_link = on;
                let mode = if on { "all_member_link" } else { "admin_link" };
                NodeBuilder::new("member_link_mode").string_content(mode).build()
            }
            Setting::OpenHistory(on) => {
                settings.open_history = on;
                let mode = if on { "all_member_share" } else { "admin_share" };
                NodeBuilder::new("member_share_group_history_mode").string_content(mode).build()
            }
        };
        notify::members(net, group, actor, &node);
        Ok(())
    })
}

/// The invite code.
pub(crate) fn invite(net: &Network, actor: &Account, id: &str) -> Result<String, Refusal> {
    net.groups.read(id, |group| {
        if !(group.settings.open_link && group.rank(&actor.phone).is_some()) {
            must_be_admin(group, actor)?;
        }
        Ok(group.invite.clone())
    })
}

/// Makes a new invite code; the old one is useless.
pub(crate) fn reset_invite(net: &Arc<Network>, actor: &Account, id: &str) -> Result<String, Refusal> {
    net.groups.change(id, |group| {
        must_be_admin(group, actor)?;
        let code = group.reset_invite(&net.chance);
        notify::members(net, group, actor, &NodeBuilder::new("invite").attr("code", code.as_str()).build());
        Ok(code)
    })
}

/// Sets the picture, or takes it away. Returns the new one's id.
pub(crate) fn picture(
    net: &Arc<Network>,
    actor: &Account,
    id: &str,
    picture: Option<Picture>,
) -> Result<Option<String>, Refusal> {
    net.groups.change(id, |group| {
        must_edit(group, actor)?;
        let own = picture.as_ref().map(|picture| picture.id.clone());
        group.picture = picture;
        let change = match &own {
            Some(id) => NodeBuilder::new("set").attr("jid", super::jid(&group.id)).attr("id", id.as_str()),
            None => NodeBuilder::new("delete").attr("jid", super::jid(&group.id)),
        };
        let change = change.attr("author", actor.lid_jid()).build();
        let notification = NodeBuilder::new("notification")
            .attr("from", super::jid(&group.id))
            .attr("type", "picture")
            .attr("id", net.chance.stanza_id())
            .attr("t", now())
            .children([change])
            .build();
        for account in group.members.keys().filter_map(|phone| net.account(phone)) {
            for device in account.devices().iter().filter(|device| device.id != 0) {
                device.queue.push(notification.clone());
            }
        }
        net.touch();
        Ok(own)
    })
}

/// A group as those inside see it; others are refused.
pub(crate) fn look(net: &Network, actor: &Account, id: &str) -> Result<Node, Refusal> {
    net.groups.read(id, |group| {
        group.rank(&actor.phone).ok_or(Refusal::NotMember)?;
        Ok(describe::group(net, group, describe::Detail::ALL))
    })
}
