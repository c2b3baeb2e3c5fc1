//! Groups and communities, as the server describes them to a member.

use crate::jid::Jid;
use serde::{Deserialize, Serialize};

/// What a member may do in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// Takes part.
    Member,
    /// Manages it.
    Admin,
    /// Made it; cannot be demoted.
    Owner,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// Their phone address if it is known, else their LID.
    pub jid: Jid,
    /// Their LID, if known.
    pub lid: Option<Jid>,
    /// What they may do.
    pub rank: Rank,
}

/// Who may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Every member.
    Everyone,
    /// Admins alone.
    Admins,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its address.
    pub id: Jid,
    /// What it is called.
    pub subject: String,
    /// Who called it so, and when (milliseconds).
    pub subject_by: Option<Jid>,
    /// When.
    pub subject_ms: Option<i64>,
    /// What it is for.
    pub description: Option<String>,
    /// The id of the description, which changes with it.
    pub description_id: Option<String>,
    /// Who wrote it.
    pub description_by: Option<Jid>,
    /// When.
    pub description_ms: Option<i64>,
    /// Who made the group.
    pub owner: Option<Jid>,
    /// The owner's country, as in `ID`.
    pub owner_country: Option<String>,
    /// When it was made.
    pub created_ms: Option<i64>,
    /// `lid` or `pn`: how its members name each other.
    pub addressing: String,
    /// Who may change subject, description and picture.
    pub edits: Who,
    /// Who may write.
    pub writes: Who,
    /// Who may add members.
    pub adds: Who,
    /// Whether an admin must approve who joins.
    pub approval: bool,
    /// After how long its messages disappear, in seconds.
    pub ephemeral_seconds: Option<u32>,
    /// The community it belongs to.
    pub community: Option<Jid>,
    /// Whether it is a community itself.
    pub is_community: bool,
    /// Whether it is the announcements of a community.
    pub is_community_announce: bool,
    /// How many members it has, where they are not listed.
    pub size: u32,
    /// Its members, as far as the server lists them.
    pub participants: Vec<Participant>,
}

/// What a new group is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewGroup {
    /// What it is called.
    pub subject: String,
    /// What it is for.
    pub description: Option<String>,
    /// Its first members, beside this account.
    pub participants: Vec<Jid>,
    /// The community it becomes part of.
    pub community: Option<Jid>,
}

/// What is done to members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberChange {
    /// They become members.
    Add,
    /// They are members no longer.
    Remove,
    /// They become admins.
    Promote,
    /// They are admins no longer.
    Demote,
    /// Their request to join is granted.
    Approve,
    /// Their request to join is refused.
    Reject,
}

/// What became of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberOutcome {
    /// Who.
    pub jid: Jid,
    /// The server's code if it refused, such as 403 (their privacy), 404, 408
    /// (left just now), 409 (is one already).
    pub error: Option<u16>,
}

/// A setting of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupSetting {
    /// What it is called.
    Subject(String),
    /// What it is for; empty takes it away.
    Description(String),
    /// Who may change subject, description and picture.
    Edits(Who),
    /// Who may write.
    Writes(Who),
    /// Who may add members.
    Adds(Who),
    /// Whether an admin must approve who joins.
    Approval(bool),
    /// After how long messages disappear, in seconds; 0 means never.
    Ephemeral(u32),
}

/// Somebody who asks to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRequest {
    /// Who.
    pub jid: Jid,
    /// Their LID, if known.
    pub lid: Option<Jid>,
    /// When they asked, in milliseconds.
    pub requested_ms: Option<i64>,
}

/// What came of asking to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// This account is a member now.
    Member(Jid),
    /// An admin must approve it.
    Pending(Jid),
}
