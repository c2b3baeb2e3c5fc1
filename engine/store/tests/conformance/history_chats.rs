//! The history: chats that are listed, cleared, united and removed.

use super::history::*;
use super::*;
use warest_model::history::{Change, ChatPatch, Contact, Label};
use warest_store::{ChatFilter, ChatOrder, Labelled, MessageFilter, Slice, Start};

const ALL: Slice = Slice { limit: 100, offset: 0 };

async fn listed(store: &dyn Store, filter: &ChatFilter) -> Vec<String> {
    let (chats, total) = store.chats(filter, &ALL).await.unwrap();
    assert_eq!(total, chats.len() as u64);
    chats.into_iter().map(|chat| chat.jid.user().to_owned()).collect()
}

fn contact(jid_: &str, lid: Option<&str>, name: Option<&str>) -> Contact {
    Contact { jid: Some(jid(jid_)), lid: lid.map(jid), name: name.map(str::to_owned), ..Contact::default() }
}

pub async fn chats_are_listed_as_asked(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let mut picture = said(BOB, "P", false, NOW + 50, "look");
    picture.media = Some(super::media::picture());
    let named = ChatPatch { name: Some("50% Club_".into()), archived: Some(true), ..ChatPatch::default() };
    let changes = vec![
        live(said(ANA, "1", false, NOW + 10, "first")),
        live(said(ANA, "2", false, NOW + 20, "second")),
        live(picture),
        live(said("628333@s.whatsapp.net", "3", true, NOW + 30, "third")),
        Change::Chat { chat: jid(GROUP), patch: named, at_ms: NOW },
        Change::Contact(Box::new(contact(ANA, None, Some("Ana")))),
        Change::Contact(Box::new(Contact { push_name: Some("bob".into()), ..contact(BOB, None, None) })),
    ];
    store.apply(&session, changes).await.unwrap();
    let all = ChatFilter::all(session.clone());
    let group = "120363025386030504";
    assert_eq!(listed(store, &all).await, ["628222", "628333", "628111", group]);
    let up = ChatFilter { ascending: true, ..all.clone() };
    assert_eq!(listed(store, &up).await, [group, "628111", "628333", "628222"]);
    let by_count = ChatFilter { order: ChatOrder::UnreadCount, ..all.clone() };
    assert_eq!(listed(store, &by_count).await, ["628111", "628222", "628333", group]);
    let by_name = ChatFilter { order: ChatOrder::Name, ascending: true, ..all.clone() };
    assert_eq!(
        listed(store, &by_name).await,
        [group, "628333", "628111", "628222"],
        "by address where there is no name"
    );
    assert_eq!(listed(store, &ChatFilter { has_media: true, ..all.clone() }).await, ["628222"]);
    assert_eq!(listed(store, &ChatFilter { archived: Some(true), ..all.clone() }).await, [group]);
    assert_eq!(listed(store, &ChatFilter { archived: Some(false), ..all.clone() }).await.len(), 3);
    for (search, found) in [("ANA", "628111"), ("BO", "628222"), ("8333", "628333"), ("0% c", group), ("b_", group)] {
        let filter = ChatFilter { search: Some(search.into()), ..all.clone() };
        assert_eq!(listed(store, &filter).await, [found], "{search:?}");
    }
    assert!(listed(store, &ChatFilter { search: Some("_".repeat(30)), ..all.clone() }).await.is_empty());
    let (page, total) = store.chats(&all, &Slice { limit: 2, offset: 1 }).await.unwrap();
    assert_eq!((page.len(), total, page[0].jid.user()), (2, 4, "628333"));
    let first = chat(store, ANA).await;
    assert_eq!((first.last, first.name.as_deref()), (Some(("second".to_owned(), NOW + 20)), Some("Ana")));
    assert_eq!((first.created_ms, first.updated_ms), (NOW + 10, NOW + 20));
    let nobodys = ChatFilter::all(name("other"));
    assert!(listed(store, &nobodys).await.is_empty());
}

