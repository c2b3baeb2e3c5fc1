//! Power cuts: at each commit boundary, and at random under load.

use crate::setting;
use crate::stage::Stage;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use warest_tests::eventually;

/// How often a boundary is passed before the crash; 2 for those not named.
const SKIPS: &[(&str, &[u32])] = &[("store.commit.before", &[3, 17, 41]), ("store.commit.after", &[3, 17, 41])];
/// Boundaries that no message passes, with the test that stops there.
const ELSEWHERE: &[(&str, &str)] = &[
    ("replay.before_commit", "deliveries.rs"),
    ("replay.committed", "deliveries.rs"),
    ("start.opening", "keep.rs"),
    ("resume.before", "keep.rs"),
    ("sink.before_commit", "sinks.rs"),
    ("unreadable.committed", "queue.rs"),
];
/// Random kills between two counts.
const EPOCH: u64 = 50;

/// Every boundary in the engine's sources, so that a new one is tested as soon
/// as it is there.
fn boundaries() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                for macro_call in ["crash_point!(\"", "fail_point!(\""] {
                    let calls = source.split(macro_call).skip(1);
                    found.extend(calls.filter_map(|call| call.split('"').next().map(str::to_owned)));
                }
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_commit_boundary_loses_and_repeats_nothing() {
    let boundaries = boundaries();
    assert!(boundaries.len() >= 12, "the sources are not where they were: {boundaries:?}");
    let mut stage = Stage::new(3, Vec::new()).await;
    for point in &boundaries {
        if let Some((_, file)) = ELSEWHERE.iter().find(|(name, _)| name == point) {
            let test = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
            assert!(std::fs::read_to_string(test).unwrap().contains(point.as_str()), "{file} does not stop at {point}");
            continue;
        }
        let skips = SKIPS.iter().find(|(name, _)| name == point).map_or(&[2][..], |(_, skips)| *skips);
        for skip in skips {
            stage.kill();
            let armed = ("FAILPOINTS".to_owned(), format!("{point}={skip}*off->1*return"));
            // It may abort before it says where it listens, or before the session
            // is open; what is written then waits in the network.
            let armed = stage.start_with(&[armed]);
            stage.customers.rounds(3).await;
            if let Ok(mut engine) = armed {
                eventually(&format!("the crash at {point}; is there a reactor that gets there?"), || {
                    let ended = engine.ended();
                    async move { Ok(ended?.then_some(())) }
                })
                .await
                .unwrap();
            }
            stage.restart();
            stage.settles(&format!("{point}, passed {skip} times")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_kills_under_load_lose_and_repeat_nothing() {
    let kills = setting("WAREST_TEST_KILLS", 50);
    let mut stage = Stage::new(10, Vec::new()).await;
    let mut done = 0;
    while done < kills {
        let writing = stage.writing(Duration::from_millis(400));
        for _ in 0..EPOCH.min(kills - done) {
            // The moment of the kill is the random part of this test.
            tokio::time::sleep(Duration::from_millis(rand::random_range(50..900))).await;
            stage.kill();
            stage.restart();
            done += 1;
        }
        writing.end().await;
        stage.settles(&format!("{done} random kills")).await;
    }
}
