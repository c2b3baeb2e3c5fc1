//! The history: how it grows.

use super::*;
use warest_model::history::{Change, ChatPatch, Message, MessageStatus, Reaction, Vote};
use warest_model::plan::MessageKey;
use warest_store::{ChatFilter, MessageFilter, MessageRecord, Slice, Start};

pub const ANA: &str = "628111@s.whatsapp.net";
pub const ANA_LID: &str = "111222333@lid";
pub const BOB: &str = "628222@s.whatsapp.net";
const CAROL: &str = "628333@s.whatsapp.net";
pub const GROUP: &str = "120363025386030504@g.us";

/// A store with a session `s`.
pub async fn with_session(driver: &impl Driver) -> SessionId {
    driver.store().add_session(&new_session("s", &UserId::new(NOW))).await.unwrap();
    name("s")
}

pub fn key(chat: &str, id: &str, from_me: bool) -> MessageKey {
    MessageKey { remote_jid: jid(chat), from_me, id: id.to_owned(), participant: None }
}

/// A text that came in, or that went out.
pub fn said(chat: &str, id: &str, from_me: bool, ts_ms: i64, text: &str) -> Message {
    Message {
        key: key(chat, id, from_me),
        sender: jid(if from_me { "628999@s.whatsapp.net" } else { chat }),
        push_name: (!from_me).then(|| "Ana".to_owned()),
        ts_ms,
        content_type: "text".to_owned(),
        text: text.to_owned(),
        body: text.as_bytes().to_vec(),
        media: None,
        quoted: None,
        mentions: Vec::new(),
        status: if from_me { MessageStatus::Server } else { MessageStatus::Received },
        starred: false,
        edited_ms: None,
        revoked_ms: None,
        pinned_until_ms: None,
    }
}

pub fn live(message: Message) -> Change {
    Change::Message { message: Box::new(message), live: true }
}

pub fn old(message: Message) -> Change {
    Change::Message { message: Box::new(message), live: false }
}

pub async fn message(store: &dyn Store, chat: &str, id: &str) -> MessageRecord {
    store.message(&name("s"), Some(&jid(chat)), id).await.unwrap().unwrap()
}

pub async fn ids(store: &dyn Store, filter: &MessageFilter) -> Vec<String> {
    let page = store.messages(filter, Start::Offset(0), 100).await.unwrap();
    page.list.into_iter().map(|record| record.message.key.id).collect()
}

pub async fn all_of(store: &dyn Store, chat: &str) -> Vec<String> {
    ids(store, &MessageFilter::chat(name("s"), jid(chat))).await
}

pub async fn chat(store: &dyn Store, of: &str) -> warest_model::history::Chat {
    store.chat(&name("s"), &jid(of)).await.unwrap().unwrap()
}

