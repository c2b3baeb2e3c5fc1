//! The history: messages that are listed and searched, and those that grow old.

use super::history::*;
use super::*;
use warest_model::history::{Change, Message};
use warest_store::{Cursor, Kind, Limits, MOST_TOTAL, MessageFilter, Start};

pub async fn messages_are_filtered_and_paged(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    // Ten minutes: every second message is mine, every third has a picture.
    let changes = (0..10).map(|n| {
        let mut message = said(ANA, &format!("{n}"), n % 2 == 1, NOW + n * 60_000, "x");
        message.media = (n % 3 == 0).then(super::media::picture);
        live(message)
    });
    store.apply(&session, changes.chain([live(said(BOB, "other", false, NOW, "x"))]).collect()).await.unwrap();
    let all = MessageFilter::chat(session.clone(), jid(ANA));
    let ids = async |filter: &MessageFilter| ids(store, filter).await.concat();
    assert_eq!(ids(&all).await, "9876543210");
    assert_eq!(ids(&MessageFilter { from_me: Some(true), ..all.clone() }).await, "97531");
    assert_eq!(ids(&MessageFilter { from_me: Some(false), ..all.clone() }).await, "86420");
    assert_eq!(ids(&MessageFilter { media_only: true, ..all.clone() }).await, "9630");
    assert_eq!(ids(&MessageFilter { media_only: true, from_me: Some(true), ..all.clone() }).await, "93");
    let between = MessageFilter { from_ms: Some(NOW + 120_000), to_ms: Some(NOW + 300_000), ..all.clone() };
    assert_eq!(ids(&between).await, "5432", "both ends are in it");
    assert_eq!(ids(&MessageFilter { from_me: Some(true), media_only: true, ..between.clone() }).await, "3");
    assert_eq!(ids(&MessageFilter { search: Some("x".into()), media_only: true, ..between.clone() }).await, "3");

    let of = |media_only, from_me| MessageFilter { media_only, from_me, ..all.clone() };
    for (filter, count) in [
        (&all, 10),
        (&between, 4),
        (&of(false, Some(true)), 5),
        (&of(false, Some(false)), 5),
        (&of(true, None), 4),
        (&of(true, Some(true)), 2),
        (&of(true, Some(false)), 2),
    ] {
        let page = store.messages(filter, Start::Offset(0), 1).await.unwrap();
        assert_eq!((page.total.count, page.total.exact, page.list.len()), (count, true, 1), "{filter:?}");
    }
    let filters = [
        all.clone(),
        MessageFilter { search: Some("x".into()), ..all.clone() },
        MessageFilter { media_only: true, from_me: Some(true), ..all.clone() },
    ];
    for filter in &filters {
        let whole = store.messages(filter, Start::Offset(0), 100).await.unwrap();
        assert_eq!((whole.next, whole.total.exact), (None, true));
        let (mut walked, mut from) = (Vec::new(), Start::Offset(0));
        loop {
            let page = store.messages(filter, from, 3).await.unwrap();
            assert!(page.list.len() <= 3);
            walked.extend(page.list);
            match page.next {
                Some(next) => from = Start::Before(next),
                None => break,
            }
        }
        assert_eq!(walked, whole.list, "page by page, it is the same");
        let middle = store.messages(filter, Start::Offset(1), 2).await.unwrap();
        assert_eq!(middle.list, whole.list.iter().skip(1).take(2).cloned().collect::<Vec<_>>());
    }
    assert!(store.messages(&all, Start::Offset(50), 3).await.unwrap().list.is_empty());
    assert!(store.messages(&all, Start::Offset(u64::MAX), 3).await.unwrap().list.is_empty());
    let nobody = MessageFilter::chat(name("other"), jid(ANA));
    assert!(store.messages(&nobody, Start::Offset(0), 3).await.unwrap().list.is_empty());
}

