//! Changes of who is in a group: create, add, remove, promote, demote, leave, delete. Each is
//! checked against the rules of the group, done, and told to the devices it concerns. A change of
//! several accounts has a result for each.

use super::describe::{self, Detail};
use super::refusal::Refusal;
use super::state::{Group, Invitation, PARTICIPANTS, Rank, Request, Settings, Text};
use super::{fresh_code, notify};
use crate::account::{Account, lock};
use crate::chance::now;
use crate::network::Network;
use std::sync::Arc;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

/// The longest subject, in characters.
const SUBJECT: usize = 100;
/// The longest description, in characters.
const DESCRIPTION: usize = 2_048;
/// How long those who left cannot be added, in seconds.
const RECENTLY: u64 = 24 * 3_600;
/// How long an invitation for one account is good, in seconds.
const INVITATION: u64 = 3 * 24 * 3_600;

/// What became of one account in a change.
pub(crate) struct Outcome {
    /// As the request named it.
    pub(crate) wanted: Jid,
    /// Its LID and number, when there is such an account.
    pub(crate) jids: Option<(Jid, Jid)>,
    /// Why not; `None` when it was done.
    pub(crate) error: Option<u16>,
    /// What it can be invited with instead: a code and when that expires.
    pub(crate) invitation: Option<Invitation>,
}

impl Outcome {
    /// The `<participant>` of an answer.
    pub(crate) fn node(&self) -> Node {
        let mut node = NodeBuilder::new("participant");
        node = match &self.jids {
            Some((lid, pn)) => node.attr("jid", lid.clone()).attr("phone_number", pn.clone()),
            None => node.attr("jid", self.wanted.clone()),
        };
        if let Some(error) = self.error {
            node = node.attr("error", error);
        }
        if let Some(invitation) = &self.invitation {
            let request = NodeBuilder::new("add_request")
                .attr("code", invitation.code.as_str())
                .attr("expiration", invitation.expires);
            node = node.children([request.build()]);
        }
        node.build()
    }
}

/// A change of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Add,
    Remove,
    Promote,
    Demote,
}

impl Act {
    /// Its tag on the wire.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Promote => "promote",
            Self::Demote => "demote",
        }
    }
}

/// A group that is wanted.
#[derive(Default)]
pub(crate) struct New {
    pub(crate) subject: String,
    pub(crate) description: Option<Text>,
    pub(crate) participants: Vec<Jid>,
    pub(crate) settings: Settings,
    pub(crate) place: super::state::Place,
    /// The client's own name for the request, which comes back in the notification.
    pub(crate) key: Option<String>,
}

/// Whether a subject can be one.
pub(crate) fn check_subject(subject: &str) -> Result<(), Refusal> {
    if subject.is_empty() || subject.chars().count() > SUBJECT { Err(Refusal::Subject) } else { Ok(()) }
}

/// Whether a description can be one.
pub(crate) fn check_description(text: &str) -> Result<(), Refusal> {
    if text.chars().count() > DESCRIPTION { Err(Refusal::Description) } else { Ok(()) }
}

/// Creates a group. Those who cannot be added are left out, with their reason.
pub(crate) fn create(net: &Arc<Network>, actor: &Account, new: New) -> Result<(Group, Vec<Outcome>), Refusal> {
    check_subject(&new.subject)?;
    if let Some(description) = &new.description {
        check_description(&description.text)?;
    }
    if new.participants.len() >= PARTICIPANTS {
        return Err(Refusal::TooManyParticipants);
    }
    let mut group = Group::new(&net.chance, actor, &new.subject, now());
    group.description = new.description;
    group.settings = new.settings;
    group.place = new.place;
    let outcomes: Vec<_> = new
        .participants
        .into_iter()
        .filter(|jid| net.account_of(jid).is_none_or(|account| account.phone != actor.phone))
        .map(|jid| admit(net, &mut group, actor, jid))
        .collect();
    net.groups.insert(group.clone())?;
    net.stats.count("groups.created");
    let mut created = NodeBuilder::new("create").attr("type", "new");
    if let Some(key) = new.key {
        created = created.attr("key", key);
    }
    let created = created.children([describe::group(net, &group, Detail::ALL)]).build();
    notify::members(net, &group, actor, &created);
    Ok((group, outcomes))
}

