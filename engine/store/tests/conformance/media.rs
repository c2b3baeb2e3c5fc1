//! Media files, and command books.

use super::history::{ANA, BOB, key, live, message, old, said, with_session};
use super::*;
use warest_model::command::{Command, CommandBook};
use warest_model::fault::Fault;
use warest_model::history::{Change, Media, Message};
use warest_model::id::MediaId;
use warest_store::{Cursor, Kind, Limits, MediaDirection, MediaFile, MediaRow, MediaState, StoreError};

/// A file as a message describes it.
pub fn picture() -> Media {
    Media {
        id: MediaId::new(NOW),
        kind: "image".into(),
        mimetype: "image/jpeg".into(),
        size: 1_000,
        sha256: "00".repeat(32),
        file_name: None,
        width: Some(640),
        height: None,
        seconds: None,
    }
}

fn shown(chat: &str, id: &str, media: &Media) -> Message {
    Message { media: Some(media.clone()), content_type: "image".into(), ..said(chat, id, false, NOW, "look") }
}

fn file(object: &str, size: u64) -> MediaFile {
    MediaFile {
        object: object.into(),
        size,
        sha256: "ab".repeat(32),
        mimetype: Some("image/png".into()),
        width: None,
        height: Some(480),
        seconds: None,
    }
}

fn upload(id: MediaId, size: u64, expires_ms: Option<i64>) -> MediaRow {
    MediaRow {
        seq: 0,
        session: name("s"),
        chat: None,
        message: None,
        direction: MediaDirection::Uploaded,
        object: Some(format!("objects/{id}")),
        media: Media { id, size, ..picture() },
        state: MediaState::Stored,
        fault: None,
        attempts: 0,
        due_ms: NOW,
        created_ms: NOW,
        expires_ms,
    }
}

async fn row(store: &dyn Store, id: &MediaId) -> MediaRow {
    store.media(id).await.unwrap().unwrap()
}

async fn state(store: &dyn Store, id: &MediaId) -> Option<MediaState> {
    store.media(id).await.unwrap().map(|row| row.state)
}

/// Removes the objects that nobody wants any more, as whoever has the shelf does.
async fn tidy_shelf(store: &dyn Store) -> Vec<String> {
    let unwanted = store.unwanted_objects(100).await.unwrap();
    let (ids, objects): (Vec<_>, Vec<_>) = unwanted.into_iter().unzip();
    store.objects_removed(&ids).await.unwrap();
    objects
}

pub async fn a_file_comes_with_its_message(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let media = picture();
    driver.store().apply(&session, vec![live(shown(ANA, "A", &media))]).await.unwrap();
    driver.restart().await;
    let store = driver.store();
    let record = message(store, ANA, "A").await;
    assert_eq!((record.message.media.as_ref(), record.media), (Some(&media), Some(MediaState::Pending)));
    let pending = store.pending_media(NOW, 0, 10).await.unwrap();
    let made = MediaRow {
        seq: pending[0].seq,
        chat: Some(jid(ANA)),
        message: Some("A".into()),
        direction: MediaDirection::Received,
        object: None,
        media: media.clone(),
        state: MediaState::Pending,
        ..upload(media.id.clone(), 0, None)
    };
    assert_eq!(pending, std::slice::from_ref(&made));
    assert_eq!(row(store, &media.id).await, made);
    assert_eq!(store.next_media_due().await.unwrap(), Some(NOW));
    assert!(store.pending_media(NOW, pending[0].seq, 10).await.unwrap().is_empty());
    assert!(store.pending_media(NOW - 1, 0, 10).await.unwrap().is_empty(), "not due yet");

    let from_phone = picture();
    store.apply(&session, vec![old(shown(ANA, "O", &from_phone))]).await.unwrap();
    assert_eq!(state(store, &from_phone.id).await, Some(MediaState::Remote), "fetched when somebody asks");
    assert_eq!(store.pending_media(NOW, 0, 10).await.unwrap().len(), 1);
    store.fetch_media_again(&from_phone.id, NOW + 5).await.unwrap();
    assert_eq!(store.pending_media(NOW + 5, 0, 10).await.unwrap().len(), 2);
    let asked_for = picture();
    store.apply(&session, vec![old(shown(ANA, "P", &asked_for))]).await.unwrap();
    store.media_stored(&asked_for.id, &file("objects/p", 5)).await.unwrap();
    assert_eq!(message(store, ANA, "P").await.media, Some(MediaState::Stored), "without having been pending");
}

