//! The event log and dispatches.

use super::*;
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use warest_model::plan::StateWrite;
use warest_store::{Decision, Dispatch, EventFilter, Page, StoreError};

fn keyed(event: &Event, key: &str, to: &[ReactorRef]) -> NewEvent {
    NewEvent { dedup: Some(key.to_owned()), ..owed(event, to) }
}

pub async fn a_redelivery_appends_nothing(driver: &mut impl Driver) {
    let (first, again, other) = (new_event("s", "628111"), new_event("s", "628111"), new_event("t", "628111"));
    let target = ReactorRef::Target(new_target("s").id);
    let to = [plugin("echo"), target.clone()];
    let events = vec![keyed(&first, "k", &to), keyed(&again, "k", &to), keyed(&other, "k", &to)];
    let new = driver.store().append(events).await.unwrap();
    assert_eq!(new, [true, false, true], "a key counts within its session");
    driver.restart().await;
    let store = driver.store();
    assert_eq!(store.append(vec![keyed(&again, "k", &to)]).await.unwrap(), [false]);
    assert_eq!(store.event(first.id.as_str()).await.unwrap(), Some(first.clone()));
    assert_eq!(store.event(again.id.as_str()).await.unwrap(), None);
    let owed = store.dispatches(&plugin("echo"), None, 0, 10).await.unwrap();
    assert_eq!(owed.into_iter().map(|dispatch| dispatch.event).collect::<Vec<_>>(), [first, other]);
    let ReactorRef::Target(target) = target else { unreachable!() };
    assert_eq!(store.pending_deliveries(&target, None, 0, 10).await.unwrap().len(), 2);
}

pub async fn a_batch_is_appended_whole_or_not_at_all(driver: &mut impl Driver) {
    let store = driver.store();
    let (one, two) = (new_event("s", ""), new_event("s", ""));
    store.append(vec![owed(&two, &[])]).await.unwrap();
    let result = store.append(vec![keyed(&one, "k", &[plugin("echo")]), owed(&two, &[])]).await;
    assert!(matches!(result, Err(StoreError::Exists { .. })), "{result:?}");
    assert_eq!(store.event(one.id.as_str()).await.unwrap(), None);
    assert!(store.dispatches(&plugin("echo"), None, 0, 10).await.unwrap().is_empty());
    assert_eq!(store.append(vec![keyed(&one, "k", &[])]).await.unwrap(), [true], "its key was not kept either");
}

