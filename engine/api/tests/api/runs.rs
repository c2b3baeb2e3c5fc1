//! Ad-hoc actions, their runs, and the event log.

use crate::world::{ADMIN, BOB, World};
use serde_json::{Value, json};
use std::time::Duration;
use warest_model::event::{EventKind, Observation};

async fn ended(world: &World, path: &str) -> Value {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let run = world.get(path).await.body["result"].clone();
        if run["state"] != "active" {
            return run;
        }
        assert!(tokio::time::Instant::now() < deadline, "the run did not end: {run}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn actions_become_a_run_that_can_be_read_step_by_step() {
    let world = World::new().await;
    let actions = json!([
        { "type": "text", "to": "628111111111", "text": "one" },
        { "act": "delay", "ms": 10 },
        { "act": "queue", "items": [{ "type": "text", "to": "628111111111", "text": "two" }] },
    ]);
    let started = world.post("/session/main/actions", json!({ "actions": actions })).await;
    assert_eq!(started.codes(), (202, 1002), "{}", started.body);
    let id = started.body["result"]["runId"].as_str().unwrap();
    let run = ended(&world, &format!("/runs/{id}")).await;
    assert_eq!((&run["state"], &run["cause"]["by"]), (&"done".into(), &"api".into()));
    assert_eq!(run["plan"]["actions"][0]["text"], "one");
    let steps = run["steps"].as_array().unwrap();
    let text = steps.iter().find(|step| step["path"] == "2.0").expect("a step for the nested text");
    assert_eq!((&text["action"], &text["state"], &text["attempts"]), (&"text".into(), &"done".into(), &1.into()));
    assert!(text["messageId"].as_str().unwrap().starts_with("3EB0"));
    assert!(text["startedAt"].as_i64().unwrap() <= text["endedAt"].as_i64().unwrap());

    let list = world.get("/runs?session=main&state=done&limit=1").await;
    assert_eq!(list.body["results"][0]["id"], id);
    assert_eq!(list.body["next"], id, "there may be more");
    let older = world.get(&format!("/runs?before={id}")).await;
    assert_eq!((&older.body["results"], &older.body["next"]), (&json!([]), &Value::Null));
    assert_eq!(world.call(BOB, "GET", &format!("/runs/{id}"), None).await.codes(), (403, 2201));
    assert_eq!(world.call(BOB, "GET", "/runs", None).await.body["results"], json!([]));
    assert_eq!(world.call(ADMIN, "GET", &format!("/runs/{id}"), None).await.codes(), (200, 1000));
}

#[tokio::test]
async fn a_script_runs_once_and_replies_where_it_is_told() {
    let world = World::new().await;
    let order = json!({ "script": "reply(\"from a script\");", "chat": "628111111111" });
    let started = world.post("/session/main/actions", order).await;
    assert_eq!(started.codes(), (202, 1002), "{}", started.body);
    let path = format!("/runs/{}", started.body["result"]["runId"].as_str().unwrap());
    assert_eq!(ended(&world, &path).await["state"], "done");
    assert_eq!(world.links.sent.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn wrong_actions_are_refused_whole() {
    let world = World::new().await;
    let before = world.written().await;
    let text = json!({ "type": "text", "to": "628111111111", "text": "x" });
    let mut deep = text.clone();
    for _ in 0..40 {
        deep = json!({ "act": "queue", "items": [deep] });
    }
    for (order, codes) in [
        (json!({}), (400, 2001)),
        (json!({ "actions": [] }), (400, 2002)),
        (json!({ "actions": [text], "script": "" }), (400, 2002)),
        (json!({ "actions": [text, { "type": "explode" }] }), (400, 2002)),
        (json!({ "actions": [text, { "type": "poll" }] }), (400, 2002)),
        (json!({ "actions": [{ "type": "text", "text": "x" }] }), (400, 3007)),
        (json!({ "actions": [{ "type": "text", "to": "628111111111", "text": "x".repeat(65_537) }] }), (400, 3015)),
        (json!({ "actions": [deep] }), (400, 2002)),
        (json!({ "actions": vec![text.clone(); 1_001] }), (400, 2002)),
        (json!({ "script": "loop { }" }), (422, 2012)),
        (json!({ "script": "reply(\"x\");", "chat": "??" }), (400, 3007)),
    ] {
        let answer = world.post("/session/main/actions", order).await;
        assert_eq!(answer.codes(), codes, "{}", answer.body);
    }
    assert_eq!(world.written().await, before);
}

#[tokio::test]
async fn events_are_listed_newest_first_with_filters() {
    let world = World::new().await;
    for (session, chat) in [("main", "628111111111"), ("main", "628222222222"), ("theirs", "628111111111")] {
        let there = world.engine.recipient(chat).unwrap();
        let seen = Observation::new(EventKind::MessageReceived, Some(there), json!({ "text": chat }));
        world.intake.record(&session.parse().unwrap(), vec![seen]).await.unwrap();
        // Ids of one millisecond have no order among themselves.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let all = world.get("/events?event=message_received").await.body["results"].clone();
    assert_eq!((all.as_array().unwrap().len(), &all[0]["data"]["text"]), (2, &"628222222222".into()));
    assert_eq!((&all[0]["event"], &all[0]["sessionId"]), (&"message_received".into(), &"main".into()));
    let one = world.get("/events?sessionId=main&chat=%2B62%20811-1111-111").await;
    assert_eq!(one.body["results"].as_array().unwrap().len(), 1);
    let path = format!("/events/{}", all[0]["id"].as_str().unwrap());
    assert_eq!(world.get(&path).await.body["result"], all[0]);
    assert_eq!(world.call(BOB, "GET", &path, None).await.codes(), (403, 2201));
}
