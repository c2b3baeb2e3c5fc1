//! Users and sessions.

use super::*;
use warest_model::reactor::PluginBinding;
use warest_store::{Decision, EventFilter, Page, RunFilter, SessionChange, StoreError};

pub async fn users_are_found_by_key_and_name(driver: &mut impl Driver) {
    let user = User { is_admin: true, ..new_user("ana") };
    driver.store().add_user(&user, [1; 32]).await.unwrap();
    driver.store().set_user_key(&user.id, [2; 32]).await.unwrap();
    driver.restart().await;
    let store = driver.store();
    assert_eq!(store.user_by_key([1; 32]).await.unwrap(), None, "the old key is of no use");
    assert_eq!(store.user_by_key([2; 32]).await.unwrap(), Some(user.clone()));
    assert_eq!(store.user_by_name("ana").await.unwrap(), Some(user.clone()));
    assert_eq!(store.user(&user.id).await.unwrap(), Some(user));
    assert_eq!(store.user_by_name("bob").await.unwrap(), None);
    let nobody = UserId::new(NOW);
    assert!(matches!(store.set_user_key(&nobody, [3; 32]).await, Err(StoreError::NotFound { .. })));
}

pub async fn sessions_are_listed_by_owner(driver: &mut impl Driver) {
    let (ana, bob) = (UserId::new(NOW), UserId::new(NOW));
    let (a, b, c) = (new_session("a", &ana), new_session("b", &bob), new_session("c", &ana));
    for session in [&c, &b, &a] {
        driver.store().add_session(session).await.unwrap();
    }
    let changed = Session { label: "new".into(), enabled: false, me: Some("628111@s.whatsapp.net".into()), ..c };
    let changes = [
        SessionChange::Label(changed.label.clone()),
        SessionChange::Enabled(false),
        SessionChange::Me(changed.me.clone()),
    ];
    for change in changes {
        driver.store().change_session(&changed.id, change).await.unwrap();
    }
    driver.restart().await;
    let store = driver.store();
    assert_eq!(store.sessions(Some(&ana)).await.unwrap(), [a.clone(), changed.clone()]);
    assert_eq!(store.sessions(None).await.unwrap(), [a, b, changed.clone()]);
    assert_eq!(store.session(&changed.id).await.unwrap(), Some(changed));
    let missing = store.change_session(&name("missing"), SessionChange::Enabled(true)).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })));
}

pub async fn names_are_taken_once(driver: &mut impl Driver) {
    let store = driver.store();
    let ana = new_user("ana");
    store.add_user(&ana, [1; 32]).await.unwrap();
    let again = new_user("ana");
    assert!(matches!(store.add_user(&again, [2; 32]).await, Err(StoreError::Exists { .. })));
    let same_key = new_user("bob");
    assert!(matches!(store.add_user(&same_key, [1; 32]).await, Err(StoreError::Exists { .. })));
    store.add_session(&new_session("s", &ana.id)).await.unwrap();
    let taken = new_session("s", &UserId::new(NOW));
    assert!(matches!(store.add_session(&taken).await, Err(StoreError::Exists { .. })));
    assert_eq!(store.sessions(Some(&taken.owner)).await.unwrap(), []);
}

