//! Groups as the real client lives with them: what it asks and changes, what it is told, what it is
//! refused, and what phones do beside it.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use support::{ALICE, BOB, CAROL, Companion, network_of_three, paired, wait_for};
use wacore::stanza::groups::GroupNotificationAction as Action;
use wacore_binary::Jid;
use warest_simnet::{Fault, FaultKind, GroupAction, GroupChange, SimnetHandle};
use whatsapp_rust::IqError;
use whatsapp_rust::features::{
    GroupCreateOptions, GroupDescription, GroupError, GroupParticipantOptions, GroupSubject, JoinGroupResult,
    MemberAddMode, MembershipApprovalMode, PictureType, PreviousDescription,
};
use whatsapp_rust::types::events::Event;

/// The code that the server refused with.
fn refusal<T: std::fmt::Debug>(refused: Result<T, GroupError>) -> u16 {
    match refused {
        Err(GroupError::Iq(IqError::ServerError { code, .. })) => code,
        other => panic!("not refused: {other:?}"),
    }
}

/// A group that Bob's phone made, with Alice in it.
async fn bobs_group(net: &SimnetHandle) -> Jid {
    net.create_group(BOB, "Bob's group", &[ALICE], None).await.unwrap().parse().unwrap()
}

/// Waits until the companion is told of a change of a group.
async fn told<T>(companion: &Companion, group: &Jid, what: &str, pick: impl Fn(&Action) -> Option<T>) -> T {
    companion
        .event(what, |event| match event {
            Event::GroupUpdate(update) if update.group_jid == *group => pick(&update.action),
            _ => None,
        })
        .await
}

