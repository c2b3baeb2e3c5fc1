//! Who may call, and what every answer carries.

use crate::world::{ADMIN, ALICE, Answer, BOB, World};
use axum::body::Body;
use axum::http::Request;

const LIST: &str = "/api/v1/session/list";

async fn with(world: &World, name: &str, value: &str) -> Answer {
    world.send(Request::get(LIST).header(name, value).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn without_a_right_key_the_answer_is_the_contracts() {
    let world = World::new().await;
    let missing = world.send(Request::get(LIST).body(Body::empty()).unwrap()).await;
    assert_eq!(missing.codes(), (401, 2200));
    assert_eq!(missing.body["error"], "Missing X-WAREST-API-KEY");
    assert_eq!(missing.body["status"], false);
    for (name, value) in [("x-warest-api-key", "nobody's"), ("authorization", "Bearer nobody's")] {
        let wrong = with(&world, name, value).await;
        assert_eq!(wrong.codes(), (401, 2204));
        assert_eq!(wrong.body["error"], "Invalid X-WAREST-API-KEY");
    }
    let elsewhere = world.send(Request::get("/api/v1/nope").body(Body::empty()).unwrap()).await;
    assert_eq!(elsewhere.codes(), (401, 2200), "what is there is nobody's business without a key");
}

#[tokio::test]
async fn a_key_is_taken_from_every_header_that_clients_use() {
    let world = World::new().await;
    for name in ["X-WAREST-API-KEY", "X-API-KEY", "Api-Key"] {
        assert_eq!(with(&world, name, ALICE).await.codes(), (200, 1000), "{name}");
    }
    for scheme in ["Bearer", "Token", "APIKey"] {
        let value = format!("{scheme} {ALICE}");
        assert_eq!(with(&world, "Authorization", &value).await.codes(), (200, 1000), "{scheme}");
    }
}

#[tokio::test]
async fn a_key_in_the_url_is_refused_even_beside_a_right_one() {
    let world = World::new().await;
    let answer = world.get(&format!("/session/list?api_key={ALICE}")).await;
    assert_eq!(answer.codes(), (400, 2002));
    assert!(!answer.body.to_string().contains(ALICE));
}

#[tokio::test]
async fn answers_name_the_caller_the_session_and_the_version() {
    let world = World::new().await;
    let answer = world.get("/session/main").await;
    assert_eq!(answer.header("x-warest-registry"), Some(world.alice.id.as_str()));
    assert_eq!(answer.header("x-warest-username"), Some("alice"));
    assert_eq!(answer.header("x-warest-label"), Some("the main one"));
    assert_eq!(answer.header("x-warest-version"), Some("9.9.9"));
    assert!(answer.header("x-request-id").is_some());
    let refused = world.get("/session/theirs").await;
    assert_eq!(refused.header("x-warest-username"), Some("alice"));
    assert_eq!(refused.header("x-warest-label"), None);
}

#[tokio::test]
async fn tenants_see_their_own_and_admins_see_all() {
    let world = World::new().await;
    for (key, names) in [(ALICE, vec!["main"]), (BOB, vec!["theirs"]), (ADMIN, vec!["main", "theirs"])] {
        let answer = world.call(key, "GET", "/session/list", None).await;
        let items = answer.body["results"][0]["items"].as_array().unwrap();
        assert_eq!(items.iter().map(|item| item["id"].as_str().unwrap()).collect::<Vec<_>>(), names);
    }
    assert_eq!(world.get("/session/theirs").await.codes(), (403, 2201));
    assert_eq!(world.get("/session/nobody").await.codes(), (404, 1101));
    assert_eq!(world.get("/session/b%20d!").await.codes(), (400, 2002));
}

#[tokio::test]
async fn unknown_paths_and_methods_answer_in_the_envelope() {
    let world = World::new().await;
    assert_eq!(world.get("/nope").await.codes(), (404, 2600));
    let outside = world.send(Request::get("/nope").body(Body::empty()).unwrap()).await;
    assert_eq!(outside.codes(), (404, 2600));
    let wrong = world.call(ALICE, "PATCH", "/flows", None).await;
    assert_eq!(wrong.codes(), (405, 2010));
    assert!(wrong.header("allow").is_some_and(|allow| allow.contains("POST")));
}

#[tokio::test]
async fn the_server_says_that_it_is_there() {
    let world = World::new().await;
    let ping = world.get("/server/ping").await;
    assert_eq!((ping.codes(), &ping.body["results"][0]["ping"]), ((200, 1000), &"pong".into()));
    let health = world.get("/server/healthz").await;
    assert_eq!(health.body["results"][0]["status"], "healthy");
    let ready = world.get("/server/ready").await;
    assert_eq!(ready.body["results"][0]["ready"], true);
}
