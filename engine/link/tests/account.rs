//! An open account against simnet: what it is told, and what others then see.
#![cfg(feature = "sandbox")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;
use support::{ANI, BOT, World, jid};
use warest_link::{Account, Links as _};
use warest_model::fault::{Fault, FaultKind};
use warest_model::group::{Group, GroupSetting, Joined, MemberChange, MemberOutcome, NewGroup, Rank, Who};
use warest_model::jid::Jid;
use warest_model::people::Privacy;
use warest_simnet::{GroupAction, GroupChange, Profile};

const CICI: &str = "628333000003";

/// A network with a third phone, and the bot's open account.
async fn open() -> (World, Arc<dyn Account>) {
    let world = World::new().await;
    world.net.add_phone(CICI, "Cici").await.unwrap();
    let session = world.paired().await;
    let account = world.link.account(&session).unwrap();
    (world, account)
}

fn id(text: &str) -> Jid {
    Jid::parse(text, "62").unwrap()
}

fn refused<T: std::fmt::Debug>(done: Result<T, Fault>, code: &str) {
    let fault = done.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.kind), (code, FaultKind::Fail), "{fault}");
}

fn ranks(group: &Group) -> Vec<(String, Rank)> {
    let mut ranks: Vec<_> = group.participants.iter().map(|one| (one.jid.user().to_owned(), one.rank)).collect();
    ranks.sort_by(|one, other| one.0.cmp(&other.0));
    ranks
}

