//! Files through the media host, both ways, byte for byte, and what goes wrong.
#![cfg(feature = "sandbox")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;
use support::{ANI, World, jid};
use tempfile::TempDir;
use waproto::whatsapp as wa;
use warest_link::{Attachment, Links as _, Outgoing, Remote};
use warest_model::content::{Button, Content, Media, MediaKind, MediaSource};
use warest_model::fault::{Fault, FaultKind};
use warest_model::id::SessionId;
use warest_model::plan::{Effect, MessageKey};
use warest_simnet::{Direction, FaultKind as Trouble, MediaFault};

/// Bytes that differ everywhere.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect()
}

struct Desk {
    world: World,
    session: SessionId,
    folder: TempDir,
}

impl Desk {
    async fn new() -> Self {
        let world = World::new().await;
        let session = world.paired().await;
        Self { world, session, folder: tempfile::tempdir().unwrap() }
    }

    /// Lets files of the bot fail.
    async fn trouble(&self, how: MediaFault, direction: Direction, count: u32) {
        let fault = warest_simnet::Fault {
            how: Some(how),
            direction: Some(direction),
            code: matches!(how, MediaFault::Status).then_some(503),
            ..warest_simnet::Fault::new(Trouble::Media, support::BOT, count)
        };
        self.world.net.add_fault(fault).await.unwrap();
    }

    fn attachment(&self, kind: MediaKind, bytes: &[u8]) -> Attachment {
        let file = self.folder.path().join(format!("{}-{}", bytes.len(), bytes.first().unwrap_or(&0)));
        std::fs::write(&file, bytes).unwrap();
        Attachment {
            file,
            kind,
            mime: "application/test".into(),
            file_name: Some("a file.bin".into()),
            size: bytes.len() as u64,
            width: Some(64),
            height: Some(48),
            seconds: Some(3),
            thumbnail: Some(vec![0xFF, 0xD8, 0xFF, 0xD9]),
            waveform: Some(vec![7; 64]),
            animated: false,
        }
    }

    async fn send(&self, content: Content, files: &[Attachment], id: &str) -> Result<(), Fault> {
        let effect = Effect::message(jid(ANI), content);
        let outgoing = Outgoing { files, ..Outgoing::plain(&effect, id) };
        self.world.link.send(&self.session, outgoing).await.map(|_| ())
    }

    /// The file that a phone got with a message.
    async fn got(&self, id: &str) -> Vec<u8> {
        self.shown(id).await;
        let mut bytes = Vec::new();
        self.world.net.media(ANI, id).await.unwrap().1.read_to_end(&mut bytes).unwrap();
        bytes
    }

    async fn shown(&self, id: &str) -> warest_simnet::ShownMessage {
        let deadline = tokio::time::Instant::now() + support::DEADLINE;
        loop {
            let shown = self.world.net.messages(ANI, 0, None).await.unwrap();
            if let Some(one) = shown.iter().find(|one| one.id == id) {
                return one.clone();
            }
            assert!(tokio::time::Instant::now() < deadline, "the phone has no {id} but {shown:#?}");
            let last = shown.last().map_or(0, |one| one.seq);
            let _ = self.world.net.messages(ANI, last, Some(Duration::from_millis(500))).await;
        }
    }

    /// Downloads the file of a message that the phone sent.
    async fn fetch(&self, id: &str) -> Result<Vec<u8>, Fault> {
        let message: wa::Message = serde_json::from_value(self.shown(id).await.message).unwrap();
        self.fetch_of(id, &message).await
    }

    async fn fetch_of(&self, id: &str, message: &wa::Message) -> Result<Vec<u8>, Fault> {
        let key = MessageKey { remote_jid: jid(ANI), from_me: false, id: id.into(), participant: None };
        let body = waproto::codec::message_to_vec(message);
        let to: PathBuf = self.folder.path().join("fetched");
        let fetched = self.world.link.download(&self.session, Remote { key: &key, body: &body }, &to).await;
        if fetched.is_err() {
            assert!(!to.exists(), "what failed leaves nothing behind");
        }
        fetched.map(|()| std::fs::read(&to).unwrap())
    }
}

