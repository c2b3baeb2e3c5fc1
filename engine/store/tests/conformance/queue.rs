//! The send queues.

use super::runs::progress;
use super::*;
use warest_model::fault::Fault;
use warest_store::{JobEnd, Progress, StoreError};

fn end(job: &JobId, state: JobState) -> JobEnd {
    JobEnd::new(job, state, 1, None, NOW + 9)
}

pub async fn jobs_wait_in_lanes(driver: &mut impl Driver) {
    let lanes = ["628111", "628222", ""];
    let mut jobs = Vec::new();
    for index in 0..9 {
        let mut job = new_job("s", lanes[index % 3]);
        job.due_ms = NOW + 1_000 - index as i64;
        if index == 0 {
            job.step = Some((RunId::new(NOW), Path::from_text("0.item")));
        }
        job.seq = driver.store().queue_job(job.clone()).await.unwrap();
        jobs.push(job);
    }
    driver.store().queue_job(new_job("t", "628111")).await.unwrap();
    assert!(jobs.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    driver.restart().await;
    let store = driver.store();
    let s = name("s");
    assert_eq!(store.queue_len(&s).await.unwrap(), 9);
    assert_eq!(store.queued_jobs(&s, None, 0, 100).await.unwrap(), jobs, "in the order they were queued");
    assert_eq!(store.queued_jobs(&s, None, jobs[3].seq, 2).await.unwrap(), jobs[4..6]);
    assert_eq!(store.job(&jobs[0].id).await.unwrap(), Some(jobs[0].clone()));
    for (lane, chat) in lanes.into_iter().enumerate() {
        let chat = if chat.is_empty() { String::new() } else { jid(chat).to_string() };
        let expected: Vec<_> = jobs.iter().skip(lane).step_by(3).cloned().collect();
        assert_eq!(store.queued_jobs(&s, Some(&chat), 0, 100).await.unwrap(), expected);
        assert_eq!(store.queued_jobs(&s, Some(&chat), expected[0].seq, 1).await.unwrap(), expected[1..2]);
    }
}

pub async fn a_job_is_deferred_and_ends_once(driver: &mut impl Driver) {
    let job = new_job("s", "628111");
    let seq = driver.store().queue_job(job.clone()).await.unwrap();
    assert!(matches!(driver.store().queue_job(job.clone()).await, Err(StoreError::Exists { .. })));
    let fault = Fault::retry("not_connected", "wait");
    driver.store().defer_job(&job.id, 3, NOW + 60, &fault).await.unwrap();
    driver.restart().await;
    let store = driver.store();
    let deferred = SendJob { seq, attempts: 3, due_ms: NOW + 60, fault: Some(fault.clone()), ..job.clone() };
    assert_eq!(store.queued_jobs(&job.session, None, 0, 1).await.unwrap(), std::slice::from_ref(&deferred));

    store.finish_job(end(&job.id, JobState::Sent), None).await.unwrap();
    let sent = SendJob { state: JobState::Sent, attempts: 1, fault: None, ended_ms: Some(NOW + 9), ..deferred };
    assert_eq!(store.job(&job.id).await.unwrap(), Some(sent.clone()));
    assert_eq!(store.queue_len(&job.session).await.unwrap(), 0);
    let again = store.finish_job(end(&job.id, JobState::Failed), None).await;
    assert!(matches!(again, Err(StoreError::NotFound { .. })));
    assert!(matches!(store.defer_job(&job.id, 9, NOW, &fault).await, Err(StoreError::NotFound { .. })));
    assert_eq!(store.job(&job.id).await.unwrap(), Some(sent));
}

pub async fn a_job_ends_with_its_run_or_not_at_all(driver: &mut impl Driver) {
    let store = driver.store();
    let (one, two) = (new_job("s", "628111"), new_job("s", "628111"));
    let new = NewRun { jobs: vec![one.clone(), two.clone()], ..new_run("s", "api", None) };
    let id = new.run.id.clone();
    store.start_run(new).await.unwrap();
    let read = store.run(&id).await.unwrap().unwrap();
    let moved = Progress { steps: vec![new_step("0", StepState::Failed)], ..progress(&id, read.version) };
    store.finish_job(end(&one.id, JobState::Sent), Some(moved.clone())).await.unwrap();
    let after = store.run(&id).await.unwrap().unwrap();
    assert_eq!(after.steps[1].state, StepState::Failed);

    // Against the old version: neither the job nor the run changes.
    let stale = store.finish_job(end(&two.id, JobState::Sent), Some(moved)).await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })), "{stale:?}");
    assert_eq!(store.job(&two.id).await.unwrap().unwrap().state, JobState::Queued);
    assert_eq!(store.run(&id).await.unwrap().unwrap().version, after.version);

    // A job that ended takes no run along.
    let done = Progress { state: RunState::Done, ..progress(&id, after.version) };
    let again = store.finish_job(end(&one.id, JobState::Sent), Some(done)).await;
    assert!(matches!(again, Err(StoreError::NotFound { .. })), "{again:?}");
    assert_eq!(store.run(&id).await.unwrap().unwrap().run.state, RunState::Active);
}

pub async fn a_job_leaves_behind_what_it_did_once(driver: &mut impl Driver) {
    use super::history::{all_of, live, said};
    super::history::with_session(driver).await;
    let store = driver.store();
    let job = new_job("s", "628111");
    store.queue_job(job.clone()).await.unwrap();
    let event = new_event("s", "628111");
    let sent = said("628111", "3EB0AA", true, NOW, "hi");
    let left = || warest_store::Left {
        changes: vec![live(sent.clone())],
        event: Some(Box::new(owed(&event, &[plugin("echo")]))),
    };
    let with = |left| JobEnd { left, ..JobEnd::new(&job.id, JobState::Sent, 1, None, NOW) };
    // A run that has moved on takes all of it back.
    let run = new_run("s", "api", None);
    store.start_run(run.clone()).await.unwrap();
    let stale = Progress {
        run: run.run.id,
        version: 99,
        steps: vec![],
        jobs: vec![],
        state: warest_model::run::RunState::Active,
        wake_ms: None,
        ended_ms: None,
    };
    let refused = store.finish_job(with(left()), Some(stale)).await;
    assert!(matches!(refused, Err(StoreError::Stale { .. })), "{refused:?}");
    assert!(all_of(store, "628111").await.is_empty());
    assert_eq!(store.event(event.id.as_str()).await.unwrap(), None);

    store.finish_job(with(left()), None).await.unwrap();
    assert_eq!(all_of(store, "628111").await, ["3EB0AA"]);
    assert_eq!(store.event(event.id.as_str()).await.unwrap(), Some(event.clone()));
    assert_eq!(store.dispatches(&plugin("echo"), None, 0, 10).await.unwrap().len(), 1);
    assert!(matches!(store.finish_job(with(left()), None).await, Err(StoreError::NotFound { .. })));
    assert_eq!(store.dispatches(&plugin("echo"), None, 0, 10).await.unwrap().len(), 1, "once");
}