fn ranks(net: &warest_simnet::GroupInfo) -> Vec<(&str, &str)> {
    net.participants.iter().map(|member| (member.phone.as_str(), member.rank.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_creates_a_group_and_reads_it() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let mut bob = paired(&net, BOB).await;
    let client = alice.client();
    let unknown = "4915999999999";
    let participants = [BOB, CAROL, unknown].map(|phone| GroupParticipantOptions::new(Jid::pn(phone))).to_vec();
    let options = GroupCreateOptions { participants, ..GroupCreateOptions::new("Plans") };
    let created = client.groups().create_group(options).await.unwrap().metadata;
    assert_eq!(created.subject, "Plans");

    let metadata = client.groups().get_metadata(&created.id).await.unwrap();
    assert!(metadata.participants.iter().all(|p| p.jid.is_lid() && p.phone_number.is_some()));
    let mut admins = metadata.participants.iter().filter(|p| p.is_super_admin());
    assert_eq!(admins.next().unwrap().phone_number, Some(Jid::pn(ALICE)));
    assert!(admins.next().is_none());
    assert_eq!(metadata.participants.len(), 3, "an unknown number is no participant");
    assert_eq!(metadata.creator_pn, Some(Jid::pn(ALICE)));
    assert_eq!(metadata.size, Some(3));

    let all = client.groups().get_participating().await.unwrap();
    assert_eq!(all.keys().collect::<Vec<_>>(), [&created.id]);
    let shown = net.group(&created.id.to_string()).await.unwrap();
    assert_eq!(ranks(&shown), [(ALICE, "superadmin"), (BOB, "member"), (CAROL, "member")]);
    told(&bob, &created.id, "the new group", |action| matches!(action, Action::Create { .. }).then_some(())).await;
    alice.stop().await;
    bob.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_change_with_a_result_for_each() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let client = alice.client();
    let group = bobs_group(&net).await;
    net.change_group(BOB, &group.to_string(), GroupAction::Promote, &[ALICE]).await.unwrap();
    told(&alice, &group, "the promotion", |a| matches!(a, Action::Promote { .. }).then_some(())).await;

    let wanted = [CAROL, BOB, "4915999999999"].map(Jid::pn);
    let results = client.groups().add_participants(&group, &wanted).await.unwrap();
    let errors: Vec<_> = results.iter().map(|result| result.error.as_deref()).collect();
    assert_eq!(errors, [None, Some("409"), Some("404")]);
    assert!(results[0].jid.is_lid());
    assert_eq!(results[0].phone_number, Some(Jid::pn(CAROL)));
    let added = told(&alice, &group, "the addition", |action| match action {
        Action::Add { participants, .. } => participants.first().and_then(|p| p.phone_number.clone()),
        _ => None,
    })
    .await;
    assert_eq!(added, Jid::pn(CAROL));

    let carol = [Jid::pn(CAROL)];
    assert!(client.groups().promote_participants(&group, &carol).await.unwrap()[0].is_ok());
    let again = client.groups().promote_participants(&group, &carol).await.unwrap();
    assert_eq!(again[0].error.as_deref(), Some("409"));
    assert!(client.groups().demote_participants(&group, &carol).await.unwrap()[0].is_ok());
    let owner = client.groups().demote_participants(&group, &[Jid::pn(BOB)]).await.unwrap();
    assert_eq!(owner[0].error.as_deref(), Some("405"), "nobody takes the group from its owner");
    assert!(client.groups().remove_participants(&group, &carol).await.unwrap()[0].is_ok());
    let gone = client.groups().remove_participants(&group, &carol).await.unwrap();
    assert_eq!(gone[0].error.as_deref(), Some("404"));

    // Who left by herself cannot be added at once; who was removed can.
    assert!(client.groups().add_participants(&group, &carol).await.unwrap()[0].is_ok());
    net.leave_group(CAROL, &group.to_string()).await.unwrap();
    told(&alice, &group, "the leaving", |action| match action {
        Action::Remove { participants, .. } => (participants[0].phone_number == Some(Jid::pn(CAROL))).then_some(()),
        _ => None,
    })
    .await;
    let left = client.groups().add_participants(&group, &carol).await.unwrap();
    assert_eq!(left[0].error.as_deref(), Some("408"));
    client.groups().leave(&group).await.unwrap();
    assert_eq!(ranks(&net.group(&group.to_string()).await.unwrap()), [(BOB, "superadmin")]);
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_is_told_and_read_back() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let client = alice.client();
    let groups = client.groups();
    let group = bobs_group(&net).await;
    net.change_group(BOB, &group.to_string(), GroupAction::Promote, &[ALICE]).await.unwrap();

    groups.set_subject(&group, GroupSubject::new("Renamed").unwrap()).await.unwrap();
    let text = GroupDescription::new("What it is for").unwrap();
    groups.set_description(&group, Some(text.clone()), PreviousDescription::Absent).await.unwrap();
    let late = groups.set_description(&group, Some(text.clone()), PreviousDescription::Absent).await;
    assert!(matches!(late, Err(GroupError::DescriptionConflict)), "{late:?}");
    groups.set_description(&group, Some(text), PreviousDescription::Resolve).await.unwrap();
    groups.set_locked(&group, true).await.unwrap();
    groups.set_announce(&group, true).await.unwrap();
    groups.set_ephemeral(&group, 86_400).await.unwrap();
    groups.set_membership_approval(&group, MembershipApprovalMode::On).await.unwrap();
    groups.set_member_add_mode(&group, MemberAddMode::AdminAdd).await.unwrap();

    let metadata = groups.get_metadata(&group).await.unwrap();
    assert_eq!((metadata.subject.as_str(), metadata.description.as_deref()), ("Renamed", Some("What it is for")));
    assert_eq!(metadata.description_owner_pn, Some(Jid::pn(ALICE)));
    assert!(metadata.is_locked && metadata.is_announcement && metadata.membership_approval);
    assert_eq!(metadata.ephemeral.unwrap().expiration, Some(86_400));
    assert!(net.group(&group.to_string()).await.unwrap().settings.admin_add);
    told(&alice, &group, "who may add", |action| match action {
        Action::MemberAddMode { mode } => (mode == "admin_add").then_some(()),
        _ => None,
    })
    .await;

    let off = GroupChange {
        announcement: Some(false),
        locked: Some(false),
        approval: Some(false),
        ephemeral: Some(0),
        ..GroupChange::default()
    };
    net.set_group_settings(BOB, &group.to_string(), off).await.unwrap();
    net.set_group_subject(BOB, &group.to_string(), "By phone").await.unwrap();
    net.set_group_description(BOB, &group.to_string(), "").await.unwrap();
    told(&alice, &group, "the subject", |action| match action {
        Action::Subject { subject, .. } => (subject == "By phone").then_some(()),
        _ => None,
    })
    .await;
    for (what, wanted) in [
        ("unlocked", "unlocked"),
        ("writing for all", "not_announcement"),
        ("approval off", "membership_approval_mode"),
        ("ephemeral off", "ephemeral"),
        ("the description", "description"),
    ] {
        told(&alice, &group, what, |action| (action.tag_name() == wanted).then_some(())).await;
    }
    let metadata = groups.get_metadata(&group).await.unwrap();
    assert_eq!((metadata.subject.as_str(), metadata.description), ("By phone", None));
    assert!(!metadata.is_locked && !metadata.is_announcement && !metadata.membership_approval);
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_lets_in_and_is_useless_once_reset() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let client = alice.client();
    let groups = client.groups();
    let group: Jid = net.create_group(BOB, "By invitation", &[CAROL], None).await.unwrap().parse().unwrap();
    let code = net.group_invite(BOB, &group.to_string(), false).await.unwrap();
    let info = groups.get_invite_info(&format!("https://chat.whatsapp.com/{code}")).await.unwrap();
    assert_eq!((info.id, info.subject.as_str(), info.size), (group.clone(), "By invitation", Some(2)));

    let joined = groups.join_with_invite_code(&code).await.unwrap();
    assert_eq!(joined, JoinGroupResult::Joined(group.clone()));
    told(&alice, &group, "the group that was joined", |a| matches!(a, Action::Create { .. }).then_some(())).await;
    assert_eq!(refusal(groups.join_with_invite_code(&code).await), 409);
    assert_eq!(refusal(groups.get_invite_link(&group, false).await), 403, "the code is for admins");

    net.change_group(BOB, &group.to_string(), GroupAction::Promote, &[ALICE]).await.unwrap();
    let link = groups.get_invite_link(&group, true).await.unwrap();
    assert!(!link.ends_with(&code));
    assert_eq!(refusal(groups.get_invite_info(&code).await), 410);
    assert_eq!(refusal(groups.get_invite_info("AAAAAAAAAAAAAAAAAAAAAA").await), 404);
    let fresh = told(&alice, &group, "the new code", |action| match action {
        Action::Invite { code } => Some(code.clone()),
        _ => None,
    })
    .await;
    assert!(link.ends_with(&fresh));
    assert_eq!(net.join_group(CAROL, &code).await.unwrap_err().status(), 410);

    // Who was removed does not come back by the code.
    net.change_group(BOB, &group.to_string(), GroupAction::Remove, &[CAROL]).await.unwrap();
    assert_eq!(net.join_group(CAROL, &fresh).await.unwrap_err().status(), 405);
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_to_join_wait_for_an_admin() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let client = alice.client();
    let groups = client.groups();
    let options = GroupCreateOptions {
        membership_approval_mode: Some(MembershipApprovalMode::On),
        ..GroupCreateOptions::new("Ask first")
    };
    let group = groups.create_group(options).await.unwrap().metadata.id;
    let code = net.group_invite(ALICE, &group.to_string(), false).await.unwrap();
    for phone in [BOB, CAROL] {
        assert_eq!(net.join_group(phone, &code).await.unwrap(), (group.to_string(), false));
    }
    told(&alice, &group, "a request", |action| match action {
        Action::CreatedMembershipRequests { requests, .. } => requests.first().map(|_| ()),
        _ => None,
    })
    .await;
    let requests = groups.get_membership_requests(&group).await.unwrap();
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|request| request.jid.is_lid() && request.request_time.is_some()));

    assert!(groups.approve_membership_requests(&group, &[Jid::pn(BOB)]).await.unwrap()[0].is_ok());
    assert!(groups.reject_membership_requests(&group, &[Jid::pn(CAROL)]).await.unwrap()[0].is_ok());
    let again = groups.approve_membership_requests(&group, &[Jid::pn(CAROL)]).await.unwrap();
    assert_eq!(again[0].error.as_deref(), Some("404"));
    let shown = net.group(&group.to_string()).await.unwrap();
    assert_eq!(ranks(&shown), [(ALICE, "superadmin"), (BOB, "member")]);
    assert!(shown.requests.is_empty());

    // The other way round: the client asks and a phone decides.
    let other: Jid = net.create_group(BOB, "Closed", &[], None).await.unwrap().parse().unwrap();
    let change = GroupChange { approval: Some(true), ..GroupChange::default() };
    net.set_group_settings(BOB, &other.to_string(), change).await.unwrap();
    let code = net.group_invite(BOB, &other.to_string(), false).await.unwrap();
    let asked = groups.join_with_invite_code(&code).await.unwrap();
    assert_eq!(asked, JoinGroupResult::PendingApproval(other.clone()));
    assert_eq!(net.group(&other.to_string()).await.unwrap().requests, [ALICE]);
    net.change_group(BOB, &other.to_string(), GroupAction::Approve, &[ALICE]).await.unwrap();
    told(&alice, &other, "being let in", |a| matches!(a, Action::Create { .. }).then_some(())).await;
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_refuses_what_the_rules_forbid() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let client = alice.client();
    let groups = client.groups();
    let nowhere: Jid = "120363000000000000@g.us".parse().unwrap();
    assert_eq!(refusal(groups.get_metadata(&nowhere).await), 404);
    let theirs: Jid = net.create_group(BOB, "Theirs", &[CAROL], None).await.unwrap().parse().unwrap();
    assert_eq!(refusal(groups.get_metadata(&theirs).await), 403);
    assert_eq!(refusal(groups.leave(&theirs).await), 403);
    assert_eq!(refusal(groups.set_subject(&theirs, GroupSubject::new("x").unwrap()).await), 403);

    let group = bobs_group(&net).await;
    assert_eq!(refusal(groups.set_announce(&group, true).await), 403);
    assert_eq!(refusal(groups.promote_participants(&group, &[Jid::pn(ALICE)]).await), 403);
    assert_eq!(refusal(groups.set_subject(&group, GroupSubject::new_unchecked("x".repeat(101))).await), 406);
    let long = GroupDescription::new_unchecked("x".repeat(2_049));
    assert_eq!(refusal(groups.set_description(&group, Some(long), PreviousDescription::Absent).await), 406);
    let change = GroupChange { locked: Some(true), admin_add: Some(true), ..GroupChange::default() };
    net.set_group_settings(BOB, &group.to_string(), change).await.unwrap();
    assert_eq!(refusal(groups.set_subject(&group, GroupSubject::new("x").unwrap()).await), 403);
    assert_eq!(refusal(groups.add_participants(&group, &[Jid::pn(CAROL)]).await), 403);

    let rule = Fault { code: Some(429), namespace: Some("w:g2".into()), ..Fault::new(FaultKind::Iq, ALICE, 2) };
    net.add_fault(rule).await.unwrap();
    assert_eq!(refusal(groups.get_metadata(&group).await), 429);
    assert_eq!(refusal(groups.get_participating().await), 429);
    groups.get_metadata(&group).await.unwrap();
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_has_a_picture() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let client = alice.client();
    let group = bobs_group(&net).await;
    let set = client.groups().set_profile_picture(&group, vec![0xff, 0xd8, 1, 2]).await.unwrap();
    assert_eq!(net.group(&group.to_string()).await.unwrap().picture, Some(set.id.clone()));
    let found = client.contacts().get_profile_picture(&group, false).await.unwrap().unwrap();
    assert_eq!(found.id, set.id);
    assert!(found.url.starts_with(&format!("http://{}/pictures/", net.addr())), "{}", found.url);
    let listed = client.groups().get_profile_pictures(vec![group.clone()], PictureType::Preview).await.unwrap();
    assert_eq!(listed[0].photo_id, Some(set.id));
    net.set_group_picture(BOB, &group.to_string(), &[]).await.unwrap();
    alice
        .event("the picture's end", |event| match event {
            Event::PictureUpdate(update) if update.jid == group => update.removed.then_some(()),
            _ => None,
        })
        .await;
    assert!(client.contacts().get_profile_picture(&group, false).await.unwrap().is_none());
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_away_hears_of_the_change_later() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let group = bobs_group(&net).await;
    alice.stop().await;
    net.set_group_subject(BOB, &group.to_string(), "While away").await.unwrap();
    alice.start(&net.chat_url()).await;
    told(&alice, &group, "the subject", |action| match action {
        Action::Subject { subject, .. } => (subject == "While away").then_some(()),
        _ => None,
    })
    .await;
    wait_for("an empty queue", async || (net.stats().await.queued == 0).then_some(())).await;
    alice.stop().await;
}
