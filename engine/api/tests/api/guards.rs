//! Guards: tuned by REST, and what a client is told by them.

use crate::world::{ADMIN, ALICE, Answer, BOB, World};
use serde_json::{Value, json};
use warest_model::event::{EventKind, Observation};
use warest_model::jid::Jid;

const ANA: &str = "628111111111";

async fn send(world: &World, to: Value) -> Answer {
    world.post("/messages/send/text", json!({ "sessionId": "main", "to": to, "message": "hi" })).await
}

async fn tune(world: &World, changes: Value) -> Value {
    let answer = world.put("/session/main/guards", changes).await;
    assert_eq!(answer.codes(), (200, 1000), "{}", answer.body);
    answer.body["result"].clone()
}

async fn says(world: &World, phone: &str, text: &str, id: &str) {
    let chat = Jid::parse(phone, "62").unwrap();
    let data = json!({ "text": text, "chatId": chat, "lid": "777888@lid" });
    let dedup = Some(id.to_owned());
    let seen = Observation { dedup, ..Observation::new(EventKind::MessageReceived, Some(chat), data) };
    world.intake.record(&"main".parse().unwrap(), vec![seen]).await.unwrap();
}

#[tokio::test]
async fn guards_are_shown_and_tuned_for_each_session() {
    let world = World::with_engine(|engine| {
        engine.guards.cooldown.ms = 4_321;
        engine.guards.quota.enabled = true;
    })
    .await;
    let shown = world.get("/session/main/guards").await;
    assert_eq!(shown.codes(), (200, 1000), "{}", shown.body);
    let guards = &shown.body["result"];
    assert_eq!((&guards["cooldown"]["ms"], &guards["cooldown"]["enabled"]), (&json!(4_321), &json!(false)));
    assert_eq!((&guards["quota"]["remaining"], &guards["quota"]["used"]), (&json!(500), &json!(0)));
    assert_eq!(guards["quietHours"]["from"], "21:00");
    assert_eq!(guards["newChats"]["budget"], 5, "a young session");

    let night = json!({ "enabled": true, "from": "00:00", "to": "23:59", "timeZone": "Asia/Jakarta" });
    let set = tune(&world, json!({ "quietHours": night, "cooldown": { "enabled": true } })).await;
    assert_eq!((&set["cooldown"]["ms"], &set["quietHours"]["timeZone"]), (&json!(4_321), &json!("Asia/Jakarta")));
    assert_eq!(world.get("/session/main/guards").await.body["result"]["cooldown"]["enabled"], true);
    let theirs = world.call(BOB, "GET", "/session/theirs/guards", None).await;
    assert_eq!(theirs.body["result"]["cooldown"]["enabled"], false, "each session its own");
    let back = tune(&world, json!({ "cooldown": null })).await;
    assert_eq!((&back["cooldown"]["enabled"], &back["quietHours"]["to"]), (&json!(false), &json!("23:59")));

    let before = world.written().await;
    for (bad, field) in [
        (json!({ "quietHours": { "timeZone": "Mars" } }), "`quietHours.timeZone`"),
        (json!({ "quota": { "max": 0 } }), "`quota.max`"),
        (json!({ "cooldown": { "seconds": 5 } }), "`cooldown.seconds`"),
        (json!({ "cooldowns": {} }), "`cooldowns`"),
        (json!({ "optOut": { "stopWords": [""] } }), "`optOut.stopWords`"),
    ] {
        let answer = world.put("/session/main/guards", bad.clone()).await;
        assert_eq!(answer.codes(), (400, 2002), "{bad}: {}", answer.body);
        assert!(answer.body["message"].as_str().unwrap().contains(field), "{bad}: {}", answer.body);
    }
    assert_eq!(world.written().await, before);
}