pub async fn the_last_message_is_the_newest_that_is_there(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let changes =
        vec![live(said(ANA, "2", false, NOW + 2, "newest")), old(said(ANA, "1", false, NOW + 1, "older, found later"))];
    store.apply(&session, changes).await.unwrap();
    assert_eq!(chat(store, ANA).await.last, Some(("newest".to_owned(), NOW + 2)));
    assert_eq!(store.last_message(&session, &jid(ANA)).await.unwrap().unwrap().message.key.id, "2");
    let edit = Change::Edited { key: key(ANA, "2", false), text: "edited".into(), body: vec![1], at_ms: NOW + 3 };
    store.apply(&session, vec![edit]).await.unwrap();
    assert_eq!(chat(store, ANA).await.last, Some(("edited".to_owned(), NOW + 2)));
    store.apply(&session, vec![Change::Deleted { key: key(ANA, "2", false) }]).await.unwrap();
    assert_eq!(chat(store, ANA).await.last, Some(("older, found later".to_owned(), NOW + 1)));
    store.apply(&session, vec![Change::Deleted { key: key(ANA, "1", false) }]).await.unwrap();
    assert_eq!(chat(store, ANA).await.last, None);
    assert_eq!(store.last_message(&session, &jid(ANA)).await.unwrap(), None);
    assert_eq!(store.last_message(&session, &jid(BOB)).await.unwrap(), None);
}

pub async fn a_cleared_chat_stays_clear(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let many = |from: i64| (from..from + 400).map(|n| live(said(ANA, &format!("{n:04}"), false, NOW + n, "word")));
    let mut changes: Vec<_> = many(0).collect();
    changes.push(Change::Starred { key: key(ANA, "0007", false), on: true });
    changes.push(live(said(ANA, "later", false, NOW + 900, "word")));
    store.apply(&session, changes).await.unwrap();
    let clear = |starred_too| Change::Cleared { chat: jid(ANA), up_to_ms: NOW + 500, starred_too };
    store.apply(&session, vec![clear(false)]).await.unwrap();
    until("all but the star and what came later is gone", async || all_of(store, ANA).await == ["later", "0007"]).await;
    assert_eq!(chat(store, ANA).await.unread, 1);
    let total =
        store.messages(&MessageFilter::chat(session.clone(), jid(ANA)), Start::Offset(0), 1).await.unwrap().total;
    assert_eq!((total.count, total.exact), (2, true), "counts agree");
    let search = MessageFilter { search: Some("word".into()), ..MessageFilter::chat(session.clone(), jid(ANA)) };
    assert_eq!(ids(store, &search).await, ["later", "0007"]);
    // The phone's history brings nothing of it back.
    store.apply(&session, vec![old(said(ANA, "0001", false, NOW + 1, "word")), clear(true)]).await.unwrap();
    assert_eq!(all_of(store, ANA).await, ["later"]);
}

pub async fn a_deleted_chat_goes_with_all_that_is_in_it(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let changes = (0..300).map(|n| live(said(ANA, &format!("{n}"), false, NOW + n, "word")));
    store.apply(&session, changes.chain([live(said(BOB, "b", false, NOW, "word"))]).collect()).await.unwrap();
    store.apply(&session, vec![Change::ChatDeleted { chat: jid(ANA) }]).await.unwrap();
    assert_eq!(store.chat(&session, &jid(ANA)).await.unwrap(), None, "at once");
    assert!(all_of(store, ANA).await.is_empty());
    assert_eq!(store.message(&session, None, "7").await.unwrap(), None);
    store.apply(&session, vec![live(said(ANA, "new", false, NOW + 900, "word"))]).await.unwrap();
    assert_eq!(all_of(store, ANA).await, ["new"], "a new chat has nothing of the old one");
    assert_eq!(chat(store, ANA).await.unread, 1);
    assert_eq!(all_of(store, BOB).await, ["b"]);
}

