//! The event log read forward.

use super::*;
use futures::future::join_all;
use warest_store::{EventFilter, LogEntry};

/// Reads from behind `after` to the end, `limit` at a time.
async fn read_on(store: &dyn Store, filter: &EventFilter, mut after: i64, limit: u32) -> Vec<LogEntry> {
    let mut found = Vec::new();
    loop {
        let page = store.events_after(filter, after, limit).await.unwrap();
        assert!(page.entries.len() <= limit as usize);
        assert!(page.entries.iter().all(|entry| (after + 1..=page.upto).contains(&entry.seq)), "{page:?}");
        found.extend(page.entries);
        after = page.upto;
        if !page.more {
            return found;
        }
    }
}

fn ids(entries: &[LogEntry]) -> Vec<EventId> {
    entries.iter().map(|entry| entry.event.id.clone()).collect()
}

pub async fn the_log_is_read_on_in_its_order(driver: &mut impl Driver) {
    let any = EventFilter::default();
    let empty = driver.store().events_after(&any, 0, 10).await.unwrap();
    assert!((empty.entries.is_empty(), empty.upto, empty.more, empty.oldest) == (true, 0, false, 1), "{empty:?}");
    assert_eq!(driver.store().log_end().await.unwrap(), 0);
    let events: Vec<_> = (0..25).map(|_| new_event("s", "628111")).collect();
    driver.store().append(events.iter().map(|event| owed(event, &[])).collect()).await.unwrap();
    driver.restart().await;
    let store = driver.store();
    let all = read_on(store, &any, 0, 7).await;
    assert_eq!(ids(&all), events.iter().map(|event| event.id.clone()).collect::<Vec<_>>());
    assert!(all.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    assert_eq!(store.log_end().await.unwrap(), all[24].seq);
    for entry in [&all[0], &all[11], &all[24]] {
        assert_eq!(store.event_position(entry.event.id.as_str()).await.unwrap(), Some(entry.seq));
        let rest = read_on(store, &any, entry.seq, 500).await;
        assert_eq!(rest, all[all.iter().position(|other| other.seq == entry.seq).unwrap() + 1..]);
    }
    let page = store.events_after(&any, all[24].seq, 10).await.unwrap();
    assert!((page.entries.len(), page.upto, page.more) == (0, all[24].seq, false), "{page:?}");
    assert_eq!(page.oldest, all[24].seq + 1);
    assert_eq!(store.event_position(new_event("s", "").id.as_str()).await.unwrap(), None);
}

pub async fn what_fits_is_the_same_read_or_looked_at(driver: &mut impl Driver) {
    let store = driver.store();
    let (ana, bob) = (UserId::new(NOW), UserId::new(NOW));
    store.add_session(&new_session("a", &ana)).await.unwrap();
    store.add_session(&new_session("b", &bob)).await.unwrap();
    store.append((0..4).map(|_| owed(&new_event("a", ""), &[])).collect()).await.unwrap();
    // The name passes on; what the one before did does not.
    store.delete_session(&name("a"), NOW).await.unwrap();
    store.add_session(&new_session("a", &bob)).await.unwrap();
    store.add_session(&new_session("c", &ana)).await.unwrap();
    let events = (0..24).map(|index| {
        let event = new_event(["a", "b", "c", "unknown"][index % 4], ["628111", "", "628222"][index % 3]);
        owed(&Event { kind: EventKind::ALL[index % 4], ..event }, &[])
    });
    store.append(events.collect()).await.unwrap();
    let any = EventFilter::default;
    let all = read_on(store, &any(), 0, 100).await;
    assert_eq!(all.len(), 28);
    let kinds = vec![EventKind::MessageReaction, EventKind::SessionStatus];
    for (filter, count) in [
        (any(), 28),
        (EventFilter { owner: Some(ana.clone()), ..any() }, 6),
        (EventFilter { owner: Some(bob.clone()), ..any() }, 12),
        (EventFilter { session: Some(name("a")), ..any() }, 10),
        (EventFilter { owner: Some(bob.clone()), session: Some(name("a")), ..any() }, 6),
        (EventFilter { owner: Some(ana), session: Some(name("a")), ..any() }, 0),
        (EventFilter { kinds: kinds.clone(), ..any() }, 12),
        (EventFilter { chat: Some(jid("628222").to_string()), ..any() }, 8),
        (EventFilter { owner: Some(bob), kinds, chat: Some(jid("628111").to_string()), ..any() }, 2),
    ] {
        let read = read_on(store, &filter, 0, 3).await;
        let looked: Vec<_> = all.iter().filter(|entry| filter.fits(entry)).cloned().collect();
        assert_eq!(read, looked, "{filter:?}");
        assert_eq!(read.len(), count, "{filter:?}");
    }
}

pub async fn the_newest_event_of_an_owner(driver: &mut impl Driver) {
    let store = driver.store();
    let (ana, bob) = (UserId::new(NOW), UserId::new(NOW));
    assert_eq!(store.newest_event(None).await.unwrap(), None);
    for (session, owner) in [("a", &ana), ("b", &ana), ("c", &bob)] {
        store.add_session(&new_session(session, owner)).await.unwrap();
    }
    let events: Vec<_> = ["a", "b", "c", "a", "c"].into_iter().map(|session| new_event(session, "")).collect();
    store.append(events.iter().map(|event| owed(event, &[])).collect()).await.unwrap();
    assert_eq!(store.newest_event(Some(&ana)).await.unwrap(), Some(events[3].id.clone()));
    assert_eq!(store.newest_event(Some(&bob)).await.unwrap(), Some(events[4].id.clone()));
    assert_eq!(store.newest_event(None).await.unwrap(), Some(events[4].id.clone()));
    assert_eq!(store.newest_event(Some(&UserId::new(NOW))).await.unwrap(), None);
    store.delete_session(&name("a"), NOW).await.unwrap();
    assert_eq!(store.newest_event(Some(&ana)).await.unwrap(), Some(events[1].id.clone()));
}

pub async fn what_is_appended_meanwhile_is_read_once(driver: &mut impl Driver) {
    const EVENTS: usize = 300;
    let store = driver.store();
    let events: Vec<_> = (0..EVENTS).map(|_| new_event("s", "")).collect();
    let appends = join_all(events.iter().map(|event| store.append(vec![owed(event, &[])])));
    let reading = async {
        let (mut found, mut after) = (Vec::new(), 0);
        while found.len() < EVENTS {
            let page = store.events_after(&EventFilter::default(), after, 20).await.unwrap();
            found.extend(page.entries);
            after = page.upto;
            tokio::task::yield_now().await;
        }
        found
    };
    let deadline = std::time::Duration::from_secs(60);
    let (appended, found) = tokio::time::timeout(deadline, futures::future::join(appends, reading)).await.unwrap();
    assert!(appended.iter().all(Result::is_ok));
    assert_eq!(found, read_on(store, &EventFilter::default(), 0, 100).await, "in the order of the log, once");
}

pub async fn a_sink_goes_on_where_it_was(driver: &mut impl Driver) {
    assert_eq!(driver.store().sink_position("a").await.unwrap(), None);
    for (sink, seq) in [("a", 7), ("b", 3), ("a", 9)] {
        driver.store().set_sink_position(sink, seq, 1).await.unwrap();
    }
    driver.restart().await;
    for (sink, seq) in [("a", Some(9)), ("b", Some(3)), ("c", None)] {
        assert_eq!(driver.store().sink_position(sink).await.unwrap(), seq, "{sink}");
    }
}
