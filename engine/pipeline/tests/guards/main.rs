//! The guards in the pipeline: what leaves when, by a clock that moves when
//! told, and through restarts.
#![allow(clippy::unwrap_used, missing_docs)]

mod world;

use serde_json::json;
use std::time::Duration;
use warest_model::clock::{Clock, Millis};
use warest_model::fault::{Fault, OVERLIMIT};
use warest_model::id::{JobId, RunId};
use warest_model::job::{JobState, Receipt, ReceiptKind};
use warest_model::run::StepState;
use warest_store::{Page, Runs, SendQueue};
use world::{HOUR, NOON, World};

const ANA: &str = "628111";
const BOB: &str = "628222";

#[tokio::test]
async fn a_cooldown_holds_the_next_message_of_rest_and_no_answer() {
    let world = World::new(json!({ "cooldown": { "enabled": true, "ms": 3_000 } })).await;
    world.sent(&world.send(ANA, "one").await).await;
    let answer = world.act(json!([{ "type": "text", "to": ANA, "text": "answer" }])).await;
    wait_run(&world, &answer, StepState::Done).await;
    world.sent(&world.send(BOB, "another").await).await;
    let two = world.send(ANA, "two").await;
    let held = world.held(&two, "guard_cooldown").await;
    assert_eq!(held.due_ms, NOON + 3_000);
    world.clock.advance(2_999);
    assert_eq!(world.held(&two, "guard_cooldown").await.due_ms, NOON + 3_000);
    world.clock.advance(1);
    assert_eq!(world.sent(&two).await.attempts, 1);
    let mut texts = world.texts();
    texts.sort();
    assert_eq!(texts, ["another", "answer", "one", "two"]);
    assert!(world.log().iter().all(|sent| sent.text == "two" || sent.at_ms == NOON), "{:?}", world.log());
}

#[tokio::test]
async fn a_repeat_after_a_failure_is_neither_cooled_nor_counted_again() {
    let on = json!({ "cooldown": { "enabled": true, "ms": HOUR }, "quota": { "enabled": true, "max": 5 } });
    let world = World::new(on).await;
    *world.links.refuse.lock().unwrap() = vec![Fault::retry("timeout", "no answer"), Fault::retry("not_connected", "")];
    let job = world.send(ANA, "x").await;
    let begun = std::time::Instant::now();
    while world.job(&job).await.attempts == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "it was never tried");
        // The first time it never left, which its row does not show.
        world.clock.advance(50);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.clock.advance(60_000);
    assert_eq!(world.sent(&job).await.attempts, 2);
    // The window began with the only message that was counted, and has ended.
    world.sent(&world.send(BOB, "y").await).await;
    let stand = world.engine.guards(&world.engine.all_sessions()[0]).await.unwrap();
    assert_eq!(stand.quota.unwrap().used, 1);
}

#[tokio::test]
async fn a_quota_opens_with_its_next_window() {
    let world = World::new(json!({ "quota": { "enabled": true, "max": 2, "windowMs": 60_000 } })).await;
    for to in [ANA, BOB] {
        world.sent(&world.send(to, "in time").await).await;
    }
    let third = world.send("628333", "later").await;
    assert_eq!(world.held(&third, "guard_quota").await.due_ms, NOON + 60_000);
    let answer = world.act(json!([{ "type": "text", "to": ANA, "text": "answer" }])).await;
    wait_run(&world, &answer, StepState::Done).await;
    world.clock.advance(60_000);
    world.sent(&third).await;
    assert_eq!(world.log().iter().filter(|sent| sent.at_ms == NOON).count(), 3, "answers take none of it");
}

#[tokio::test]
async fn a_days_quota_is_not_given_twice_by_a_restart() {
    let world = World::new(json!({ "quota": { "enabled": true, "max": 2, "windowMs": 24 * HOUR } })).await;
    for to in [ANA, BOB] {
        world.sent(&world.send(to, "today").await).await;
    }
    let world = world.restart(HOUR).await;
    let third = world.send("628333", "tomorrow").await;
    assert_eq!(world.held(&third, "guard_quota").await.due_ms, NOON + 24 * HOUR);
    // What waits is still held by the next process, without a new look.
    let world = world.restart(HOUR).await;
    assert_eq!(world.held(&third, "guard_quota").await.due_ms, NOON + 24 * HOUR);
    world.clock.advance(22 * HOUR);
    world.sent(&third).await;
}

