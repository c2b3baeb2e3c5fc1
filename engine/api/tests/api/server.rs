//! What the server stores, for administrators.

use crate::world::{ADMIN, ALICE, World};
use serde_json::{Value, json};
use warest_model::event::{EventKind, Observation};

#[tokio::test]
async fn an_administrator_sees_how_much_is_stored_and_nobody_else_does() {
    let world = World::new().await;
    assert_eq!(world.call(ALICE, "GET", "/server/storage", None).await.codes(), (403, 2201));
    let seen = Observation { dedup: Some("k".into()), ..Observation::new(EventKind::MessageReceived, None, json!({})) };
    world.intake.record(&"main".parse().unwrap(), vec![seen]).await.unwrap();
    let answer = world.call(ADMIN, "GET", "/server/storage", None).await;
    assert_eq!(answer.codes(), (200, 1000), "{answer:?}");
    let result = &answer.body["result"];
    assert!(result["database"]["bytes"].as_u64().unwrap() > 0, "{result}");
    assert_eq!(result["lastSweep"], Value::Null, "none before the first minute is over");
    let kind = |name: &str| result["kinds"].as_array().unwrap().iter().find(|kind| kind["kind"] == name).unwrap();
    let events = kind("events");
    assert!(events["rows"].as_u64().unwrap() >= 1 && events["oldestAt"].is_i64(), "{events}");
    assert_eq!(events["removable"], 0);
    assert_eq!(events["limits"], json!({"ageMs": 30 * 86_400_000_i64, "rows": 5_000_000, "bytes": null}));
    assert_eq!(kind("dedupKeys")["rows"], 1);
    assert_eq!(kind("runs")["rows"], 0);
}
