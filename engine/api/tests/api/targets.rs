//! Webhook targets: options, secrets, pauses, stops.

use crate::receiver::{Receiver, impatient, status};
use crate::world::{ADMIN, ALICE, Answer, BOB, World, eventually};
use serde_json::{Value, json};
use std::time::Duration;
use warest_pipeline::deliver::sign::{SignatureLength, contract_signature, standard_signatures};
use warest_pipeline::engine::DefaultWebhook;

const ANA: &str = "628111111111";
const BEN: &str = "628222222222";

fn path(target: &Value) -> String {
    format!("/session/main/targets/{}", target["id"].as_str().unwrap())
}

async fn patch(world: &World, target: &Value, change: Value) -> Answer {
    world.call(ALICE, "PATCH", &path(target), Some(change)).await
}

async fn shown(world: &World, target: &Value) -> Value {
    world.get(&path(target)).await.body["result"].clone()
}

async fn state(world: &World, target: &Value, state: &str) -> Value {
    eventually(&format!("a target that is {state}"), async || {
        Some(shown(world, target).await).filter(|target| target["state"] == state)
    })
    .await
}

#[tokio::test]
async fn targets_are_added_shown_changed_and_removed() {
    let world = World::new().await;
    let made = world.target("https://hooks.example.com/a", json!({ "order": "none", "concurrency": 3 })).await;
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let one = shown(&world, &made).await;
    assert_eq!(one["secret"], Value::Null, "a secret is shown once");
    assert_eq!((&one["state"], &one["notice"], &one["default"]), (&json!("ok"), &Value::Null, &json!(false)));
    assert_eq!((&one["order"], &one["concurrency"]), (&json!("none"), &json!(3)));
    let listed = world.get("/session/main/targets").await.body["results"].clone();
    assert_eq!(listed, json!([one]));
    assert_eq!(world.get("/session/main").await.body["result"]["targets"], json!([one]));

    let change = json!({ "events": null, "concurrency": null, "order": "chat", "payload": "node", "enabled": false });
    let changed = patch(&world, &made, change).await;
    assert_eq!(changed.codes(), (200, 1000), "{}", changed.body);
    let changed = &changed.body["result"];
    assert_eq!((&changed["events"], &changed["concurrency"]), (&Value::Null, &Value::Null));
    assert_eq!((&changed["payload"], &changed["state"]), (&json!("node"), &json!("off")));
    assert_eq!(changed["url"], "https://hooks.example.com/a", "what is not named stays");

    // The contract's way to set URLs keeps the target and what was chosen for it.
    let config = json!({ "webhookUrl": ["https://hooks.example.com/b", "https://hooks.example.com/a"] });
    assert_eq!(world.post("/session/main/config", config).await.codes(), (200, 1000));
    let kept = shown(&world, &made).await;
    assert_eq!((&kept["payload"], &kept["state"]), (&json!("node"), &json!("off")));

    for (wrong, codes, word) in [
        (json!({ "url": "http://127.0.0.1:8080/" }), (400, 1201), "public"),
        (json!({ "events": [] }), (400, 2002), "`events`"),
        (json!({ "events": ["nope"] }), (400, 2002), "`events`"),
        (json!({ "payload": "xml" }), (400, 2002), "`payload`"),
        (json!({ "order": "random" }), (400, 2002), "`order`"),
        (json!({ "concurrency": 0 }), (400, 2002), "`concurrency`"),
        (json!({ "concurrency": 65 }), (400, 2002), "`concurrency`"),
        (json!({ "secret": "x" }), (400, 2002), "rotate"),
    ] {
        let answer = patch(&world, &made, wrong).await;
        assert_eq!(answer.codes(), codes, "{}", answer.body);
        assert!(answer.body["message"].as_str().unwrap().contains(word), "{}", answer.body);
    }
    for (method, end) in [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/resume")] {
        let body = (method == "PATCH").then(|| json!({ "enabled": true }));
        let answer = world.call(BOB, method, &format!("{}{end}", path(&made)), body).await;
        assert_eq!(answer.codes(), (403, 2201), "{method} {end}");
    }
    let theirs = format!("/session/theirs/targets/{}", made["id"].as_str().unwrap());
    assert_eq!(world.call(BOB, "GET", &theirs, None).await.codes(), (404, 2600), "nor by way of their own session");
    assert_eq!(world.call(ALICE, "DELETE", &path(&made), None).await.codes(), (200, 1000));
    assert_eq!(world.get(&path(&made)).await.codes(), (404, 2600));
}

