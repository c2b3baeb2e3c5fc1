//! What becomes of changes that other devices made.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::inbound::who::testing::book;
use whatsapp_rust::chrono::{DateTime, Utc};
use whatsapp_rust::types::events::{
    ArchiveUpdate, ClearChatUpdate, ContactUpdate, DeleteChatUpdate, DeleteMessageForMeUpdate, LabelAssociationUpdate,
    LabelEditUpdate, MarkChatAsReadUpdate, MuteUpdate, PinUpdate, StarUpdate,
};
use whatsapp_rust::waproto::whatsapp::sync_action_value as action;

const ANI: &str = "62811111@s.whatsapp.net";
const GROUP: &str = "120363025386030504@g.us";
const AT: i64 = 1_732_364_392_000;

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(AT).unwrap()
}

fn jid(text: &str) -> Jid {
    text.parse().unwrap()
}

async fn seen(event: Event) -> Observation {
    let mut out = observe(&book(), &event).await;
    assert_eq!(out.len(), 1);
    match out.pop().unwrap() {
        Out::Event(seen) => seen,
        Out::History(change) => panic!("{change:?}"),
    }
}

fn patch(seen: &Observation) -> &ChatPatch {
    let Change::Chat { chat, patch, at_ms: AT } = &seen.changes[0] else { panic!("{:?}", seen.changes) };
    assert_eq!(chat.as_str(), ANI);
    patch
}

fn archive(full: bool) -> Event {
    let action = action::ArchiveChatAction { archived: Some(true), ..Default::default() };
    let update = ArchiveUpdate::builder().jid(jid("10000100@lid")).timestamp(at()).action(Box::new(action));
    Event::ArchiveUpdate(update.from_full_sync(full).build())
}

#[tokio::test]
async fn a_change_of_a_chat_is_an_event_and_goes_into_the_history() {
    let archived = seen(archive(false)).await;
    assert_eq!(
        archived.data,
        json!({"change": "archive", "chatId": ANI, "lid": "10000100@lid", "value": true, "timestamp": AT,
               "tags": ["device"]})
    );
    assert_eq!((archived.kind, archived.chat.as_ref().unwrap().as_str()), (EventKind::ChatUpdate, ANI));
    assert_eq!(patch(&archived).archived, Some(true));

    let pin = |pinned| {
        let action = Box::new(action::PinAction { pinned: Some(pinned) });
        Event::PinUpdate(
            PinUpdate::builder().jid(jid(ANI)).timestamp(at()).action(action).from_full_sync(false).build(),
        )
    };
    assert_eq!(patch(&seen(pin(true)).await).pinned_ms, Some(Some(AT)));
    assert_eq!(patch(&seen(pin(false)).await).pinned_ms, Some(None));

    let mute = |muted, until| {
        let action = action::MuteAction { muted: Some(muted), mute_end_timestamp: until, ..Default::default() };
        let update = MuteUpdate::builder().jid(jid(ANI)).timestamp(at()).action(Box::new(action));
        Event::MuteUpdate(update.from_full_sync(false).build())
    };
    for (muted, until, kept, shown) in [
        (true, Some(AT + 5), Some(AT + 5), json!(AT + 5)),
        (true, Some(-1), Some(i64::MAX), Value::Null),
        (false, Some(AT), None, Value::Null),
    ] {
        let muted = seen(mute(muted, until)).await;
        assert_eq!((patch(&muted).muted_until_ms, &muted.data["until"]), (Some(kept), &shown));
    }

    let read = |read| {
        let action = action::MarkChatAsReadAction { read: Some(read), ..Default::default() };
        let update = MarkChatAsReadUpdate::builder().jid(jid(ANI)).timestamp(at()).action(Box::new(action));
        Event::MarkChatAsReadUpdate(update.from_full_sync(false).build())
    };
    let yes = seen(read(true)).await;
    assert!(matches!(&yes.changes[1], Change::Read { at_ms: AT, .. }));
    let no = seen(read(false)).await;
    assert_eq!((patch(&no).marked_unread, no.changes.len(), &no.data["value"]), (Some(true), 1, &json!(false)));
}

#[tokio::test]
async fn what_a_full_sync_brings_is_history_alone() {
    let out = observe(&book(), &archive(true)).await;
    assert!(matches!(&out[..], [Out::History(Change::Chat { .. })]), "{out:?}");
}

