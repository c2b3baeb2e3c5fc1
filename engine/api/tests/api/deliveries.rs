//! Deliveries: every attempt is kept, what is dead is listed, and anything can be
//! sent again.

use crate::receiver::{Receiver, impatient, status};
use crate::world::{ADMIN, ALICE, BOB, World, eventually};
use serde_json::{Value, json};
use std::time::Duration;

const ANA: &str = "628111111111";

#[tokio::test]
async fn a_dead_delivery_is_listed_with_its_attempts_and_replayed_under_the_same_event() {
    let world = World::with_engine(impatient).await;
    let receiver = Receiver::start().await;
    let target = world.target(&receiver.url, json!({})).await;
    receiver.answer([status(500), status(503)]);
    world.hear(ANA, "one").await;
    let dead = world.delivery("session=main", "dead").await;
    assert_eq!((&dead["attempts"], &dead["status"]), (&json!(2), &json!(503)));
    assert_eq!((&dead["target"], &dead["dueAt"]), (&target["id"], &Value::Null));
    let path = format!("/deliveries/{}", dead["id"].as_str().unwrap());
    let shown = world.get(&path).await.body["result"].clone();
    let history = shown["history"].as_array().unwrap();
    assert_eq!((&history[0]["number"], &history[0]["status"]), (&json!(1), &json!(500)));
    assert_eq!((&history[1]["answer"], &history[1]["status"]), (&json!("said 503"), &json!(503)));
    assert!(history[1]["error"].as_str().unwrap().contains("503"));
    assert!(history[0]["at"].as_i64().unwrap() <= history[1]["at"].as_i64().unwrap());

    let again = world.post(&format!("{path}/replay"), Value::Null).await;
    assert_eq!(again.codes(), (202, 1002), "{}", again.body);
    let delivered = world.delivery("session=main", "delivered").await;
    assert_eq!((&delivered["id"], &delivered["attempts"]), (&dead["id"], &json!(3)));
    let got = receiver.wait(3).await;
    let event = dead["eventId"].as_str().unwrap();
    for (index, got) in got.iter().enumerate() {
        assert_eq!((got.header("x-warest-event-id"), got.header("webhook-id")), (event, event));
        assert_eq!(got.header("x-warest-delivery-attempt"), (index + 1).to_string(), "attempts go on counting");
    }
    let history = world.get(&path).await.body["result"]["history"].clone();
    assert_eq!((&history[2]["status"], &history[2]["error"]), (&json!(200), &Value::Null));
}

