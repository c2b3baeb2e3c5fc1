//! `Idempotency-Key`: a request is done once.

use crate::links::{open, waiting_for_scan};
use crate::world::{ALICE, BOB, World};
use axum::http::Request;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use warest_model::content::{Content, MediaSource};
use warest_model::plan::Effect;
use warest_store::media::MediaRows as _;
use warest_store::{Idempotency, KeyState};

const ANA: &str = "628111111111";

#[tokio::test]
async fn a_repeat_gets_the_same_answer_and_sends_nothing() {
    let world = World::new().await;
    let letter = json!({ "sessionId": "main", "to": [ANA, "628222222222"], "message": "once", "presence": true });
    let first = world.post_once("order-7", "/messages/send/text", &letter).await;
    assert_eq!((first.codes(), first.header("idempotency-replayed")), ((200, 1000), None), "{}", first.body);
    let again = world.post_once("order-7", "/messages/send/text", &letter).await;
    assert_eq!((again.codes(), again.header("idempotency-replayed")), ((200, 1000), Some("true")));
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("content-type"), Some("application/json"));
    assert_eq!(world.links.sent.lock().unwrap().len(), 4);

    let other = json!({ "sessionId": "main", "to": ANA, "message": "something else" });
    let refused = world.post_once("order-7", "/messages/send/text", &other).await;
    assert_eq!(refused.codes(), (409, 2009), "{}", refused.body);
    assert_eq!(world.post_once("order-8", "/messages/send/text", &other).await.codes(), (200, 1000));
    let bulk = json!({ "sessionId": "main", "to": [ANA], "message": "x" });
    assert_eq!(world.post_once("order-7", "/messages/send/bulk", &bulk).await.codes(), (409, 2009), "another path");

    // Another user's keys are their own.
    let theirs = json!({ "sessionId": "theirs", "to": ANA, "message": "x" }).to_string();
    let request = Request::builder().method("POST").uri("/api/v1/messages/send/text").header("x-api-key", BOB);
    let request = request.header("content-type", "application/json").header("idempotency-key", "order-7");
    assert_eq!(world.send(request.body(theirs.into()).unwrap()).await.codes(), (200, 1000));
}