/// Changes members of a group.
pub(crate) fn change(
    net: &Arc<Network>,
    actor: &Account,
    id: &str,
    act: Act,
    whom: Vec<Jid>,
) -> Result<Vec<Outcome>, Refusal> {
    if whom.is_empty() || whom.len() > PARTICIPANTS {
        return Err(Refusal::Malformed);
    }
    net.groups.change(id, |group| {
        let rank = group.rank(&actor.phone).ok_or(Refusal::NotMember)?;
        if act == Act::Add {
            return add(net, group, actor, rank, whom);
        }
        if rank < Rank::Admin {
            return Err(Refusal::NotAdmin);
        }
        Ok(each(net, group, actor, act, whom))
    })
}

fn add(
    net: &Arc<Network>,
    group: &mut Group,
    actor: &Account,
    rank: Rank,
    whom: Vec<Jid>,
) -> Result<Vec<Outcome>, Refusal> {
    let admin = rank >= Rank::Admin;
    if group.settings.admin_add && !admin {
        return Err(Refusal::NotAdmin);
    }
    // A member's suggestion waits for an admin where joining needs approval.
    let asks = group.settings.approval && !admin;
    let before: Vec<String> = group.members.keys().cloned().collect();
    let outcomes: Vec<Outcome> = whom
        .into_iter()
        .map(|jid| if asks { suggest(net, group, jid) } else { admit(net, group, actor, jid) })
        .collect();
    let done = phones(net, &outcomes);
    if done.is_empty() {
        return Ok(outcomes);
    }
    if asks {
        let requested = requested(net, &done, "non_admin_add");
        notify::admins(net, group, actor, &requested);
        return Ok(outcomes);
    }
    let added = list(net, group, "add", &done).build();
    notify::some(net, group, actor, before.iter().map(String::as_str), &added);
    let created = NodeBuilder::new("create").attr("type", "add").children([describe::group(net, group, Detail::ALL)]);
    notify::some(net, group, actor, done.iter().map(String::as_str), &created.build());
    Ok(outcomes)
}

/// Adds one account, or says why it cannot be.
fn admit(net: &Arc<Network>, group: &mut Group, actor: &Account, wanted: Jid) -> Outcome {
    let Some(account) = net.reachable(&wanted) else { return refused(net, wanted, 404) };
    let phone = account.phone.to_string();
    if group.rank(&phone).is_some() {
        return refused(net, wanted, 409);
    }
    if group.members.len() >= PARTICIPANTS {
        return refused(net, wanted, 419);
    }
    if account.blocks(actor) {
        return refused(net, wanted, 401);
    }
    if group.left.get(&phone).is_some_and(|left| left + RECENTLY > now()) {
        return refused(net, wanted, 408);
    }
    if !account.allows("groupadd", actor) {
        let invitation = Invitation { code: fresh_code(&net.chance), expires: now() + INVITATION };
        if group.invitations.len() >= PARTICIPANTS {
            group.invitations.pop_first();
        }
        group.invitations.insert(phone, invitation.clone());
        return Outcome { invitation: Some(invitation), ..refused(net, wanted, 403) };
    }
    group.admit(&phone, now());
    done(net, wanted)
}

fn suggest(net: &Network, group: &mut Group, wanted: Jid) -> Outcome {
    let Some(account) = net.reachable(&wanted) else { return refused(net, wanted, 404) };
    if group.rank(&account.phone).is_some() {
        return refused(net, wanted, 409);
    }
    if group.requests.len() >= PARTICIPANTS {
        return refused(net, wanted, 419);
    }
    group.requests.insert(account.phone.to_string(), Request { at: now(), method: "non_admin_add".into() });
    done(net, wanted)
}

fn each(net: &Arc<Network>, group: &mut Group, actor: &Account, act: Act, whom: Vec<Jid>) -> Vec<Outcome> {
    // Those who are removed are told of it too.
    let before: Vec<String> = group.members.keys().cloned().collect();
    let mut heirs = Vec::new();
    let outcomes: Vec<Outcome> = whom
        .into_iter()
        .map(|jid| {
            let Some(account) = net.account_of(&jid) else { return refused(net, jid, 404) };
            let error = one(group, act, &account, &mut heirs);
            match error {
                None => done(net, jid),
                Some(code) => refused(net, jid, code),
            }
        })
        .collect();
    let changed = phones(net, &outcomes);
    if !changed.is_empty() {
        let node = list(net, group, act.tag(), &changed).build();
        notify::some(net, group, actor, before.iter().map(String::as_str), &node);
    }
    tell_heirs(net, group, actor, &heirs);
    outcomes
}

