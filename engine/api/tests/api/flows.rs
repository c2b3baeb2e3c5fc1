//! Flows: write, read, change, remove.

use crate::world::{ALICE, BOB, World};
use serde_json::{Value, json};

fn ping() -> Value {
    json!({ "name": "ping", "on": ["message_received"], "script": "reply(\"pong\");", "futureField": 1 })
}

#[tokio::test]
async fn a_flow_is_written_read_changed_and_removed() {
    let world = World::new().await;
    let created = world.post("/flows", ping()).await;
    assert_eq!(created.codes(), (201, 1000), "{}", created.body);
    let flow = &created.body["result"];
    let path = format!("/flows/{}", flow["id"].as_str().unwrap());
    assert_eq!((&flow["enabled"], &flow["sessionId"]), (&true.into(), &Value::Null));

    let changed = json!({ "name": "two", "sessionId": "main", "on": [], "script": "", "enabled": false });
    let put = world.put(&path, changed).await;
    assert_eq!(put.codes(), (200, 1000), "{}", put.body);
    let shown = world.get(&path).await.body["result"].clone();
    assert_eq!((&shown["name"], &shown["sessionId"]), (&"two".into(), &"main".into()));
    assert_eq!(shown["createdAt"], flow["createdAt"]);
    assert_eq!(world.get("/flows").await.body["results"].as_array().unwrap().len(), 1);

    assert_eq!(world.call(BOB, "GET", &path, None).await.codes(), (403, 2201));
    assert_eq!(world.call(BOB, "DELETE", &path, None).await.codes(), (403, 2201));
    assert_eq!(world.call(BOB, "PUT", &path, Some(ping())).await.codes(), (403, 2201));
    assert!(world.call(BOB, "GET", "/flows", None).await.body["results"].as_array().unwrap().is_empty());

    assert_eq!(world.call(ALICE, "DELETE", &path, None).await.codes(), (200, 1000));
    assert_eq!(world.get(&path).await.codes(), (404, 2600));
}

#[tokio::test]
async fn a_flow_may_be_put_under_a_name_of_the_clients() {
    let world = World::new().await;
    let path = "/flows/flw_01HF5QZVQSK3T1SH4Z2RCB2DQB";
    assert_eq!(world.put(path, ping()).await.codes(), (201, 1000));
    assert_eq!(world.put(path, ping()).await.codes(), (200, 1000));
    assert_eq!(world.put("/flows/ping", ping()).await.codes(), (400, 2002));
}

#[tokio::test]
async fn a_script_that_does_not_compile_is_shown_where() {
    let world = World::new().await;
    let before = world.written().await;
    let mut flow = ping();
    flow["script"] = "let a = 1;\nlet b = ;\n".into();
    for answer in [
        world.post("/flows", flow.clone()).await,
        world.post("/session/main/actions", json!({ "script": flow["script"] })).await,
    ] {
        assert_eq!(answer.codes(), (422, 2012));
        assert_eq!(answer.body["status"], false);
        assert_eq!((&answer.body["result"]["line"], &answer.body["result"]["column"]), (&2.into(), &9.into()));
    }
    assert_eq!(world.written().await, before);
}

#[tokio::test]
async fn a_flow_listens_to_its_owners_sessions_and_to_known_events_only() {
    let world = World::new().await;
    for (field, value, codes) in [
        ("sessionId", json!("theirs"), (403, 2201)),
        ("sessionId", json!("nobody"), (404, 1101)),
        ("on", json!(["message_eaten"]), (400, 2002)),
        ("on", json!(["adhoc"]), (400, 2002)),
        ("name", json!(""), (400, 2002)),
        ("script", Value::Null, (400, 2001)),
    ] {
        let mut flow = ping();
        flow[field] = value;
        assert_eq!(world.post("/flows", flow).await.codes(), codes, "{field}");
    }
}