#[tokio::test]
async fn only_so_many_new_chats_are_opened_at_once_or_through_a_restart() {
    let on = json!({ "newChats": { "enabled": true, "perDay": 2, "warmUpFrom": 1 } });
    let world = World::new(on).await;
    world.hears(ANA, "hello", "1").await;
    world.sent(&world.send(ANA, "they wrote first").await).await;
    let mut jobs = Vec::new();
    for n in 0..6 {
        jobs.push(world.send(&format!("62833{n}"), "new").await);
    }
    let mut held = Vec::new();
    for job in &jobs {
        let row = world.wait_job(job, |job| job.state == JobState::Sent || job.fault.is_some()).await;
        if row.state != JobState::Sent {
            assert_eq!(row.fault.as_ref().unwrap().code, "guard_new_chats");
            assert_eq!(row.due_ms, NOON + 24 * HOUR);
            held.push(job.clone());
        }
    }
    assert_eq!((held.len(), world.texts().len()), (4, 3), "{:?}", world.log());
    let world = world.restart(HOUR).await;
    let more = world.send("628999", "new").await;
    assert_eq!(world.held(&more, "guard_new_chats").await.due_ms, NOON + 24 * HOUR);
    world.sent(&world.send(ANA, "known").await).await;
    world.clock.advance(23 * HOUR);
    let day = async || {
        let mut sent = 0;
        for job in held.iter().chain([&more]) {
            sent += usize::from(world.job(job).await.state == JobState::Sent);
        }
        sent
    };
    let begun = std::time::Instant::now();
    while day().await < 2 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", world.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for job in held.iter().chain([&more]) {
        world.wait_job(job, |job| job.state == JobState::Sent || job.due_ms > NOON + 24 * HOUR).await;
    }
    assert_eq!(day().await, 2, "two a day");
}

#[tokio::test]
async fn quiet_hours_hold_until_the_morning_and_let_answers_through() {
    let night = json!({ "enabled": true, "from": "18:00", "to": "07:00", "timeZone": "Asia/Jakarta" });
    let world = World::new(json!({ "quietHours": night })).await;
    // 19:00 in Jakarta.
    let job = world.send(ANA, "good morning").await;
    assert_eq!(world.held(&job, "guard_quiet_hours").await.due_ms, NOON + 12 * HOUR);
    for to in [BOB, ANA] {
        // Also in the chat whose message waits.
        let answer = world.act(json!([{ "type": "text", "to": to, "text": "we are closed" }])).await;
        wait_run(&world, &answer, StepState::Done).await;
    }
    let world = world.restart(12 * HOUR - 1).await;
    assert_eq!(world.held(&job, "guard_quiet_hours").await.state, JobState::Scheduled);
    world.clock.advance(1);
    world.sent(&job).await;

    let all = json!({ "enabled": true, "from": "07:00", "to": "09:00", "timeZone": "Asia/Jakarta", "scope": "all" });
    world.tune(json!({ "quietHours": all })).await;
    world.act(json!([{ "type": "text", "to": BOB, "text": "answer" }])).await;
    let queue = world.store.queued_jobs(&"s".parse().unwrap(), None, 0, 9).await.unwrap();
    assert_eq!(world.held(&queue[0].id, "guard_quiet_hours").await.due_ms, NOON + 14 * HOUR);
}

