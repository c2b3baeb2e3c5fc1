//! What servers and files do to harm: each ends in the code of the contract and a
//! sentence that says what to do, or in a message that is small; the engine goes on.

use crate::made::{film, jpeg, overfull_png, png_bomb, profile_bomb};
use crate::server::{Answer, serve};
use crate::stage::{ANA, Stage};
use serde_json::{Value, json};
use std::time::Duration;

/// Largest file that this engine takes, in MB, and how long it waits for one.
const LIMITS: [(&str, &str); 4] = [
    ("MEDIA_PER_FILE_MB", "16"),
    ("UPLOAD_FETCH_TIMEOUT_MS", "3000"),
    ("WAREST_QUEUE_MAX_RETRIES", "1"),
    ("WAREST_QUEUE_RETRY_DELAY_MS", "100"),
];
/// What the engine may have more while it works on a picture of 50 megapixels, whose
/// pixels are 150 MB, and on whatever it refuses: a few MB of each, and what the
/// allocator keeps of that for every thread. In KiB.
const PICTURE: u64 = 400 << 10;
const REFUSED: u64 = 128 << 10;

const SVG: &[u8] =
    br#"<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>"#;
/// A sandbox build reaches this machine alone: to it, this is somebody else's.
const PRIVATE: &str = "http://10.0.0.7/picture.png";

async fn server(stage: &Stage) -> String {
    let folder = stage.folder.path();
    let (film, _) = film(folder, "film.mp4", 1 << 20);
    let mut half = std::fs::read(film).unwrap();
    half.truncate(500);
    let (png, jpg) = ("image/png", "image/jpeg");
    serve(vec![
        ("/small.jpg", Answer::Bytes(jpg, jpeg(folder, 64, 48))),
        ("/50mp.jpg", Answer::Bytes(jpg, jpeg(folder, 8_000, 6_250))),
        ("/51mp.jpg", Answer::Bytes(jpg, jpeg(folder, 8_500, 6_000))),
        ("/bomb.png", Answer::Bytes(png, png_bomb(30_000, 30_000))),
        ("/overfull.png", Answer::Bytes(png, overfull_png())),
        ("/profile.png", Answer::Bytes(png, profile_bomb())),
        ("/half.mp4", Answer::Bytes("video/mp4", half)),
        ("/more", Answer::Lie { says: 10, sends: 10 << 20 }),
        ("/less", Answer::Lie { says: 10 << 20, sends: 10 }),
        ("/huge", Answer::Lie { says: 1 << 40, sends: 10 }),
        ("/endless", Answer::Endless { piece: 64 << 10, pause: Duration::ZERO }),
        ("/drip", Answer::Endless { piece: 1, pause: Duration::from_millis(50) }),
        ("/private", Answer::Redirect(PRIVATE.to_owned())),
        ("/file", Answer::Redirect("file:///etc/passwd".to_owned())),
        ("/loop", Answer::Redirect("/loop".to_owned())),
        ("/a.svg", Answer::Bytes("image/svg+xml", SVG.to_vec())),
        ("/liar.png", Answer::Bytes(png, SVG.to_vec())),
        ("/empty", Answer::Bytes(png, Vec::new())),
    ])
    .await
}

