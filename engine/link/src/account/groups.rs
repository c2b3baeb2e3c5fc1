//! Groups and communities.

mod query;

use super::fault::{Asked, code, community, group};
use super::names;
use crate::outbound::address::jid;
use warest_model::fault::Fault;
use warest_model::group::{
    Group, GroupSetting, JoinRequest, Joined, MemberChange, MemberOutcome, NewGroup, Participant, Rank, Who,
};
use warest_model::jid::Jid as Address;
use whatsapp_rust::types::message::AddressingMode;
use whatsapp_rust::wacore_binary::JidExt as _;
use whatsapp_rust::{
    Client, CommunitySubgroup, CreateCommunityOptions, GroupCreateOptions, GroupDescription, GroupMetadata,
    GroupParticipantOptions, GroupSubject, Jid, JoinGroupResult, MemberAddMode, MembershipApprovalMode,
    ParticipantChangeResponse, ParticipantType, PreviousDescription,
};

/// WhatsApp's own bounds, in characters.
const SUBJECT_CHARS: usize = 100;
const DESCRIPTION_CHARS: usize = 2_048;
/// Spans after which messages of a group can disappear, in seconds.
const TIMERS: [u32; 4] = [0, 86_400, 604_800, 7_776_000];

pub(super) async fn all(client: &Client) -> Result<Vec<Group>, Fault> {
    let found = client.groups().get_participating().await.map_err(|error| group(error, Asked::Read))?;
    let mut groups = Vec::with_capacity(found.len());
    for mut metadata in found.into_values() {
        let size = metadata.size.unwrap_or(u32::try_from(metadata.participants.len()).unwrap_or(u32::MAX));
        metadata.participants.clear();
        metadata.size = Some(size);
        groups.extend(described(client, metadata).await);
    }
    groups.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(groups)
}

pub(super) async fn one(client: &Client, address: &Address) -> Result<Group, Fault> {
    let asked = query::Query::new(&jid(address)?);
    let (metadata, adds) = client.execute(asked).await.map_err(|error| group(error.into(), Asked::Read))?;
    let mut found = described(client, metadata).await.ok_or_else(unreadable)?;
    found.adds = adds.unwrap_or(found.adds);
    Ok(found)
}

pub(super) async fn create(client: &Client, new: &NewGroup) -> Result<(Group, Vec<MemberOutcome>), Fault> {
    let mut members = Vec::with_capacity(new.participants.len());
    for member in &new.participants {
        members.push(GroupParticipantOptions::new(phone(client, member).await?));
    }
    let options = GroupCreateOptions {
        subject: subject(&new.subject)?.as_str().to_owned(),
        participants: members,
        description: new.description.as_deref().filter(|text| !text.is_empty()).map(description).transpose()?,
        linked_parent: new.community.as_ref().map(jid).transpose()?,
        ..Default::default()
    };
    let made = client.groups().create_group(options).await.map_err(|error| group(error, Asked::Manage))?;
    let id = names::chat(&made.metadata.id).ok_or_else(unreadable)?;
    // The answer names those whom it could not have, too, but not as such.
    let mut made = one(client, &id).await?;
    if made.description.is_none() {
        made.description = new.description.clone().filter(|text| !text.is_empty());
    }
    let is_in =
        |member: &Address| made.participants.iter().any(|one| one.jid == *member || one.lid.as_ref() == Some(member));
    let missing: Vec<Address> = new.participants.iter().filter(|member| !is_in(member)).cloned().collect();
    let known = super::people::on_whatsapp(client, &missing).await.unwrap_or_default();
    let outcomes = new
        .participants
        .iter()
        .map(|member| {
            let exists =
                missing.iter().position(|one| one == member).map(|at| known.get(at).is_none_or(|one| one.exists));
            MemberOutcome { jid: member.clone(), error: exists.map(|exists| if exists { 403 } else { 404 }) }
        })
        .collect();
    Ok((made, outcomes))
}