#[tokio::test]
async fn a_session_has_a_bounded_number_of_targets() {
    let world = World::new().await;
    for number in 0..16 {
        world.target(&format!("https://hooks.example.com/{number}"), json!({})).await;
    }
    let more = world.post("/session/main/targets", json!({ "url": "https://hooks.example.com/x" })).await;
    assert_eq!(more.codes(), (400, 2002), "{}", more.body);
}

#[tokio::test]
async fn a_target_gets_the_events_it_wants_in_the_shape_it_wants() {
    let world = World::with_engine(impatient).await;
    let (all, node) = (Receiver::start().await, Receiver::start().await);
    let silent = Receiver::start().await;
    world.target(&all.url, json!({ "events": null })).await;
    world.target(&node.url, json!({ "payload": "node" })).await;
    world.target(&silent.url, json!({ "events": ["presence_update"] })).await;
    let off = world.target(&silent.url, json!({ "enabled": false })).await;
    world.hear(ANA, "hi").await;
    let seed = all.wait(1).await.remove(0).body;
    assert_eq!((&seed["data"]["message"], &seed["data"]["tags"]), (&json!({ "text": "hi" }), &json!(["inbound"])));
    let node = node.wait(1).await.remove(0).body;
    assert_eq!((&node["data"]["text"], &node["data"]["tags"]), (&json!("hi"), &json!("inbound")));
    assert_eq!(node["data"]["message"]["message"], json!({ "conversation": "hi" }));
    assert_eq!(node["data"]["sender"]["chatId"], "628111111111@s.whatsapp.net");
    let owed = world.get("/deliveries?session=main").await.body["results"].clone();
    assert_eq!(owed.as_array().unwrap().len(), 2, "the others are owed nothing: {owed}");
    assert!(silent.got().is_empty());
    patch(&world, &off, json!({ "enabled": true })).await;
    world.hear(ANA, "more").await;
    assert_eq!(silent.wait(1).await[0].text(), "more");
}

#[tokio::test]
async fn a_rotated_secret_overlaps_the_one_before() {
    let world = World::with_engine(impatient).await;
    let receiver = Receiver::start().await;
    let target = world.target(&receiver.url, json!({ "secret": "the first" })).await;
    assert_eq!(target["secret"], "the first");
    let rotated = world.post(&format!("{}/rotate", path(&target)), json!({ "overlapSec": 60 })).await;
    assert_eq!(rotated.codes(), (200, 1000), "{}", rotated.body);
    let new = rotated.body["result"]["secret"].as_str().unwrap();
    assert!(new.starts_with("whsec_"));
    assert!(shown(&world, &target).await["oldSecretUntil"].is_i64());
    world.hear(ANA, "during").await;
    let during = receiver.wait(1).await.remove(0);
    let signed = |secrets: &[&str], got: &crate::receiver::Got| {
        let seconds = got.header("webhook-timestamp").parse().unwrap();
        standard_signatures(secrets, got.header("webhook-id"), seconds, &got.raw)
    };
    assert_eq!(during.header("webhook-signature"), signed(&[new, "the first"], &during));
    let contract = contract_signature(SignatureLength::Sha256, new, "alice", &during.raw);
    assert_eq!(during.header("x-warest-signature"), contract, "the contract's is made with the new one");

    world.clock.forward(Duration::from_secs(61));
    world.hear(ANA, "after").await;
    let after = receiver.wait(2).await.remove(1);
    assert_eq!(after.header("webhook-signature"), signed(&[new], &after));
    assert_eq!(shown(&world, &target).await["oldSecretUntil"], Value::Null);

    let at_once = world.post(&format!("{}/rotate", path(&target)), json!({ "secret": "third", "overlapSec": 0 })).await;
    assert_eq!(at_once.body["result"], json!({ "id": target["id"], "secret": "third", "oldSecretUntil": null }));
    world.hear(ANA, "last").await;
    let last = receiver.wait(3).await.remove(2);
    assert_eq!(last.header("webhook-signature"), signed(&["third"], &last));
    let too_long = world.post(&format!("{}/rotate", path(&target)), json!({ "overlapSec": 2_592_001 })).await;
    assert_eq!(too_long.codes(), (400, 2002));
}