pub async fn a_removed_session_leaves_nothing_to_do(driver: &mut impl Driver) {
    let store = driver.store();
    let owner = UserId::new(NOW);
    for id in ["gone", "stays"] {
        store.add_session(&new_session(id, &owner)).await.unwrap();
        let target = new_target(id);
        store.set_targets(&name(id), std::slice::from_ref(&target), NOW).await.unwrap();
        let binding = PluginBinding { session: name(id), plugin: "echo".into(), enabled: true, config: json!({}) };
        store.put_binding(&binding).await.unwrap();
        let event = new_event(id, "628111");
        store.append(vec![owed(&event, &[plugin("echo"), ReactorRef::Target(target.id)])]).await.unwrap();
        store.queue_job(new_job(id, "628111")).await.unwrap();
        let run = NewRun { wake_ms: Some(NOW), ..new_run(id, "api", None) };
        store.start_run(run).await.unwrap();
    }
    store.delete_session(&name("gone"), 1).await.unwrap();
    assert!(matches!(store.delete_session(&name("gone"), 1).await, Err(StoreError::NotFound { .. })));

    assert_eq!(store.session(&name("gone")).await.unwrap(), None);
    let stays = name("stays");
    let left: Vec<_> = store.targets(None).await.unwrap().into_iter().map(|target| target.session).collect();
    assert_eq!(left, std::slice::from_ref(&stays));
    let left: Vec<_> = store.bindings().await.unwrap().into_iter().map(|binding| binding.session).collect();
    assert_eq!(left, std::slice::from_ref(&stays));
    let left = store.dispatches(&plugin("echo"), None, 0, 10).await.unwrap();
    assert_eq!(
        left.into_iter().map(|dispatch| dispatch.event.session).collect::<Vec<_>>(),
        std::slice::from_ref(&stays)
    );
    assert_eq!(store.queue_len(&name("gone")).await.unwrap(), 0);
    assert_eq!(store.queue_len(&stays).await.unwrap(), 1);
    assert_eq!(store.owed_targets().await.unwrap().len(), 1);
    assert_eq!(store.waiting_runs(10).await.unwrap().len(), 1, "a run without a session waits no more");

    let all = Page { before: None, limit: 10 };
    let of_gone = RunFilter { session: Some(name("gone")), ..RunFilter::default() };
    let ended = store.runs(&of_gone, &all).await.unwrap();
    assert_eq!((ended[0].state, ended[0].ended_ms), (RunState::Failed, Some(1)));
    assert_eq!(ended[0].fault.as_ref().unwrap().code, "session_deleted");
    let of_gone = EventFilter { session: Some(name("gone")), ..EventFilter::default() };
    assert_eq!(store.events(&of_gone, &all).await.unwrap().len(), 1, "events stay until retention");
}

pub async fn a_reused_name_shows_nothing_of_its_past(driver: &mut impl Driver) {
    let store = driver.store();
    let (ana, bob) = (UserId::new(NOW), UserId::new(NOW));
    store.add_session(&new_session("s", &ana)).await.unwrap();
    let event = new_event("s", "628111");
    let new = NewEvent { dedup: Some("key".into()), ..owed(&event, &[plugin("echo")]) };
    store.append(vec![new.clone()]).await.unwrap();
    let dispatch = store.dispatches(&plugin("echo"), None, 0, 1).await.unwrap().remove(0);
    let state = vec![warest_model::plan::StateWrite { key: "k".into(), value: Some("v".into()) }];
    let run = Some(new_run("s", "plugin:echo", Some(&event)));
    store.decide(&dispatch, Decision { run, state }).await.unwrap();

    store.delete_session(&name("s"), 9).await.unwrap();
    store.add_session(&new_session("s", &bob)).await.unwrap();

    let all = Page { before: None, limit: 10 };
    for owner in [&ana, &bob] {
        let filter = EventFilter { owner: Some(owner.clone()), ..EventFilter::default() };
        assert_eq!(store.events(&filter, &all).await.unwrap(), []);
        let filter = RunFilter { owner: Some(owner.clone()), ..RunFilter::default() };
        assert_eq!(store.runs(&filter, &all).await.unwrap(), []);
    }
    assert_eq!(store.events(&EventFilter::default(), &all).await.unwrap(), [event], "the operator sees it");
    assert!(store.reactor_state(&plugin("echo"), &name("s"), "628111@s.whatsapp.net").await.unwrap().is_empty());
    let next = NewEvent { event: new_event("s", "628111"), ..new };
    assert_eq!(store.append(vec![next]).await.unwrap(), [true], "its dedup keys went with it");
}