pub(super) async fn change_members(
    client: &Client,
    address: &Address,
    members: &[Address],
    change: MemberChange,
) -> Result<Vec<MemberOutcome>, Fault> {
    let id = jid(address)?;
    let lids = client.groups().query_info(&id).await.map_err(|error| group(error, Asked::Manage))?.addressing_mode
        == AddressingMode::Lid;
    let mut wired = Vec::with_capacity(members.len());
    for member in members {
        // Who is added is named by number; who is there, as the group does.
        let by_lid = lids && change != MemberChange::Add;
        wired.push(if by_lid { crate::outbound::address::lid(client, member).await? } else { jid(member)? });
    }
    let groups = client.groups();
    let answer = match change {
        MemberChange::Add => groups.add_participants(&id, &wired).await,
        MemberChange::Remove => groups.remove_participants(&id, &wired).await,
        MemberChange::Promote => groups.promote_participants(&id, &wired).await,
        MemberChange::Demote => groups.demote_participants(&id, &wired).await,
        MemberChange::Approve => groups.approve_membership_requests(&id, &wired).await,
        MemberChange::Reject => groups.reject_membership_requests(&id, &wired).await,
    };
    let answer = answer.map_err(|error| group(error, Asked::Manage))?;
    let mut outcomes = Vec::with_capacity(members.len());
    for (member, wired) in members.iter().zip(&wired) {
        let error = match told(client, &answer, member, wired).await {
            Some(one) => one.error.as_deref().map(|error| error.parse().unwrap_or(400)),
            // Not spoken of: the server has nothing against it.
            None => None,
        };
        outcomes.push(MemberOutcome { jid: member.clone(), error });
    }
    Ok(outcomes)
}

/// What the answer says about one member.
async fn told<'a>(
    client: &Client,
    answer: &'a [ParticipantChangeResponse],
    member: &Address,
    wired: &Jid,
) -> Option<&'a ParticipantChangeResponse> {
    if let Some(one) = answer.iter().find(|one| one.jid.is_same_user_as(wired)) {
        return Some(one);
    }
    for one in answer {
        let person = names::person(client, &one.jid, one.phone_number.as_ref()).await;
        if person.is_some_and(|person| person.jid == *member || person.lid.as_ref() == Some(member)) {
            return Some(one);
        }
    }
    None
}

pub(super) async fn join_requests(client: &Client, address: &Address) -> Result<Vec<JoinRequest>, Fault> {
    let requests =
        client.groups().get_membership_requests(jid(address)?).await.map_err(|error| group(error, Asked::Manage))?;
    let mut found = Vec::with_capacity(requests.len());
    for request in requests {
        if let Some(person) = names::person(client, &request.jid, None).await {
            let requested_ms = request.request_time.and_then(millis);
            found.push(JoinRequest { jid: person.jid, lid: person.lid, requested_ms });
        }
    }
    Ok(found)
}

pub(super) async fn set(client: &Client, address: &Address, setting: &GroupSetting) -> Result<(), Fault> {
    let id = jid(address)?;
    let groups = client.groups();
    let done = match setting {
        GroupSetting::Subject(text) => groups.set_subject(&id, subject(text)?).await,
        GroupSetting::Description(text) => {
            let text = Some(text).filter(|text| !text.is_empty()).map(|text| description(text)).transpose()?;
            groups.set_description(&id, text, PreviousDescription::Resolve).await
        }
        GroupSetting::Edits(who) => groups.set_locked(&id, *who == Who::Admins).await,
        GroupSetting::Writes(who) => groups.set_announce(&id, *who == Who::Admins).await,
        GroupSetting::Adds(who) => {
            let mode = match who {
                Who::Everyone => MemberAddMode::AllMemberAdd,
                Who::Admins => MemberAddMode::AdminAdd,
            };
            groups.set_member_add_mode(&id, mode).await
        }
        GroupSetting::Approval(on) => {
            let mode = if *on { MembershipApprovalMode::On } else { MembershipApprovalMode::Off };
            groups.set_membership_approval(&id, mode).await
        }
        GroupSetting::Ephemeral(seconds) => groups.set_ephemeral(&id, timer(*seconds)?).await,
    };
    done.map_err(|error| group(error, Asked::Manage))
}

