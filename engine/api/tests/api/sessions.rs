//! Sessions: create, show, configure, connect, remove.

use crate::links::{QR, open};
use crate::world::{ALICE, World};
use serde_json::json;

#[tokio::test]
async fn a_new_session_shows_the_qr_to_scan_and_later_that_it_is_open() {
    let world = World::new().await;
    let created = world.get("/session/create?sessionId=fresh").await;
    assert_eq!(created.codes(), (200, 1107));
    let result = &created.body["results"][0];
    assert_eq!(result["qrString"], QR);
    assert!(result["qr"].as_str().unwrap().starts_with("data:image/png;base64,iVBOR"));
    assert!((1..=20).contains(&result["qrDuration"].as_i64().unwrap()));
    assert_eq!(world.get("/session/fresh").await.body["result"]["qrString"], QR);

    world.links.put("fresh", open());
    let again = world.post("/session/create", json!({ "sessionId": "fresh", "label": "Desk" })).await;
    assert_eq!(again.codes(), (200, 1104));
    assert_eq!(again.header("x-warest-label"), Some("Desk"));
    let shown = world.get("/session/fresh").await;
    assert_eq!(shown.body["result"]["status"], "open");
    assert_eq!(shown.body["result"]["label"], "Desk");
    assert_eq!(shown.body["result"]["pushName"], "The Shop");
}

#[tokio::test]
async fn a_session_without_a_name_is_given_one_where_the_contract_allows() {
    let world = World::new().await;
    assert_eq!(world.get("/session/create").await.codes(), (400, 1100));
    let created = world.call(ALICE, "POST", "/session/create", None).await;
    let name = created.body["results"][0]["sessionId"].as_str().unwrap().to_owned();
    assert_eq!(world.get(&format!("/session/{name}")).await.codes(), (200, 1000));
    assert_eq!(world.get("/session/create?sessionId=theirs").await.codes(), (403, 2201));
}

#[tokio::test]
async fn webhooks_are_set_changed_and_taken_away() {
    let world = World::new().await;
    let url = "https://hooks.example.com/warest";
    let set = world.post("/session/main/config", json!({ "webhookUrl": url })).await;
    assert_eq!(set.codes(), (200, 1000));
    assert_eq!(set.body["results"][0]["webhookUrl"], url);
    assert!(set.body["results"][0]["webhookSecret"].as_str().unwrap().len() > 20);

    let secret = world.post("/session/main/config", json!({ "webhookSecret": "s3cret!!" })).await;
    assert_eq!(secret.body["results"][0]["webhookSecret"], "s3cret!!");
    assert_eq!(secret.body["results"][0]["webhookUrl"], url);

    let two = json!([url, "https://hooks.example.com/two"]);
    let many = world.post("/session/main/config", json!({ "webhookUrl": two, "webhookSecret": "x" })).await;
    assert_eq!(many.body["results"][0]["webhookUrl"], two);
    assert_eq!(world.post("/session/main/config", json!({})).await.codes(), (200, 1005));

    let none = world.post("/session/main/config", json!({ "webhookUrl": null })).await;
    assert_eq!(none.body["results"][0]["webhookUrl"], "");
    assert!(world.engine.targets(&world.engine.session(&"main".parse().unwrap()).unwrap()).is_empty());
}

#[tokio::test]
async fn a_url_that_cannot_be_delivered_to_is_not_saved() {
    let world = World::new().await;
    let before = world.written().await;
    for url in ["ftp://example.com/", "not a url", "http://127.0.0.1:9/hook", "http://169.254.169.254/"] {
        let answer = world.post("/session/main/config", json!({ "webhookUrl": url })).await;
        assert_eq!(answer.codes(), (400, 1201), "{url}: {}", answer.body);
        let ask = json!({ "sessionId": "main", "url": url, "secret": "s" });
        assert_eq!(world.post("/webhook/preflight", ask).await.codes(), (400, 1201), "{url}");
    }
    assert_eq!(world.written().await, before);
}

#[tokio::test]
async fn a_session_is_reconnected_logged_out_and_removed() {
    let world = World::new().await;
    assert_eq!(world.get("/session/reconnect?sessionId=main").await.codes(), (202, 1109));
    assert_eq!(world.post("/session/reconnect", json!({ "sessionId": "main" })).await.codes(), (202, 1109));
    let out = world.post("/session/logout?sessionId=main", json!({})).await;
    assert_eq!(out.codes(), (200, 1000));
    assert_eq!(out.body["results"][0]["steps"], json!({ "runtime": true, "creds": true }));
    let gone = world.call(ALICE, "DELETE", "/session/delete?sessionId=main", None).await;
    assert_eq!(gone.codes(), (200, 1000));
    assert_eq!(gone.body["results"][0]["steps"]["meta"], true);
    assert_eq!(world.get("/session/main").await.codes(), (404, 1101));
}