#[tokio::test]
async fn chats_and_messages_go_and_are_starred() {
    let clear = ClearChatUpdate::builder()
        .jid(jid(ANI))
        .delete_starred(true)
        .delete_media(false)
        .timestamp(at())
        .action(Box::new(action::ClearChatAction {
            message_range: whatsapp_rust::buffa::MessageField::some(SyncActionMessageRange {
                last_message_timestamp: Some(1_700_000_000),
                ..Default::default()
            }),
        }))
        .from_full_sync(false)
        .build();
    let clear = seen(Event::ClearChatUpdate(clear)).await;
    assert!(matches!(&clear.changes[0], Change::Cleared { up_to_ms: 1_700_000_000_000, starred_too: true, .. }));
    let delete = DeleteChatUpdate::builder()
        .jid(jid(ANI))
        .delete_media(true)
        .timestamp(at())
        .action(Box::default())
        .from_full_sync(false)
        .build();
    let delete = seen(Event::DeleteChatUpdate(delete)).await;
    assert!(matches!(&delete.changes[0], Change::ChatDeleted { .. }));
    let star = StarUpdate::builder()
        .chat_jid(jid(GROUP))
        .participant_jid(jid("20000200@lid"))
        .message_id("M".into())
        .from_me(false)
        .timestamp(at())
        .action(Box::new(action::StarAction { starred: Some(true) }))
        .from_full_sync(false)
        .build();
    let star = seen(Event::StarUpdate(star)).await;
    let key = json!({"remoteJid": GROUP, "fromMe": false, "id": "M", "participant": "62822222@s.whatsapp.net"});
    assert_eq!((&star.data["change"], &star.data["key"]), (&json!("star"), &key));
    assert!(matches!(&star.changes[0], Change::Starred { on: true, .. }));
    let gone = DeleteMessageForMeUpdate::builder()
        .chat_jid(jid(ANI))
        .message_id("M".into())
        .from_me(true)
        .timestamp(at())
        .action(Box::default())
        .from_full_sync(false)
        .build();
    let gone = seen(Event::DeleteMessageForMeUpdate(gone)).await;
    assert_eq!(gone.data["key"], json!({"remoteJid": ANI, "fromMe": true, "id": "M"}));
    assert!(matches!(&gone.changes[0], Change::Deleted { .. }));
}

#[tokio::test]
async fn contacts_are_saved_and_labels_put() {
    let action =
        action::ContactAction { full_name: Some("Ani B".into()), first_name: Some("Ani".into()), ..Default::default() };
    let saved = ContactUpdate::builder().jid(jid(ANI)).timestamp(at()).action(Box::new(action)).from_full_sync(false);
    let saved = seen(Event::ContactUpdate(saved.build())).await;
    assert_eq!(
        (saved.kind, &saved.data["name"], &saved.data["change"]),
        (EventKind::ContactUpdate, &json!("Ani B"), &json!("saved"))
    );
    let Change::Contact(contact) = &saved.changes[0] else { panic!() };
    assert_eq!(contact.lid.as_ref().unwrap().as_str(), "10000100@lid");

    let edit = |deleted| {
        let action = action::LabelEditAction {
            name: Some("VIP".into()),
            color: Some(3),
            deleted: Some(deleted),
            ..Default::default()
        };
        let update = LabelEditUpdate::builder().label_id("7".into()).timestamp(at()).action(Box::new(action));
        Event::LabelEditUpdate(update.from_full_sync(false).build())
    };
    let made = seen(edit(false)).await;
    assert_eq!(made.data["label"], json!({"id": "7", "name": "VIP", "color": 3, "deleted": false}));
    assert!(matches!(&made.changes[0], Change::Label(label) if label.color == 3));
    assert!(matches!(&seen(edit(true)).await.changes[0], Change::LabelDeleted { id } if id == "7"));
    let put = LabelAssociationUpdate::builder()
        .label_id("7".into())
        .chat_jid(jid(ANI))
        .timestamp(at())
        .action(Box::new(action::LabelAssociationAction { labeled: Some(true), ..Default::default() }))
        .from_full_sync(false)
        .build();
    let put = seen(Event::LabelAssociationUpdate(put)).await;
    assert_eq!(put.data["association"], json!({"labelId": "7", "chatId": ANI, "labeled": true}));
    assert!(matches!(&put.changes[0], Change::Labelled { on: true, message: None, .. }));
}

#[tokio::test]
async fn what_was_read_elsewhere_is_read() {
    let read = read(&book(), &jid("10000100@lid"), &["M".to_owned()], AT).await.unwrap();
    assert_eq!(
        (&read.data["change"], &read.data["ids"], &read.data["chatId"]),
        (&json!("read"), &json!(["M"]), &json!(ANI))
    );
    assert!(matches!(&read.changes[0], Change::Read { at_ms: AT, .. }));
}