/// A span after which messages can disappear.
pub(super) fn timer(seconds: u32) -> Result<u32, Fault> {
    if TIMERS.contains(&seconds) {
        return Ok(seconds);
    }
    Err(Fault::fail("timer_invalid", "messages disappear after 86400, 604800 or 7776000 seconds, or not (0)"))
}

pub(super) async fn invite(client: &Client, address: &Address, renew: bool) -> Result<String, Fault> {
    let link =
        client.groups().get_invite_link(jid(address)?, renew).await.map_err(|error| group(error, Asked::Manage))?;
    Ok(link.rsplit('/').next().unwrap_or(&link).to_owned())
}

pub(super) async fn by_invite(client: &Client, invite: &str) -> Result<Group, Fault> {
    let metadata = client.groups().get_invite_info(invite).await.map_err(|error| group(error, Asked::Invite))?;
    described(client, metadata).await.ok_or_else(unreadable)
}

pub(super) async fn join(client: &Client, invite: &str) -> Result<Joined, Fault> {
    let joined = client.groups().join_with_invite_code(invite).await.map_err(|error| group(error, Asked::Join))?;
    let address = |id: &Jid| names::chat(id).ok_or_else(unreadable);
    Ok(match &joined {
        JoinGroupResult::Joined(id) => Joined::Member(address(id)?),
        JoinGroupResult::PendingApproval(id) => Joined::Pending(address(id)?),
    })
}

pub(super) async fn leave(client: &Client, address: &Address) -> Result<(), Fault> {
    client.groups().leave(jid(address)?).await.map_err(|error| group(error, Asked::Manage))
}

pub(super) async fn create_community(
    client: &Client,
    name: &str,
    description_text: Option<&str>,
) -> Result<Group, Fault> {
    let mut options = CreateCommunityOptions::new(subject(name)?.as_str());
    if let Some(text) = description_text.filter(|text| !text.is_empty()) {
        options.description = Some(description(text)?.as_str().to_owned());
    }
    let made = client.community().create(options).await.map_err(|error| community(error, Asked::Manage))?;
    described(client, made.metadata).await.ok_or_else(unreadable)
}

pub(super) async fn community_groups(client: &Client, address: &Address) -> Result<Vec<Group>, Fault> {
    let found =
        client.community().get_subgroups(&jid(address)?).await.map_err(|error| community(error, Asked::Read))?;
    let mut groups = Vec::with_capacity(found.len());
    for part in found {
        groups.extend(sketched(client, part, address).await);
    }
    Ok(groups)
}

pub(super) async fn link(
    client: &Client,
    address: &Address,
    groups: &[Address],
    linked: bool,
) -> Result<Vec<MemberOutcome>, Fault> {
    let id = jid(address)?;
    let wired = groups.iter().map(jid).collect::<Result<Vec<_>, _>>()?;
    let failed = if linked {
        let answer = client.community().link_subgroups(&id, &wired).await;
        answer.map_err(|error| community(error, Asked::Manage))?.failed_groups
    } else {
        let answer = client.community().unlink_subgroups(&id, &wired, false).await;
        answer.map_err(|error| community(error, Asked::Manage))?.failed_groups
    };
    Ok(groups
        .iter()
        .zip(&wired)
        .map(|(address, wired)| {
            let error = failed.iter().find(|(id, _)| id == wired).map(|(_, code)| *code);
            MemberOutcome { jid: address.clone(), error: error.map(|code| u16::try_from(code).unwrap_or(400)) }
        })
        .collect())
}