#[tokio::test]
async fn a_replayed_delivery_does_not_run_the_answer_again() {
    let world = World::with_engine(impatient).await;
    let receiver = Receiver::start().await;
    world.target(&receiver.url, json!({})).await;
    let answer = json!({ "actions": [{ "type": "text", "text": "hello" }] }).to_string();
    receiver.otherwise((200, Vec::new(), answer.clone()));
    world.hear(ANA, "one").await;
    let delivered = world.delivery("session=main", "delivered").await;
    let path = format!("/deliveries/{}", delivered["id"].as_str().unwrap());
    assert_eq!(world.get(&path).await.body["result"]["history"][0]["answer"], answer);
    eventually("the text", async || (world.links.sent.lock().unwrap().len() == 1).then_some(())).await;
    assert_eq!(world.post(&format!("{path}/replay"), Value::Null).await.codes(), (202, 1002));
    receiver.wait(2).await;
    world.delivery("session=main", "delivered").await;
    // A later message is answered; whatever the repeat started would have come before.
    world.hear(ANA, "two").await;
    eventually("the second text", async || (world.links.sent.lock().unwrap().len() >= 2).then_some(())).await;
    let runs = world.get("/runs?session=main").await.body["results"].clone();
    assert_eq!(runs.as_array().unwrap().len(), 2, "one for each event: {runs}");
    assert_eq!(world.links.sent.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_range_is_replayed_in_the_order_of_its_events() {
    let world = World::with_engine(impatient).await;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    let target = world.target(&receiver.url, json!({})).await;
    world.target(&other.url, json!({})).await;
    for receiver in [&receiver, &other] {
        // Given up at once, and no failure of the receiver.
        receiver.answer([400, 400, 400].map(status));
    }
    let begun = world.engine.clock().now_ms();
    for text in ["one", "two", "three"] {
        world.hear(ANA, text).await;
    }
    let all_dead = async || {
        let dead = world.get("/deliveries?session=main&state=dead").await.body["results"].clone();
        (dead.as_array().unwrap().len() == 6).then_some(())
    };
    eventually("six dead deliveries", all_dead).await;
    let range = json!({ "sessionId": "main", "target": target["id"], "from": begun, "to": begun + 600_000 });
    let nothing = json!({ "sessionId": "main", "from": begun - 9, "to": begun - 1 });
    assert_eq!(world.post("/deliveries/replay", nothing).await.codes(), (200, 1005));
    assert_eq!(world.call(BOB, "POST", "/deliveries/replay", Some(range.clone())).await.codes(), (403, 2201));
    let replayed = world.post("/deliveries/replay", range).await;
    assert_eq!(replayed.codes(), (202, 1002), "{}", replayed.body);
    assert_eq!(replayed.body["result"], json!({ "replayed": 3, "restFrom": null }));
    receiver.wait(6).await;
    assert_eq!(receiver.texts()[3..], ["one", "two", "three"]);
    assert_eq!(other.texts().len(), 3, "the other target was not meant");
}

#[tokio::test]
async fn what_cannot_be_replayed_says_why() {
    let world = World::with_engine(|config| {
        impatient(config);
        config.deliver.long_schedule_ms = vec![3_600_000];
    })
    .await;
    let receiver = Receiver::start().await;
    let target = world.target(&receiver.url, json!({})).await;
    receiver.answer([status(400)]);
    receiver.otherwise(status(500));
    world.hear(ANA, "one").await;
    let dead = world.delivery("session=main", "dead").await;
    world.hear(ANA, "two").await;
    let pending = world.delivery_that("session=main&state=pending", |found| found["attempts"] == 2).await;
    assert!(pending["dueAt"].as_i64().unwrap() > world.engine.clock().now_ms());
    let replay = async |delivery: &Value| {
        world.post(&format!("/deliveries/{}/replay", delivery["id"].as_str().unwrap()), Value::Null).await
    };
    let refused = replay(&pending).await;
    assert_eq!(refused.codes(), (409, 2003));
    assert!(refused.body["message"].as_str().unwrap().contains("still pending"), "{}", refused.body);

    let path = format!("/session/main/targets/{}", target["id"].as_str().unwrap());
    assert_eq!(world.call(ALICE, "DELETE", &path, None).await.codes(), (200, 1000));
    let given_up = world.delivery(&format!("event={}", pending["eventId"].as_str().unwrap()), "dead").await;
    assert_eq!(given_up["error"], "its target was removed");
    let refused = replay(&dead).await;
    assert_eq!(refused.codes(), (409, 2003));
    assert!(refused.body["message"].as_str().unwrap().contains("removed"), "{}", refused.body);
    for (wrong, field) in [
        (json!({ "sessionId": "main", "from": 1, "to": 2, "state": "pending" }), "state"),
        (json!({ "sessionId": "main", "from": 2, "to": 2 }), "from"),
        (json!({ "sessionId": "main", "to": 2 }), "from"),
    ] {
        let answer = world.post("/deliveries/replay", wrong).await;
        assert_eq!(answer.status.as_u16(), 400, "{}", answer.body);
        assert!(answer.body["message"].as_str().unwrap().contains(field), "{}", answer.body);
    }
}

#[tokio::test]
async fn tenants_see_their_own_deliveries_only() {
    let world = World::with_engine(impatient).await;
    let receiver = Receiver::start().await;
    world.target(&receiver.url, json!({})).await;
    world.hear(ANA, "one").await;
    let delivered = world.delivery("session=main", "delivered").await;
    let path = format!("/deliveries/{}", delivered["id"].as_str().unwrap());
    assert_eq!(world.call(BOB, "GET", &path, None).await.codes(), (403, 2201));
    assert_eq!(world.call(BOB, "POST", &format!("{path}/replay"), None).await.codes(), (403, 2201));
    assert_eq!(world.call(BOB, "GET", "/deliveries", None).await.body["results"], json!([]));
    let target = delivered["target"].as_str().unwrap();
    let asked = world.call(BOB, "GET", &format!("/deliveries?target={target}"), None).await;
    assert_eq!(asked.body["results"], json!([]));
    assert_eq!(world.call(ADMIN, "GET", &path, None).await.codes(), (200, 1000));
}

#[tokio::test]
async fn a_receiver_that_is_busy_is_asked_when_it_says() {
    let world = World::with_engine(impatient).await;
    let receiver = Receiver::start().await;
    world.target(&receiver.url, json!({})).await;
    receiver.answer([(429, vec![("retry-after", "120".to_owned())], String::new())]);
    world.hear(ANA, "one").await;
    let pending = world.delivery_that("session=main&state=pending", |found| found["attempts"] == 1).await;
    let wait = pending["dueAt"].as_i64().unwrap() - world.engine.clock().now_ms();
    assert!((100_000..=120_000).contains(&wait), "{wait}");
    world.clock.forward(Duration::from_secs(121));
    assert_eq!(receiver.wait(2).await.len(), 2);
}
