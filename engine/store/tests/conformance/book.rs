//! Jobs that are not in line.

use super::runs::progress;
use super::*;
use warest_model::fault::Fault;
use warest_model::job::{Hold, Receipt, ReceiptKind, Receipts};
use warest_store::{JobEnd, JobFilter, Page, Progress, StoreError};

const LATER: i64 = NOW + 5_000;

fn scheduled(session: &str, due_ms: i64) -> SendJob {
    SendJob { state: JobState::Scheduled, due_ms, ..new_job(session, "628111") }
}

fn page(limit: u32) -> Page {
    Page { before: None, limit }
}

async fn add(store: &dyn Store, job: SendJob) -> SendJob {
    let seq = store.queue_job(job.clone()).await.unwrap();
    SendJob { seq, ..job }
}

pub async fn a_scheduled_job_takes_its_place_when_it_is_due(driver: &mut impl Driver) {
    let late = add(driver.store(), scheduled("s", LATER + 2)).await;
    let soon = add(driver.store(), scheduled("s", LATER)).await;
    let queued = add(driver.store(), new_job("s", "628111")).await;
    driver.restart().await;
    let (store, s) = (driver.store(), name("s"));
    assert_eq!(store.next_due().await.unwrap(), Some(LATER));
    assert_eq!(store.queue_len(&s).await.unwrap(), 3, "what is scheduled counts");
    assert_eq!(store.queued_jobs(&s, None, 0, 10).await.unwrap(), std::slice::from_ref(&queued));
    assert!(store.release_due(LATER - 1, 10).await.unwrap().is_empty());
    assert_eq!(store.release_due(LATER + 2, 10).await.unwrap(), [s.clone(), s.clone()]);
    let line = store.queued_jobs(&s, None, 0, 10).await.unwrap();
    let ids: Vec<_> = line.iter().map(|job| job.id.clone()).collect();
    assert_eq!(ids, [queued.id.clone(), soon.id, late.id], "behind what was in line, soonest first");
    assert!(line.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    let next = add(store, new_job("s", "628111")).await;
    assert!(next.seq > line[2].seq, "positions only grow");
    assert_eq!(store.next_due().await.unwrap(), None);
}

pub async fn a_queued_job_leaves_the_line_until_its_time(driver: &mut impl Driver) {
    let store = driver.store();
    let job = add(store, new_job("s", "628111")).await;
    store.reschedule_job(&job.id, LATER).await.unwrap();
    let waits = store.job(&job.id).await.unwrap().unwrap();
    assert_eq!((waits.state, waits.due_ms), (JobState::Scheduled, LATER));
    assert!(store.queued_jobs(&job.session, None, 0, 10).await.unwrap().is_empty());
    store.reschedule_job(&job.id, NOW).await.unwrap();
    assert_eq!(store.release_due(NOW, 10).await.unwrap().len(), 1);
    let line = store.queued_jobs(&job.session, None, job.seq, 10).await.unwrap();
    assert_eq!(line.len(), 1, "it comes after its old position");
    let end = JobEnd::new(&job.id, JobState::Sent, 1, None, NOW);
    store.finish_job(end, None).await.unwrap();
    assert!(matches!(store.reschedule_job(&job.id, LATER).await, Err(StoreError::NotFound { .. })));
}

pub async fn a_wedged_job_waits_for_a_person(driver: &mut impl Driver) {
    let fault = Fault::retry("overlimit", "slower");
    let mut jobs = Vec::new();
    for session in ["s", "s", "s", "t"] {
        let job = add(driver.store(), new_job(session, "628111")).await;
        driver.store().wedge_job(&job.id, 6, &fault).await.unwrap();
        jobs.push(job);
    }
    driver.restart().await;
    let (store, s) = (driver.store(), name("s"));
    let wedged = store.job(&jobs[0].id).await.unwrap().unwrap();
    assert_eq!((wedged.state, wedged.attempts, wedged.fault), (JobState::Wedged, 6, Some(fault.clone())));
    assert!(matches!(store.wedge_job(&jobs[0].id, 7, &fault).await, Err(StoreError::NotFound { .. })));
    assert!(store.queued_jobs(&s, None, 0, 10).await.unwrap().is_empty());
    assert_eq!(store.queue_len(&s).await.unwrap(), 3);
    assert_eq!(store.unwedge(&s, Some(&jobs[3].id), LATER, 10).await.unwrap(), 0, "it is another session's");
    assert_eq!(store.unwedge(&s, Some(&jobs[1].id), LATER, 10).await.unwrap(), 1);
    assert_eq!(store.unwedge(&s, None, LATER, 1).await.unwrap(), 1);
    assert_eq!(store.unwedge(&s, None, LATER, 10).await.unwrap(), 1);
    let line = store.queued_jobs(&s, None, 0, 10).await.unwrap();
    assert_eq!(line[0].id, jobs[1].id, "in the order in which they came back");
    assert!(line.iter().all(|job| job.attempts == 0 && job.due_ms == LATER && job.seq > jobs[3].seq));
    assert_eq!(store.job(&jobs[3].id).await.unwrap().unwrap().state, JobState::Wedged);
}

pub async fn an_open_job_is_cancelled_with_its_step(driver: &mut impl Driver) {
    let store = driver.store();
    let job = scheduled("s", LATER);
    let new = NewRun { jobs: vec![job.clone()], ..new_run("s", "api", None) };
    let id = new.run.id.clone();
    store.start_run(new).await.unwrap();
    let version = store.run(&id).await.unwrap().unwrap().version;
    let moved = Progress { steps: vec![new_step("0", StepState::Failed)], ..progress(&id, version) };
    let fault = Some(Fault::fail("cancelled", "taken back"));
    let end = JobEnd::new(&job.id, JobState::Cancelled, 0, fault, NOW);
    store.finish_job(end.clone(), Some(moved)).await.unwrap();
    assert_eq!(store.job(&job.id).await.unwrap().unwrap().state, JobState::Cancelled);
    assert_eq!(store.run(&id).await.unwrap().unwrap().steps[1].state, StepState::Failed);
    assert!(matches!(store.finish_job(end, None).await, Err(StoreError::NotFound { .. })));
    assert!(store.release_due(LATER, 10).await.unwrap().is_empty(), "it never takes its place");
    assert_eq!(store.queue_len(&name("s")).await.unwrap(), 0);
}

pub async fn jobs_are_filtered_and_paged(driver: &mut impl Driver) {
    let store = driver.store();
    let (ann, bob) = (new_user("ann"), new_user("bob"));
    for (user, session) in [(&ann, "s"), (&bob, "t")] {
        store.add_user(user, [session.as_bytes()[0]; 32]).await.unwrap();
        store.add_session(&new_session(session, &user.id)).await.unwrap();
    }
    let mut jobs = Vec::new();
    for index in 0..6_i64 {
        let chat = if index % 2 == 0 { "628111" } else { "628222" };
        let id = JobId::new(NOW + index);
        jobs.push(add(store, SendJob { id, ..new_job(if index < 4 { "s" } else { "t" }, chat) }).await);
    }
    store.wedge_job(&jobs[2].id, 1, &Fault::retry("x", "x")).await.unwrap();
    store.reschedule_job(&jobs[0].id, LATER).await.unwrap();
    store.release_due(LATER, 10).await.unwrap();
    let ids = async |filter: JobFilter, page: Page| -> Vec<usize> {
        let found = store.jobs(&filter, &page).await.unwrap();
        found.iter().map(|one| jobs.iter().position(|job| job.id == one.id).unwrap()).collect()
    };
    let all = JobFilter::default;
    assert_eq!(ids(all(), page(10)).await, [5, 4, 3, 2, 1, 0], "by age, wherever they stand in line");
    let before = Page { before: Some(jobs[3].id.to_string()), limit: 2 };
    assert_eq!(ids(all(), before).await, [2, 1]);
    assert_eq!(ids(JobFilter { owner: Some(ann.id), ..all() }, page(10)).await, [3, 2, 1, 0]);
    assert_eq!(ids(JobFilter { session: Some(name("t")), ..all() }, page(10)).await, [5, 4]);
    assert_eq!(ids(JobFilter { state: Some(JobState::Wedged), ..all() }, page(10)).await, [2]);
    assert_eq!(ids(JobFilter { state: Some(JobState::Queued), ..all() }, page(10)).await, [5, 4, 3, 1, 0]);
    assert_eq!(ids(JobFilter { chat: Some(jid("628222").to_string()), ..all() }, page(10)).await, [5, 3, 1]);
}

pub async fn receipts_are_kept_with_the_job(driver: &mut impl Driver) {
    let job = add(driver.store(), new_job("s", "628111")).await;
    let other = add(driver.store(), new_job("t", "628111")).await;
    let receipt = |message_id: &str, kind, at_ms| Receipt::new(message_id, kind, at_ms);
    let said = vec![
        receipt(&job.message_id, ReceiptKind::Read, NOW + 2),
        receipt(&job.message_id, ReceiptKind::Delivered, NOW + 1),
        receipt("of nobody", ReceiptKind::Read, NOW),
    ];
    driver.store().record_receipts(&job.session, said).await.unwrap();
    driver.restart().await;
    let store = driver.store();
    let receipts = store.job(&job.id).await.unwrap().unwrap().receipts;
    let read = Receipts { delivered_ms: Some(NOW + 2), read_ms: Some(NOW + 2), played_ms: None };
    assert_eq!(receipts, read, "what was read was delivered, and the first word counts");
    assert_eq!(store.job(&other.id).await.unwrap().unwrap().receipts, Receipts::default(), "it is another session's");
    let played = vec![receipt(&job.message_id, ReceiptKind::Played, NOW + 3)];
    store.record_receipts(&job.session, played).await.unwrap();
    let receipts = store.job(&job.id).await.unwrap().unwrap().receipts;
    assert_eq!(receipts, Receipts { played_ms: Some(NOW + 3), ..read });
}

pub async fn what_cannot_be_read_waits_to_be_sent_again(driver: &mut impl Driver) {
    let job = add(driver.store(), new_job("s", "628111")).await;
    let read = SendJob { message_id: "3EB0BB".to_owned(), ..new_job("s", "628222") };
    let read = add(driver.store(), read).await;
    let say = |job: &SendJob, kind, at_ms| Receipt::new(&job.message_id, kind, at_ms);
    let said = vec![
        say(&read, ReceiptKind::Delivered, NOW),
        say(&read, ReceiptKind::Unreadable, NOW),
        say(&job, ReceiptKind::Unreadable, NOW + 1),
    ];
    driver.store().record_receipts(&job.session, said).await.unwrap();
    driver.restart().await;
    let store = driver.store();
    let waiting = async |since| {
        let jobs = store.unreadable_jobs(since, since + 1, 9).await.unwrap();
        jobs.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    assert_eq!(waiting(NOW).await, std::slice::from_ref(&job.id), "what one device could read is not sent again");
    assert_eq!(waiting(NOW + 2).await, [], "nor what is too old");
    store.sent_again(&job.id).await.unwrap();
    assert_eq!(waiting(NOW).await, []);
    for kind in [ReceiptKind::Unreadable, ReceiptKind::Delivered] {
        store.record_receipts(&job.session, vec![say(&job, kind, NOW + 3)]).await.unwrap();
    }
    assert_eq!(waiting(NOW).await, [], "it has arrived");

    // Nobody who takes a session's name sends what was asked of it.
    store.add_session(&new_session("s", &UserId::new(NOW))).await.unwrap();
    let left = SendJob { message_id: "3EB0CC".to_owned(), ..new_job("s", "628333") };
    let left = add(store, left).await;
    let end = JobEnd::new(&left.id, JobState::Sent, 1, None, NOW);
    store.finish_job(end, None).await.unwrap();
    store.record_receipts(&left.session, vec![say(&left, ReceiptKind::Unreadable, NOW)]).await.unwrap();
    assert_eq!(waiting(NOW).await, [left.id]);
    store.delete_session(&name("s"), NOW).await.unwrap();
    assert_eq!(waiting(NOW).await, []);
}

pub async fn holds_are_kept(driver: &mut impl Driver) {
    let hold = Hold { since_ms: NOW, until_ms: NOW + 9, wait_ms: 9 };
    driver.store().set_hold(&name("s"), Some(Hold { wait_ms: 1, ..hold })).await.unwrap();
    driver.store().set_hold(&name("s"), Some(hold)).await.unwrap();
    driver.restart().await;
    let store = driver.store();
    assert_eq!(store.holds().await.unwrap(), [(name("s"), hold)]);
    store.set_hold(&name("s"), None).await.unwrap();
    assert_eq!(store.holds().await.unwrap(), []);
}
