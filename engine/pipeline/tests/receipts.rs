//! What recipients' devices say becomes events and progress of the history.
#![allow(clippy::unwrap_used, missing_docs)]

#[allow(dead_code)]
#[path = "guards/world.rs"]
mod world;

use serde_json::json;
use warest_model::event::EventKind;
use warest_model::id::SessionId;
use warest_model::jid::Jid;
use warest_model::job::{Receipt, ReceiptKind};
use warest_store::{EventFilter, Page};
use world::World;

const ANA: &str = "6281111111111";

#[tokio::test]
async fn a_message_that_comes_further_is_told_of_once_for_each_person() {
    let world = World::new(json!({})).await;
    let s: SessionId = "s".parse().unwrap();
    let ana = Jid::parse(ANA, "62").unwrap();
    // Only an account that is known has a history.
    world.intake.paired(&s, Some("6289999999999@s.whatsapp.net")).await.unwrap();
    let job = world.send(ANA, "hello").await;
    world.sent(&job).await;
    let message_id = world.job(&job).await.message_id;
    let say = |kind, at_ms| Receipt {
        chat: Some(ana.clone()),
        by: Some(ana.clone()),
        by_lid: Some(Jid::parse("777@lid", "").unwrap()),
        ..Receipt::new(&message_id, kind, at_ms)
    };
    let said = vec![say(ReceiptKind::Delivered, 5), say(ReceiptKind::Delivered, 6), say(ReceiptKind::Unreadable, 7)];
    world.intake.receipts(&s, said).await.unwrap();
    world.intake.receipts(&s, vec![say(ReceiptKind::Delivered, 8), say(ReceiptKind::Read, 9)]).await.unwrap();
    let filter = EventFilter { kinds: vec![EventKind::MessageStatus], ..EventFilter::default() };
    let mut told = world.engine.store().events(&filter, &Page { before: None, limit: 9 }).await.unwrap();
    told.reverse();
    let shown: Vec<_> =
        told.iter().map(|event| (event.data["status"].clone(), event.data["timestamp"].clone())).collect();
    assert_eq!(shown, [(json!("delivered"), json!(5)), (json!("read"), json!(9))]);
    let read = &told[1].data;
    assert_eq!((&read["messageId"], &read["by"], &read["byLid"]), (&json!(message_id), &json!(ana), &json!("777@lid")));
    assert_eq!(read["key"], json!({"remoteJid": ana, "fromMe": true, "id": message_id}));
    let kept = world.engine.store().message(&s, Some(&ana), &message_id).await.unwrap().unwrap();
    assert_eq!(kept.message.status.as_str(), "read");
    assert_eq!(world.intake.message(&s, &ana, &message_id).await.unwrap().is_some(), !kept.message.body.is_empty());
    assert_eq!(world.intake.message(&s, &ana, "of nobody").await.unwrap(), None);
}