pub async fn dispatches_keep_lanes_in_order(driver: &mut impl Driver) {
    let store = driver.store();
    let lanes = [("s", "628111"), ("s", "628222"), ("t", "628111"), ("s", "")];
    let events: Vec<_> =
        (0..12).map(|index| lanes[index % 4]).map(|(session, chat)| new_event(session, chat)).collect();
    store.append(events.iter().map(|event| owed(event, &[plugin("echo")])).collect()).await.unwrap();
    store.append(vec![owed(&new_event("s", "628111"), &[plugin("other")])]).await.unwrap();

    let ids = |owed: &[Dispatch]| owed.iter().map(|dispatch| dispatch.event.id.clone()).collect::<Vec<_>>();
    let every = store.dispatches(&plugin("echo"), None, 0, 100).await.unwrap();
    assert_eq!(ids(&every), events.iter().map(|event| event.id.clone()).collect::<Vec<_>>());
    assert!(every.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    let rest = store.dispatches(&plugin("echo"), None, every[4].seq, 3).await.unwrap();
    assert_eq!(ids(&rest), ids(&every[5..8]), "the cursor itself is left out");

    for (lane, (session, chat)) in lanes.into_iter().enumerate() {
        let chat = if chat.is_empty() { String::new() } else { jid(chat).to_string() };
        let session = name(session);
        let found = store.dispatches(&plugin("echo"), Some((&session, &chat)), 0, 100).await.unwrap();
        let expected: Vec<_> = events.iter().skip(lane).step_by(4).map(|event| event.id.clone()).collect();
        assert_eq!(ids(&found), expected, "lane {lane}");
        let later = store.dispatches(&plugin("echo"), Some((&session, &chat)), found[0].seq, 1).await.unwrap();
        assert_eq!(ids(&later), expected[1..2]);
    }
}

pub async fn a_dispatch_is_decided_once(driver: &mut impl Driver) {
    let event = new_event("s", "628111");
    driver.store().append(vec![owed(&event, &[plugin("echo"), plugin("other")])]).await.unwrap();
    let dispatch = driver.store().dispatches(&plugin("echo"), None, 0, 1).await.unwrap().remove(0);
    let mut run = new_run("s", "plugin:echo", Some(&event));
    run.jobs = vec![new_job("s", "628111")];
    let id = run.run.id.clone();
    let decision = Decision { run: Some(run), state: Vec::new() };
    driver.store().decide(&dispatch, decision.clone()).await.unwrap();
    driver.restart().await;
    let store = driver.store();
    assert!(matches!(store.decide(&dispatch, decision).await, Err(StoreError::NotFound { .. })));
    assert!(store.dispatches(&plugin("echo"), None, 0, 10).await.unwrap().is_empty());
    assert_eq!(store.dispatches(&plugin("other"), None, 0, 10).await.unwrap().len(), 1);
    assert_eq!(store.run(&id).await.unwrap().unwrap().steps.len(), 2);
    assert_eq!(store.queue_len(&name("s")).await.unwrap(), 1);
}

pub async fn a_cause_has_one_run(driver: &mut impl Driver) {
    let store = driver.store();
    let event = new_event("s", "628111");
    // Owed twice, as after a replay.
    store.append(vec![owed(&event, &[plugin("echo"), plugin("echo")])]).await.unwrap();
    let write = |value: &str| vec![StateWrite { key: "k".into(), value: Some(value.into()) }];
    for (index, dispatch) in store.dispatches(&plugin("echo"), None, 0, 2).await.unwrap().iter().enumerate() {
        let mut run = new_run("s", "plugin:echo", Some(&event));
        run.jobs = vec![new_job("s", "628111")];
        let decision = Decision { run: Some(run), state: write(&index.to_string()) };
        store.decide(dispatch, decision).await.unwrap();
    }
    assert!(store.dispatches(&plugin("echo"), None, 0, 2).await.unwrap().is_empty());
    assert_eq!(store.queue_len(&name("s")).await.unwrap(), 1, "only the first decision sends");
    let chat = jid("628111");
    let state = store.reactor_state(&plugin("echo"), &name("s"), chat.as_str()).await.unwrap();
    assert_eq!(state["k"], "0", "only the first decision writes");
}

pub async fn state_is_kept_per_chat(driver: &mut impl Driver) {
    let store = driver.store();
    let events = [new_event("s", "628111"), new_event("s", "")];
    store.append(events.iter().map(|event| owed(event, &[plugin("echo")])).collect()).await.unwrap();
    let dispatches = store.dispatches(&plugin("echo"), None, 0, 2).await.unwrap();
    let write = |key: &str, value: Option<&str>| StateWrite { key: key.into(), value: value.map(Into::into) };
    let state = vec![write("a", Some("1")), write("b", Some("2")), write("a", None), write("b", Some("3"))];
    store.decide(&dispatches[0], Decision { run: None, state }).await.unwrap();
    let state = vec![write("c", Some(""))];
    store.decide(&dispatches[1], Decision { run: None, state }).await.unwrap();
    let read = async |reactor, chat: &str| store.reactor_state(&reactor, &name("s"), chat).await.unwrap();
    let kept = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    assert_eq!(read(plugin("echo"), "628111@s.whatsapp.net").await, kept("b", "3"));
    assert_eq!(read(plugin("echo"), "").await, kept("c", ""));
    assert!(read(plugin("other"), "").await.is_empty());
}

pub async fn events_are_filtered_and_paged(driver: &mut impl Driver) {
    let store = driver.store();
    let (ana, bob) = (UserId::new(NOW), UserId::new(NOW));
    store.add_session(&new_session("a", &ana)).await.unwrap();
    store.add_session(&new_session("b", &bob)).await.unwrap();
    let events: Vec<_> = (0..9)
        .map(|index| {
            let event = new_event(["a", "b", "unknown"][index % 3], ["628111", "628222"][index % 2]);
            Event { kind: EventKind::ALL[index % 4], ..event }
        })
        .collect();
    store.append(events.iter().map(|event| owed(event, &[])).collect()).await.unwrap();
    let newest: Vec<_> = events.iter().rev().cloned().collect();
    let which =
        |wanted: &dyn Fn(&Event) -> bool| newest.iter().filter(|event| wanted(event)).cloned().collect::<Vec<_>>();
    let all = Page { before: None, limit: 500 };
    let any = EventFilter::default;

    assert_eq!(store.events(&any(), &all).await.unwrap(), newest);
    let of_ana = EventFilter { owner: Some(ana), ..any() };
    assert_eq!(store.events(&of_ana, &all).await.unwrap(), which(&|event| event.session.as_str() == "a"));
    let of_b = EventFilter { session: Some(name("b")), ..any() };
    assert_eq!(store.events(&of_b, &all).await.unwrap(), which(&|event| event.session.as_str() == "b"));
    let of_another = EventFilter { session: Some(name("b")), ..of_ana };
    assert_eq!(store.events(&of_another, &all).await.unwrap(), []);
    let reactions = EventFilter { kinds: vec![EventKind::MessageReaction], ..any() };
    let expected = which(&|event| event.kind == EventKind::MessageReaction);
    assert_eq!(store.events(&reactions, &all).await.unwrap(), expected);
    let in_chat = EventFilter { chat: Some(jid("628222").to_string()), ..any() };
    assert_eq!(store.events(&in_chat, &all).await.unwrap(), which(&|event| event.chat == Some(jid("628222"))));

    let mut paged = Vec::new();
    let mut page = Page { before: None, limit: 4 };
    loop {
        let found = store.events(&any(), &page).await.unwrap();
        assert!(found.len() <= 4);
        let Some(last) = found.last() else { break };
        page.before = Some(last.id.to_string());
        paged.extend(found);
    }
    assert_eq!(paged, newest, "pages neither repeat nor skip");
}

pub async fn owed_reactors_are_all_named(driver: &mut impl Driver) {
    let store = driver.store();
    assert_eq!(store.owed_reactors().await.unwrap(), []);
    let flow = ReactorRef::Flow(warest_model::id::FlowId::new(NOW));
    let to = [plugin("a"), flow.clone(), plugin("b")];
    for _ in 0..3 {
        store.append(vec![owed(&new_event("s", ""), &to)]).await.unwrap();
    }
    let named: BTreeSet<_> = store.owed_reactors().await.unwrap().into_iter().collect();
    assert_eq!(named, to.into_iter().collect());
    for dispatch in store.dispatches(&flow, None, 0, 10).await.unwrap() {
        store.decide(&dispatch, Decision::default()).await.unwrap();
    }
    assert_eq!(store.owed_reactors().await.unwrap(), [plugin("a"), plugin("b")]);
}

pub async fn concurrent_appends_all_arrive(driver: &mut impl Driver) {
    let taken = new_event("s", "");
    driver.store().append(vec![owed(&taken, &[])]).await.unwrap();
    let events: Vec<_> = (0..300).map(|_| new_event("s", "628111")).collect();
    let store = driver.store();
    // Some of them fail; those that share their commit must not.
    let results = join_all(events.iter().enumerate().map(|(index, event)| {
        let second = if index % 10 == 0 { taken.clone() } else { new_event("s", "") };
        store.append(vec![owed(event, &[plugin("echo")]), owed(&second, &[])])
    }))
    .await;
    for (index, result) in results.iter().enumerate() {
        assert_eq!(result.is_ok(), index % 10 != 0, "{index}: {result:?}");
    }
    driver.restart().await;
    let there = driver.store().dispatches(&plugin("echo"), None, 0, 1_000).await.unwrap();
    let there: BTreeSet<_> = there.into_iter().map(|dispatch| dispatch.event.id).collect();
    let expected = events.iter().enumerate().filter(|(index, _)| index % 10 != 0).map(|(_, event)| event.id.clone());
    assert_eq!(there, expected.collect());
}
