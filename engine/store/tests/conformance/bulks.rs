//! Bulks of messages.

use super::*;
use warest_model::fault::Fault;
use warest_model::id::BulkId;
use warest_model::job::Bulk;
use warest_store::{JobEnd, JobFilter, Page, StoreError};

fn new_bulk(session: &str, count: i64) -> (Bulk, Vec<SendJob>) {
    let id = BulkId::new(NOW);
    let job = |index| SendJob {
        id: JobId::new(NOW + index),
        bulk: Some(id.clone()),
        state: JobState::Waiting,
        ..new_job(session, "628111")
    };
    let jobs = (0..count).map(job).collect();
    let bulk = Bulk { id, session: name(session), total: count as u32, created_ms: NOW, cancelled_ms: None };
    (bulk, jobs)
}

async fn states(store: &dyn Store, bulk: &Bulk) -> Vec<(JobState, u64)> {
    let mut states = store.bulk(&bulk.id).await.unwrap().unwrap().states;
    states.sort_by_key(|(state, _)| state.as_str());
    states
}

pub async fn a_bulk_is_stored_whole_or_not_at_all(driver: &mut impl Driver) {
    let (bulk, jobs) = new_bulk("s", 1_001);
    driver.store().add_bulk(&bulk, jobs.clone()).await.unwrap();
    driver.restart().await;
    let store = driver.store();
    let record = store.bulk(&bulk.id).await.unwrap().unwrap();
    assert_eq!((&record.bulk, record.delivered, record.read), (&bulk, 0, 0));
    assert_eq!(record.states, [(JobState::Waiting, 1_001)]);
    let read = store.job(&jobs[1_000].id).await.unwrap().unwrap();
    assert_eq!(SendJob { seq: 0, ..read }, jobs[1_000]);
    assert!(matches!(store.add_bulk(&bulk, Vec::new()).await, Err(StoreError::Exists { .. })));

    let (other, mut bad) = new_bulk("s", 500);
    bad[400].id = jobs[0].id.clone();
    assert!(matches!(store.add_bulk(&other, bad).await, Err(StoreError::Exists { .. })));
    assert!(store.bulk(&other.id).await.unwrap().is_none());
    assert_eq!(store.queue_len(&name("s")).await.unwrap(), 1_001);
}

pub async fn a_bulk_is_fed_a_few_at_a_time(driver: &mut impl Driver) {
    let (store, s) = (driver.store(), name("s"));
    let (first, jobs) = new_bulk("s", 6);
    store.add_bulk(&first, jobs.clone()).await.unwrap();
    let (second, more) = new_bulk("t", 1);
    store.add_bulk(&second, more).await.unwrap();
    assert_eq!(store.waiting_sessions().await.unwrap(), [s.clone(), name("t")]);
    let direct = store.queue_job(new_job("s", "628111")).await.unwrap();
    assert_eq!(store.feed_bulks(&s, 4).await.unwrap(), 4);
    assert_eq!(store.feed_bulks(&s, 4).await.unwrap(), 0, "the window is full");
    let line = store.queued_jobs(&s, None, direct, 10).await.unwrap();
    let ids: Vec<_> = line.iter().map(|job| &job.id).collect();
    assert_eq!(ids, jobs[..4].iter().map(|job| &job.id).collect::<Vec<_>>(), "in order, behind what was in line");
    for job in &line[..3] {
        let end = JobEnd::new(&job.id, JobState::Sent, 1, None, NOW);
        store.finish_job(end, None).await.unwrap();
    }
    assert_eq!(store.feed_bulks(&s, 4).await.unwrap(), 2);
    assert_eq!(store.waiting_sessions().await.unwrap(), [name("t")]);
    assert_eq!(states(store, &first).await, [(JobState::Queued, 3), (JobState::Sent, 3)]);

    // What was scheduled comes back to where the others wait.
    store.reschedule_job(&jobs[5].id, NOW).await.unwrap();
    assert_eq!(store.release_due(NOW, 10).await.unwrap().len(), 1);
    assert_eq!(store.job(&jobs[5].id).await.unwrap().unwrap().state, JobState::Waiting);
}

pub async fn what_is_left_of_a_bulk_is_cancelled(driver: &mut impl Driver) {
    let (bulk, mut jobs) = new_bulk("s", 5);
    jobs[4].state = JobState::Scheduled;
    driver.store().add_bulk(&bulk, jobs.clone()).await.unwrap();
    assert_eq!(driver.store().feed_bulks(&bulk.session, 1).await.unwrap(), 1);
    let fault = Fault::fail("cancelled", "taken back");
    assert_eq!(driver.store().cancel_bulk(&bulk.id, &fault, NOW + 7).await.unwrap(), 4);
    driver.restart().await;
    let store = driver.store();
    assert_eq!(store.bulk(&bulk.id).await.unwrap().unwrap().bulk.cancelled_ms, Some(NOW + 7));
    assert_eq!(states(store, &bulk).await, [(JobState::Cancelled, 4), (JobState::Queued, 1)]);
    let gone = store.job(&jobs[4].id).await.unwrap().unwrap();
    assert_eq!((gone.fault, gone.ended_ms), (Some(fault.clone()), Some(NOW + 7)));
    assert_eq!(store.queue_len(&bulk.session).await.unwrap(), 1);
    assert_eq!(store.cancel_bulk(&bulk.id, &fault, NOW + 8).await.unwrap(), 0);
    let of_bulk = JobFilter { bulk: Some(bulk.id.clone()), ..JobFilter::default() };
    assert_eq!(store.jobs(&of_bulk, &Page { before: None, limit: 10 }).await.unwrap().len(), 5);
    let unknown = store.cancel_bulk(&BulkId::new(NOW), &fault, NOW).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })));
}
