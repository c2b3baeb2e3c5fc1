//! Communities: a parent group, its announcement group and what is linked to it. Whoever is in a
//! linked group is in the parent and hears the announcements; ending a community frees its groups.

use super::act::{self, Act, New, Outcome};
use super::describe::{self, Detail};
use super::join::must_be_admin;
use super::refusal::Refusal;
use super::state::{Group, Place, Settings};
use super::{id_of, jid, notify};
use crate::account::Account;
use crate::chance::now;
use crate::network::Network;
use std::collections::BTreeMap;
use std::sync::Arc;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

/// Groups linked to one community at most.
const LINKED: usize = 100;

type All = BTreeMap<String, Group>;

/// Creates a group of any kind; a community comes with its announcement group.
pub(crate) fn create(
    net: &Arc<Network>,
    actor: &Account,
    new: New,
    general: bool,
) -> Result<(Group, Vec<Outcome>), Refusal> {
    if let Some(parent) = &new.place.linked {
        net.groups.read(parent, |group| {
            if !group.place.parent {
                return Err(Refusal::NotCommunity);
            }
            if group.place.open_creation && group.rank(&actor.phone).is_some() {
                Ok(())
            } else {
                must_be_admin(group, actor)
            }
        })?;
    }
    let (parent, subject) = (new.place.parent, new.subject.clone());
    let (group, outcomes) = act::create(net, actor, new)?;
    if parent {
        let linked = Some(group.id.clone());
        let place = Place { linked: linked.clone(), announcements: true, ..Place::default() };
        let settings = Settings { announcement: true, locked: true, ..Settings::default() };
        act::create(net, actor, New { subject: subject.clone(), settings, place, ..New::default() })?;
        if general {
            let place = Place { linked, general: true, ..Place::default() };
            act::create(net, actor, New { subject: "General".into(), place, ..New::default() })?;
        }
    } else if let Some(parent) = &group.place.linked {
        net.groups.with(|groups| bring_along(groups, parent, &group));
    }
    Ok((group, outcomes))
}

/// Makes the members of a linked group members of the community and its announcements.
fn bring_along(groups: &mut All, parent: &str, group: &Group) {
    let place = |other: &Group| other.place.announcements && other.place.linked.as_deref() == Some(parent);
    for other in groups.values_mut().filter(|other| other.id == parent || place(other)) {
        for phone in group.members.keys() {
            if other.rank(phone).is_none() {
                other.admit(phone, now());
            }
        }
    }
}

/// The groups linked to a community, the announcements first.
pub(crate) fn linked(groups: &All, parent: &str) -> Vec<Group> {
    let mut linked: Vec<Group> =
        groups.values().filter(|group| group.place.linked.as_deref() == Some(parent)).cloned().collect();
    linked.sort_by_key(|group| (!group.place.announcements, !group.place.general, group.created, group.id.clone()));
    linked
}

/// Links groups to a community. Returns for each why it could not be.
pub(crate) fn link(
    net: &Arc<Network>,
    actor: &Account,
    parent: &str,
    ids: Vec<Jid>,
) -> Result<Vec<(Jid, Option<u16>)>, Refusal> {
    net.groups.with(|groups| {
        must_lead(groups, parent, actor)?;
        let mut results = Vec::new();
        for wanted in ids.into_iter().take(LINKED) {
            let error = link_one(net, groups, actor, parent, &wanted).err();
            results.push((wanted, error));
        }
        Ok(results)
    })
}

fn link_one(net: &Arc<Network>, groups: &mut All, actor: &Account, parent: &str, wanted: &Jid) -> Result<(), u16> {
    if linked(groups, parent).len() >= LINKED {
        return Err(406);
    }
    let group = id_of(wanted).and_then(|id| groups.get_mut(id)).ok_or(404u16)?;
    if !group.is_admin(&actor.phone) {
        return Err(403);
    }
    if group.place != Place::default() {
        return Err(409);
    }
    group.place.linked = Some(parent.to_owned());
    let group = group.clone();
    bring_along(groups, parent, &group);
    tell(net, groups, actor, parent, &group, "link");
    Ok(())
}

