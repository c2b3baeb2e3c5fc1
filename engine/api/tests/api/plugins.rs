//! Plugins: upload, use, remove; and what is not a plugin or is too large.

use crate::world::{ADMIN, ALICE, Answer, BOB, World};
use axum::body::Body;
use axum::http::Request;
use serde_json::json;

/// The sample plugin that is committed beside its source.
const ECHO: &[u8] = include_bytes!("../../../../plugins/echo/echo.wasm");

async fn upload(world: &World, kind: &str, body: Vec<u8>) -> Answer {
    let request = Request::post("/api/v1/plugins").header("api-key", ALICE).header("content-type", kind);
    world.send(request.body(Body::from(body)).unwrap()).await
}

fn form(field: &str, file: &[u8]) -> Vec<u8> {
    let mut body = format!("--b\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"x.wasm\"\r\n\r\n");
    body.push_str(&String::from_utf8_lossy(file));
    body.push_str("\r\n--b--\r\n");
    body.into_bytes()
}

#[tokio::test]
async fn what_is_not_a_plugin_is_refused_and_nothing_is_kept() {
    let world = World::new().await;
    let before = world.written().await;
    let big = vec![0; 3 << 20];
    let multipart = "multipart/form-data; boundary=b";
    for (kind, body, codes) in [
        ("application/wasm", b"hello".to_vec(), (422, 2012)),
        ("application/wasm", b"\0asm\x01\0\0\0".to_vec(), (422, 2012)),
        ("application/octet-stream", Vec::new(), (400, 2001)),
        ("application/wasm", big.clone(), (413, 2006)),
        (multipart, form("file", b"hello"), (422, 2012)),
        (multipart, form("other", b"hello"), (400, 2001)),
        (multipart, form("file", &big), (413, 2006)),
        (multipart, b"--b\r\nnonsense".to_vec(), (400, 2000)),
        ("multipart/form-data", form("file", b"hello"), (400, 2000)),
        ("application/json", b"{}".to_vec(), (415, 2007)),
    ] {
        let answer = upload(&world, kind, body).await;
        assert_eq!(answer.codes(), codes, "{kind}: {}", answer.body);
    }
    assert_eq!(world.written().await, before);
    assert_eq!(world.get("/plugins").await.body["results"], json!([]));
    assert_eq!(world.call(ALICE, "DELETE", "/plugins/echo", None).await.codes(), (404, 2600));
    let put = world.put("/session/main/plugins/echo", json!({ "enabled": true })).await;
    assert_eq!(put.codes(), (404, 2600));
}

#[tokio::test]
async fn a_plugin_is_uploaded_used_by_a_session_and_removed() {
    let world = World::new().await;
    let uploaded = upload(&world, "application/wasm", ECHO.to_vec()).await;
    assert_eq!(uploaded.codes(), (201, 1000), "{}", uploaded.body);
    let plugin = &uploaded.body["result"];
    let name = plugin["name"].as_str().unwrap();
    assert!(plugin["size"].as_u64().unwrap() > 1_000);
    assert_eq!(world.get("/plugins").await.body["results"][0], *plugin);
    assert_eq!(world.call(BOB, "GET", "/plugins", None).await.body["results"], json!([]));

    let path = format!("/session/main/plugins/{name}");
    let config = json!({ "greeting": "hi" });
    let bound = world.put(&path, json!({ "enabled": true, "config": config })).await;
    assert_eq!(bound.codes(), (200, 1000), "{}", bound.body);
    assert_eq!(bound.body["result"], json!({ "sessionId": "main", "plugin": name, "enabled": true, "config": config }));
    let theirs = format!("/session/theirs/plugins/{name}");
    assert_eq!(world.put(&theirs, json!({})).await.codes(), (403, 2201));
    assert_eq!(world.call(BOB, "PUT", &theirs, Some(json!({}))).await.codes(), (403, 2201));
    let large = json!({ "config": { "x": "x".repeat(100_000) } });
    assert_eq!(world.put(&path, large).await.codes(), (400, 2002));

    let delete = format!("/plugins/{name}");
    assert_eq!(world.call(BOB, "DELETE", &delete, None).await.codes(), (403, 2201));
    assert_eq!(world.call(ADMIN, "DELETE", &delete, None).await.codes(), (200, 1000));
    assert_eq!(world.get("/plugins").await.body["results"], json!([]));
}