#[tokio::test]
async fn a_refusal_pauses_a_target_which_is_tested_and_resumed() {
    let world = World::with_engine(impatient).await;
    let receiver = Receiver::start().await;
    let target = world.target(&receiver.url, json!({})).await;
    receiver.answer([status(403)]);
    world.hear(ANA, "one").await;
    let paused = state(&world, &target, "paused").await;
    let until = paused["pausedUntil"].as_i64().unwrap() - world.engine.clock().now_ms();
    assert!((14 * 60_000..=15 * 60_000).contains(&until), "{until}");
    world.hear(BEN, "two").await;

    receiver.answer([(202, Vec::new(), "here I am".to_owned())]);
    let test = world.post(&format!("{}/test", path(&target)), Value::Null).await;
    assert_eq!(test.codes(), (200, 1000), "{}", test.body);
    let result = &test.body["result"];
    assert_eq!((&result["ok"], &result["status"]), (&json!(true), &json!(202)));
    assert_eq!((&result["answer"], &result["error"]), (&json!("here I am"), &Value::Null));
    let got = receiver.wait(2).await.remove(1);
    assert_eq!((got.header("x-warest-event"), &got.body["event"]), ("webhook_test", &json!("webhook_test")));
    assert_eq!(got.header("x-warest-event-id"), result["eventId"]);
    assert_eq!(shown(&world, &target).await["state"], "paused", "a test changes nothing");
    receiver.answer([status(500)]);
    let failed = world.post(&format!("{}/test", path(&target)), Value::Null).await.body["result"].clone();
    assert_eq!((&failed["ok"], &failed["answer"]), (&json!(false), &json!("said 500")));
    let pending = world.get("/deliveries?session=main&state=pending").await.body["results"].clone();
    assert_eq!(pending.as_array().unwrap().len(), 2, "both wait");

    let resumed = world.post(&format!("{}/resume", path(&target)), Value::Null).await;
    assert_eq!((resumed.codes(), &resumed.body["result"]["state"]), ((200, 1000), &json!("ok")));
    let mut texts = receiver.wait(5).await[3..].iter().map(|got| got.text().to_owned()).collect::<Vec<_>>();
    texts.sort();
    assert_eq!(texts, ["one", "two"], "both are sent at once");
    let event = receiver.got()[0].header("x-warest-event-id").to_owned();
    world
        .delivery_that(&format!("event={event}"), |found| found["state"] == "delivered" && found["attempts"] == 2)
        .await;
}

