//! What the server knows of one group. Members are kept by number; who they are on the wire is
//! looked up when it is needed. Everything in it is bounded.

use crate::account::Account;
use crate::chance::Chance;
use crate::person::Picture;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Participants of one group.
pub(crate) const PARTICIPANTS: usize = 1_024;
/// Those who left or were removed, and reset invite codes, remembered per group.
const REMEMBERED: usize = 1_024;

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Rank {
    Member,
    Admin,
    Superadmin,
}

/// One member.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) rank: Rank,
    pub(crate) since: u64,
}

/// A subject or description: the text, and who set it when.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Text {
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) by: String,
    pub(crate) at: u64,
}

/// A request to join.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) at: u64,
    /// `invite_link`, `non_admin_add` or `linked_group_join`.
    pub(crate) method: String,
}

/// An invitation for one account that could not be added.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Invitation {
    pub(crate) code: String,
    pub(crate) expires: u64,
}

/// What can be switched in a group.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// Only admins change subject, description and picture.
    pub(crate) locked: bool,
    /// Only admins write.
    pub(crate) announcement: bool,
    /// Seconds until messages disappear; 0 for never.
    pub(crate) ephemeral: u32,
    /// Joining needs an admin's approval.
    pub(crate) approval: bool,
    /// Only admins add members.
    pub(crate) admin_add: bool,
    /// All members may see the invite code.
    pub(crate) open_link: bool,
    pub(crate) no_frequently_forwarded: bool,
    pub(crate) allow_admin_reports: bool,
    pub(crate) history: bool,
    /// All members share history with new ones.
    pub(crate) open_history: bool,
    pub(crate) limit_sharing: bool,
}

/// A group's place in a community.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Place {
    /// It is a community: the parent of others.
    pub(crate) parent: bool,
    /// Joining the community needs approval.
    pub(crate) closed: bool,
    /// Members who are no admins may create groups in it.
    pub(crate) open_creation: bool,
    /// The community it belongs to.
    pub(crate) linked: Option<String>,
    /// The community's announcement group.
    pub(crate) announcements: bool,
    /// The community's general chat.
    pub(crate) general: bool,
}

/// One group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) creator: String,
    pub(crate) created: u64,
    pub(crate) subject: Text,
    pub(crate) description: Option<Text>,
    pub(crate) members: BTreeMap<String, Member>,
    pub(crate) settings: Settings,
    pub(crate) place: Place,
    pub(crate) invite: String,
    pub(crate) old_invites: Vec<String>,
    pub(crate) requests: BTreeMap<String, Request>,
    pub(crate) invitations: BTreeMap<String, Invitation>,
    /// Those who left, and when.
    pub(crate) left: BTreeMap<String, u64>,
    /// Those whom an admin removed, and when.
    pub(crate) removed: BTreeMap<String, u64>,
    pub(crate) picture: Option<Picture>,
}

impl Group {
    /// A group with its creator as the only member.
    pub(crate) fn new(chance: &Chance, creator: &Account, subject: &str, now: u64) -> Self {
        let creator = creator.phone.to_string();
        let owner = Member { rank: Rank::Superadmin, since: now };
        Self {
            id: super::fresh_id(chance),
            created: now,
            subject: Text { id: String::new(), text: subject.to_owned(), by: creator.clone(), at: now },
            description: None,
            members: BTreeMap::from([(creator.clone(), owner)]),
            creator,
            settings: Settings::default(),
            place: Place::default(),
            invite: super::fresh_code(chance),
            old_invites: Vec::new(),
            requests: BTreeMap::new(),
            invitations: BTreeMap::new(),
            left: BTreeMap::new(),
            removed: BTreeMap::new(),
            picture: None,
        }
    }

    /// What an account is in the group; `None` for no member.
    pub(crate) fn rank(&self, phone: &str) -> Option<Rank> {
        self.members.get(phone).map(|member| member.rank)
    }

    /// Whether an account is an admin.
    pub(crate) fn is_admin(&self, phone: &str) -> bool {
        self.rank(phone).is_some_and(|rank| rank >= Rank::Admin)
    }

    /// Lets an account in, and forgets that it asked, left or was removed.
    pub(crate) fn admit(&mut self, phone: &str, now: u64) {
        self.requests.remove(phone);
        self.invitations.remove(phone);
        self.left.remove(phone);
        self.removed.remove(phone);
        self.members.insert(phone.to_owned(), Member { rank: Rank::Member, since: now });
    }

    /// Takes an account off. Somebody stays responsible: when the last admin goes, the member who
    /// has been there longest becomes one. Returns that member.
    pub(crate) fn take_off(&mut self, phone: &str, removed: bool, now: u64) -> Option<String> {
        self.members.remove(phone);
        let gone = if removed { &mut self.removed } else { &mut self.left };
        if gone.len() >= REMEMBERED {
            gone.pop_first();
        }
        gone.insert(phone.to_owned(), now);
        if self.members.values().any(|member| member.rank >= Rank::Admin) {
            return None;
        }
        let (heir, member) = self.members.iter_mut().min_by_key(|(_, member)| member.since)?;
        member.rank = Rank::Admin;
        Some(heir.clone())
    }

    /// Makes the invite code useless and returns a new one.
    pub(crate) fn reset_invite(&mut self, chance: &Chance) -> String {
        if self.old_invites.len() >= REMEMBERED {
            self.old_invites.remove(0);
        }
        self.old_invites.push(std::mem::replace(&mut self.invite, super::fresh_code(chance)));
        self.invite.clone()
    }
}
