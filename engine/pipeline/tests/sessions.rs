//! Sessions that change while others do.
#![allow(clippy::unwrap_used, missing_docs)]

#[allow(dead_code)]
#[path = "guards/world.rs"]
mod world;

use serde_json::json;
use std::sync::Arc;
use warest_model::id::SessionId;
use warest_pipeline::engine::NewSession;
use world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_is_there_from_its_making_on_and_keeps_what_others_change() {
    let world = Arc::new(World::new(json!({})).await);
    let s: SessionId = "s".parse().unwrap();
    // Each reads all sessions anew, as do the labels and pairings between them.
    let making = (0..200).map(|number| {
        let (world, s) = (world.clone(), s.clone());
        tokio::spawn(async move {
            let id: SessionId = format!("new-{number}").parse().unwrap();
            let new = NewSession { id: id.clone(), label: String::new() };
            world.engine.create_session(world.user(), new).await.unwrap();
            for change in 0..10 {
                let me = format!("6281{number}{change}@s.whatsapp.net");
                world.intake.paired(&s, Some(&me)).await.unwrap();
                assert!(world.engine.session(&id).is_some(), "{id} is gone");
            }
        })
    });
    let making: Vec<_> = making.collect();
    let entry = world.engine.session(&s).unwrap();
    world.engine.relabel_session(&entry, "a label".to_owned()).await.unwrap();
    for task in making {
        task.await.unwrap();
    }
    assert_eq!(world.engine.session(&s).unwrap().session.label, "a label", "a pairing takes no label back");
}
