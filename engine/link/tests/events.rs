//! What a session sees of a live network: everything goes over the real protocol.
#![cfg(feature = "sandbox")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::{ANI, BOT, World, jid};
use warest_link::{Links as _, Outgoing};
use warest_model::event::{EventKind, Observation};
use warest_model::history::{Change, MessageStatus};
use warest_model::job::ReceiptKind;
use warest_simnet::{ChatChange, GroupAction, GroupChange, Past, Profile};
use whatsapp_rust::buffa::MessageField;
use whatsapp_rust::wacore::poll::{compute_option_hash, encrypt_poll_vote_with_secret};
use whatsapp_rust::waproto::whatsapp as wa;

const BUDI: &str = "628333000003";

fn address(phone: &str) -> Value {
    json!(format!("{phone}@s.whatsapp.net"))
}

fn is(kind: EventKind, field: &'static str, value: impl Into<Value>) -> impl Fn(&Observation) -> bool {
    let value = value.into();
    move |one| one.kind == kind && one.data[field] == value
}

fn text(text: &str) -> wa::Message {
    wa::Message { conversation: Some(text.into()), ..Default::default() }
}

fn key(from_me: bool, id: &str) -> MessageField<wa::MessageKey> {
    MessageField::some(wa::MessageKey { from_me: Some(from_me), id: Some(id.into()), ..Default::default() })
}