async fn wait_run(world: &World, run: &RunId, state: StepState) {
    let begun = std::time::Instant::now();
    loop {
        let steps = world.store.run(run).await.unwrap().unwrap().steps;
        if steps.iter().all(|step| step.state == state) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "still {steps:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

const PACING: &str = r#"{ "enabled": true, "charsPerSecond": 10, "minTypingMs": 500, "maxTypingMs": 3000,
                          "gapMs": 1000, "jitter": 0 }"#;

fn pacing() -> serde_json::Value {
    json!({ "pacing": serde_json::from_str::<serde_json::Value>(PACING).unwrap() })
}

#[tokio::test]
async fn a_paced_session_types_one_message_after_the_other() {
    let world = World::new(pacing()).await;
    let long = world.send(ANA, "twenty characters...").await;
    assert_eq!(world.held(&long, "guard_typing").await.due_ms, NOON + 2_000);
    let short = world.send(BOB, "ok").await;
    assert_eq!(world.held(&short, "guard_turn").await.due_ms, NOON + 3_000, "typing, then a rest");
    let what = |world: &World| world.log().iter().map(|sent| (sent.what, sent.to.clone())).collect::<Vec<_>>();
    assert_eq!(what(&world), [("presence", ANA.to_owned())], "typing is shown");
    world.clock.advance(2_000);
    world.sent(&long).await;
    assert_eq!(world.held(&short, "guard_turn").await.due_ms, NOON + 3_000);
    world.clock.advance(1_000);
    assert_eq!(world.held(&short, "guard_typing").await.due_ms, NOON + 3_500);
    world.clock.advance(500);
    world.sent(&short).await;
    let order = [("presence", ANA), ("text", ANA), ("presence", BOB), ("text", BOB)];
    assert_eq!(what(&world), order.map(|(what, to)| (what, to.to_owned())));
}

#[tokio::test]
async fn turns_that_were_missed_do_not_become_a_burst() {
    let world = World::new(pacing()).await;
    let mut jobs = Vec::new();
    for n in 0..5 {
        let job = world.send(&format!("62855{n}"), "hello").await;
        world.wait_job(&job, |job| job.fault.is_some()).await;
        jobs.push(job);
    }
    let world = world.restart(HOUR).await;
    let mut due: Vec<Millis> = Vec::new();
    for job in &jobs {
        due.push(world.wait_job(job, |job| job.due_ms > NOON + HOUR).await.due_ms);
    }
    due.sort_unstable();
    let turn = 1_500;
    assert_eq!(due, [500, turn, 2 * turn, 3 * turn, 4 * turn].map(|after| NOON + HOUR + after));
    assert_eq!(world.texts(), Vec::<String>::new());
}

#[tokio::test]
async fn a_stop_word_ends_it_but_for_one_confirmation() {
    let on = json!({ "optOut": { "confirmation": "You get no more messages." } });
    let world = World::new(on).await;
    let waiting = json!({ "quietHours": { "enabled": true, "from": "11:00", "to": "13:00" } });
    world.tune(waiting).await;
    let before = world.send(ANA, "queued before").await;
    world.held(&before, "guard_quiet_hours").await;
    world.tune(json!({ "quietHours": null })).await;
    world.hears(ANA, " STOP ", "1").await;
    world.hears(ANA, "stop", "2").await;
    world.clock.advance(HOUR);
    let refused = world.wait_job(&before, |job| job.ended_ms.is_some()).await;
    assert_eq!((refused.state, refused.fault.unwrap().code.as_str()), (JobState::Failed, "recipient_opted_out"));
    let run = world.act(json!([{ "type": "text", "to": ANA, "text": "answer" }])).await;
    wait_run(&world, &run, StepState::Failed).await;
    let fault = world.store.run(&run).await.unwrap().unwrap().steps[0].fault.clone().unwrap();
    assert_eq!(fault.code, "recipient_opted_out");
    assert_eq!(world.texts(), ["You get no more messages."], "once");

    let listed = world.engine.store().opt_outs(Some(&world.user().id), &Page { before: None, limit: 9 }).await.unwrap();
    assert_eq!(listed.len(), 1);
    world.hears(ANA, "start", "3").await;
    world.sent(&world.send(ANA, "welcome back").await).await;
    assert_eq!(world.texts().len(), 2);
}

#[tokio::test]
async fn what_could_not_be_read_is_sent_again_first_and_not_for_ever() {
    let world = World::new(json!({ "cooldown": { "enabled": false } })).await;
    let unreadable = async |world: &World, id: &JobId| {
        let (message_id, at_ms) = (world.job(id).await.message_id, world.clock.now_ms());
        let said = vec![Receipt::new(message_id, ReceiptKind::Unreadable, at_ms)];
        world.intake.receipts(&"s".parse().unwrap(), said).await.unwrap();
    };
    let one = world.send(ANA, "one").await;
    world.sent(&one).await;
    unreadable(&world, &one).await;
    // By the next process, before what waits for it.
    let world = world.restart(HOUR).await;
    world.sent(&world.send(BOB, "two").await).await;
    assert_eq!(world.texts(), ["one", "two"]);
    // By the same one, once the library has had its time.
    let two = world.send(ANA, "three").await;
    world.sent(&two).await;
    unreadable(&world, &two).await;
    world.clock.advance(2_000);
    world.until(|world| world.texts() == ["one", "two", "three", "three"]).await;

    // While the rate is limited nothing is sent, and one that cannot be sent
    // again holds up the others for a few attempts only.
    unreadable(&world, &two).await;
    let limited = Fault::retry(OVERLIMIT, "slow down");
    let refused = || Fault::retry("timeout", "no word");
    *world.links.refuse.lock().unwrap() = vec![refused(), refused(), refused(), limited];
    world.clock.advance(2_000);
    world.until(|world| world.links.refuse.lock().unwrap().len() == 3).await;
    let four = world.send(BOB, "four").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.texts().len(), 4, "held");
    for _ in 0..120 {
        world.clock.advance(1_000);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.sent(&four).await;
    assert_eq!(world.texts(), ["one", "two", "three", "three", "four"]);
    assert!(world.links.refuse.lock().unwrap().is_empty(), "it was tried three times more");
}