#[tokio::test]
async fn a_quota_that_is_used_up_refuses_with_the_contracts_headers() {
    let world = World::new().await;
    assert_eq!(send(&world, json!(ANA)).await.header("x-quota-limit"), None, "no quota, no headers");
    tune(&world, json!({ "quota": { "enabled": true, "max": 2, "windowMs": 60_000 } })).await;
    for left in ["1", "0"] {
        let sent = send(&world, json!(ANA)).await;
        assert_eq!(sent.codes(), (200, 1000), "{}", sent.body);
        assert_eq!((sent.header("x-quota-limit"), sent.header("x-quota-remaining")), (Some("2"), Some(left)));
    }
    let before = world.written().await;
    let refused = send(&world, json!(ANA)).await;
    assert_eq!(refused.codes(), (429, 2401), "{}", refused.body);
    assert_eq!(refused.body["results"][0]["error"]["code"], "guard_quota");
    let seconds: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((50..=60).contains(&seconds), "{seconds}");
    let reset: i64 = refused.header("x-quota-reset").unwrap().parse().unwrap();
    let now = world.engine.clock().now_ms() / 1_000;
    assert!((now + 50..=now + 61).contains(&reset), "{reset} is not epoch seconds");
    assert_eq!(world.written().await, before, "nothing was queued");
    let shown = world.get("/session/main/guards").await.body["result"]["quota"].clone();
    assert_eq!((&shown["remaining"], &shown["used"]), (&json!(0), &json!(2)));
    assert!(shown["closedUntil"].as_i64().is_some_and(|until| until > now * 1_000));
}