fn protocol(protocol: wa::message::ProtocolMessage) -> wa::Message {
    wa::Message { protocol_message: MessageField::some(protocol), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_accounts_phone_writes_and_reads_is_seen() {
    let world = World::new().await;
    world.paired().await;
    let sent = world.net.send_text(BOT, ANI, "from the phone", None).await.unwrap();
    let seen = world.intake.until("own message", is(EventKind::MessageSent, "text", "from the phone")).await;
    assert_eq!((&seen.data["chatId"], &seen.data["sender"]), (&address(ANI), &address(BOT)));
    assert_eq!(seen.data["key"], json!({"remoteJid": address(ANI), "fromMe": true, "id": sent.id}));
    assert_eq!(seen.data["tags"], json!(["outbound", "device"]));
    assert!(
        matches!(&seen.changes[0], Change::Message { message, live: true } if message.status == MessageStatus::Server)
    );

    let first = world.net.send_text(ANI, BOT, "read me", None).await.unwrap();
    world.intake.until("message", is(EventKind::MessageReceived, "text", "read me")).await;
    world.net.mark_read(BOT, ANI, std::slice::from_ref(&first.id)).await.unwrap();
    let read = world.intake.until("read elsewhere", is(EventKind::ChatUpdate, "change", "read")).await;
    assert_eq!((&read.data["chatId"], &read.data["ids"]), (&address(ANI), &json!([first.id])));
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_edited_and_taken_back() {
    let world = World::new().await;
    world.paired().await;
    let sent = world.net.send_text(ANI, BOT, "frist", None).await.unwrap();
    world.intake.until("message", is(EventKind::MessageReceived, "text", "frist")).await;
    let edit = protocol(wa::message::ProtocolMessage {
        key: key(true, &sent.id),
        r#type: Some(wa::message::protocol_message::Type::MESSAGE_EDIT),
        edited_message: MessageField::some(text("first")),
        ..Default::default()
    });
    world.net.send(ANI, BOT, edit, None).await.unwrap();
    let edited = world.intake.until("edit", is(EventKind::MessageEdited, "text", "first")).await;
    let named = json!({"remoteJid": address(ANI), "fromMe": false, "id": sent.id});
    assert_eq!(edited.data["key"], named);
    let revoke = protocol(wa::message::ProtocolMessage {
        key: key(true, &sent.id),
        r#type: Some(wa::message::protocol_message::Type::REVOKE),
        ..Default::default()
    });
    world.net.send(ANI, BOT, revoke, None).await.unwrap();
    let revoked = world.intake.until("revocation", is(EventKind::MessageRevoked, "by", address(ANI))).await;
    assert_eq!((&revoked.data["key"], &revoked.data["byAdmin"]), (&named, &json!(false)));
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vote_in_a_poll_is_read() {
    let world = World::new().await;
    world.paired().await;
    let option = |name: &str| wa::message::poll_creation_message::Option {
        option_name: Some(name.into()),
        ..Default::default()
    };
    let secret = [9; 32];
    let poll = wa::Message {
        poll_creation_message_v3: MessageField::some(wa::message::PollCreationMessage {
            name: Some("Lunch?".into()),
            options: vec![option("Soup"), option("Rice")],
            ..Default::default()
        }),
        message_context_info: MessageField::some(wa::MessageContextInfo {
            message_secret: Some(secret.to_vec()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let poll = world.net.send(ANI, BOT, poll, None).await.unwrap();
    let made = world.intake.until("poll", is(EventKind::MessageReceived, "contentType", "poll")).await;
    assert_eq!(made.data["message"]["options"], json!(["Soup", "Rice"]));
    let ani = format!("{ANI}@s.whatsapp.net");
    let chosen = [compute_option_hash("Rice").to_vec()];
    let (payload, iv) = encrypt_poll_vote_with_secret(&chosen, &secret, &poll.id, &ani, &ani).unwrap();
    let vote = wa::message::PollUpdateMessage {
        poll_creation_message_key: key(true, &poll.id),
        vote: MessageField::some(wa::message::PollEncValue { enc_payload: Some(payload), enc_iv: Some(iv.to_vec()) }),
        ..Default::default()
    };
    let vote = wa::Message { poll_update_message: MessageField::some(vote), ..Default::default() };
    world.net.send(ANI, BOT, vote, None).await.unwrap();
    let vote = world.intake.until("vote", is(EventKind::PollVote, "voter", address(ANI))).await;
    assert_eq!((&vote.data["options"], &vote.data["question"]), (&json!(["Rice"]), &json!("Lunch?")));
    assert_eq!(vote.data["key"]["id"], poll.id);
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_seen_to_change() {
    let world = World::new().await;
    world.paired().await;
    world.net.add_phone(BUDI, "Budi").await.unwrap();
    let group = world.net.create_group(ANI, "Choir", &[BOT], None).await.unwrap();
    let join = world.intake.until("group made", is(EventKind::GroupJoin, "chatId", group.clone())).await;
    assert_eq!((&join.data["participants"], &join.data["author"]), (&json!([address(BOT)]), &address(ANI)));
    assert_eq!(join.data["subject"], "Choir");

    let change = async |action, who: &str| world.net.change_group(ANI, &group, action, &[who]).await.unwrap();
    let people = |action: &'static str| is(EventKind::GroupParticipants, "action", action);
    change(GroupAction::Add, BUDI).await;
    let added = world.intake.until("added", people("add")).await;
    assert_eq!((&added.data["participants"], &added.data["author"]), (&json!([address(BUDI)]), &address(ANI)));
    assert!(added.data["participantLids"][0].as_str().unwrap().ends_with("@lid"));
    change(GroupAction::Promote, BUDI).await;
    world.intake.until("promoted", people("promote")).await;
    change(GroupAction::Demote, BUDI).await;
    world.intake.until("demoted", people("demote")).await;

    let update = |change: &'static str| is(EventKind::GroupUpdate, "change", change);
    world.net.set_group_subject(ANI, &group, "Band").await.unwrap();
    let subject = world.intake.until("subject", update("subject")).await;
    assert_eq!(subject.data["subject"], "Band");
    assert!(matches!(&subject.changes[0], Change::Chat { patch, .. } if patch.name.as_deref() == Some("Band")));
    world.net.set_group_description(ANI, &group, "loud").await.unwrap();
    assert_eq!(world.intake.until("description", update("description")).await.data["description"], "loud");
    let settings =
        GroupChange { announcement: Some(true), locked: Some(true), approval: Some(true), ..Default::default() };
    world.net.set_group_settings(ANI, &group, settings).await.unwrap();
    assert_eq!(world.intake.until("announce", update("announce")).await.data["announce"], true);
    assert_eq!(world.intake.until("locked", update("locked")).await.data["locked"], true);
    assert_eq!(world.intake.until("approval", update("approval_mode")).await.data["approvalMode"], true);

    world.net.send_text(ANI, &group, "hello all", None).await.unwrap();
    let said = world.intake.until("in the group", is(EventKind::MessageReceived, "text", "hello all")).await;
    assert_eq!((&said.data["chatId"], &said.data["key"]["participant"]), (&json!(group), &address(ANI)));

    world.net.leave_group(BUDI, &group).await.unwrap();
    let left = world.intake.until("left", is(EventKind::GroupLeave, "how", "left")).await;
    assert_eq!(left.data["participants"], json!([address(BUDI)]));
    change(GroupAction::Remove, BOT).await;
    let removed = world.intake.until("removed", is(EventKind::GroupLeave, "how", "removed")).await;
    assert_eq!(removed.data["participants"], json!([address(BOT)]));
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_rings_and_is_missed() {
    let world = World::new().await;
    world.paired().await;
    let call = world.net.call(ANI, BOT, true, None).await.unwrap();
    let offer = world.intake.until("call", is(EventKind::Call, "status", "offer")).await;
    assert_eq!((&offer.data["callId"], &offer.data["from"]), (&json!(call), &address(ANI)));
    assert_eq!((&offer.data["isVideo"], &offer.data["isGroup"]), (&json!(true), &json!(false)));
    world.net.end_call(ANI, &call).await.unwrap();
    let missed = world.intake.until("missed", is(EventKind::Call, "status", "missed")).await;
    assert_eq!((&missed.data["callId"], &missed.data["isVideo"]), (&json!(call), &json!(true)));
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_change_of_themselves_is_seen() {
    let world = World::new().await;
    world.paired().await;
    // They have to have spoken before the network tells one of the other.
    world.net.send_text(ANI, BOT, "hi", None).await.unwrap();
    world.intake.until("hi", is(EventKind::MessageReceived, "text", "hi")).await;
    world.net.set_profile(ANI, Profile { about: Some("busy".into()), ..Profile::default() }).await.unwrap();
    let about = world.intake.until("about", is(EventKind::ContactUpdate, "change", "about")).await;
    assert_eq!((&about.data["about"], &about.data["jid"]), (&json!("busy"), &address(ANI)));
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_say_whose_they_are_and_pairing_is_audited() {
    let world = World::new().await;
    let session = world.paired().await;
    let audit = world.intake.until("audit", |one| one.kind == EventKind::CredsUpdate).await;
    assert_eq!(audit.data["me"], address(BOT));
    assert!(audit.data["changed"].as_array().unwrap().contains(&json!("me")), "{audit:#?}");
    let id = "3EB0000000000000F1";
    world.link.send(&session, Outgoing::plain(&support::text(ANI, "hello"), id)).await.unwrap();
    world.heard(id, ReceiptKind::Delivered).await;
    let receipts = world.intake.receipts.borrow().clone();
    let one = receipts.iter().find(|one| one.message_id == id).unwrap();
    assert_eq!((&one.chat, &one.by), (&Some(jid(ANI)), &Some(jid(ANI))));
    assert!(one.by_lid.as_ref().is_some_and(|lid| lid.server() == "lid"), "{one:?}");
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_phone_sets_is_seen() {
    let world = World::new().await;
    world.paired().await;
    let sent = world.net.send_text(ANI, BOT, "star me", None).await.unwrap();
    world.intake.until("message", is(EventKind::MessageReceived, "text", "star me")).await;
    let set = async |change: ChatChange| world.net.change_chat(BOT, ANI, change).await.unwrap();
    let changed = |change: &'static str| is(EventKind::ChatUpdate, "change", change);
    // What the first sync of a part brings is how things stand, and no news.
    for (what, on, off) in [
        (
            "archive",
            ChatChange { archive: Some(true), ..ChatChange::default() },
            ChatChange { archive: Some(false), ..ChatChange::default() },
        ),
        (
            "mute",
            ChatChange { mute: Some(-1), ..ChatChange::default() },
            ChatChange { mute: Some(0), ..ChatChange::default() },
        ),
    ] {
        let begun = std::time::Instant::now();
        while !world.intake.seen.borrow().iter().any(changed(what)) && begun.elapsed() < support::DEADLINE {
            for change in [&off, &on] {
                set(change.clone()).await;
            }
            let mut seen = world.intake.seen.subscribe();
            let _ = tokio::time::timeout(std::time::Duration::from_secs(1), seen.changed()).await;
        }
    }
    let on = |what: &'static str| move |one: &Observation| changed(what)(one) && one.data["value"] == true;
    assert_eq!(world.intake.until("archived", on("archive")).await.data["chatId"], address(ANI));
    assert_eq!(world.intake.until("muted", on("mute")).await.data["until"], Value::Null);
    set(ChatChange { pin: Some(true), archive: Some(false), ..ChatChange::default() }).await;
    world.intake.until("pinned", changed("pin")).await;
    set(ChatChange { read: Some(false), ..ChatChange::default() }).await;
    assert_eq!(world.intake.until("unread", changed("read")).await.data["value"], false);
    world.net.star(BOT, ANI, &sent.id, true).await.unwrap();
    assert_eq!(world.intake.until("star", changed("star")).await.data["key"]["id"], sent.id);

    set(ChatChange { clear: true, ..ChatChange::default() }).await;
    world.intake.until("cleared", changed("clear")).await;
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_of_many_quick_changes_is_seen() {
    let world = World::new().await;
    world.paired().await;
    let label = async |name: &str| drop(world.net.set_label(BOT, None, name, 0, false).await.unwrap());
    label("first").await;
    let mut changes = world.intake.changes.subscribe();
    let first = |all: &Vec<Change>| all.iter().any(|one| matches!(one, Change::Label(label) if label.name == "first"));
    assert!(tokio::time::timeout(support::DEADLINE, changes.wait_for(first)).await.is_ok());
    // Each is announced while those before it are being fetched.
    for round in 0..10 {
        for n in 0..20 {
            label(&format!("{round} {n}")).await;
            tokio::task::yield_now().await;
        }
        let last = format!("{round} 19");
        let named = |one: &Observation| one.kind == EventKind::LabelUpdate && one.data["label"]["name"] == last;
        world.intake.until(&last, named).await;
    }
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_phones_history_is_taken_over_when_it_is_paired() {
    let world = World::new().await;
    let past =
        Past { chats: 3, messages_per_chat: 40, with: vec![ANI.into()], unread: 2, pinned: 1, ..Past::default() };
    world.net.add_past(BOT, past).await.unwrap();
    world.paired().await;
    let mut changes = world.intake.changes.subscribe();
    let messages =
        |all: &Vec<Change>| all.iter().filter(|one| matches!(one, Change::Message { live: false, .. })).count();
    let all = tokio::time::timeout(support::DEADLINE, changes.wait_for(|all| messages(all) >= 120)).await;
    assert!(all.is_ok(), "these came: {:#?}", world.intake.changes.borrow());
    drop(all);
    let all = world.intake.changes.borrow().clone();
    // A chat may be told of in several parts.
    let pinned = all.iter().filter_map(|change| match change {
        Change::Chat { chat, patch, .. } if matches!(patch.pinned_ms, Some(Some(_))) => Some(chat),
        _ => None,
    });
    assert_eq!(pinned.collect::<std::collections::HashSet<_>>().len(), 1);
    let with_ani =
        |change: &&Change| matches!(change, Change::Message { message, .. } if message.key.remote_jid == jid(ANI));
    assert_eq!(all.iter().filter(with_ani).count(), 40);
    assert!(all.iter().any(|change| matches!(change, Change::Chat { patch, .. } if patch.unread == Some(2))));
    let told = world.intake.until("told", |one| one.kind == EventKind::HistorySync && one.data["messages"] != 0).await;
    assert!(told.data["chats"].as_u64().unwrap() > 0, "{told:#?}");
    assert!(world.intake.texts().is_empty(), "what is past is no news");
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_on_the_phone_is_read() {
    let world = World::new().await;
    world.paired().await;
    let first = world.net.send_text(ANI, BOT, "read me", None).await.unwrap();
    world.intake.until("message", is(EventKind::MessageReceived, "text", "read me")).await;
    world.net.mark_read(BOT, ANI, std::slice::from_ref(&first.id)).await.unwrap();
    let read = world.intake.until("read elsewhere", is(EventKind::ChatUpdate, "change", "read")).await;
    assert_eq!((&read.data["chatId"], &read.data["ids"]), (&address(ANI), &json!([first.id])));
    assert!(matches!(&read.changes[0], Change::Read { chat, .. } if *chat == jid(ANI)));
    world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_posts_come_in() {
    let world = World::new().await;
    world.paired().await;
    // Posts go to those whom somebody has written with.
    world.net.send_text(ANI, BOT, "hi", None).await.unwrap();
    world.net.send_text(ANI, "status@broadcast", "good morning", None).await.unwrap();
    let post = world.intake.until("status", is(EventKind::MessageReceived, "text", "good morning")).await;
    assert_eq!((&post.data["chatId"], &post.data["sender"]), (&json!("status@broadcast"), &address(ANI)));
    assert_eq!(post.data["tags"], json!(["inbound", "status"]));
    world.link.shutdown().await;
}
