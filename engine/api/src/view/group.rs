//! Groups as the contract shows them: times in seconds; an address that is a LID
//! has no `…Jid` beside it.

use crate::faults::{member_refusal, part_refusal};
use serde_json::{Value, json};
use warest_model::group::{Group, JoinRequest, MemberOutcome, Participant, Rank, Who};
use warest_model::jid::Jid;

/// A group without its members.
pub fn group_json(group: &Group) -> Value {
    json!({
        "id": group.id,
        "addressingMode": group.addressing,
        "subject": group.subject,
        "subjectOwner": group.subject_by,
        "subjectOwnerJid": by_phone(group.subject_by.as_ref()),
        "subjectTime": seconds(group.subject_ms),
        "creation": seconds(group.created_ms),
        "owner": group.owner,
        "ownerJid": by_phone(group.owner.as_ref()),
        "owner_country_code": group.owner_country,
        "desc": group.description,
        "descId": group.description_id,
        "descOwner": group.description_by,
        "descOwnerJid": by_phone(group.description_by.as_ref()),
        "descTime": seconds(group.description_ms),
        "restrict": group.edits == Who::Admins,
        "announce": group.writes == Who::Admins,
        "isCommunity": group.is_community,
        "isCommunityAnnounce": group.is_community_announce,
        "joinApprovalMode": group.approval,
        "memberAddMode": group.adds == Who::Everyone,
        "participantsCount": members(group),
        "ephemeralSeconds": group.ephemeral_seconds.unwrap_or(0),
        "communityId": group.community,
    })
}

/// How many members a group has.
pub fn members(group: &Group) -> u64 {
    (group.participants.len() as u64).max(u64::from(group.size))
}

/// A member; `is_me` and their name are not known to the group.
pub fn participant_json(participant: &Participant, is_me: bool, name: Option<&str>) -> Value {
    json!({
        "jid": participant.jid,
        "lid": participant.lid,
        "phone": phone(&participant.jid),
        "isMe": is_me,
        "isAdmin": participant.rank != Rank::Member,
        "isSuperAdmin": participant.rank == Rank::Owner,
        "name": name,
    })
}

/// Somebody who asks to join. How they came to ask is not told by the link.
pub fn join_request_json(request: &JoinRequest) -> Value {
    json!({
        "jid": request.jid,
        "lid": request.lid,
        "phone": phone(&request.jid),
        "requestMethod": null,
        "requestTime": seconds(request.requested_ms),
    })
}

/// What became of one member.
pub fn outcome_json(outcome: &MemberOutcome) -> Value {
    json!({
        "phone": outcome.jid.user(),
        "jid": outcome.jid,
        "status": if outcome.error.is_none() { "success" } else { "failed" },
        "error": outcome.error,
        "reason": outcome.error.map(member_refusal),
    })
}

/// What became of one group that was to be part of a community, or no longer.
pub fn part_json(outcome: &MemberOutcome) -> Value {
    json!({
        "jid": outcome.jid,
        "status": if outcome.error.is_none() { "success" } else { "failed" },
        "error": outcome.error,
        "reason": outcome.error.map(part_refusal),
    })
}

/// The number behind an address, if it is one.
pub fn phone(jid: &Jid) -> Option<&str> {
    (jid.server() == "s.whatsapp.net").then(|| jid.user())
}

fn by_phone(jid: Option<&Jid>) -> Option<&Jid> {
    jid.filter(|jid| phone(jid).is_some())
}

fn seconds(ms: Option<i64>) -> Option<i64> {
    ms.map(|ms| ms / 1_000)
}