/// A group, in the model's words.
async fn described(client: &Client, found: GroupMetadata) -> Option<Group> {
    let mut participants = Vec::with_capacity(found.participants.len());
    for member in &found.participants {
        let other = if member.jid.is_lid() { member.phone_number.as_ref() } else { member.lid.as_ref() };
        if let Some(person) = names::person(client, &member.jid, other).await {
            let rank = match member.participant_type {
                ParticipantType::Member => Rank::Member,
                ParticipantType::Admin => Rank::Admin,
                ParticipantType::SuperAdmin => Rank::Owner,
            };
            participants.push(Participant { jid: person.jid, lid: person.lid, rank });
        }
    }
    let listed = u32::try_from(participants.len()).unwrap_or(u32::MAX);
    Some(Group {
        id: names::chat(&found.id)?,
        subject: found.subject,
        subject_by: names::address(client, found.subject_owner.as_ref(), found.subject_owner_pn.as_ref()).await,
        subject_ms: found.subject_time.and_then(millis),
        description: found.description.filter(|text| !text.is_empty()),
        description_id: found.description_id,
        description_by: names::address(client, found.description_owner.as_ref(), found.description_owner_pn.as_ref())
            .await,
        description_ms: found.description_time.and_then(millis),
        owner: names::address(client, found.creator.as_ref(), found.creator_pn.as_ref()).await,
        owner_country: found.creator_country_code,
        created_ms: found.creation_time.and_then(millis),
        addressing: match found.addressing_mode {
            AddressingMode::Lid => "lid",
            AddressingMode::Pn => "pn",
        }
        .to_owned(),
        edits: admins_if(found.is_locked),
        writes: admins_if(found.is_announcement),
        adds: admins_if(found.member_add_mode == Some(MemberAddMode::AdminAdd)),
        approval: found.membership_approval,
        ephemeral_seconds: found.ephemeral.and_then(|setting| setting.expiration).filter(|seconds| *seconds > 0),
        community: found.parent_group_jid.as_ref().and_then(names::chat),
        is_community: found.is_parent_group,
        is_community_announce: found.is_default_sub_group,
        size: found.size.unwrap_or(listed).max(listed),
        participants,
    })
}

/// A group of a community, of which little is told.
async fn sketched(client: &Client, found: CommunitySubgroup, community: &Address) -> Option<Group> {
    let metadata = GroupMetadata {
        id: found.id,
        subject: found.subject,
        size: found.participant_count,
        creation_time: found.creation,
        creator: found.owner,
        is_default_sub_group: found.is_default_sub_group,
        is_general_chat: found.is_general_chat,
        ..Default::default()
    };
    let mut group = described(client, metadata).await?;
    group.community = Some(community.clone());
    Some(group)
}

fn admins_if(admins: bool) -> Who {
    if admins { Who::Admins } else { Who::Everyone }
}

fn subject(text: &str) -> Result<GroupSubject, Fault> {
    if text.trim().is_empty() {
        return Err(Fault::fail("subject_missing", "a group needs a subject"));
    }
    GroupSubject::new(text)
        .map_err(|_| Fault::fail("subject_too_long", format!("a subject has at most {SUBJECT_CHARS} characters")))
}

fn description(text: &str) -> Result<GroupDescription, Fault> {
    GroupDescription::new(text).map_err(|_| {
        Fault::fail("description_too_long", format!("a description has at most {DESCRIPTION_CHARS} characters"))
    })
}

/// Somebody by their number, by which WhatsApp adds people.
async fn phone(client: &Client, member: &Address) -> Result<Jid, Fault> {
    let wired = jid(member)?;
    if !wired.is_lid() {
        return Ok(wired);
    }
    match client.get_lid_pn_entry(&wired).await {
        Ok(Some(known)) => Ok(Jid::pn(&*known.phone_number)),
        _ => Err(Fault::fail("number_unusable", format!("the phone number of {member} is not known; give it"))),
    }
}

/// Seconds of the protocol in the model's milliseconds.
pub(super) fn millis(seconds: u64) -> Option<i64> {
    i64::try_from(seconds).ok()?.checked_mul(1_000).filter(|ms| *ms > 0)
}

fn unreadable() -> Fault {
    let mut fault = code(500, Asked::Read);
    fault.code = "answer_unreadable".to_owned();
    fault
}