#[tokio::test]
async fn runs_and_bulks_are_started_once() {
    let world = World::new().await;
    let actions = json!({ "actions": [{ "type": "text", "to": ANA, "text": "x" }] });
    let bulk = json!({ "sessionId": "main", "to": [ANA], "message": "x" });
    for (path, body) in [("/session/main/actions", actions), ("/messages/send/bulk", bulk)] {
        let first = world.post_once(path, path, &body).await;
        assert_eq!(first.codes(), (202, 1002), "{}", first.body);
        let again = world.post_once(path, path, &body).await;
        assert_eq!((&again.body, again.header("idempotency-replayed")), (&first.body, Some("true")));
    }
    assert_eq!(world.get("/runs").await.body["results"].as_array().unwrap().len(), 1);
    assert_eq!(world.get("/jobs").await.body["results"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_repeat_after_a_crash_meets_what_the_first_one_made() {
    let world = World::new().await;
    let user = &world.alice.id;
    for (key, path, body) in [
        ("a", "/messages/send/text", json!({ "sessionId": "main", "to": [ANA, "628222222222"], "message": "x" })),
        ("b", "/session/main/actions", json!({ "actions": [{ "type": "text", "to": ANA, "text": "x" }] })),
        ("c", "/messages/send/bulk", json!({ "sessionId": "main", "to": [ANA, "628222222222"], "message": "x" })),
    ] {
        let first = world.post_once(key, path, &body).await;
        assert!(first.status.is_success(), "{}", first.body);
        let jobs = world.get("/jobs?limit=500").await.body["results"].as_array().unwrap().len();
        // As if the process had died before the answer was kept.
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(world.database());
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query("UPDATE idempotency SET status = NULL WHERE user = ? AND key = ?")
            .bind(user.as_str())
            .bind(key)
            .execute(&pool)
            .await
            .unwrap();
        let again = world.post_once(key, path, &body).await;
        assert!(again.status.is_success(), "{}", again.body);
        assert_eq!(again.header("idempotency-replayed"), None, "it was worked on again");
        let ids = |answer: &serde_json::Value| {
            let one = |result: &serde_json::Value| (result["jobId"].clone(), result["messageId"].clone());
            let all = answer["results"].as_array().map(|results| results.iter().map(one).collect::<Vec<_>>());
            (all, answer["result"].clone())
        };
        assert_eq!(ids(&again.body), ids(&first.body), "{path}");
        assert_eq!(world.get("/jobs?limit=500").await.body["results"].as_array().unwrap().len(), jobs, "{path}");
    }
}

#[tokio::test]
async fn a_request_that_is_still_worked_on_is_not_begun_twice() {
    let world = std::sync::Arc::new(World::new().await);
    world.links.put("main", waiting_for_scan(0));
    let letter = json!({ "sessionId": "main", "to": ANA, "message": "slow" });
    let slow = tokio::spawn({
        let (world, letter) = (world.clone(), letter.clone());
        async move { world.post_once("k", "/messages/send/text", &letter).await }
    });
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while world.get("/jobs").await.body["results"] == json!([]) {
        assert!(tokio::time::Instant::now() < deadline, "the first request never began");
        tokio::task::yield_now().await;
    }
    let second = world.post_once("k", "/messages/send/text", &letter).await;
    assert_eq!((second.codes(), second.header("retry-after")), ((409, 2009), Some("1")), "{}", second.body);
    world.links.put("main", open());
    let first = slow.await.unwrap();
    assert!(first.status.is_success());
    assert_eq!(world.post_once("k", "/messages/send/text", &letter).await.body, first.body);
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free_unless_it_was_cut_off_before() {
    let world = World::new().await;
    let wrong = json!({ "sessionId": "main", "to": "??", "message": "x" });
    assert_eq!(world.post_once("k", "/messages/send/text", &wrong).await.codes(), (400, 3007));
    let right = json!({ "sessionId": "main", "to": ANA, "message": "x" });
    assert_eq!(world.post_once("k", "/messages/send/text", &right).await.codes(), (200, 1000));

    // One that was cut off may have sent: its key keeps its moment.
    let now = world.engine.clock().now_ms();
    let path = "/session/main/actions";
    let body = json!({ "actions": [] });
    let fingerprint = Sha256::digest(format!("POST\0{path}\0{body}"));
    let user = &world.alice.id;
    let begun = world.store.begin_key(user, "cut", fingerprint.into(), now - 5, 1_000_000).await.unwrap();
    assert_eq!(begun, KeyState::Begun { at_ms: now - 5, first: true });
    assert_eq!(world.post_once("cut", path, &body).await.codes(), (400, 2002));
    let begun = world.store.begin_key(user, "cut", fingerprint.into(), now, 1_000_000).await.unwrap();
    assert_eq!(begun, KeyState::Begun { at_ms: now - 5, first: false });
}

#[tokio::test]
async fn keys_are_bounded_and_single() {
    let world = World::new().await;
    let letter = json!({ "sessionId": "main", "to": ANA, "message": "x" });
    let long = "k".repeat(256);
    for bad in ["", " ", long.as_str()] {
        let refused = world.post_once(bad, "/messages/send/text", &letter).await;
        assert_eq!(refused.codes(), (400, 2002), "{}", refused.body);
    }
    let request = Request::builder().method("POST").uri("/api/v1/messages/send/text").header("x-api-key", ALICE);
    let request = request.header("content-type", "application/json");
    let request = request.header("idempotency-key", "a").header("idempotency-key", "b");
    assert_eq!(world.send(request.body(letter.to_string().into()).unwrap()).await.codes(), (400, 2002));
    assert!(world.links.sent.lock().unwrap().is_empty());
    assert_eq!(world.post_once(&long[1..], "/messages/send/text", &letter).await.codes(), (200, 1000));
}

#[tokio::test]
async fn an_upload_too_large_for_memory_is_sent_once_and_whole() {
    let world = World::with(|config| config.upload_bytes = 2 << 20).await;
    let path = format!("/api/v1/messages/send/document?sessionId=main&to={ANA}&filename=a.bin");
    let upload = async |key: &str, bytes: Vec<u8>| {
        let request = Request::builder().method("POST").uri(&path).header("x-api-key", ALICE);
        let request = request.header("content-type", "application/octet-stream").header("idempotency-key", key);
        world.send(request.body(bytes.into()).unwrap()).await
    };
    let mut bytes: Vec<u8> = (0..1_u32 << 20).map(|at| (at ^ at >> 9) as u8).collect();
    let first = upload("k", bytes.clone()).await;
    assert_eq!(first.codes(), (200, 1000), "{}", first.body);
    let again = upload("k", bytes.clone()).await;
    assert_eq!((&again.body, again.header("idempotency-replayed")), (&first.body, Some("true")));
    let sent = world.links.sent.lock().unwrap().clone();
    let [(_, Effect::Message { content: Content::Media(media), .. }, _)] = sent.as_slice() else { panic!("{sent:?}") };
    let MediaSource::Stored(id) = &media.source else { panic!("{media:?}") };
    let row = world.store.media(id).await.unwrap().unwrap();
    assert_eq!(row.media.sha256, hex::encode(Sha256::digest(&bytes)));

    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(upload("k", bytes).await.codes(), (409, 2009), "another file");
    assert_eq!(upload("l", vec![0; (2 << 20) + 1]).await.codes(), (413, 2006));
}