pub async fn a_file_is_fetched_tried_again_or_given_up(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let (a, b) = (picture(), picture());
    store.apply(&session, vec![live(shown(ANA, "A", &a)), live(shown(ANA, "B", &b))]).await.unwrap();
    let fault = Fault::retry("not_connected", "wait");
    store.media_deferred(&a.id, 2, NOW + 50, &fault).await.unwrap();
    assert_eq!(store.pending_media(NOW, 0, 10).await.unwrap().len(), 1);
    let waiting = row(store, &a.id).await;
    assert_eq!((waiting.attempts, waiting.due_ms, waiting.fault), (2, NOW + 50, Some(fault)));
    store.media_stored(&a.id, &file("objects/a", 77)).await.unwrap();
    let there = row(store, &a.id).await;
    assert_eq!((there.state, there.object.as_deref(), there.fault), (MediaState::Stored, Some("objects/a"), None));
    assert_eq!((there.media.size, there.media.mimetype.as_str()), (77, "image/png"), "as it is");
    assert_eq!((there.media.width, there.media.height), (Some(640), Some(480)));
    assert_eq!(message(store, ANA, "A").await.media, Some(MediaState::Stored));

    let gone = Fault::fail("media_gone", "not there any more");
    store.media_failed(&b.id, 5, &gone).await.unwrap();
    let failed = row(store, &b.id).await;
    assert_eq!((failed.state, failed.attempts, failed.fault), (MediaState::Failed, 5, Some(gone.clone())));
    let late = [
        store.media_stored(&a.id, &file("objects/x", 1)).await,
        store.media_deferred(&a.id, 1, NOW, &gone).await,
        store.media_failed(&a.id, 1, &gone).await,
        store.media_deferred(&b.id, 1, NOW, &gone).await,
        store.media_failed(&b.id, 1, &gone).await,
    ];
    assert!(late.iter().all(|done| matches!(done, Err(StoreError::NotFound { .. }))), "{late:?}");
    assert!(matches!(store.fetch_media_again(&a.id, NOW).await, Err(StoreError::NotFound { .. })), "it is there");
    store.fetch_media_again(&b.id, NOW).await.unwrap();
    assert_eq!(state(store, &b.id).await, Some(MediaState::Pending));
    let known = store.known_objects(&["objects/a".into(), "objects/x".into()]).await.unwrap();
    assert_eq!(known, [true, false]);
    let stored = store.stored_media(0, 10).await.unwrap();
    assert_eq!((stored.len(), stored[0].media.id == a.id), (1, true));
    assert!(store.stored_media(stored[0].seq, 10).await.unwrap().is_empty());
}

pub async fn a_file_goes_with_its_last_message(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let (a, b) = (picture(), picture());
    // One file that two messages have, and one that was never fetched.
    store
        .apply(&session, vec![live(shown(ANA, "A", &a)), live(shown(BOB, "A2", &a)), live(shown(ANA, "B", &b))])
        .await
        .unwrap();
    store.media_stored(&a.id, &file("objects/a", 5)).await.unwrap();
    store.apply(&session, vec![Change::Deleted { key: key(ANA, "A", false) }]).await.unwrap();
    assert_eq!(state(store, &a.id).await, Some(MediaState::Stored), "another message has it");
    store.apply(&session, vec![Change::Revoked { key: key(BOB, "A2", false), at_ms: NOW }]).await.unwrap();
    assert_eq!(row(store, &a.id).await.object.as_deref(), Some("objects/a"), "the row knows of it until it is removed");
    assert_eq!(state(store, &a.id).await, Some(MediaState::Gone));
    assert_eq!(tidy_shelf(store).await, ["objects/a"]);
    assert_eq!(state(store, &a.id).await, None);
    assert!(tidy_shelf(store).await.is_empty());
    store.apply(&session, vec![Change::Deleted { key: key(ANA, "B", false) }]).await.unwrap();
    assert_eq!(state(store, &b.id).await, None, "there was nothing to remove");
    assert!(matches!(store.media_stored(&b.id, &file("objects/b", 1)).await, Err(StoreError::NotFound { .. })));

    let c = picture();
    store.apply(&session, vec![live(shown(ANA, "C", &c))]).await.unwrap();
    store.media_stored(&c.id, &file("objects/c", 5)).await.unwrap();
    store.drop_media(&c.id).await.unwrap();
    assert_eq!(message(store, ANA, "C").await.media, Some(MediaState::Gone));
    assert!(
        matches!(store.fetch_media_again(&c.id, NOW).await, Err(StoreError::NotFound { .. })),
        "its object is there"
    );
    assert_eq!(tidy_shelf(store).await, ["objects/c"]);
    assert_eq!(message(store, ANA, "C").await.media, Some(MediaState::Gone), "the message says so");
    store.fetch_media_again(&c.id, NOW).await.unwrap();
    assert_eq!(state(store, &c.id).await, Some(MediaState::Pending));
}