pub async fn two_names_of_a_person_are_one_chat(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let by_lid = (0..200).map(|n| live(said(ANA_LID, &format!("L{n:03}"), false, NOW + n, "by lid")));
    let mut changes: Vec<_> = by_lid.collect();
    changes.push(Change::Contact(Box::new(Contact {
        jid: None,
        lid: Some(jid(ANA_LID)),
        push_name: Some("ana".into()),
        ..Contact::default()
    })));
    changes.push(Change::Contact(Box::new(contact(ANA, None, Some("Ana Book")))));
    changes.push(live(said(ANA, "P", false, NOW + 500, "by phone")));
    // The same message, seen under both names.
    changes.push(live(said(ANA, "L000", false, NOW, "by lid")));
    changes.push(Change::Labelled { label: "7".into(), chat: jid(ANA_LID), message: None, on: true });
    changes.push(Change::Label(Label { id: "7".into(), name: "New".into(), color: 1 }));
    store.apply(&session, changes).await.unwrap();
    assert_eq!(listed(store, &ChatFilter::all(session.clone())).await, ["628111", "111222333"]);

    store.apply(&session, vec![Change::Contact(Box::new(contact(ANA, Some(ANA_LID), None)))]).await.unwrap();
    assert_eq!(listed(store, &ChatFilter::all(session.clone())).await, ["628111"]);
    let there = chat(store, ANA_LID).await;
    assert_eq!((there.jid.as_str(), there.lid.as_ref().map(Jid::as_str)), (ANA, Some(ANA_LID)));
    assert_eq!(there.name.as_deref(), Some("Ana Book"));
    let filter = MessageFilter::chat(session.clone(), jid(ANA_LID));
    until("all are in one chat", async || {
        store.messages(&filter, Start::Offset(0), 1).await.unwrap().total.count == 201
    })
    .await;
    assert_eq!(message(store, ANA, "L007").await.message.key.remote_jid, jid(ANA), "it goes by one name now");
    let search = MessageFilter { search: Some("lid".into()), ..MessageFilter::chat(session.clone(), jid(ANA)) };
    let mut found = store.messages(&search, Start::Offset(0), 500).await.unwrap();
    assert_eq!(found.list.len(), 200, "and is found in it");
    assert_eq!(found.list.remove(0).message.key.id, "L199");
    let (contacts, total) = store.contacts(&session, None, &ALL).await.unwrap();
    assert_eq!(total, 1, "two rows became one");
    assert_eq!((contacts[0].name.as_deref(), contacts[0].push_name.as_deref()), (Some("Ana Book"), Some("ana")));
    let (labelled, _) = store.labelled(&session, "7", &ALL).await.unwrap();
    assert_eq!(labelled, [Labelled { chat: jid(ANA), message: None }]);
    // From now on either name leads there.
    store.apply(&session, vec![live(said(ANA_LID, "N", false, NOW + 900, "new"))]).await.unwrap();
    assert_eq!(listed(store, &ChatFilter::all(session.clone())).await, ["628111"]);
    assert_eq!(chat(store, ANA).await.last, Some(("new".to_owned(), NOW + 900)));
}

pub async fn a_known_pair_makes_one_chat_from_the_start(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let pair = Change::Contact(Box::new(contact(ANA, Some(ANA_LID), None)));
    let changes = vec![pair, live(said(ANA_LID, "1", false, NOW, "x")), live(said(ANA, "2", false, NOW + 1, "y"))];
    store.apply(&session, changes).await.unwrap();
    assert_eq!(listed(store, &ChatFilter::all(session.clone())).await, ["628111"]);
    assert_eq!(all_of(store, ANA_LID).await, ["2", "1"]);
    // The LID belongs to another number now: what was said stays where it was said.
    let moved = Change::Contact(Box::new(contact(BOB, Some(ANA_LID), None)));
    store.apply(&session, vec![moved, live(said(ANA_LID, "3", false, NOW + 2, "z"))]).await.unwrap();
    assert_eq!(all_of(store, ANA).await, ["2", "1"]);
    assert_eq!(all_of(store, BOB).await, ["3"]);
}