/// Waits for what is done in the background.
pub async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !done().await {
        assert!(std::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

pub async fn a_message_comes_with_its_event_or_not_at_all(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let event = new_event("s", ANA);
    let new = NewEvent {
        dedup: Some("k".into()),
        changes: vec![live(said(ANA, "A", false, NOW, "hi"))],
        ..owed(&event, &[])
    };
    assert_eq!(store.append(vec![new.clone()]).await.unwrap(), [true]);
    let again = NewEvent { event: new_event("s", ANA), changes: vec![live(said(ANA, "B", false, NOW, "x"))], ..new };
    assert_eq!(store.append(vec![again.clone()]).await.unwrap(), [false]);
    assert_eq!(all_of(store, ANA).await, ["A"], "a redelivery changes nothing");
    // The batch is refused as a whole: the event is there already.
    let fails = NewEvent { dedup: None, event: event.clone(), ..again };
    assert!(store.append(vec![fails]).await.is_err());
    assert_eq!(all_of(store, ANA).await, ["A"]);
    let elsewhere =
        NewEvent { changes: vec![live(said(ANA, "C", false, NOW, "x"))], ..owed(&new_event("t", ANA), &[]) };
    assert_eq!(store.append(vec![elsewhere]).await.unwrap(), [true], "a session that is not there has no history");
    driver.restart().await;
    let record = message(driver.store(), ANA, "A").await;
    assert_eq!(record.message, said(ANA, "A", false, NOW, "hi"), "whole, as it was given");
    assert_eq!((record.media, record.reactions.len(), record.votes.len()), (None, 0, 0));
    assert_eq!(driver.store().message(&session, None, "A").await.unwrap(), Some(record));
}

pub async fn a_message_that_comes_again_keeps_what_became_of_it(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let first = said(ANA, "A", false, NOW, "hi");
    let edited =
        Change::Edited { key: first.key.clone(), text: "hello".into(), body: b"hello".to_vec(), at_ms: NOW + 5 };
    let mine = said(ANA, "M", true, NOW, "mine");
    let changes = vec![
        live(first.clone()),
        edited.clone(),
        Change::Starred { key: first.key.clone(), on: true },
        Change::Pinned { key: first.key.clone(), until_ms: Some(NOW + 100) },
        live(mine.clone()),
        Change::Status { chat: None, id: "M".into(), by: None, status: MessageStatus::Read, at_ms: NOW },
        Change::Status { chat: None, id: "M".into(), by: None, status: MessageStatus::Delivered, at_ms: NOW },
    ];
    for _ in 0..2 {
        store.apply(&session, changes.clone()).await.unwrap();
        let record = message(store, ANA, "A").await.message;
        assert_eq!((record.text.as_str(), record.body.as_slice()), ("hello", b"hello".as_slice()));
        assert_eq!((record.edited_ms, record.starred, record.pinned_until_ms), (Some(NOW + 5), true, Some(NOW + 100)));
        assert_eq!(message(store, ANA, "M").await.message.status, MessageStatus::Read, "it only goes forward");
        assert_eq!(chat(store, ANA).await.unread, 1, "it counts once");
    }
    let earlier = Change::Edited { key: first.key.clone(), text: "no".into(), body: b"no".to_vec(), at_ms: NOW + 4 };
    store.apply(&session, vec![earlier]).await.unwrap();
    assert_eq!(message(store, ANA, "A").await.message.text, "hello", "an older edit changes nothing");

    store.apply(&session, vec![Change::Revoked { key: first.key.clone(), at_ms: NOW + 9 }]).await.unwrap();
    store.apply(&session, changes).await.unwrap();
    let gone = message(store, ANA, "A").await.message;
    assert_eq!(
        (gone.text.as_str(), gone.body.len(), gone.revoked_ms),
        ("", 0, Some(NOW + 9)),
        "nothing brings it back"
    );
    store
        .apply(&session, vec![Change::Deleted { key: first.key.clone() }, Change::Deleted { key: first.key }])
        .await
        .unwrap();
    assert_eq!(all_of(store, ANA).await, ["M"]);
}

pub async fn a_message_that_could_not_be_read_is_completed(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let unread =
        Message { content_type: "unknown".into(), text: String::new(), body: vec![], ..said(ANA, "A", false, NOW, "") };
    store.apply(&session, vec![live(unread), live(said(ANA, "A", false, NOW, "at last"))]).await.unwrap();
    let record = message(store, ANA, "A").await.message;
    assert_eq!((record.content_type.as_str(), record.text.as_str()), ("text", "at last"));
    assert_eq!(chat(store, ANA).await.unread, 1);
    let filter = MessageFilter { search: Some("last".into()), ..MessageFilter::chat(session, jid(ANA)) };
    assert_eq!(ids(store, &filter).await, ["A"]);
}

pub async fn reactions_and_votes_stand_once_for_each_person(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let react = |from: &str, emoji: &str, ts_ms| Change::Reaction {
        key: key(GROUP, "P", true),
        reaction: Reaction { from: jid(from), emoji: emoji.into(), ts_ms },
    };
    let vote = |from: &str, options: &[&str], ts_ms| Change::Vote {
        key: key(GROUP, "P", true),
        vote: Vote { from: jid(from), options: options.iter().map(|&option| option.into()).collect(), ts_ms },
    };
    let changes = vec![
        live(said(GROUP, "P", true, NOW, "?")),
        react(ANA, "👍", NOW + 1),
        react(BOB, "👍", NOW + 2),
        react(ANA, "❤", NOW + 3),
        react(BOB, "", NOW + 4),
        vote(ANA, &["a", "b"], NOW + 1),
        vote(BOB, &["a"], NOW + 2),
        vote(ANA, &["b"], NOW + 3),
    ];
    for _ in 0..2 {
        store.apply(&session, changes.clone()).await.unwrap();
        let record = message(store, GROUP, "P").await;
        assert_eq!(record.reactions, [Reaction { from: jid(ANA), emoji: "❤".into(), ts_ms: NOW + 3 }]);
        let votes: Vec<_> = record.votes.iter().map(|vote| (vote.from.as_str(), vote.options.join(" "))).collect();
        assert_eq!(votes, [(BOB, "a".to_owned()), (ANA, "b".to_owned())]);
    }
    store
        .apply(&session, vec![react(ANA, "😀", NOW + 2), react(BOB, "😀", NOW + 3), vote(ANA, &["a"], NOW)])
        .await
        .unwrap();
    let record = message(store, GROUP, "P").await;
    assert_eq!((record.reactions.len(), record.reactions[0].emoji.as_str()), (1, "❤"), "what is older changes nothing");
    assert_eq!(record.votes[1].options, ["b"]);
    let pair = Change::Contact(Box::new(warest_model::history::Contact {
        jid: Some(jid(ANA)),
        lid: Some(jid(ANA_LID)),
        ..Default::default()
    }));
    store.apply(&session, vec![pair, react(ANA_LID, "🎉", NOW + 5), vote(ANA_LID, &[], NOW + 6)]).await.unwrap();
    let record = message(store, GROUP, "P").await;
    assert_eq!(
        record.reactions,
        [Reaction { from: jid(ANA), emoji: "🎉".into(), ts_ms: NOW + 5 }],
        "under either name"
    );
    assert_eq!(record.votes.len(), 1, "a vote for nothing is none");
}

pub async fn what_overtakes_its_message_waits_for_it(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let reaction = Reaction { from: jid(ANA), emoji: "👍".into(), ts_ms: NOW };
    let early = vec![
        Change::Status { chat: None, id: "M".into(), by: Some(jid(ANA)), status: MessageStatus::Read, at_ms: NOW },
        Change::Reaction { key: key(ANA, "M", true), reaction: reaction.clone() },
        Change::Edited { key: key(ANA, "E", false), text: "new".into(), body: b"new".to_vec(), at_ms: NOW + 1 },
        Change::Revoked { key: key(ANA, "R", false), at_ms: NOW + 1 },
        Change::Starred { key: key(ANA, "E", false), on: true },
        Change::Deleted { key: key(ANA, "D", false) },
        Change::Read { chat: jid(BOB), at_ms: NOW },
        Change::Cleared { chat: jid(BOB), up_to_ms: NOW, starred_too: true },
        Change::ChatDeleted { chat: jid(BOB) },
        Change::LabelDeleted { id: "7".into() },
    ];
    store.apply(&session, early).await.unwrap();
    assert!(
        store.chats(&ChatFilter::all(session.clone()), &Slice { limit: 10, offset: 0 }).await.unwrap().0.is_empty()
    );
    driver.restart().await;
    let store = driver.store();
    let late = ["E", "R"].map(|id| live(said(ANA, id, false, NOW, "old")));
    store.apply(&session, late.into_iter().chain([live(said(ANA, "M", true, NOW, "mine"))]).collect()).await.unwrap();
    let mine = message(store, ANA, "M").await;
    assert_eq!((mine.message.status, mine.reactions), (MessageStatus::Read, vec![reaction]));
    let edited = message(store, ANA, "E").await.message;
    assert_eq!((edited.text.as_str(), edited.starred), ("new", true));
    assert_eq!(message(store, ANA, "R").await.message.revoked_ms, Some(NOW + 1));

    // A flood of what never gets its message makes room for itself only.
    let flood = (0..1_100).map(|n| Change::Starred { key: key(ANA, &format!("F{n}"), false), on: true }).collect();
    store.apply(&session, flood).await.unwrap();
    let both = [live(said(ANA, "F50", false, NOW, "x")), live(said(ANA, "F1050", false, NOW, "x"))];
    store.apply(&session, both.into()).await.unwrap();
    let starred =
        [message(store, ANA, "F50").await.message.starred, message(store, ANA, "F1050").await.message.starred];
    assert_eq!(starred, [false, true], "the newest thousand are kept");
}

pub async fn nobody_speaks_for_the_author(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let by = |who: &str, id: &str, text: &str| {
        let mut message = said(GROUP, id, false, NOW, text);
        (message.key.participant, message.sender) = (Some(jid(who)), jid(who));
        message
    };
    let of = |who: &str, id: &str| MessageKey { participant: Some(jid(who)), ..key(GROUP, id, false) };
    store.apply(&session, vec![live(by(ANA, "A", "from ana"))]).await.unwrap();
    let forged = |who: &str| Change::Edited { key: of(who, "A"), text: "forged".into(), body: vec![1], at_ms: NOW + 1 };
    let taken = |who: &str| Change::Revoked { key: of(who, "A"), at_ms: NOW + 1 };
    store.apply(&session, vec![forged(CAROL), taken(CAROL), forged(ANA_LID), taken(ANA_LID)]).await.unwrap();
    assert_eq!(message(store, GROUP, "A").await.message.text, "from ana");
    // A message of another with the same id is another message.
    store.apply(&session, vec![live(by(BOB, "A", "from bob"))]).await.unwrap();
    assert_eq!(chat(store, GROUP).await.unread, 2);
    assert_eq!(message(store, GROUP, "A").await.message.text, "from ana", "the first is meant");
    let pair = warest_model::history::Contact { jid: Some(jid(ANA)), lid: Some(jid(ANA_LID)), ..Default::default() };
    store.apply(&session, vec![Change::Contact(Box::new(pair)), taken(ANA_LID)]).await.unwrap();
    let messages = store.messages(&MessageFilter::chat(session, jid(GROUP)), Start::Offset(0), 10).await.unwrap().list;
    let texts: Vec<_> = messages.iter().map(|record| record.message.text.as_str()).collect();
    assert_eq!(texts, ["from bob", ""], "who is known to be ana is");
}

pub async fn odd_times_and_long_texts_do_no_harm(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let times = [i64::MIN, -5, 0, NOW, 1 << 50, i64::MAX];
    let changes = times.iter().enumerate().map(|(n, ts)| live(said(ANA, &format!("T{n}"), false, *ts, "x"))).collect();
    store.apply(&session, changes).await.unwrap();
    let order = all_of(store, ANA).await;
    assert_eq!((order.len(), order[2].as_str()), (6, "T3"));
    assert_eq!(message(store, ANA, "T0").await.message.ts_ms, i64::MIN, "what it says is kept");
    let long = "é".repeat(70_000);
    let many = vec![live(said(ANA, "L", false, NOW, &long)), live(said(ANA, &"I".repeat(300), false, NOW, "x"))];
    store.apply(&session, many).await.unwrap();
    assert_eq!(message(store, ANA, "L").await.message.text.chars().count(), 65_536);
    assert_eq!(chat(store, ANA).await.unread, 7, "a message without a usable id is none");
    // One moment takes many.
    let same = (0..300).map(|n| old(said(BOB, &format!("S{n:03}"), false, NOW, "x"))).collect();
    store.apply(&session, same).await.unwrap();
    let newest = &all_of(store, BOB).await[..2];
    assert_eq!(newest, ["S299", "S298"], "in the order of arrival");
}

pub async fn patches_change_what_they_name(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let patch = |patch: ChatPatch| Change::Chat { chat: jid(ANA), patch, at_ms: NOW };
    let all = ChatPatch {
        lid: Some(jid(ANA_LID)),
        name: Some("Ana".into()),
        archived: Some(true),
        pinned_ms: Some(Some(NOW)),
        muted_until_ms: Some(Some(i64::MAX)),
        unread: Some(3),
        marked_unread: Some(true),
        ephemeral_seconds: Some(Some(86_400)),
    };
    store.apply(&session, vec![patch(all), patch(ChatPatch::default())]).await.unwrap();
    let there = chat(store, ANA).await;
    assert_eq!(chat(store, ANA_LID).await, there, "by either name");
    assert_eq!((there.name.as_deref(), there.archived, there.pinned_ms), (Some("Ana"), true, Some(NOW)));
    assert_eq!((there.muted_until_ms, there.ephemeral_seconds), (Some(i64::MAX), Some(86_400)));
    assert_eq!((there.unread, there.marked_unread, there.created_ms), (3, true, NOW));
    let back = ChatPatch {
        archived: Some(false),
        pinned_ms: Some(None),
        muted_until_ms: Some(None),
        ephemeral_seconds: Some(None),
        ..ChatPatch::default()
    };
    store.apply(&session, vec![patch(back), Change::Read { chat: jid(ANA_LID), at_ms: NOW }]).await.unwrap();
    let there = chat(store, ANA).await;
    assert_eq!((there.archived, there.pinned_ms, there.muted_until_ms), (false, None, None));
    assert_eq!((there.ephemeral_seconds, there.unread, there.marked_unread), (None, 0, false));
    assert_eq!(there.lid, Some(jid(ANA_LID)));
}

pub async fn what_was_read_is_not_unread_again(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let at = |n: i64| NOW + n * 1_000;
    let come = (0..4).map(|n| live(said(ANA, &format!("A{n}"), false, at(n), "x")));
    let mut changes: Vec<_> = come.collect();
    changes.push(live(said(ANA, "M", true, at(4), "mine")));
    changes.push(old(said(ANA, "O", false, at(5), "from the phone")));
    store.apply(&session, changes).await.unwrap();
    assert_eq!(chat(store, ANA).await.unread, 4, "what comes with the history does not count");
    let unread = async |since, limit| -> Vec<String> {
        let found = store.unread(&name("s"), &jid(ANA), since, limit).await.unwrap();
        found.into_iter().map(|(key, _)| key.id).collect()
    };
    assert_eq!(unread(None, 2).await, ["O", "A3"]);
    assert_eq!(unread(None, 100).await, ["O", "A3", "A2", "A1"]);
    assert_eq!(unread(Some(at(3)), 100).await, ["O", "A3"]);
    let read = Change::Read { chat: jid(ANA), at_ms: at(2) };
    store.apply(&session, vec![read.clone()]).await.unwrap();
    assert_eq!(unread(None, 100).await, ["O", "A3"], "what came later is unread still");
    store.apply(&session, vec![Change::Read { chat: jid(ANA), at_ms: at(9) }, read]).await.unwrap();
    assert_eq!((chat(store, ANA).await.unread, unread(None, 100).await.len()), (0, 0));
    let late = vec![live(said(ANA, "L", false, at(7), "read elsewhere")), live(said(ANA, "N", false, at(10), "new"))];
    store.apply(&session, late).await.unwrap();
    assert_eq!(unread(None, 100).await, ["N"]);
}