fn done(members: &[&str]) -> Vec<MemberOutcome> {
    members.iter().map(|member| MemberOutcome { jid: jid(member), error: None }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_made_read_changed_and_left() {
    let (world, account) = open().await;
    let stranger = "4915999999999";
    let new = NewGroup {
        subject: "Plans".into(),
        description: Some("for later".into()),
        participants: vec![jid(ANI), jid(stranger)],
        community: None,
    };
    let (made, outcomes) = account.create_group(&new).await.unwrap();
    assert_eq!(outcomes[0], MemberOutcome { jid: jid(ANI), error: None });
    assert_eq!(outcomes[1], MemberOutcome { jid: jid(stranger), error: Some(404) });

    let group = account.group(&made.id).await.unwrap();
    assert_eq!((group.subject.as_str(), group.description.as_deref()), ("Plans", Some("for later")));
    assert_eq!(ranks(&group), [(BOT.into(), Rank::Owner), (ANI.into(), Rank::Member)]);
    assert!(group.participants.iter().all(|one| one.lid.is_some()), "{group:#?}");
    assert_eq!((group.owner, group.size), (Some(jid(BOT)), 2));
    let all = account.groups().await.unwrap();
    assert_eq!(
        all.iter().map(|one| (&one.id, one.size, one.participants.len())).collect::<Vec<_>>(),
        [(&made.id, 2, 0)]
    );

    let members = async |members: &[&str], change| {
        let members: Vec<_> = members.iter().map(|member| jid(member)).collect();
        account.change_members(&made.id, &members, change).await.unwrap()
    };
    assert_eq!(members(&[CICI], MemberChange::Add).await, done(&[CICI]));
    assert_eq!(members(&[CICI], MemberChange::Add).await[0].error, Some(409), "is one already");
    assert_eq!(members(&[CICI], MemberChange::Promote).await, done(&[CICI]));
    let shown = world.net.group(made.id.as_str()).await.unwrap();
    let rank = |phone: &str| shown.participants.iter().find(|one| one.phone == phone).map(|one| one.rank.clone());
    assert_eq!(rank(CICI).as_deref(), Some("admin"));
    assert_eq!(members(&[CICI], MemberChange::Demote).await, done(&[CICI]));
    assert_eq!(members(&[CICI], MemberChange::Remove).await, done(&[CICI]));
    assert_eq!(account.group(&made.id).await.unwrap().participants.len(), 2);

    for setting in [
        GroupSetting::Subject("Other".into()),
        GroupSetting::Description("new".into()),
        GroupSetting::Edits(Who::Admins),
        GroupSetting::Writes(Who::Admins),
        GroupSetting::Adds(Who::Admins),
        GroupSetting::Approval(true),
        GroupSetting::Ephemeral(86_400),
    ] {
        account.set_group(&made.id, &setting).await.unwrap();
    }
    let group = account.group(&made.id).await.unwrap();
    assert_eq!((group.subject.as_str(), group.description.as_deref()), ("Other", Some("new")));
    assert_eq!((group.edits, group.writes, group.adds), (Who::Admins, Who::Admins, Who::Admins));
    assert_eq!((group.approval, group.ephemeral_seconds), (true, Some(86_400)));
    account.set_group(&made.id, &GroupSetting::Description(String::new())).await.unwrap();
    assert_eq!(account.group(&made.id).await.unwrap().description, None);

    let code = account.group_invite(&made.id, false).await.unwrap();
    let invited = account.group_by_invite(&code).await.unwrap();
    assert_eq!((invited.id, invited.subject.as_str()), (made.id.clone(), "Other"));
    // Whoever was removed cannot come back by a link.
    const NEW: &str = "6281100000044";
    world.net.add_phone(NEW, "New").await.unwrap();
    let (_, is_in) = world.net.join_group(NEW, &code).await.unwrap();
    assert!(!is_in, "an admin must approve");
    let requests = account.join_requests(&made.id).await.unwrap();
    // The number of a stranger may not be known yet.
    let [asks] = requests.as_slice() else { panic!("{requests:?}") };
    let outcome =
        account.change_members(&made.id, std::slice::from_ref(&asks.jid), MemberChange::Approve).await.unwrap();
    assert_eq!(outcome.iter().map(|one| one.error).collect::<Vec<_>>(), [None]);
    assert_eq!(account.group(&made.id).await.unwrap().participants.len(), 3);
    let renewed = account.group_invite(&made.id, true).await.unwrap();
    assert_ne!(renewed, code);
    assert!(account.group_by_invite(&code).await.is_err());

    account.leave_group(&made.id).await.unwrap();
    assert!(account.groups().await.unwrap().is_empty());
    refused(account.group(&made.id).await, "not_a_member");
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_group_refuses_says_why() {
    let (world, account) = open().await;
    let group = id(&world.net.create_group(ANI, "Ani's", &[BOT], None).await.unwrap());
    refused(account.change_members(&group, &[jid(CICI)], MemberChange::Promote).await, "not_admin");
    world
        .net
        .set_group_settings(ANI, group.as_str(), GroupChange { locked: Some(true), ..GroupChange::default() })
        .await
        .unwrap();
    refused(account.set_group(&group, &GroupSetting::Subject("mine".into())).await, "not_admin");
    refused(account.group_invite(&group, true).await, "not_admin");
    refused(account.group(&id("120363999999999999@g.us")).await, "group_not_found");
    refused(account.join_group("nonsense").await, "invite_invalid");
    refused(account.set_group(&group, &GroupSetting::Subject("x".repeat(101))).await, "subject_too_long");
    refused(account.set_group(&group, &GroupSetting::Ephemeral(5)).await, "timer_invalid");
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_leads_in_and_approval_is_waited_for() {
    let (world, account) = open().await;
    let ours = id(&world.net.create_group(ANI, "Open", &[], None).await.unwrap());
    let code = world.net.group_invite(ANI, ours.as_str(), false).await.unwrap();
    assert_eq!(account.join_group(&code).await.unwrap(), Joined::Member(ours.clone()));
    refused(account.join_group(&format!("https://chat.whatsapp.com/{code}")).await, "already_member");

    let closed = id(&world.net.create_group(ANI, "Closed", &[], None).await.unwrap());
    let change = GroupChange { approval: Some(true), ..GroupChange::default() };
    world.net.set_group_settings(ANI, closed.as_str(), change).await.unwrap();
    let code = world.net.group_invite(ANI, closed.as_str(), false).await.unwrap();
    assert_eq!(account.join_group(&code).await.unwrap(), Joined::Pending(closed.clone()));
    world.net.change_group(ANI, closed.as_str(), GroupAction::Approve, &[BOT]).await.unwrap();
    assert_eq!(account.group(&closed).await.unwrap().subject, "Closed");
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_community_has_groups_that_come_and_go() {
    let (world, account) = open().await;
    let community = account.create_community("Town", Some("all of it")).await.unwrap();
    assert!(community.is_community);
    let new = NewGroup { subject: "Street".into(), ..NewGroup::default() };
    let (street, _) = account.create_group(&new).await.unwrap();
    let outcomes = account.link_groups(&community.id, std::slice::from_ref(&street.id), true).await.unwrap();
    assert_eq!(outcomes, [MemberOutcome { jid: street.id.clone(), error: None }]);
    let groups = account.community_groups(&community.id).await.unwrap();
    assert!(groups.iter().any(|one| one.id == street.id && one.community.as_ref() == Some(&community.id)));
    assert!(groups.iter().any(|one| one.is_community_announce), "{groups:#?}");
    assert_eq!(account.group(&street.id).await.unwrap().community, Some(community.id.clone()));
    account.link_groups(&community.id, std::slice::from_ref(&street.id), false).await.unwrap();
    assert_eq!(account.group(&street.id).await.unwrap().community, None);
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_asked_about_and_blocked() {
    let (world, account) = open().await;
    let stranger = jid("4915999999999");
    let found = account.on_whatsapp(&[stranger.clone(), jid(ANI)]).await.unwrap();
    assert_eq!(
        found.iter().map(|one| (one.jid.clone(), one.exists)).collect::<Vec<_>>(),
        [(stranger, false), (jid(ANI), true)]
    );
    let lid = found[1].lid.clone().expect("a LID");
    assert_eq!(account.other_name(&jid(ANI)).await.unwrap(), Some(lid.clone()));
    assert_eq!(account.other_name(&lid).await.unwrap(), Some(jid(ANI)));

    let picture = "/9j/2Q==";
    let profile = Profile { about: Some("busy".into()), picture: Some(picture.into()), ..Profile::default() };
    world.net.set_profile(ANI, profile).await.unwrap();
    let shown = account.profile(&jid(ANI)).await.unwrap();
    assert_eq!((shown.about.as_deref(), shown.lid), (Some("busy"), Some(lid)));
    assert!(shown.picture_url.is_some());
    assert!(account.picture(&jid(ANI), true).await.unwrap().is_some());
    assert_eq!(account.picture(&jid(CICI), false).await.unwrap(), None);
    assert_eq!(account.business(&jid(ANI)).await.unwrap(), None);

    account.block(&jid(ANI), true).await.unwrap();
    assert_eq!(account.blocked().await.unwrap(), [jid(ANI)]);
    assert_eq!(world.net.blocked(BOT).await.unwrap(), [ANI]);
    account.block(&jid(ANI), false).await.unwrap();
    assert!(account.blocked().await.unwrap().is_empty());
    refused(account.block(&id("120363999999999999@g.us"), true).await, "number_unusable");

    account.subscribe_presence(&jid(ANI)).await.unwrap();
    world.net.set_presence(ANI, true).await.unwrap();
    let seen = world.intake.until("presence", |one| one.data["presence"] == "available").await;
    assert_eq!(seen.data["jid"], jid(ANI).as_str());
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_sets_what_it_shows_and_to_whom() {
    let (world, account) = open().await;
    account.set_about("here to help").await.unwrap();
    assert_eq!(account.profile(&jid(BOT)).await.unwrap().about.as_deref(), Some("here to help"));
    account.set_push_name("Robot").await.unwrap();
    assert_eq!(account.push_name().await.unwrap(), "Robot");
    assert!(account.set_picture(None, Some(vec![0xFF, 0xD8, 0xFF, 0xD9])).await.unwrap().is_some());
    assert!(account.picture(&jid(BOT), false).await.unwrap().is_some());
    account.set_picture(None, None).await.unwrap();
    assert_eq!(account.picture(&jid(BOT), false).await.unwrap(), None);

    let last = Privacy { category: "last".into(), value: "contacts".into() };
    account.set_privacy(&last).await.unwrap();
    assert!(account.privacy().await.unwrap().contains(&last));
    assert_eq!(world.net.privacy(BOT).await.unwrap()["last"], "contacts");
    refused(account.set_privacy(&Privacy { category: "online".into(), value: "none".into() }).await, "privacy_invalid");
    refused(account.set_privacy(&Privacy { category: "shoes".into(), value: "all".into() }).await, "privacy_invalid");
    account.set_default_ephemeral(604_800).await.unwrap();
    account.set_ephemeral(&jid(ANI), 86_400).await.unwrap();
    assert!(account.devices().await.unwrap().contains(&0));

    let call = world.net.call(ANI, BOT, false, None).await.unwrap();
    account.reject_call(&call, &jid(ANI)).await.unwrap();
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn newsletters_are_made_found_followed_read_and_reacted_to() {
    let (world, account) = open().await;
    let made = account.create_newsletter("News", Some("daily")).await.unwrap();
    assert_eq!((made.name.as_str(), made.role.as_deref()), ("News", Some("owner")));
    let other = id(&world.net.create_newsletter("Ani's news", ANI).await.unwrap());
    let invite = world.net.newsletter(other.as_str()).await.unwrap().invite;
    assert_eq!(account.newsletter(&invite).await.unwrap().id, other);
    assert_eq!(account.newsletter(other.as_str()).await.unwrap().name, "Ani's news");
    account.follow_newsletter(&other, true).await.unwrap();
    let nowhere = id("120363999999999999@newsletter");
    for on in [true, false] {
        refused(account.follow_newsletter(&nowhere, on).await, "newsletter_not_found");
    }
    assert_eq!(account.newsletters().await.unwrap().len(), 2);
    for text in ["one", "two", "three"] {
        world.net.post_newsletter(other.as_str(), text).await.unwrap();
    }
    let posts = account.newsletter_posts(&other, 2, None).await.unwrap();
    let texts: Vec<_> = posts.iter().map(|one| one.text.as_deref().unwrap()).collect();
    assert_eq!((texts, posts[0].content_type.as_str()), (vec!["three", "two"], "text"));
    let before = account.newsletter_posts(&other, 5, Some(posts[1].server_id)).await.unwrap();
    assert_eq!(before[0].text.as_deref(), Some("one"));
    account.react_to_post(&other, posts[0].server_id, "👍").await.unwrap();
    let deadline = tokio::time::Instant::now() + support::DEADLINE;
    loop {
        let shown = world.net.newsletter(other.as_str()).await.unwrap();
        if shown.posts[2].reactions.get(BOT).map(String::as_str) == Some("👍") {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{shown:#?}");
        tokio::task::yield_now().await;
    }
    account.follow_newsletter(&other, false).await.unwrap();
    assert_eq!(account.newsletters().await.unwrap().len(), 1);
    world.link.shutdown().await;
}
