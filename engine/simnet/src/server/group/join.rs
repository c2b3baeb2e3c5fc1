//! How accounts come in by themselves: with an invite code, with an invitation meant for them, by
//! asking and being let in.

use super::act::{self, Outcome};
use super::describe::{self, Detail};
use super::notify;
use super::refusal::Refusal;
use super::state::{Group, PARTICIPANTS, Request};
use crate::account::Account;
use crate::chance::now;
use crate::network::Network;
use std::sync::Arc;
use wacore_binary::Jid;
use wacore_binary::builder::NodeBuilder;

/// How a request to join ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joined {
    /// The account is a member.
    In,
    /// An admin has to approve.
    Asked,
}

/// Joins with an invite code. Returns the group.
pub(crate) fn by_code(net: &Arc<Network>, actor: &Account, code: &str) -> Result<(String, Joined), Refusal> {
    let id = net.groups.by_code(code)?;
    let joined = net.groups.change(&id, |group| {
        if group.invite != code {
            return Err(Refusal::InviteReset);
        }
        if group.removed.contains_key(&*actor.phone) {
            return Err(Refusal::WasRemoved);
        }
        enter(net, group, actor, "invite_link")
    })?;
    Ok((id, joined))
}

/// Joins a group of a community that the account is in.
pub(crate) fn linked(net: &Arc<Network>, actor: &Account, id: &str) -> Result<Joined, Refusal> {
    net.groups.change(id, |group| enter(net, group, actor, "linked_group_join"))
}

fn enter(net: &Arc<Network>, group: &mut Group, actor: &Account, method: &'static str) -> Result<Joined, Refusal> {
    if group.rank(&actor.phone).is_some() {
        return Err(Refusal::AlreadyMember);
    }
    if group.members.len() >= PARTICIPANTS {
        return Err(Refusal::Full);
    }
    if group.settings.approval {
        if group.requests.len() >= PARTICIPANTS {
            return Err(Refusal::Full);
        }
        let phone = actor.phone.to_string();
        group.requests.insert(phone.clone(), Request { at: now(), method: method.into() });
        notify::admins(net, group, actor, &act::requested(net, std::slice::from_ref(&phone), method));
        let own = NodeBuilder::new("membership_approval_request").attr("request_method", method).build();
        notify::some(net, group, actor, std::iter::once(phone.as_str()), &own);
        return Ok(Joined::Asked);
    }
    let reason = if method == "invite_link" { "invite" } else { method };
    let_in(net, group, actor, actor, reason);
    Ok(Joined::In)
}

/// Makes an account a member and tells everybody.
fn let_in(net: &Arc<Network>, group: &mut Group, actor: &Account, whom: &Account, reason: &'static str) {
    let before: Vec<String> = group.members.keys().cloned().collect();
    group.admit(&whom.phone, now());
    let added = act::list(net, group, "add", &[whom.phone.to_string()]).attr("reason", reason).build();
    notify::some(net, group, actor, before.iter().map(String::as_str), &added);
    let created = NodeBuilder::new("create").attr("type", "add").attr("reason", reason);
    let created = created.children([describe::group(net, group, Detail::ALL)]).build();
    notify::some(net, group, actor, std::iter::once(&*whom.phone), &created);
}

/// Joins with an invitation that was made for this account.
pub(crate) fn by_invitation(net: &Arc<Network>, actor: &Account, id: &str, code: &str) -> Result<(), Refusal> {
    net.groups.change(id, |group| {
        if group.rank(&actor.phone).is_some() {
            return Err(Refusal::AlreadyMember);
        }
        let good = group.invitations.get(&*actor.phone).is_some_and(|own| own.code == code && own.expires > now());
        if !good {
            return Err(Refusal::InviteGone);
        }
        if group.members.len() >= PARTICIPANTS {
            return Err(Refusal::Full);
        }
        let_in(net, group, actor, actor, "invite");
        Ok(())
    })
}

/// Takes invitations of certain accounts back.
pub(crate) fn uninvite(net: &Arc<Network>, actor: &Account, id: &str, whom: Vec<Jid>) -> Result<Vec<Outcome>, Refusal> {
    net.groups.change(id, |group| {
        must_be_admin(group, actor)?;
        let each = whom.into_iter().take(PARTICIPANTS).map(|jid| {
            let taken = net.account_of(&jid).and_then(|account| group.invitations.remove(&*account.phone));
            if taken.is_some() { act::done(net, jid) } else { act::refused(net, jid, 404) }
        });
        Ok(each.collect())
    })
}

/// Approves or rejects requests to join.
pub(crate) fn decide(
    net: &Arc<Network>,
    actor: &Account,
    id: &str,
    approve: bool,
    whom: Vec<Jid>,
) -> Result<Vec<Outcome>, Refusal> {
    net.groups.change(id, |group| {
        must_be_admin(group, actor)?;
        let mut outcomes = Vec::new();
        for jid in whom.into_iter().take(PARTICIPANTS) {
            let asked = net.account_of(&jid).filter(|account| group.requests.contains_key(&*account.phone));
            let Some(account) = asked else {
                outcomes.push(act::refused(net, jid, 404));
                continue;
            };
            if approve && group.members.len() >= PARTICIPANTS {
                outcomes.push(act::refused(net, jid, 419));
                continue;
            }
            group.requests.remove(&*account.phone);
            if approve {
                let_in(net, group, actor, &account, "invite");
            } else {
                tell_revoked(net, group, actor, &account);
            }
            outcomes.push(act::done(net, jid));
        }
        Ok(outcomes)
    })
}

/// Takes an own request to join back.
pub(crate) fn cancel(net: &Arc<Network>, actor: &Account, id: &str) -> Result<(), Refusal> {
    net.groups.change(id, |group| {
        group.requests.remove(&*actor.phone).ok_or(Refusal::InviteGone)?;
        tell_revoked(net, group, actor, actor);
        Ok(())
    })
}

fn tell_revoked(net: &Network, group: &Group, actor: &Account, whom: &Account) {
    let phone = whom.phone.to_string();
    let revoked = act::list(net, group, "revoked_membership_requests", std::slice::from_ref(&phone)).build();
    notify::admins(net, group, actor, &revoked);
    notify::some(net, group, actor, std::iter::once(phone.as_str()), &revoked);
}

/// The requests to join, with when they were made.
pub(crate) fn requests(net: &Network, actor: &Account, id: &str) -> Result<Vec<(String, Request)>, Refusal> {
    net.groups.read(id, |group| {
        must_be_admin(group, actor)?;
        Ok(group.requests.iter().map(|(phone, request)| (phone.clone(), request.clone())).collect())
    })
}

/// Refuses those who are no admin.
pub(crate) fn must_be_admin(group: &Group, actor: &Account) -> Result<(), Refusal> {
    match group.rank(&actor.phone) {
        None => Err(Refusal::NotMember),
        Some(_) if group.is_admin(&actor.phone) => Ok(()),
        Some(_) => Err(Refusal::NotAdmin),
    }
}