/// Takes groups off a community. Returns for each why it could not be.
pub(crate) fn unlink(
    net: &Arc<Network>,
    actor: &Account,
    parent: &str,
    ids: Vec<Jid>,
) -> Result<Vec<(Jid, Option<u16>)>, Refusal> {
    net.groups.with(|groups| {
        must_lead(groups, parent, actor)?;
        let mut results = Vec::new();
        for wanted in ids.into_iter().take(LINKED) {
            let own = id_of(&wanted).and_then(|id| groups.get_mut(id));
            let own = own.filter(|group| group.place.linked.as_deref() == Some(parent) && !group.place.announcements);
            let Some(group) = own else {
                results.push((wanted, Some(404)));
                continue;
            };
            group.place = Place::default();
            let group = group.clone();
            tell(net, groups, actor, parent, &group, "unlink");
            results.push((wanted, None));
        }
        Ok(results)
    })
}

/// Tells both sides of a link that it came or went.
fn tell(net: &Network, groups: &All, actor: &Account, parent: &str, group: &Group, tag: &'static str) {
    let Some(parent) = groups.get(parent) else { return };
    let kind = if tag == "link" { "link_type" } else { "unlink_type" };
    let change = |what: &'static str, other: &Group| {
        let named = NodeBuilder::new("group")
            .attr("jid", jid(&other.id))
            .attr("subject", other.subject.text.as_str())
            .attr("s_t", other.subject.at);
        NodeBuilder::new(tag).attr(kind, what).children([named.build()]).build()
    };
    notify::members(net, group, actor, &change("parent_group", parent));
    notify::members(net, parent, actor, &change("sub_group", group));
}

/// Ends a community; its groups go on by themselves, without the announcements.
pub(crate) fn deactivate(net: &Arc<Network>, actor: &Account, parent: &str) -> Result<(), Refusal> {
    let announcements = net.groups.with(|groups| {
        must_lead(groups, parent, actor)?;
        Ok(linked(groups, parent).into_iter().filter(|group| group.place.announcements).collect::<Vec<_>>())
    })?;
    for group in announcements {
        act::delete(net, actor, &group.id)?;
    }
    act::delete(net, actor, parent)
}

fn must_lead(groups: &All, parent: &str, actor: &Account) -> Result<(), Refusal> {
    let group = groups.get(parent).ok_or(Refusal::UnknownGroup)?;
    if !group.place.parent {
        return Err(Refusal::NotCommunity);
    }
    must_be_admin(group, actor)
}

/// Removes accounts from a community and everything linked to it.
pub(crate) fn remove_everywhere(
    net: &Arc<Network>,
    actor: &Account,
    parent: &str,
    whom: Vec<Jid>,
) -> Result<Vec<Outcome>, Refusal> {
    let linked = net.groups.with(|groups| {
        must_lead(groups, parent, actor)?;
        Ok(linked(groups, parent))
    })?;
    let outcomes = act::change(net, actor, parent, Act::Remove, whom.clone())?;
    for group in linked {
        let inside: Vec<Jid> = whom
            .iter()
            .filter(|jid| net.account_of(jid).is_some_and(|account| group.rank(&account.phone).is_some()))
            .cloned()
            .collect();
        // Where the actor is no admin, or nobody is in, there is nothing to do.
        if !inside.is_empty() && act::change(net, actor, &group.id, Act::Remove, inside).is_err() {
            tracing::debug!(group = %group.id, "a linked group kept its members");
        }
    }
    Ok(outcomes)
}

/// A linked group as a member of the community sees it.
pub(crate) fn look(net: &Network, actor: &Account, parent: &str, wanted: &Jid) -> Result<Node, Refusal> {
    net.groups.with(|groups| {
        let community = groups.get(parent).ok_or(Refusal::UnknownGroup)?;
        community.rank(&actor.phone).ok_or(Refusal::NotMember)?;
        let group = id_of(wanted).and_then(|id| groups.get(id)).ok_or(Refusal::UnknownGroup)?;
        if group.place.linked.as_deref() != Some(parent) {
            return Err(Refusal::UnknownGroup);
        }
        Ok(describe::group(net, group, Detail::ALL))
    })
}
