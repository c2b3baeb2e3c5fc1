//! Runs and their journals.

use super::*;
use warest_model::fault::Fault;
use warest_store::{Page, Progress, RunFilter, StoreError};

pub fn progress(run: &RunId, version: i64) -> Progress {
    Progress {
        run: run.clone(),
        version,
        steps: Vec::new(),
        jobs: Vec::new(),
        state: RunState::Active,
        wake_ms: None,
        ended_ms: None,
    }
}

pub async fn a_journal_keeps_its_order(driver: &mut impl Driver) {
    let new = NewRun { jobs: vec![new_job("s", "628111")], ..new_run("s", "api", None) };
    let id = new.run.id.clone();
    driver.store().start_run(new.clone()).await.unwrap();
    let read = driver.store().run(&id).await.unwrap().unwrap();
    assert_eq!((&read.run, &read.steps), (&new.run, &new.steps));

    let rewritten = Step {
        attempts: 2,
        message_id: Some("3EB0".into()),
        due_ms: Some(1),
        fault: Some(Fault::unknown("timeout", "it may have happened")),
        ended_ms: Some(2),
        ..new_step("1", StepState::Failed)
    };
    let added = new_step("0.then.1", StepState::Queued);
    let saved = Progress {
        steps: vec![added.clone(), rewritten.clone()],
        jobs: vec![new_job("s", "628111")],
        state: RunState::Failed,
        ended_ms: Some(NOW + 5),
        ..progress(&id, read.version)
    };
    driver.store().save_progress(saved).await.unwrap();
    driver.restart().await;
    let store = driver.store();
    let after = store.run(&id).await.unwrap().unwrap();
    assert_eq!(after.steps, [rewritten, new.steps[1].clone(), added], "a line that is rewritten keeps its place");
    assert_eq!(after.run, Run { state: RunState::Failed, ended_ms: Some(NOW + 5), ..new.run });
    assert_eq!(store.queue_len(&name("s")).await.unwrap(), 2);
    assert!(store.run(&RunId::new(NOW)).await.unwrap().is_none());
}

pub async fn stale_progress_is_refused(driver: &mut impl Driver) {
    let store = driver.store();
    let new = new_run("s", "api", None);
    let id = new.run.id.clone();
    store.start_run(new).await.unwrap();
    let read = store.run(&id).await.unwrap().unwrap();
    store.save_progress(progress(&id, read.version)).await.unwrap();
    let late = Progress {
        steps: vec![new_step("9", StepState::Done)],
        jobs: vec![new_job("s", "628111")],
        state: RunState::Done,
        ..progress(&id, read.version)
    };
    assert!(matches!(store.save_progress(late).await, Err(StoreError::Stale { .. })));
    let after = store.run(&id).await.unwrap().unwrap();
    assert_ne!(after.version, read.version);
    assert_eq!((after.run.state, after.steps.len()), (RunState::Active, 2), "nothing of it was written");
    assert_eq!(store.queue_len(&name("s")).await.unwrap(), 0);
    let nowhere = progress(&RunId::new(NOW), 1);
    assert!(matches!(store.save_progress(nowhere).await, Err(StoreError::NotFound { .. })));
}

pub async fn waiting_runs_come_soonest_first(driver: &mut impl Driver) {
    assert_eq!(driver.store().next_wake().await.unwrap(), None);
    let mut ids = Vec::new();
    for wake_ms in [Some(NOW + 30), Some(NOW + 10), None, Some(NOW + 20)] {
        let new = NewRun { wake_ms, ..new_run("s", "api", None) };
        ids.push(new.run.id.clone());
        driver.store().start_run(new).await.unwrap();
    }
    driver.restart().await;
    let store = driver.store();
    assert_eq!(store.next_wake().await.unwrap(), Some(NOW + 10));
    let soonest = [(ids[1].clone(), NOW + 10), (ids[3].clone(), NOW + 20), (ids[0].clone(), NOW + 30)];
    assert_eq!(store.waiting_runs(10).await.unwrap(), soonest);
    assert_eq!(store.waiting_runs(2).await.unwrap(), soonest[..2]);
    let done = Progress { state: RunState::Done, wake_ms: Some(NOW), ..progress(&ids[1], 1) };
    let done = Progress { version: store.run(&ids[1]).await.unwrap().unwrap().version, ..done };
    store.save_progress(done).await.unwrap();
    assert_eq!(store.next_wake().await.unwrap(), Some(NOW + 20), "a run that ended waits no more");
    assert_eq!(store.waiting_runs(10).await.unwrap(), soonest[1..]);
}

pub async fn runs_are_filtered_and_paged(driver: &mut impl Driver) {
    let store = driver.store();
    let (ana, bob) = (UserId::new(NOW), UserId::new(NOW));
    store.add_session(&new_session("a", &ana)).await.unwrap();
    store.add_session(&new_session("b", &bob)).await.unwrap();
    let event = new_event("a", "628111");
    let mut newest = Vec::new();
    for index in 0..7 {
        let session = ["a", "b"][index % 2];
        let answered = (index == 4).then_some(&event);
        let mut new = new_run(session, "api", answered);
        if index == 5 {
            new.run = Run { state: RunState::Failed, fault: Some(Fault::fail("guest", "it broke")), ..new.run };
        }
        newest.insert(0, new.run.clone());
        store.start_run(new).await.unwrap();
    }
    let which = |wanted: &dyn Fn(&Run) -> bool| newest.iter().filter(|run| wanted(run)).cloned().collect::<Vec<_>>();
    let all = Page { before: None, limit: 500 };
    let any = RunFilter::default;
    assert_eq!(store.runs(&any(), &all).await.unwrap(), newest);
    let of_bob = RunFilter { owner: Some(bob), ..any() };
    assert_eq!(store.runs(&of_bob, &all).await.unwrap(), which(&|run| run.session.as_str() == "b"));
    let of_a = RunFilter { session: Some(name("a")), ..any() };
    assert_eq!(store.runs(&of_a, &all).await.unwrap(), which(&|run| run.session.as_str() == "a"));
    let failed = RunFilter { state: Some(RunState::Failed), ..any() };
    assert_eq!(store.runs(&failed, &all).await.unwrap(), which(&|run| run.state == RunState::Failed));
    let answering = RunFilter { event: Some(event.id.to_string()), ..any() };
    assert_eq!(store.runs(&answering, &all).await.unwrap(), which(&|run| run.cause.event.is_some()));
    let page = Page { before: Some(newest[2].id.to_string()), limit: 3 };
    assert_eq!(store.runs(&any(), &page).await.unwrap(), newest[3..6]);
}

pub async fn a_run_is_started_once(driver: &mut impl Driver) {
    let store = driver.store();
    let event = new_event("s", "628111");
    let first = new_run("s", "api", Some(&event));
    store.start_run(first.clone()).await.unwrap();
    assert!(matches!(store.start_run(first).await, Err(StoreError::Exists { .. })));
    let same_cause = NewRun { jobs: vec![new_job("s", "")], ..new_run("s", "api", Some(&event)) };
    assert!(matches!(store.start_run(same_cause).await, Err(StoreError::Exists { .. })));
    assert_eq!(store.queue_len(&name("s")).await.unwrap(), 0);
    store.start_run(new_run("s", "plugin:echo", Some(&event))).await.unwrap();
    for _ in 0..2 {
        store.start_run(new_run("s", "api", None)).await.unwrap();
    }
}
