//! What accounts show of themselves and to whom, as the real client asks and hears of it: profile,
//! privacy, blocking, presence, calls.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use support::{ALICE, BOB, CAROL, Companion, network, network_of_three, paired, shown, text, wait_for};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wacore::iq::privacy::{PrivacyCategory, PrivacyValue};
use wacore::types::call::CallAction;
use wacore_binary::Jid;
use warest_simnet::{Business, CallState, GroupAction, Profile, SimnetHandle};
use whatsapp_rust::types::events::Event;

/// Lets the companion learn of Bob, as it does by any message.
async fn acquainted(net: &SimnetHandle, companion: &Companion) {
    net.send_text(BOB, ALICE, "here I am", None).await.unwrap();
    companion.receive("here I am").await;
}

fn privacy(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_read_by_others() {
    let net = network().await;
    let mut alice = paired(&net, ALICE).await;
    let contacts = alice.client();
    let contacts = contacts.contacts();
    let profile = Profile {
        about: Some("At the beach".into()),
        picture: Some(STANDARD.encode([0xff, 0xd8, 7])),
        business: Some(Business {
            name: "Bob & Co".into(),
            description: "Everything".into(),
            websites: vec!["https://bob.example".into()],
            categories: vec!["Shop".into()],
            ..Business::default()
        }),
        ..Profile::default()
    };
    net.set_profile(BOB, profile).await.unwrap();

    let info = contacts.get_user_info(&[Jid::pn(BOB)]).await.unwrap().remove(&Jid::pn(BOB)).unwrap();
    assert_eq!(info.status.as_deref(), Some("At the beach"));
    assert!(info.is_business);
    assert_eq!(info.verified_name.unwrap().name.as_deref(), Some("Bob & Co"));
    let picture = contacts.get_profile_picture(&Jid::pn(BOB), false).await.unwrap().unwrap();
    assert_eq!(info.picture_id, Some(picture.id));
    assert_eq!(fetch(&net, &picture.direct_path.unwrap()).await, [0xff, 0xd8, 7]);
    let business = alice.client().get_business_profile(&Jid::pn(BOB)).await.unwrap().unwrap();
    assert_eq!((business.description.as_str(), business.website.len()), ("Everything", 1));
    assert_eq!(business.categories[0].name, "Shop");

    let found = contacts.is_on_whatsapp(&[Jid::pn(BOB), Jid::pn("4915999999999")]).await.unwrap();
    let on: Vec<_> = found.iter().map(|one| (one.jid.user.as_str(), one.is_registered)).collect();
    assert_eq!(on, [(BOB, true), ("4915999999999", false)]);
    net.set_profile(BOB, Profile { on_whatsapp: Some(false), ..Profile::default() }).await.unwrap();
    assert!(!contacts.is_on_whatsapp(&[Jid::pn(BOB)]).await.unwrap()[0].is_registered);
    alice.stop().await;
}

/// What simnet serves at a path.
async fn fetch(net: &SimnetHandle, path: &str) -> Vec<u8> {
    let mut stream = tokio::net::TcpStream::connect(net.addr()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: simnet\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let at = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    answer.split_off(at + 4)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_profile_is_set_and_told_to_others() {
    let net = network().await;
    let mut alice = paired(&net, ALICE).await;
    let mut bob = paired(&net, BOB).await;
    acquainted(&net, &alice).await;
    let client = alice.client();
    client.profile().set_status_text("Working").await.unwrap();
    let set = client.profile().set_profile_picture(vec![1, 2, 3]).await.unwrap();
    client.profile().set_push_name("Alice A.").await.unwrap();

    let about = bob.event("the about", |event| match event {
        Event::UserAboutUpdate(update) => Some((update.jid.clone(), update.status.clone())),
        _ => None,
    });
    let (jid, about) = about.await;
    assert!(jid.is_lid());
    assert_eq!(about, "Working");
    let picture = bob.event("the picture", |event| match event {
        Event::PictureUpdate(update) => update.picture_id.clone(),
        _ => None,
    });
    assert_eq!(picture.await, set.id);
    let name = wait_for("the name", async || {
        let phones = net.phones().await;
        phones.into_iter().map(|phone| phone.name).find(|name| name == "Alice A.")
    });
    name.await;
    client.profile().remove_profile_picture().await.unwrap();
    assert!(bob.client().contacts().get_profile_picture(&Jid::pn(ALICE), true).await.unwrap().is_none());
    alice.stop().await;
    bob.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn privacy_is_kept_and_obeyed() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let client = alice.client();
    let set = client.set_privacy_setting(PrivacyCategory::Last, PrivacyValue::None).await;
    set.unwrap();
    let read = client.fetch_privacy_settings().await.unwrap();
    assert_eq!(read.get_value(&PrivacyCategory::Last), Some(&PrivacyValue::None));
    assert_eq!(read.get_value(&PrivacyCategory::GroupAdd), Some(&PrivacyValue::All));
    assert_eq!(net.privacy(ALICE).await.unwrap()["last"], "none");

    // A picture and an about for contacts only; Alice has never talked with Bob.
    let picture = Some(STANDARD.encode([1]));
    net.set_profile(BOB, Profile { about: Some("Secret".into()), picture, ..Profile::default() }).await.unwrap();
    net.set_privacy(BOB, &privacy(&[("profile", "contacts"), ("status", "contacts")])).await.unwrap();
    let contacts = client.contacts();
    assert!(contacts.get_profile_picture(&Jid::pn(BOB), false).await.unwrap().is_none());
    let info = contacts.get_user_info(&[Jid::pn(BOB)]).await.unwrap().remove(&Jid::pn(BOB)).unwrap();
    assert_eq!((info.status.as_deref(), info.picture_id), (Some(""), None));
    acquainted(&net, &alice).await;
    assert!(contacts.get_profile_picture(&Jid::pn(BOB), false).await.unwrap().is_some());

    // Nobody may add Carol; there is an invitation for her instead.
    net.set_privacy(CAROL, &privacy(&[("groupadd", "none")])).await.unwrap();
    let group: Jid = net.create_group(BOB, "Try", &[ALICE], None).await.unwrap().parse().unwrap();
    let added = client.groups().add_participants(&group, &[Jid::pn(CAROL)]).await.unwrap();
    assert_eq!(added[0].error.as_deref(), Some("403"));
    assert!(added[0].add_request.is_some());
    let results = net.change_group(BOB, &group.to_string(), GroupAction::Add, &[CAROL]).await.unwrap();
    assert_eq!(results[0].status, 403);
    let refused = net.set_privacy(BOB, &privacy(&[("last", "sometimes")])).await;
    assert_eq!(refused.unwrap_err().status(), 400);
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_lets_one_account_in() {
    let net = network().await;
    let mut alice = paired(&net, ALICE).await;
    let mut bob = paired(&net, BOB).await;
    net.set_privacy(ALICE, &privacy(&[("groupadd", "none")])).await.unwrap();
    let group: Jid = net.create_group(BOB, "Invited", &[], None).await.unwrap().parse().unwrap();
    let added = bob.client().groups().add_participants(&group, &[Jid::pn(ALICE)]).await.unwrap();
    let invitation = added[0].add_request.clone().unwrap();
    let groups = alice.client();
    let expires = i64::try_from(invitation.expiration).unwrap();
    let wrong = groups.groups().join_with_invite_v4(&group, "wrong", expires, Jid::pn(BOB)).await;
    assert!(wrong.is_err());
    groups.groups().join_with_invite_v4(&group, &invitation.code, expires, Jid::pn(BOB)).await.unwrap();
    assert_eq!(net.group(&group.to_string()).await.unwrap().participants.len(), 2);
    alice.stop().await;
    bob.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_blocked_gets_nothing_through() {
    let net = network().await;
    let mut alice = paired(&net, ALICE).await;
    let mut bob = paired(&net, BOB).await;
    acquainted(&net, &alice).await;
    let client = alice.client();
    client.blocking().block(&Jid::pn(BOB)).await.unwrap();
    assert!(client.blocking().is_blocked(&Jid::pn(BOB)).await.unwrap());
    assert_eq!(client.blocking().get_blocklist().await.unwrap().len(), 1);
    assert_eq!(net.blocked(ALICE).await.unwrap(), [BOB]);
    net.send_text(BOB, ALICE, "from a blocked phone", None).await.unwrap();
    bob.client().send_message(Jid::pn(ALICE), text("from a blocked companion")).await.unwrap();
    shown(&net, BOB, "from a blocked companion").await;
    client.blocking().unblock(&Jid::pn(BOB)).await.unwrap();
    net.send_text(BOB, ALICE, "welcome again", None).await.unwrap();
    alice.receive("welcome again").await;
    assert!(alice.got().iter().all(|got| !got.text.contains("blocked")));
    assert!(net.messages(ALICE, 0, None).await.unwrap().iter().all(|shown| !shown.text.contains("blocked")));

    // The phone blocks; the companion is told.
    assert!(net.block(ALICE, BOB, true).await.unwrap());
    assert!(!net.block(ALICE, BOB, true).await.unwrap());
    assert!(client.blocking().is_blocked(&Jid::pn(BOB)).await.unwrap());
    alice.stop().await;
    bob.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_comes_to_those_who_subscribed() {
    let net = network().await;
    let mut alice = paired(&net, ALICE).await;
    acquainted(&net, &alice).await;
    net.set_presence(BOB, true).await.unwrap();
    let jid = Jid::pn(BOB);
    alice.client().presence().subscribe(&jid).await.unwrap();
    let seen = |wanted: bool| {
        let jid = jid.clone();
        move |event: &Event| match event {
            Event::Presence(update) if update.from == jid && update.unavailable == wanted => Some(update.last_seen),
            _ => None,
        }
    };
    alice.event("Bob being there", seen(false)).await;
    net.set_presence(BOB, false).await.unwrap();
    let last = alice.event("Bob going", seen(true)).await;
    assert!(last.is_some());

    alice.client().presence().set_available().await.unwrap();
    wait_for("Alice at Bob's phone", async || {
        let seen = net.presence(BOB, 0).await.unwrap();
        seen.iter().any(|seen| seen.from == ALICE && seen.state == "available").then_some(())
    })
    .await;
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_last_seen_stays_hidden() {
    let net = network().await;
    let mut alice = paired(&net, ALICE).await;
    net.set_privacy(BOB, &privacy(&[("last", "none"), ("online", "match_last_seen")])).await.unwrap();
    net.set_presence(BOB, true).await.unwrap();
    net.set_presence(BOB, false).await.unwrap();
    alice.client().presence().subscribe(&Jid::pn(BOB)).await.unwrap();
    net.set_privacy(BOB, &privacy(&[("online", "all")])).await.unwrap();
    net.set_presence(BOB, true).await.unwrap();
    net.set_presence(BOB, false).await.unwrap();
    let gone = alice.event("Bob going", |event| match event {
        Event::Presence(update) if update.unavailable => Some(update.last_seen),
        _ => None,
    });
    assert_eq!(gone.await, None);
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_rings_and_is_turned_down() {
    let net = network().await;
    let mut alice = paired(&net, ALICE).await;
    acquainted(&net, &alice).await;
    let id = net.call(BOB, ALICE, true, None).await.unwrap();
    let call = alice.event("the ringing", |event| match event {
        Event::IncomingCall(call) => matches!(call.action, CallAction::Offer { .. }).then(|| call.clone()),
        _ => None,
    });
    let call = call.await;
    let CallAction::Offer { call_id, caller_pn, is_video, .. } = &call.action else { panic!("{call:?}") };
    assert_eq!((call_id, caller_pn, is_video), (&id, &Some(Jid::pn(BOB)), &true));
    assert!(call.from.is_lid());
    alice.client().voip().reject(&call).await.unwrap();
    wait_for("the refusal", async || {
        let calls = net.calls(BOB).await.unwrap();
        calls.iter().any(|call| call.id == id && call.state == CallState::Rejected).then_some(())
    })
    .await;

    let id = net.call(BOB, ALICE, false, None).await.unwrap();
    net.end_call(BOB, &id).await.unwrap();
    assert_eq!(net.end_call(BOB, &id).await.unwrap_err().status(), 404);
    alice
        .event("the end", |event| match event {
            Event::IncomingCall(call) => match &call.action {
                CallAction::Terminate { call_id, .. } => (*call_id == id).then_some(()),
                _ => None,
            },
            _ => None,
        })
        .await;
    wait_for("an empty queue", async || (net.stats().await.queued == 0).then_some(())).await;
    alice.stop().await;
}