fn media(kind: MediaKind) -> Media {
    Media { caption: Some("see".into()), ..Media::new(kind, MediaSource::Url("https://a.example/1".into())) }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_file_arrives_byte_for_byte() {
    let desk = Desk::new().await;
    let kinds = [
        (MediaKind::Image, "image"),
        (MediaKind::Video, "video"),
        (MediaKind::Gif, "gif"),
        (MediaKind::Audio, "audio"),
        (MediaKind::Voice, "ptt"),
        (MediaKind::Document, "document"),
        (MediaKind::Sticker, "sticker"),
    ];
    for (n, (kind, shown)) in kinds.into_iter().enumerate() {
        let bytes = noise(10_007 + n);
        let id = format!("3EB00000000000A{n}");
        desk.send(Content::Media(media(kind)), &[desk.attachment(kind, &bytes)], &id).await.unwrap();
        assert!(desk.got(&id).await == bytes, "{shown}");
        let info = desk.world.net.media_info(ANI, &id).await.unwrap();
        assert_eq!((info.kind.as_str(), info.length), (shown, bytes.len() as u64));
        assert!(info.problems.is_empty(), "{shown}: {:?}", info.problems);
        if matches!(kind, MediaKind::Image | MediaKind::Video | MediaKind::Document) {
            assert_eq!(info.caption.as_deref(), Some("see"), "{shown}");
        }
    }
    let once = Media { view_once: true, ..media(MediaKind::Image) };
    let bytes = noise(99);
    desk.send(Content::Media(once), &[desk.attachment(MediaKind::Image, &bytes)], "3EB00000000000B0").await.unwrap();
    assert!(desk.got("3EB00000000000B0").await == bytes);
    assert!(desk.world.net.media_info(ANI, "3EB00000000000B0").await.unwrap().view_once);

    let picture = noise(5_000);
    let content = Content::Buttons {
        text: "which?".into(),
        footer: None,
        image: Some(MediaSource::Url("https://a.example/1".into())),
        buttons: vec![Button::Reply { text: "Yes".into(), id: "y".into() }],
    };
    desk.send(content, &[desk.attachment(MediaKind::Image, &picture)], "3EB00000000000B1").await.unwrap();
    let shown = desk.shown("3EB00000000000B1").await.message;
    let header = &shown["interactive_message"]["header"];
    assert_eq!(header["media"]["ImageMessage"]["file_length"], 5_000, "{shown:#}");
    desk.world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_crosses_both_ways_and_a_repeat_uploads_nothing() {
    let desk = Desk::new().await;
    let bytes = noise(20 << 20);
    let file = desk.attachment(MediaKind::Document, &bytes);
    desk.send(Content::Media(media(MediaKind::Document)), std::slice::from_ref(&file), "3EB0000000000C0")
        .await
        .unwrap();
    assert!(desk.got("3EB0000000000C0").await == bytes);

    // The media host takes nothing more, and nothing more is needed.
    desk.trouble(MediaFault::Status, Direction::Out, 1_000).await;
    desk.send(Content::Media(media(MediaKind::Document)), &[file], "3EB0000000000C0").await.unwrap();

    let chunks = bytes.chunks(1 << 16).map(|chunk| Ok::<_, std::io::Error>(bytes::Bytes::copy_from_slice(chunk)));
    let draft = desk.world.net.upload(ANI, futures::stream::iter(chunks.collect::<Vec<_>>())).await.unwrap();
    let message = json!({"to": support::BOT, "document": {"upload": draft.upload, "mimetype": "application/pdf"}});
    let sent = desk.world.net.write(ANI, message).await.unwrap();
    assert!(desk.fetch(&sent.id).await.unwrap() == bytes);
    desk.world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_expired_is_asked_of_the_phone_and_one_that_was_changed_is_refused() {
    let desk = Desk::new().await;
    let bytes = noise(70_001);
    let picture = json!({"data": STANDARD.encode(&bytes), "mimetype": "image/jpeg"});
    let sent = desk.world.net.write(ANI, json!({"to": support::BOT, "image": picture})).await.unwrap();
    assert!(desk.fetch(&sent.id).await.unwrap() == bytes);
    let mut message: wa::Message = serde_json::from_value(desk.shown(&sent.id).await.message).unwrap();
    message.image_message.as_option_mut().unwrap().file_sha256 = Some(vec![1; 32]);
    // It is not the file that was named, or it was changed on its way.
    let fault = desk.fetch_of(&sent.id, &message).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.kind), ("media_unverified", FaultKind::Fail), "{fault}");
    desk.trouble(MediaFault::Corrupt, Direction::In, 1).await;
    let fault = desk.fetch(&sent.id).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.kind), ("media_unverified", FaultKind::Fail), "{fault}");
    for how in [MediaFault::Truncate, MediaFault::Status] {
        desk.trouble(how, Direction::In, 1).await;
        let fault = desk.fetch(&sent.id).await.unwrap_err();
        assert_eq!((fault.code.as_str(), fault.kind), ("download_failed", FaultKind::Retry), "{fault}");
    }
    message.image_message.as_option_mut().unwrap().direct_path = Some("@127.0.0.1:1/x".into());
    let fault = desk.fetch_of(&sent.id, &message).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.kind), ("media_unverified", FaultKind::Fail));
    let fault = desk.fetch_of("X", &wa::Message { conversation: Some("x".into()), ..Default::default() }).await;
    assert_eq!(fault.unwrap_err().code, "media_missing");
    desk.world.net.expire_media(ANI, &sent.id).await.unwrap();
    assert!(desk.fetch(&sent.id).await.unwrap() == bytes, "the phone uploads it again");
    desk.world.link.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_uploaded_holds_its_message_back() {
    let desk = Desk::new().await;
    let file = desk.attachment(MediaKind::Image, &noise(1_000));
    desk.trouble(MediaFault::Status, Direction::Out, 1_000).await;
    let send = async || {
        desk.send(Content::Media(media(MediaKind::Image)), std::slice::from_ref(&file), "3EB0000000000D0").await
    };
    let fault = send().await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.kind), ("upload_failed", FaultKind::Retry), "{fault}");
    assert!(desk.world.net.messages(ANI, 0, None).await.unwrap().is_empty());
    desk.world.net.clear_faults().await;
    send().await.unwrap();
    assert!(desk.got("3EB0000000000D0").await == noise(1_000));
    std::fs::remove_file(&file.file).unwrap();
    let gone = desk.send(Content::Media(media(MediaKind::Image)), std::slice::from_ref(&file), "3EB0000000000D1").await;
    assert_eq!(gone.unwrap_err().code, "file_unreadable");
    desk.world.link.shutdown().await;
}