/// Does one change; the code of what is against it otherwise.
fn one(group: &mut Group, act: Act, account: &Account, heirs: &mut Vec<String>) -> Option<u16> {
    let phone = &*account.phone;
    let creator = *group.creator == *phone;
    let Some(member) = group.members.get_mut(phone) else { return Some(404) };
    match act {
        Act::Add => return Some(409),
        Act::Promote if member.rank >= Rank::Admin => return Some(409),
        Act::Promote => member.rank = Rank::Admin,
        // Nobody takes the group from the one who made it.
        Act::Demote | Act::Remove if creator => return Some(405),
        Act::Demote if member.rank < Rank::Admin => return Some(409),
        Act::Demote => member.rank = Rank::Member,
        Act::Remove => heirs.extend(group.take_off(phone, true, now())),
    }
    None
}

/// Leaves a group. The last one who leaves takes the group along.
pub(crate) fn leave(net: &Arc<Network>, actor: &Account, id: &str) -> Result<(), Refusal> {
    net.groups.with(|groups| {
        let group = groups.get_mut(id).ok_or(Refusal::UnknownGroup)?;
        group.rank(&actor.phone).ok_or(Refusal::NotMember)?;
        let node = list(net, group, "remove", &[actor.phone.to_string()]).build();
        notify::members(net, group, actor, &node);
        let heir = group.take_off(&actor.phone, false, now());
        tell_heirs(net, group, actor, heir.as_slice());
        if group.members.is_empty() {
            groups.remove(id);
        }
        Ok(())
    })
}

/// Ends a group for everybody.
pub(crate) fn delete(net: &Arc<Network>, actor: &Account, id: &str) -> Result<(), Refusal> {
    net.groups.with(|groups| {
        let group = groups.get(id).ok_or(Refusal::UnknownGroup)?;
        if !group.is_admin(&actor.phone) {
            return Err(group.rank(&actor.phone).map_or(Refusal::NotMember, |_| Refusal::NotAdmin));
        }
        notify::members(net, group, actor, &NodeBuilder::new("delete").build());
        groups.remove(id);
        for other in groups.values_mut().filter(|other| other.place.linked.as_deref() == Some(id)) {
            other.place = super::state::Place::default();
        }
        Ok(())
    })
}

fn tell_heirs(net: &Network, group: &Group, actor: &Account, heirs: &[String]) {
    let heirs: Vec<String> = heirs.iter().filter(|heir| group.is_admin(heir)).cloned().collect();
    if !heirs.is_empty() {
        notify::members(net, group, actor, &list(net, group, "promote", &heirs).build());
    }
}

/// A change's node with those it is about.
pub(crate) fn list(net: &Network, group: &Group, tag: &'static str, phones: &[String]) -> NodeBuilder {
    let named = phones.iter().filter_map(|phone| describe::participant(net, phone, group.members.get(phone)));
    NodeBuilder::new(tag).children(named)
}

/// What admins are told of requests to join.
pub(crate) fn requested(net: &Network, phones: &[String], method: &'static str) -> Node {
    let users = phones.iter().filter_map(|phone| {
        let (lid, pn) = describe::jids(net, phone)?;
        Some(NodeBuilder::new("requested_user").attr("jid", lid).attr("phone_number", pn).build())
    });
    NodeBuilder::new("created_membership_requests").attr("request_method", method).children(users).build()
}

/// An account for which it was done.
pub(crate) fn done(net: &Network, wanted: Jid) -> Outcome {
    let jids = net.account_of(&wanted).map(|account| (account.lid_jid(), account.pn_jid()));
    Outcome { wanted, jids, error: None, invitation: None }
}

/// An account for which it was not done.
pub(crate) fn refused(net: &Network, wanted: Jid, code: u16) -> Outcome {
    Outcome { error: Some(code), ..done(net, wanted) }
}

/// The numbers for which it was done.
pub(crate) fn phones(net: &Network, outcomes: &[Outcome]) -> Vec<String> {
    let mut phones: Vec<String> = outcomes
        .iter()
        .filter(|outcome| outcome.error.is_none())
        .filter_map(|outcome| net.account_of(&outcome.wanted))
        .map(|account| account.phone.to_string())
        .collect();
    phones.dedup();
    phones
}

impl Account {
    /// Whether this account has blocked another.
    pub(crate) fn blocks(&self, other: &Account) -> bool {
        lock(&self.person).blocked.contains(&*other.phone)
    }

    /// Whether a privacy setting of this account lets another one do what it is about.
    pub(crate) fn allows(&self, category: &str, other: &Account) -> bool {
        match lock(&self.person).privacy(category) {
            "none" => false,
            "contacts" | "contact_blacklist" | "known" => self.has_met(&other.phone),
            _ => true,
        }
    }
}