#[tokio::test]
async fn a_target_that_is_gone_keeps_its_secret_and_its_dead_can_be_sent_elsewhere() {
    let world = World::with_engine(impatient).await;
    let (gone, new, witness) = (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    let target = world.target(&gone.url, json!({ "secret": "kept", "events": null })).await;
    world.target(&witness.url, json!({ "events": ["webhook_status"] })).await;
    gone.answer([status(410)]);
    world.hear(ANA, "one").await;
    let emptied = state(&world, &target, "no_url").await;
    assert!(emptied["notice"].as_str().unwrap().contains("PATCH"), "{emptied}");
    let told = witness.wait(1).await.remove(0).body;
    assert_eq!((&told["event"], &told["data"]["state"]), (&json!("webhook_status"), &json!("gone")));
    assert_eq!(told["data"]["targetId"], target["id"]);
    let resume = world.post(&format!("{}/resume", path(&target)), Value::Null).await;
    assert_eq!(resume.codes(), (409, 2003), "there is no URL to resume");

    let moved = patch(&world, &target, json!({ "url": new.url })).await;
    assert_eq!((moved.codes(), &moved.body["result"]["state"]), ((200, 1000), &json!("ok")));
    let dead = world.delivery("session=main", "dead").await;
    let replay = format!("/deliveries/{}/replay", dead["id"].as_str().unwrap());
    assert_eq!(world.post(&replay, Value::Null).await.codes(), (202, 1002));
    let got = new.wait(1).await.remove(0);
    assert_eq!(got.text(), "one");
    let contract = contract_signature(SignatureLength::Sha256, "kept", "alice", &got.raw);
    assert_eq!(got.header("x-warest-signature"), contract);
    assert_eq!(gone.got().len(), 1);
}

#[tokio::test]
async fn an_open_circuit_is_tried_by_one_request_until_one_succeeds() {
    let world = World::with_engine(|config| {
        impatient(config);
        config.deliver.long_schedule_ms = vec![1; 20];
    })
    .await;
    let receiver = Receiver::start().await;
    let target = world.target(&receiver.url, json!({})).await;
    receiver.otherwise(status(500));
    world.hear("628100000000", "first").await;
    let open = state(&world, &target, "paused").await;
    assert_eq!((&open["failures"], receiver.got().len()), (&json!(5), 5), "five in a row open it");
    for number in 1..8 {
        world.hear(&format!("62810000000{number}"), "more").await;
    }
    receiver.hold();
    world.clock.forward(Duration::from_secs(61));
    receiver.wait(6).await;
    receiver.let_go(1);
    let again = eventually("the failed probe", async || {
        Some(shown(&world, &target).await).filter(|target| target["failures"] == 6 && target["state"] == "paused")
    })
    .await;
    assert!(again["pausedUntil"].as_i64().unwrap() > world.engine.clock().now_ms() + 50_000);
    assert_eq!(receiver.got().len(), 6, "one probe, and no more");

    receiver.otherwise(status(200));
    world.clock.forward(Duration::from_secs(61));
    receiver.wait(7).await;
    receiver.let_go(1_000);
    let all = receiver.wait(14).await;
    let probe = all[6].left.unwrap();
    assert!(all[7..].iter().all(|got| got.came >= probe), "the others came after the probe had succeeded");
    state(&world, &target, "ok").await;
}

#[tokio::test]
async fn a_target_that_fails_for_days_is_stopped_with_an_event_until_it_is_resumed() {
    const DAY: Duration = Duration::from_secs(24 * 3_600);
    let world = World::with_engine(|config| {
        impatient(config);
        config.deliver.long_schedule_ms = vec![DAY.as_millis() as u64; 20];
    })
    .await;
    let (failing, witness) = (Receiver::start().await, Receiver::start().await);
    let target = world.target(&failing.url, json!({ "events": null })).await;
    world.target(&witness.url, json!({ "events": ["webhook_status"] })).await;
    failing.otherwise(status(500));
    world.hear(ANA, "one").await;
    for attempts in 2..7 {
        world.delivery_that("session=main&state=pending", |found| found["attempts"] == attempts).await;
        assert!(witness.got().is_empty(), "not before its time");
        world.clock.forward(DAY + Duration::from_secs(61));
    }
    let stopped = state(&world, &target, "stopped").await;
    assert!(stopped["notice"].as_str().unwrap().contains("resume"), "{stopped}");
    assert!(stopped["stoppedAt"].as_i64().unwrap() - stopped["failingSince"].as_i64().unwrap() >= 5 * 86_400_000);
    let of_session = world.get("/session/main").await.body["result"]["targets"][0].clone();
    assert_eq!(of_session["notice"], stopped["notice"]);
    let told = witness.wait(1).await.remove(0).body;
    assert_eq!((&told["data"]["state"], &told["data"]["targetId"]), (&json!("stopped"), &target["id"]));
    let events = world.get("/events?event=webhook_status").await.body["results"].clone();
    assert_eq!(events.as_array().unwrap().len(), 1, "said once");

    // What happens meanwhile is owed, and waits.
    world.hear(BEN, "two").await;
    let owed = format!("/deliveries?session=main&state=pending&target={}", target["id"].as_str().unwrap());
    let pending = async || world.get(&owed).await.body["results"].clone();
    assert_eq!(pending().await.as_array().unwrap().len(), 2);
    let tried = failing.got().len();
    failing.otherwise(status(200));
    let resumed = world.post(&format!("{}/resume", path(&target)), Value::Null).await;
    assert_eq!((resumed.codes(), &resumed.body["result"]["stoppedAt"]), ((200, 1000), &Value::Null));
    let rest = failing.wait(tried + 2).await.split_off(tried);
    let mut texts: Vec<&str> = rest.iter().map(|got| got.text()).collect();
    texts.sort_unstable();
    assert_eq!(texts, ["one", "two"], "at once, though the first was due in a day");
    assert_eq!(witness.wait(2).await[1].body["data"]["state"], "resumed");
    let texts: Vec<Value> = failing.got().iter().map(|got| got.body["event"].clone()).collect();
    assert!(texts.iter().all(|event| event == "message_received"), "a target is not told of itself: {texts:?}");
}

#[tokio::test]
async fn a_chat_waits_for_its_head_unless_the_target_does_without_order() {
    let world = World::with_engine(|config| {
        impatient(config);
        config.deliver.long_schedule_ms = vec![3_600_000];
        config.deliver.retries = 0;
    })
    .await;
    let (ordered, loose) = (Receiver::start().await, Receiver::start().await);
    world.target(&ordered.url, json!({})).await;
    world.target(&loose.url, json!({ "order": "none" })).await;
    for receiver in [&ordered, &loose] {
        receiver.answer([status(500)]);
    }
    world.hear(ANA, "one").await;
    ordered.wait(1).await;
    loose.wait(1).await;
    world.hear(ANA, "two").await;
    world.hear(BEN, "three").await;
    loose.wait(3).await;
    assert_eq!(ordered.wait(2).await[1].text(), "three", "the chat waits, and no other");
    world.clock.forward(Duration::from_secs(3_700));
    ordered.wait(4).await;
    loose.wait(4).await;
    assert_eq!(ordered.texts(), ["one", "three", "one", "two"]);
    assert_eq!(loose.texts()[3], "one");
}

#[tokio::test]
async fn a_target_gets_no_more_requests_at_once_than_it_asks_for() {
    let world = World::with_engine(impatient).await;
    let receiver = Receiver::start().await;
    let target = world.target(&receiver.url, json!({ "concurrency": 2, "order": "none" })).await;
    receiver.hold();
    for number in 0..6 {
        world.hear(ANA, &number.to_string()).await;
    }
    receiver.wait(2).await;
    receiver.let_go(1);
    receiver.wait(3).await;
    // The change holds for what begins after it.
    patch(&world, &target, json!({ "concurrency": 5 })).await;
    receiver.let_go(5);
    let got = receiver.wait(6).await;
    for (index, one) in got.iter().enumerate().take(3) {
        let open = got[..index].iter().filter(|before| before.left.is_none_or(|left| left > one.came)).count();
        assert!(open < 2, "request {index} came while {open} were open");
    }
}

#[tokio::test]
async fn targets_are_served_one_after_another_if_told_so() {
    let world = World::with_engine(|config| {
        impatient(config);
        config.deliver.parallel_targets = false;
        config.deliver.long_schedule_ms = vec![3_600_000];
        config.deliver.retries = 0;
    })
    .await;
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    world.target(&first.url, json!({})).await;
    world.target(&second.url, json!({})).await;
    first.hold();
    world.hear(ANA, "one").await;
    first.wait(1).await;
    // Another session is not concerned by that; the second target waits.
    assert!(second.got().is_empty());
    first.answer([status(500)]);
    first.let_go(1);
    let got = second.wait(1).await.remove(0);
    assert!(got.came >= first.got()[0].left.unwrap(), "it came after the first had had its attempt");
    world.hear(ANA, "two").await;
    // The first target's chat is held up by its failure. That holds up the second no longer than an attempt may take.
    world.clock.forward(Duration::from_secs(11));
    assert_eq!(second.wait(2).await[1].text(), "two");
    assert_eq!(first.texts(), ["one"]);
}

#[tokio::test]
async fn sessions_without_a_target_have_the_operators() {
    let receiver = Receiver::start().await;
    let url = receiver.url.clone();
    let world = World::with_engine(move |config| {
        impatient(config);
        config.default_webhook = Some(DefaultWebhook { url, secret: "the operator's".to_owned() });
    })
    .await;
    world.hear(ANA, "one").await;
    let got = receiver.wait(1).await.remove(0);
    assert_eq!(got.text(), "one");
    let contract = contract_signature(SignatureLength::Sha256, "the operator's", "alice", &got.raw);
    assert_eq!(got.header("x-warest-signature"), contract);
    let listed = world.get("/session/main/targets").await.body["results"].clone();
    assert_eq!((&listed[0]["default"], &listed[0]["url"]), (&json!(true), &Value::Null), "its URL is the operator's");
    let by_admin = world.call(ADMIN, "GET", "/session/main/targets", None).await.body["results"].clone();
    assert_eq!(by_admin[0]["url"], json!(receiver.url));
    let session = world.get("/session/main").await.body.to_string();
    assert!(!session.contains("the operator's") && !session.contains(&receiver.url), "{session}");
    for (method, end, body) in
        [("PATCH", "", Some(json!({ "enabled": false }))), ("DELETE", "", None), ("POST", "/rotate", None)]
    {
        let answer = world.call(ALICE, method, &format!("{}{end}", path(&listed[0])), body).await;
        assert_eq!(answer.codes(), (409, 2003), "{method} {end}: {}", answer.body);
    }

    let own = Receiver::start().await;
    let target = world.target(&own.url, json!({})).await;
    assert_eq!(world.get("/session/main/targets").await.body["results"].as_array().unwrap().len(), 1);
    world.hear(ANA, "two").await;
    assert_eq!(own.wait(1).await[0].text(), "two");
    assert_eq!(world.call(ALICE, "DELETE", &path(&target), None).await.codes(), (200, 1000));
    world.hear(ANA, "three").await;
    assert_eq!(receiver.wait(2).await[1].text(), "three");
    let config = json!({ "webhookUrl": own.url });
    assert_eq!(world.post("/session/main/config", config).await.codes(), (200, 1000));
    assert_eq!(world.post("/session/main/config", json!({ "webhookUrl": null })).await.codes(), (200, 1000));
    world.hear(ANA, "four").await;
    assert_eq!(receiver.wait(3).await[2].text(), "four");
}