pub async fn contacts_and_labels_are_listed(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let label = |id: &str, name: &str| Label { id: id.into(), name: name.into(), color: 3 };
    let on = |label: &str, message: Option<&str>, on| Change::Labelled {
        label: label.into(),
        chat: jid(ANA),
        message: message.map(str::to_owned),
        on,
    };
    let changes = vec![
        Change::Contact(Box::new(contact(BOB, None, Some("Bob")))),
        Change::Contact(Box::new(contact(ANA, None, Some("ana")))),
        Change::Contact(Box::new(Contact { first_name: Some("A".into()), ..contact(ANA, None, None) })),
        Change::Contact(Box::new(contact("628333", None, None))),
        Change::Label(label("1", "old")),
        Change::Label(label("1", "b")),
        Change::Label(label("2", "A")),
        on("1", None, true),
        on("2", None, true),
        on("2", None, true),
        on("2", Some("M"), true),
        on("1", None, false),
    ];
    store.apply(&session, changes).await.unwrap();
    let (contacts, total) = store.contacts(&session, None, &Slice { limit: 2, offset: 1 }).await.unwrap();
    let names: Vec<_> = contacts.iter().map(|of| of.name.as_deref()).collect();
    assert_eq!((names, total), (vec![Some("ana"), Some("Bob")], 3), "numbers come first");
    let (found, total) = store.contacts(&session, Some("BO"), &ALL).await.unwrap();
    assert_eq!((found[0].jid.as_ref(), total), (Some(&jid(BOB)), 1));
    let ana = store.contact(&session, &jid(ANA)).await.unwrap().unwrap();
    assert_eq!((ana.name.as_deref(), ana.first_name.as_deref()), (Some("ana"), Some("A")), "what is absent stays");
    assert_eq!(store.labels(&session).await.unwrap(), [label("2", "A"), label("1", "b")]);
    assert_eq!(store.labels_on(&session, &jid(ANA), None).await.unwrap(), [label("2", "A")]);
    assert_eq!(store.labels_on(&session, &jid(ANA), Some("M")).await.unwrap(), [label("2", "A")]);
    let (labelled, total) = store.labelled(&session, "2", &ALL).await.unwrap();
    let message = Some("M".to_owned());
    assert_eq!(
        (labelled, total),
        (vec![Labelled { chat: jid(ANA), message: None }, Labelled { chat: jid(ANA), message }], 2)
    );
    store.apply(&session, vec![Change::LabelDeleted { id: "2".into() }]).await.unwrap();
    assert_eq!(store.labels(&session).await.unwrap(), [label("1", "b")]);
    assert!(store.labels_on(&session, &jid(ANA), None).await.unwrap().is_empty());
}

pub async fn a_removed_session_takes_its_history_with_it(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let mut picture = said(ANA, "P", false, NOW, "look");
    picture.media = Some(super::media::picture());
    let id = picture.media.clone().unwrap().id;
    let many = (0..300).map(|n| live(said(ANA, &format!("{n}"), false, NOW + n, "word")));
    let changes = many.chain([live(picture), Change::Label(Label { id: "1".into(), name: "x".into(), color: 0 })]);
    driver.store().apply(&session, changes.collect()).await.unwrap();
    let book = warest_model::command::CommandBook::default();
    driver.store().set_command_book(&session, &book).await.unwrap();
    driver.store().delete_session(&session, NOW).await.unwrap();
    // Whoever takes the name meets nothing, also where a crash cut the tidying short.
    driver.restart().await;
    let session = with_session(driver).await;
    let store = driver.store();
    assert!(listed(store, &ChatFilter::all(session.clone())).await.is_empty());
    assert!(all_of(store, ANA).await.is_empty() && store.labels(&session).await.unwrap().is_empty());
    assert_eq!(store.message(&session, None, "7").await.unwrap(), None);
    assert_eq!(store.media(&id).await.unwrap(), None);
    assert!(store.pending_media(i64::MAX, 0, 10).await.unwrap().is_empty());
    assert!(store.command_books().await.unwrap().is_empty());
    let none = warest_store::Limits::default();
    until("all of it is removed", async || {
        let horizon = store.horizon(warest_store::Kind::Messages, &none, NOW).await.unwrap();
        store.measure(warest_store::Kind::Messages, &horizon).await.unwrap().rows == 0
    })
    .await;
}