pub async fn an_upload_stays_until_its_time_is_over(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let store = driver.store();
    let ids = [MediaId::new(NOW), MediaId::new(NOW)];
    let rows = [upload(ids[0].clone(), 10, Some(NOW + 100)), upload(ids[1].clone(), 10, None)];
    for row in &rows {
        store.put_media(row).await.unwrap();
    }
    assert!(matches!(store.put_media(&rows[0]).await, Err(StoreError::Exists { .. })));
    let elsewhere = MediaRow { session: name("other"), ..upload(MediaId::new(NOW), 1, None) };
    assert!(matches!(store.put_media(&elsewhere).await, Err(StoreError::NotFound { .. })));
    let there = row(store, &ids[0]).await;
    assert_eq!(there, MediaRow { seq: there.seq, ..rows[0].clone() });
    // It is sent, and the message deleted.
    let media = Media { id: ids[1].clone(), ..picture() };
    let sent = Message { media: Some(media), ..said(ANA, "S", true, NOW, "") };
    store.apply(&session, vec![live(sent)]).await.unwrap();
    assert_eq!(row(store, &ids[1]).await.message.as_deref(), Some("S"));
    assert_eq!(message(store, ANA, "S").await.media, Some(MediaState::Stored), "it is not fetched from elsewhere");
    store.apply(&session, vec![Change::Deleted { key: key(ANA, "S", true) }]).await.unwrap();
    assert_eq!(state(store, &ids[1]).await, Some(MediaState::Stored), "an upload is its client's");

    for (now_ms, rows) in [(NOW + 99, 0), (NOW + 100, 1), (NOW + 101, 0)] {
        let horizon = store.horizon(Kind::Media, &Limits::default(), now_ms).await.unwrap();
        let removed = store.remove(Kind::Media, &horizon, &Cursor::default(), 10).await.unwrap();
        assert_eq!((removed.rows, removed.next), (rows, None), "at {now_ms}");
    }
    assert_eq!(tidy_shelf(store).await, [format!("objects/{}", ids[0])]);
    assert_eq!(state(store, &ids[0]).await, None);
    store.drop_media(&ids[1]).await.unwrap();
    assert_eq!(tidy_shelf(store).await.len(), 1);
    assert!(matches!(store.drop_media(&ids[1]).await, Err(StoreError::NotFound { .. })));
}

pub async fn old_files_go_the_oldest_first(driver: &mut impl Driver) {
    const DAY: i64 = 86_400_000;
    with_session(driver).await;
    let store = driver.store();
    let ids: Vec<MediaId> = (0..6).map(|_| MediaId::new(NOW)).collect();
    for (days, id) in [50, 40, 3, 2, 1, 0].into_iter().zip(&ids) {
        store.put_media(&MediaRow { created_ms: NOW - days * DAY, ..upload(id.clone(), 100, None) }).await.unwrap();
    }
    let sweep = async |limits: Limits| {
        let horizon = store.horizon(Kind::Media, &limits, NOW).await.unwrap();
        let measured = store.measure(Kind::Media, &horizon).await.unwrap();
        let (mut cursor, mut removed) = (Cursor::default(), 0);
        loop {
            let piece = store.remove(Kind::Media, &horizon, &cursor, 1).await.unwrap();
            assert!(piece.rows <= 1);
            removed += piece.rows;
            match piece.next {
                Some(next) => cursor = next,
                None => break,
            }
        }
        assert_eq!(measured.removable, removed, "it is said before");
        (removed, measured.rows, measured.bytes)
    };
    let none = Limits::default();
    assert_eq!(sweep(none).await, (0, 6, 600));
    assert_eq!(sweep(Limits { age_ms: Some(30 * DAY), ..none }).await, (2, 6, 600));
    assert_eq!(sweep(Limits { bytes: Some(350), ..none }).await, (1, 4, 400), "as many as fit");
    assert_eq!(sweep(Limits { bytes: Some(300), ..none }).await, (0, 3, 300));
    assert_eq!(sweep(Limits { rows: Some(2), ..none }).await, (1, 3, 300));
    let left: Vec<_> = store.stored_media(0, 10).await.unwrap().into_iter().map(|row| row.media.id).collect();
    assert_eq!(left, ids[4..], "the newest stay");
    assert_eq!(tidy_shelf(store).await.len(), 4);
    assert_eq!(sweep(Limits { bytes: Some(0), ..none }).await.0, 2);
}

pub async fn command_books_are_kept(driver: &mut impl Driver) {
    let session = with_session(driver).await;
    let book = CommandBook {
        prefixes: vec!["!".into()],
        commands: vec![Command { name: "order".into(), aliases: vec!["o".into()], description: "d".into() }],
    };
    let store = driver.store();
    assert_eq!(store.command_book(&session).await.unwrap(), CommandBook::default());
    assert!(matches!(store.set_command_book(&name("other"), &book).await, Err(StoreError::NotFound { .. })));
    store.set_command_book(&session, &CommandBook::default()).await.unwrap();
    store.set_command_book(&session, &book).await.unwrap();
    driver.restart().await;
    let store = driver.store();
    assert_eq!(store.command_book(&session).await.unwrap(), book);
    assert_eq!(store.command_books().await.unwrap(), [(session.clone(), book)]);
    store.delete_session(&session, NOW).await.unwrap();
    assert!(store.command_books().await.unwrap().is_empty());
}
