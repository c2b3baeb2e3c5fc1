//! Jobs: scheduled, cancelled, wedged, listed; bulks.

use crate::links::{open, waiting_for_scan};
use crate::world::{ADMIN, ALICE, Answer, BOB, World};
use serde_json::{Value, json};
use std::time::Duration;
use warest_model::fault::Fault;

const ANA: &str = "628111111111";

/// Asks again and again until `fits` says so.
async fn until(world: &World, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let result = world.get(path).await.body["result"].clone();
        if fits(&result) {
            return result;
        }
        assert!(tokio::time::Instant::now() < deadline, "{path} stays {result}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn job_of(answer: &Answer) -> String {
    format!("/jobs/{}", answer.body["results"][0]["jobId"].as_str().unwrap())
}

async fn texts(world: &World) -> Vec<String> {
    let sent = world.links.sent.lock().unwrap();
    sent.iter().map(|(_, effect, _)| effect.content().unwrap().words().unwrap().into()).collect()
}

fn in_an_hour(world: &World) -> i64 {
    world.engine.clock().now_ms() + 3_600_000
}

#[tokio::test]
async fn a_scheduled_text_holds_up_nothing_and_goes_out_at_its_time() {
    let world = World::new().await;
    let at = world.engine.clock().now_ms() + 700;
    let later = json!({ "sessionId": "main", "to": ANA, "message": "later", "scheduleAt": at });
    let scheduled = world.post("/messages/send/text", later).await;
    assert_eq!(scheduled.codes(), (202, 1003), "{}", scheduled.body);
    assert_eq!(scheduled.body["results"][0]["status"], "text scheduled");
    assert_eq!(scheduled.body["results"][0]["timestamp"], at / 1_000);
    let job = world.get(&job_of(&scheduled)).await.body["result"].clone();
    assert_eq!((&job["state"], &job["dueAt"]), (&"scheduled".into(), &at.into()));
    let now = json!({ "sessionId": "main", "to": ANA, "message": "now", "scheduleAt": "2020-01-01T00:00:00+07:00" });
    assert_eq!(world.post("/messages/send/text", now).await.codes(), (200, 1000), "what has passed means now");
    until(&world, &job_of(&scheduled), |job| job["state"] == "sent").await;
    assert!(world.engine.clock().now_ms() >= at, "not before its time");
    assert_eq!(texts(&world).await, ["now", "later"]);
}

#[tokio::test]
async fn a_job_is_cancelled_until_it_is_sent() {
    let world = World::new().await;
    let letter = |text: &str| json!({ "sessionId": "main", "to": ANA, "message": text });
    let mut later = letter("never");
    later["scheduleAt"] = in_an_hour(&world).into();
    let scheduled = job_of(&world.post("/messages/send/text", later).await);
    assert_eq!(world.call(BOB, "DELETE", &scheduled, None).await.codes(), (403, 2201));
    let gone = world.call(ALICE, "DELETE", &scheduled, None).await;
    assert_eq!(gone.codes(), (200, 7004), "{}", gone.body);
    assert_eq!(
        (&gone.body["result"]["state"], &gone.body["result"]["error"]["code"]),
        (&"cancelled".into(), &"cancelled".into())
    );
    assert_eq!(world.call(ALICE, "DELETE", &scheduled, None).await.codes(), (409, 2003));
    assert_eq!(
        world.call(ALICE, "PATCH", &scheduled, Some(json!({ "scheduleAt": in_an_hour(&world) }))).await.codes(),
        (409, 2003)
    );

    // One that waits for its session can be taken back, too; the next goes out.
    world.links.put("main", waiting_for_scan(0));
    let queued = job_of(&world.post("/messages/send/text", letter("taken back")).await);
    let next = job_of(&world.post("/messages/send/text", letter("next")).await);
    assert_eq!(world.call(ALICE, "DELETE", &queued, None).await.codes(), (200, 7004));
    world.links.put("main", open());
    until(&world, &next, |job| job["state"] == "sent").await;
    assert_eq!(texts(&world).await, ["next"]);
    assert_eq!(world.call(ALICE, "DELETE", &next, None).await.codes(), (409, 2003));
}

#[tokio::test]
async fn a_job_is_scheduled_anew() {
    let world = World::new().await;
    let later = json!({ "sessionId": "main", "to": ANA, "message": "x", "scheduleAt": in_an_hour(&world) });
    let job = job_of(&world.post("/messages/send/text", later).await);
    let tomorrow = in_an_hour(&world) + 82_800_000;
    let moved = world.call(ALICE, "PATCH", &job, Some(json!({ "scheduleAt": tomorrow }))).await;
    assert_eq!(moved.codes(), (202, 7000), "{}", moved.body);
    assert_eq!(world.get(&job).await.body["result"]["dueAt"], tomorrow);
    for (bad, codes) in [
        (json!({}), (400, 2001)),
        (json!({ "scheduleAt": 1_700_000_000 }), (400, 2002)),
        (json!({ "scheduleAt": "2999-01-01T00:00:00Z" }), (400, 2002)),
    ] {
        assert_eq!(world.call(ALICE, "PATCH", &job, Some(bad)).await.codes(), codes);
    }
    let now = world.call(ALICE, "PATCH", &job, Some(json!({ "scheduleAt": "2020-01-01T00:00:00Z" }))).await;
    assert_eq!(now.codes(), (202, 7000), "{}", now.body);
    until(&world, &job, |job| job["state"] == "sent").await;

    // One that is in line leaves it, and the chat goes on.
    world.links.put("main", waiting_for_scan(0));
    let letter = |text: &str| json!({ "sessionId": "main", "to": ANA, "message": text });
    let first = job_of(&world.post("/messages/send/text", letter("first")).await);
    let second = job_of(&world.post("/messages/send/text", letter("second")).await);
    let moved = world.call(ALICE, "PATCH", &first, Some(json!({ "scheduleAt": in_an_hour(&world) }))).await;
    assert_eq!(moved.codes(), (202, 7000), "{}", moved.body);
    world.links.put("main", open());
    until(&world, &second, |job| job["state"] == "sent").await;
    assert_eq!(world.get(&first).await.body["result"]["state"], "scheduled");
}

#[tokio::test]
async fn a_cancelled_step_fails_and_its_run_goes_on() {
    let world = World::new().await;
    world.links.put("main", waiting_for_scan(0));
    let actions = json!([
        { "type": "text", "to": ANA, "text": "first" }, { "type": "text", "to": ANA, "text": "second" },
    ]);
    let started = world.post("/session/main/actions", json!({ "actions": actions })).await;
    let run = format!("/runs/{}", started.body["result"]["runId"].as_str().unwrap());
    let listed = world.get("/jobs?session=main&state=queued").await;
    let job = format!("/jobs/{}", listed.body["results"][0]["id"].as_str().unwrap());
    assert_eq!(world.call(ALICE, "DELETE", &job, None).await.codes(), (200, 7004));
    world.links.put("main", open());
    let ended = until(&world, &run, |run| run["state"] != "active").await;
    assert_eq!(ended["steps"][0]["error"]["code"], "cancelled", "{ended}");
    assert_eq!((&ended["steps"][0]["state"], &ended["steps"][1]["state"]), (&"failed".into(), &"done".into()));
    assert_eq!(texts(&world).await, ["second"]);
}

#[tokio::test]
async fn what_was_tried_too_often_is_wedged_and_its_chat_goes_on() {
    let world = World::with_engine(|engine| (engine.send.max_retries, engine.send.retry_delay_ms) = (1, 10)).await;
    *world.links.refuse.lock().unwrap() = Some(Fault::retry("server_unavailable", "not now"));
    let letter = |text: &str| json!({ "sessionId": "main", "to": ANA, "message": text });
    let answer = world.post("/messages/send/text", letter("stuck")).await;
    assert_eq!(answer.codes(), (502, 3002), "{}", answer.body);
    assert_eq!(answer.body["results"][0]["status"], "text wedged");
    let job = job_of(&answer);
    let wedged = world.get("/jobs?sessionId=main&state=wedged").await.body["results"].clone();
    assert_eq!((&wedged[0]["attempts"], &wedged[0]["error"]["code"]), (&2.into(), &"server_unavailable".into()));
    *world.links.refuse.lock().unwrap() = None;
    assert_eq!(world.post("/messages/send/text", letter("next")).await.codes(), (200, 1000));

    assert_eq!(world.call(BOB, "POST", &format!("{job}/unwedge"), None).await.codes(), (403, 2201));
    assert_eq!(world.call(ALICE, "POST", &format!("{job}/unwedge"), None).await.codes(), (202, 1002));
    until(&world, &job, |job| job["state"] == "sent").await;
    assert_eq!(texts(&world).await, ["next", "stuck"]);
    assert_eq!(world.call(ALICE, "POST", &format!("{job}/unwedge"), None).await.codes(), (409, 2003));
    let none = world.post("/jobs/unwedge", json!({ "sessionId": "main" })).await;
    assert_eq!((none.codes(), &none.body["result"]["unwedged"]), ((200, 1005), &0.into()));
}

#[tokio::test]
async fn a_step_is_not_wedged_but_fails_as_its_plan_expects() {
    let world = World::with_engine(|engine| (engine.send.max_retries, engine.send.retry_delay_ms) = (1, 10)).await;
    *world.links.refuse.lock().unwrap() = Some(Fault::retry("reach_out_locked", "strangers only"));
    let actions = json!([{ "act": "retry", "attempts": 2, "delayMs": 10, "onFail": [{ "type": "noop" }],
        "item": { "type": "text", "to": ANA, "text": "x" } }]);
    let started = world.post("/session/main/actions", json!({ "actions": actions })).await;
    let run = format!("/runs/{}", started.body["result"]["runId"].as_str().unwrap());
    let ended = until(&world, &run, |run| run["state"] != "active").await;
    assert_eq!(ended["state"], "done", "onFail handled it: {ended}");
    assert_eq!(world.get("/jobs?state=wedged").await.body["results"], json!([]));
}

#[tokio::test]
async fn a_bulk_is_stored_at_once_and_tells_how_it_goes() {
    let world = World::new().await;
    let to: Vec<String> = (0..100).map(|index| format!("6281{index:08}")).collect();
    let order = json!({ "sessionId": "main", "to": to, "message": "to all",
        "messages": [{ "to": ANA, "message": "to you" }, { "to": [ANA, "628222222222"], "message": "to both" }] });
    let stored = world.post("/messages/send/bulk", order).await;
    assert_eq!(stored.codes(), (202, 1002), "{}", stored.body);
    assert_eq!(stored.body["result"]["total"], 103);
    let path = format!("/messages/send/bulk/{}", stored.body["result"]["bulkId"].as_str().unwrap());
    let bulk = until(&world, &path, |bulk| bulk["done"] == true).await;
    assert_eq!((&bulk["counts"]["sent"], &bulk["percent"]["sent"]), (&103.into(), &100.0.into()));
    assert_eq!(world.links.sent.lock().unwrap().len(), 103);
    let page = world.get(&format!("{path}?limit=100")).await;
    assert_eq!(page.body["results"].as_array().unwrap().len(), 100);
    let rest = world.get(&format!("{path}?limit=100&before={}", page.body["next"].as_str().unwrap())).await;
    assert_eq!((rest.body["results"].as_array().unwrap().len(), &rest.body["next"]), (3, &Value::Null));
    assert_eq!(rest.body["results"][2]["chat"], "628100000000@s.whatsapp.net", "the first comes last");
    assert_eq!(world.call(BOB, "GET", &path, None).await.codes(), (403, 2201));
    assert_eq!(world.call(ADMIN, "GET", &path, None).await.codes(), (200, 1000));
}

#[tokio::test]
async fn what_is_left_of_a_bulk_is_cancelled() {
    let world = World::new().await;
    world.links.put("main", waiting_for_scan(0));
    let to: Vec<String> = (0..60).map(|index| format!("6281{index:08}")).collect();
    let order = json!({ "sessionId": "main", "to": to, "message": "x" });
    let stored = world.post("/messages/send/bulk", order).await;
    let path = format!("/messages/send/bulk/{}", stored.body["result"]["bulkId"].as_str().unwrap());
    until(&world, &path, |bulk| bulk["counts"]["queued"].as_i64() > Some(0)).await;
    assert_eq!(world.call(BOB, "DELETE", &path, None).await.codes(), (403, 2201));
    let gone = world.call(ALICE, "DELETE", &path, None).await;
    assert_eq!(gone.codes(), (200, 7004), "{}", gone.body);
    assert_eq!((&gone.body["result"]["cancelled"], &gone.body["result"]["done"]), (&60.into(), &true.into()));
    assert_eq!(world.call(ALICE, "DELETE", &path, None).await.codes(), (200, 1005));
    world.links.put("main", open());
    let letter = json!({ "sessionId": "main", "to": "628100000000", "message": "after" });
    assert_eq!(world.post("/messages/send/text", letter).await.codes(), (200, 1000));
    assert_eq!(texts(&world).await, ["after"]);
}

#[tokio::test]
async fn a_wrong_bulk_is_refused_whole() {
    let world = World::new().await;
    let before = world.written().await;
    let many: Vec<String> = (0..10_001).map(|index| format!("6281{index:08}")).collect();
    for (order, codes) in [
        (json!({ "sessionId": "main" }), (400, 2001)),
        (json!({ "sessionId": "main", "messages": [] }), (400, 2002)),
        (json!({ "sessionId": "main", "to": [ANA] }), (400, 2001)),
        (json!({ "sessionId": "main", "to": [ANA, "??"], "message": "x" }), (400, 3007)),
        (json!({ "sessionId": "main", "to": many, "message": "x" }), (400, 2002)),
        (json!({ "sessionId": "main", "messages": [{ "message": "x" }] }), (400, 2001)),
        (json!({ "sessionId": "main", "messages": [{ "to": ANA, "message": "x".repeat(65_537) }] }), (400, 3015)),
        (json!({ "sessionId": "main", "messages": [{ "to": ANA, "message": "x", "scheduleAt": 5 }] }), (400, 2002)),
    ] {
        let answer = world.post("/messages/send/bulk", order).await;
        assert_eq!(answer.codes(), codes, "{}", answer.body);
    }
    assert_eq!(world.written().await, before);
}
