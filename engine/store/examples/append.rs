//! Measures appends: `cargo run --release -p warest-store --example append [file]`.
//!
//! Each of many tasks appends one event at a time, owed to one plugin, and
//! waits until it is on the disk: what intake does for that many chats.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;
use warest_model::event::{Event, EventKind};
use warest_model::id::EventId;
use warest_model::reactor::ReactorRef;
use warest_store::secret::{Cipher, MasterKey};
use warest_store::sqlite::SqliteStore;
use warest_store::{EventLog, NewEvent};

const TASKS: usize = 256;
const EACH: usize = 100;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let folder = tempfile::tempdir()?;
    let file = std::env::args_os().nth(1).map_or_else(|| folder.path().join("append.db"), PathBuf::from);
    let store = SqliteStore::open(&file, Cipher::new(&MasterKey::random())).await?;
    let started = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for index in 0..EACH {
                    let event = Event {
                        id: EventId::new(0),
                        session: "bench".parse()?,
                        kind: EventKind::MessageReceived,
                        chat: None,
                        ts_ms: 0,
                        data: serde_json::json!({"text": "hello", "index": index}),
                    };
                    let dedup = Some(format!("{task}/{index}"));
                    let owed = vec![ReactorRef::Plugin("echo".to_owned())];
                    store.append(vec![NewEvent { event, dedup, owed, consent: None, changes: Vec::new() }]).await?;
                }
                Ok::<_, Box<dyn Error + Send + Sync>>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let (count, took) = (TASKS * EACH, started.elapsed());
    println!("{count} events in {took:.2?}: {:.0} a second", count as f64 / took.as_secs_f64());
    store.close().await?;
    Ok(())
}