/// A file, how it is sent, and what comes of it: HTTP status, code, and words of the
/// sentence.
type Case = (&'static str, &'static str, (u16, u64), &'static str);

const CASES: [Case; 17] = [
    (
        "/51mp.jpg",
        "image",
        (413, 5503),
        "51000000 pixels, more than the 50000000 that are accepted: send a smaller one",
    ),
    ("/bomb.png", "image", (413, 5503), "900000000 pixels, more than the 50000000"),
    ("/bomb.png", "sticker", (413, 5503), "900000000 pixels, more than the 50000000"),
    ("/half.mp4", "video", (415, 5502), "damaged or incomplete"),
    ("/more", "image", (415, 5502), "a picture is needed"),
    ("/less", "image", (502, 5500), "could not be fetched: error decoding response body: end of file before"),
    ("/huge", "image", (413, 5503), "at most 16 MB"),
    ("/endless", "image", (413, 5503), "at most 16 MB"),
    ("/drip", "image", (502, 5500), "longer than 3 s"),
    ("/private", "image", (502, 5500), "10.0.0.7 is not"),
    ("/file", "image", (502, 5500), "only http and https"),
    ("/loop", "image", (502, 5500), "redirects more than 5 times"),
    ("/a.svg", "image", (415, 5502), "image/svg+xml cannot be used here"),
    ("/a.svg", "sticker", (415, 5502), "image/svg+xml cannot be used here"),
    ("/liar.png", "image", (415, 5502), "image/svg+xml cannot be used here"),
    ("/empty", "image", (502, 5500), "the file is empty"),
    ("/missing", "image", (502, 5500), "answered 404"),
];

async fn send(stage: &Stage, how: &str, url: &str) -> warest_tests::Answer {
    match how {
        "sticker" => stage.send("sticker", json!({ "sticker": url })).await,
        kind => stage.send("media", json!({ "media": url, "mediaType": kind, "compress": true })).await,
    }
}

/// What the engine needs for pictures at all, it has after this.
async fn warm_up(stage: &Stage, base: &str) {
    for (count, how) in [(1, "image"), (2, "sticker")] {
        let sent = send(stage, how, &format!("{base}/small.jpg")).await;
        assert_eq!(sent.status, 200, "{sent:?}");
        stage.shown(count).await;
    }
}

/// The engine sends, so it works.
async fn goes_on(stage: &Stage, text: &str) {
    let sent = stage.send("text", json!({ "message": text })).await;
    assert_eq!(sent.status, 200, "{text}: {sent:?}");
    stage.network.wait_text(ANA, text).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_file_ends_in_an_error_that_says_what_to_do() {
    let stage = Stage::set(&LIMITS).await;
    let base = server(&stage).await;
    warm_up(&stage, &base).await;
    let before = stage.resident();
    stage.watch();
    let mut wrong = Vec::new();
    for (path, how, codes, words) in CASES {
        let answer = send(&stage, how, &format!("{base}{path}")).await;
        let found = (answer.status, answer.body["code"].as_u64().unwrap_or_default());
        let says = answer.body["message"].as_str().unwrap_or_default();
        if found != codes || !says.contains(words) {
            wrong.push(format!("{path} as {how}: {found:?} {says:?} for {codes:?} {words:?}"));
        }
        goes_on(&stage, &format!("after {path} as {how}")).await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let grown = stage.peak().saturating_sub(before);
    assert!(grown < REFUSED, "{grown} KiB more than the {before} KiB before");
    let shown = stage.network.received(ANA).await.unwrap();
    assert!(shown.iter().skip(2).all(|message| message["kind"] == "text"), "nothing of it was sent: {shown:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_picture_is_sent_again_and_again_in_bounded_memory() {
    let stage = Stage::set(&LIMITS).await;
    let base = server(&stage).await;
    warm_up(&stage, &base).await;
    let before = stage.resident();
    stage.watch();
    for (count, how) in (3..).zip(["image", "sticker", "image", "sticker"]) {
        // Another address is another file, so that each is worked on.
        let sent = send(&stage, how, &format!("{base}/50mp.jpg?{count}")).await;
        assert!(matches!(sent.status, 200 | 202), "{sent:?}");
        assert_eq!(stage.shown(count).await["kind"], how);
    }
    goes_on(&stage, "after").await;
    let grown = stage.peak().saturating_sub(before);
    assert!(grown < PICTURE, "{grown} KiB more than the {before} KiB before");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_not_fit_into_memory_is_not_unpacked() {
    let stage = Stage::set(&LIMITS).await;
    let base = server(&stage).await;
    warm_up(&stage, &base).await;
    let before = stage.resident();
    stage.watch();
    for path in ["/overfull.png", "/profile.png"] {
        for how in ["image", "sticker"] {
            let answer = send(&stage, how, &format!("{base}{path}")).await;
            let found = (answer.status, answer.body["code"].as_u64().unwrap_or_default());
            assert!(matches!(found, (200, 1000) | (413, 5503) | (415, 5502)), "{path} as {how}: {answer:?}");
            goes_on(&stage, &format!("after {path} as {how}")).await;
        }
    }
    let grown = stage.peak().saturating_sub(before);
    assert!(grown < REFUSED, "{grown} KiB more than the {before} KiB before");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_as_it_is_has_the_length_that_was_announced() {
    let stage = Stage::set(&LIMITS).await;
    let base = server(&stage).await;
    let sent = stage.send("document", json!({ "document": format!("{base}/more"), "filename": "more.bin" })).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let (_, size) = stage.hash_at_ana(&stage.shown(1).await).await;
    assert_eq!(size, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_bounded_and_judged_like_any_other_file() {
    let stage = Stage::set(&LIMITS).await;
    let folder = stage.folder.path();
    let (large, _) = film(folder, "large.mp4", 17 << 20);
    let of = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let half = of("half.mp4", &std::fs::read(&large).unwrap()[..500]);
    let bomb = of("bomb.png", &png_bomb(30_000, 30_000));
    let svg = of("a.svg", SVG);
    let empty = of("empty", b"");
    let before = stage.resident();
    stage.watch();
    for (file, operation, codes, words) in [
        (&large, "media", (413, 2006), "at most 16 MB"),
        (&empty, "media", (400, 2002), "the file is empty"),
        (&half, "gif", (415, 5502), "damaged or incomplete"),
        (&bomb, "sticker", (413, 5503), "900000000 pixels"),
        (&svg, "sticker", (415, 5502), "image/svg+xml cannot be used here"),
    ] {
        let name = file.file_name().unwrap().to_string_lossy();
        let answer = stage.send_raw(operation, &name, file).await;
        let found = (answer.status, answer.body["code"].as_u64().unwrap_or_default());
        assert_eq!(found, codes, "{name} as {operation}: {answer:?}");
        let says = answer.body["message"].as_str().unwrap_or_default();
        assert!(says.contains(words), "{name} as {operation}: {says}");
    }
    let grown = stage.peak().saturating_sub(before);
    assert!(grown < REFUSED, "{grown} KiB more than the {before} KiB before");
    // As it is, a damaged film is a document like any other.
    let sent = stage.send_raw("document", "half", &half).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let shown: Value = stage.shown(1).await;
    assert_eq!((&shown["kind"], stage.hash_at_ana(&shown).await.1), (&json!("document"), 500));
}
