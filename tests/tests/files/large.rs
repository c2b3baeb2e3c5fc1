//! A film of 100 MB goes out, comes in and is uploaded, and the engine's memory
//! does not tell that from a small one.

use crate::made::film;
use crate::server::{Answer, serve};
use crate::stage::Stage;
use serde_json::json;
use std::path::Path;

/// Bytes of the small and of the large film.
const SMALL: u64 = 1 << 20;
const LARGE: u64 = 100 << 20;
/// What the engine may have more with the large one, in KiB.
const GROWTH: u64 = 32 << 10;

/// Sends a film each way, and checks that it is the same at the other end. `count`
/// is how many Ana had before.
async fn there_and_back(stage: &Stage, url: &str, film: &(std::path::PathBuf, String), size: u64, count: usize) {
    let (path, hash) = film;
    let whole = (hash.clone(), size);
    let sent = stage.send("media", json!({ "media": url, "compress": false })).await;
    assert!(matches!(sent.status, 200 | 202), "{sent:?}");
    let shown = stage.shown(count + 1).await;
    assert_eq!(shown["kind"], "video", "{shown:#}");
    assert_eq!(stage.hash_at_ana(&shown).await, whole);

    let id = stage.film_from_ana(path).await;
    let kept = stage.kept(&id).await;
    assert_eq!((kept["sha256"].as_str(), kept["fileSize"].as_u64()), (Some(hash.as_str()), Some(size)));
    assert_eq!(stage.hash_signed(kept["url"].as_str().unwrap()).await, whole);

    let key = format!("film-{size}");
    let uploaded = stage.send_raw("document", &key, path).await;
    assert!(matches!(uploaded.status, 200 | 202), "{uploaded:?}");
    assert_eq!(stage.hash_at_ana(&stage.shown(count + 2).await).await, whole);
    let again = stage.send_raw("document", &key, path).await;
    assert_eq!((again.status, &again.body), (uploaded.status, &uploaded.body), "the same request");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_film_costs_no_memory() {
    let stage = Stage::set(&[]).await;
    let folder: &Path = stage.folder.path();
    let (small, large) = (film(folder, "small.mp4", SMALL), film(folder, "large.mp4", LARGE));
    let files = [("/small.mp4", &small), ("/large.mp4", &large)];
    let base = serve(files.map(|(path, (file, _))| (path, Answer::File(file.clone()))).into()).await;
    there_and_back(&stage, &format!("{base}/small.mp4"), &small, SMALL, 0).await;
    let before = stage.resident();
    stage.watch();
    there_and_back(&stage, &format!("{base}/large.mp4"), &large, LARGE, 2).await;
    let grown = stage.peak().saturating_sub(before);
    println!("the engine had {before} KiB, and at most {grown} KiB more");
    assert!(grown < GROWTH, "the engine had {before} KiB before, and {grown} KiB more with the large film");
}