pub async fn words_are_found_by_their_beginnings(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let texts = ["Nasi goreng, satu!", "pesan 2 nasi", "Größe é 東京都", "nas", "the quick brown", ""];
    let changes =
        texts.iter().enumerate().map(|(n, text)| live(said(ANA, &n.to_string(), false, NOW + n as i64, text)));
    store.apply(&session, changes.chain([live(said(BOB, "b", false, NOW, "nasi"))]).collect()).await.unwrap();
    let find = async |search: &str| {
        let search = Some(search.to_owned());
        ids(store, &MessageFilter { search, ..MessageFilter::chat(session.clone(), jid(ANA)) }).await.concat()
    };
    for (search, found) in [
        ("nasi", "10"),
        ("NAS", "310"),
        ("na", "310"),
        ("nasi gor", "0"),
        ("gor NASI", "0"),
        ("2", "1"),
        ("größ", "2"),
        ("京", "2"),
        ("東京", "2"),
        ("quickly", ""),
        ("n", ""),
        ("é", "2"),
        ("", ""),
        ("!", ""),
    ] {
        assert_eq!(find(search).await, found, "{search:?}");
    }
    let edit = warest_model::history::Change::Edited {
        key: key(ANA, "0", false),
        text: "mie".into(),
        body: vec![1],
        at_ms: NOW + 9,
    };
    store.apply(&session, vec![edit]).await.unwrap();
    assert_eq!((find("nasi").await.as_str(), find("mie").await.as_str()), ("1", "0"), "as it is now");
}

pub async fn a_search_takes_nothing_for_its_own_language(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let changes =
        vec![live(said(ANA, "A", false, NOW, "alpha beta")), live(said(BOB, "B", false, NOW, "alpha secret"))];
    store.apply(&session, changes).await.unwrap();
    let long = "word ".repeat(5_000);
    let hostile = [
        "\"",
        "alpha\" OR \"secret",
        "secret*",
        "NEAR(alpha beta)",
        "-alpha",
        "words:alpha",
        "alpha)",
        "2:secr",
        "' OR 1=1 --",
        "\0",
        &long,
        "a^b",
        "AND",
        "alpha NOT beta",
    ];
    for search in hostile {
        let filter = MessageFilter { search: Some(search.into()), ..MessageFilter::chat(session.clone(), jid(ANA)) };
        let page = store.messages(&filter, Start::Offset(0), 10).await.unwrap();
        assert!(page.list.iter().all(|record| record.message.key.id == "A"), "{search:?} leads to another chat");
    }
}

pub async fn a_total_is_counted_up_to_a_bound(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let many = MOST_TOTAL as i64 + 10;
    let changes = (0..many).map(|n| {
        let message = said(ANA, &format!("{n}"), n % 500 == 0, NOW + n, "x");
        old(Message { media: (n == 0 || n % 500 == 1).then(super::media::picture), ..message })
    });
    store.apply(&session, changes.collect()).await.unwrap();
    let all = MessageFilter::chat(session, jid(ANA));
    let total = async |filter: MessageFilter| {
        let total = store.messages(&filter, Start::Offset(0), 1).await.unwrap().total;
        (total.count, total.exact)
    };
    let later = |ms| MessageFilter { from_ms: Some(NOW + ms), ..all.clone() };
    assert_eq!(total(later(10)).await, (MOST_TOTAL, true));
    assert_eq!(total(later(9)).await, (MOST_TOTAL, false), "at least so many");
    // Of a whole chat it is known, however many there are.
    assert_eq!(total(all.clone()).await, (MOST_TOTAL + 10, true));
    assert_eq!(total(MessageFilter { from_me: Some(true), ..all.clone() }).await, (3, true));
    assert_eq!(total(MessageFilter { from_me: Some(false), ..all.clone() }).await, (MOST_TOTAL + 7, true));
    let files = MessageFilter { media_only: true, ..all.clone() };
    assert_eq!(total(files.clone()).await, (4, true));
    assert_eq!(total(MessageFilter { from_me: Some(true), ..files.clone() }).await, (1, true));
    assert_eq!(total(MessageFilter { from_me: Some(false), ..files.clone() }).await, (3, true));
    let gone = Change::Revoked { key: key(ANA, "0", true), at_ms: NOW + 9_000 };
    store.apply(&all.session, vec![Change::Deleted { key: key(ANA, "500", true) }, gone]).await.unwrap();
    assert_eq!(total(MessageFilter { from_me: Some(true), ..all.clone() }).await, (2, true));
    assert_eq!(total(MessageFilter { from_me: Some(true), ..files }).await, (0, true), "its file went with it");
}