#[tokio::test]
async fn a_quota_may_delay_instead() {
    let world = World::new().await;
    tune(&world, json!({ "quota": { "enabled": true, "max": 1, "mode": "delay" } })).await;
    let answer = send(&world, json!([ANA, "628222222222"])).await;
    assert_eq!(answer.codes(), (202, 3000), "{}", answer.body);
    let states: Vec<&str> =
        answer.body["results"].as_array().unwrap().iter().filter_map(|r| r["status"].as_str()).collect();
    assert!(states.contains(&"text success") && states.contains(&"text queued"), "{states:?}");
    let held = answer.body["results"].as_array().unwrap().iter().find(|r| r["status"] == "text queued").unwrap();
    let path = format!("/jobs/{}", held["jobId"].as_str().unwrap());
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    let job = loop {
        let job = world.get(&path).await.body["result"].clone();
        if job["state"] == "scheduled" {
            break job;
        }
        assert!(tokio::time::Instant::now() < deadline, "it stays in line: {job}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(job["attempts"], 0, "a wait is no attempt");
    assert_eq!(job["error"]["code"], "guard_quota");
    assert_eq!(job["dueAt"], held["dueAt"]);
}

#[tokio::test]
async fn a_cooldown_delays_or_refuses_as_it_is_set() {
    let world = World::new().await;
    tune(&world, json!({ "cooldown": { "enabled": true, "ms": 60_000 } })).await;
    assert_eq!(send(&world, json!(ANA)).await.codes(), (200, 1000));
    let begun = std::time::Instant::now();
    let later = send(&world, json!(ANA)).await;
    assert_eq!(later.codes(), (202, 3000), "{}", later.body);
    assert!(begun.elapsed() < std::time::Duration::from_millis(1_400), "nobody waits for what takes a minute");
    let result = &later.body["results"][0];
    assert_eq!(result["error"]["code"], "guard_cooldown");
    let now = world.engine.clock().now_ms();
    assert!(result["dueAt"].as_i64().is_some_and(|due| due > now && due <= now + 60_000), "{result}");
    assert!(later.body["message"].as_str().unwrap().contains("it is sent from 2"), "{}", later.body);
    assert_eq!(send(&world, json!("628222222222")).await.codes(), (200, 1000), "another recipient");

    tune(&world, json!({ "cooldown": { "enabled": true, "ms": 60_000, "mode": "refuse" } })).await;
    let refused = send(&world, json!(ANA)).await;
    assert_eq!(refused.codes(), (429, 3001), "{}", refused.body);
    assert!(refused.header("retry-after").is_some());
    let some = send(&world, json!([ANA, "628333333333"])).await;
    assert_eq!(some.codes(), (207, 1004), "who is not held goes out: {}", some.body);
}

#[tokio::test]
async fn who_opted_out_is_not_written_to() {
    let world = World::new().await;
    says(&world, ANA, "Stop", "1").await;
    for to in [json!(ANA), json!("777888@lid"), json!([ANA])] {
        let refused = send(&world, to).await;
        assert_eq!(refused.codes(), (403, 3005), "{}", refused.body);
        assert_eq!(refused.body["results"][0]["error"]["code"], "recipient_opted_out");
    }
    assert_eq!(world.links.sent.lock().unwrap().len(), 0);
    let some = send(&world, json!([ANA, "628222222222"])).await;
    assert_eq!(some.codes(), (207, 1004), "{}", some.body);
    says(&world, ANA, "START", "2").await;
    assert_eq!(send(&world, json!(ANA)).await.codes(), (200, 1000));
}

#[tokio::test]
async fn the_list_is_kept_by_rest_too() {
    let world = World::new().await;
    says(&world, ANA, "berhenti", "1").await;
    let added = world.post("/optouts", json!({ "to": ["0822-2222-2222", "628333333333"] })).await;
    assert_eq!(added.codes(), (201, 1000), "{}", added.body);
    assert_eq!(added.body["result"]["added"], 2);
    assert_eq!(world.post("/optouts", json!({ "to": "628333333333" })).await.codes(), (200, 1005));
    assert_eq!(send(&world, json!("628333333333")).await.codes(), (403, 3005));

    let first = world.get("/optouts?limit=3").await;
    let rows = first.body["results"].as_array().unwrap().clone();
    assert_eq!(rows[0]["address"], "628333333333@s.whatsapp.net");
    assert_eq!((rows[1]["sessionId"].clone(), rows.len()), (Value::Null, 3));
    let next = world.get(&format!("/optouts?limit=3&before={}", first.body["next"].as_str().unwrap())).await;
    let rest = next.body["results"].as_array().unwrap();
    assert_eq!(
        (rest.len(), &rest[0]["sessionId"], &next.body["next"]),
        (1, &json!("main"), &Value::Null),
        "{}",
        next.body
    );

    for (key, path, rows) in
        [(BOB, "/optouts", 0), (ADMIN, "/optouts", 4), (ADMIN, "/optouts?sessionId=theirs", 0), (ALICE, "/optouts", 4)]
    {
        let listed = world.call(key, "GET", path, None).await;
        assert_eq!(listed.body["results"].as_array().unwrap().len(), rows, "{path}: {}", listed.body);
    }
    let stranger = world.call(BOB, "DELETE", "/optouts/628333333333", None).await;
    assert_eq!(stranger.codes(), (404, 2600), "it is not on bob's list");
    assert_eq!(world.call(BOB, "DELETE", "/optouts/628333333333?sessionId=main", None).await.codes(), (403, 2201));
    let path = "/optouts/628333333333?sessionId=main";
    assert_eq!(world.call(ADMIN, "DELETE", path, None).await.codes(), (200, 1000));
    assert_eq!(send(&world, json!("628333333333")).await.codes(), (200, 1000));
    assert_eq!(world.call(ALICE, "DELETE", "/optouts/nobody", None).await.codes(), (400, 3007));
}

#[tokio::test]
async fn quiet_hours_and_the_budget_of_new_chats_say_until_when() {
    let world = World::new().await;
    let always = json!({ "enabled": true, "from": "00:00", "to": "23:59", "mode": "refuse" });
    tune(&world, json!({ "quietHours": always })).await;
    let quiet = send(&world, json!(ANA)).await;
    // One minute of the day is not quiet.
    if quiet.status.as_u16() != 200 {
        assert_eq!(quiet.codes(), (429, 3001), "{}", quiet.body);
        assert_eq!(quiet.body["results"][0]["error"]["code"], "guard_quiet_hours");
        let shown = world.get("/session/main/guards").await.body["result"]["quietHours"]["closedUntil"].clone();
        assert!(shown.as_i64().is_some_and(|until| until > world.engine.clock().now_ms()), "{shown}");
    }
    let few = json!({ "enabled": true, "perDay": 1, "warmUpFrom": 1, "warmUpDays": 0 });
    tune(&world, json!({ "quietHours": null, "newChats": few })).await;
    says(&world, "628444444444", "hello", "1").await;
    assert_eq!(send(&world, json!("628555555555")).await.codes(), (200, 1000));
    assert_eq!(send(&world, json!("628555555555")).await.codes(), (200, 1000), "it is no new chat any more");
    assert_eq!(send(&world, json!("628444444444")).await.codes(), (200, 1000), "they wrote first");
    let held = send(&world, json!("628666666666")).await;
    assert_eq!(held.codes(), (202, 3000), "{}", held.body);
    assert_eq!(held.body["results"][0]["error"]["code"], "guard_new_chats");
    let now = world.engine.clock().now_ms();
    let due = held.body["results"][0]["dueAt"].as_i64().unwrap();
    assert!((now + 86_000_000..=now + 86_400_000).contains(&due), "{due}");
    let shown = world.get("/session/main/guards").await.body["result"]["newChats"].clone();
    assert_eq!((&shown["budget"], &shown["remaining"], &shown["closedUntil"]), (&json!(1), &json!(0), &json!(due)));
}