pub async fn a_rare_word_is_found_among_many_messages(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let changes = (0..2_000).map(|n| {
        let word = if n % 500 == 3 { "needle" } else { "needs" };
        old(said(ANA, &format!("{n}"), n % 2 == 0, NOW + n, &format!("hay {word} number{n}")))
    });
    store.apply(&session, changes.collect()).await.unwrap();
    let filter =
        |search: &str| MessageFilter { search: Some(search.into()), ..MessageFilter::chat(session.clone(), jid(ANA)) };
    assert_eq!(ids(store, &filter("needle")).await, ["1503", "1003", "503", "3"]);
    assert_eq!(ids(store, &filter("hay number1777")).await, ["1777"]);
    assert_eq!(ids(store, &MessageFilter { from_me: Some(true), ..filter("needle") }).await, Vec::<String>::new());
    let page = store.messages(&filter("hay"), Start::Offset(0), 5).await.unwrap();
    assert_eq!((page.list.len(), page.total.exact), (5, false));
    assert!((5..=2_000).contains(&page.total.count), "at least so many: {:?}", page.total);
}

pub async fn old_messages_go_and_counts_agree(driver: &mut impl Driver) {
    const DAY: i64 = 86_400_000;
    let session = with_session(driver).await;
    let store = driver.store();
    let old_one = |id: &str, days: i64| Message {
        media: Some(super::media::picture()),
        ..said(ANA, id, false, NOW - days * DAY, "word")
    };
    // The order of arrival says nothing of the age.
    let changes = vec![live(old_one("2", 2)), live(old_one("50", 50)), live(old_one("1", 1)), live(old_one("40", 40))];
    store.apply(&session, changes).await.unwrap();
    let sweep = async |limits: &Limits| {
        let horizon = store.horizon(Kind::Messages, limits, NOW).await.unwrap();
        let expected = store.measure(Kind::Messages, &horizon).await.unwrap();
        let (mut cursor, mut removed) = (Cursor::default(), 0);
        loop {
            let piece = store.remove(Kind::Messages, &horizon, &cursor, 1).await.unwrap();
            removed += piece.rows;
            match piece.next {
                Some(next) => cursor = next,
                None => break,
            }
        }
        assert_eq!(expected.removable, removed, "it is said before");
        (removed, expected.rows, expected.oldest_ms)
    };
    assert_eq!(sweep(&Limits::default()).await.0, 0);
    let month = Limits { age_ms: Some(30 * DAY), ..Limits::default() };
    assert_eq!(sweep(&month).await, (2, 4, Some(NOW - 50 * DAY)));
    assert_eq!(all_of(store, ANA).await, ["1", "2"]);
    assert_eq!(sweep(&Limits { rows: Some(1), ..Limits::default() }).await.0, 1);
    let page = store.messages(&MessageFilter::chat(session.clone(), jid(ANA)), Start::Offset(0), 9).await.unwrap();
    assert_eq!((page.total.count, page.list[0].message.key.id.as_str()), (1, "1"));
    assert_eq!(sweep(&Limits { bytes: Some(0), ..Limits::default() }).await.0, 1);
    let there = chat(store, ANA).await;
    assert_eq!((there.last, all_of(store, ANA).await.len()), (None, 0), "the chat stays");
    let with_files = warest_store::ChatFilter { has_media: true, ..warest_store::ChatFilter::all(session) };
    assert_eq!(store.chats(&with_files, &warest_store::Slice { limit: 9, offset: 0 }).await.unwrap().1, 0);
    assert!(store.pending_media(i64::MAX, 0, 9).await.unwrap().is_empty(), "their files go with them");
}
