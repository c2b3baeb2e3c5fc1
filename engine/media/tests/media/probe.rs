//! What files are.

use crate::support::{Room, flag};
use warest_media::{Facts, Kind};

async fn facts(room: &Room, path: &std::path::Path) -> Facts {
    room.media().probe(path, None, None).await.unwrap()
}

#[tokio::test]
async fn pictures_videos_and_sound_are_known_by_content() {
    let room = Room::new();
    for (name, mime, ending) in [
        ("a.png", "image/png", "png"),
        ("a.jpg", "image/jpeg", "jpg"),
        ("a.webp", "image/webp", "webp"),
        ("a.bmp", "image/bmp", "bmp"),
    ] {
        let odd = room.path("wrong.pdf");
        std::fs::rename(room.picture(name, &flag(60, 40)), &odd).unwrap();
        let facts = room.without_ffmpeg().probe(&odd, Some("application/pdf"), Some("wrong.pdf")).await.unwrap();
        assert_eq!((facts.mime.as_str(), facts.extension.as_str(), facts.kind), (mime, ending, Kind::Image));
        assert_eq!((facts.width, facts.height, facts.seconds), (Some(60), Some(40), None));
    }
    for (name, mime) in [
        ("a.mp4", "video/mp4"),
        ("a.mov", "video/quicktime"),
        ("a.webm", "video/webm"),
        ("a.mkv", "video/x-matroska"),
        ("a.avi", "video/x-msvideo"),
    ] {
        let facts = facts(&room, &room.video(name)).await;
        assert_eq!((facts.mime.as_str(), facts.kind, facts.has_audio), (mime, Kind::Video, Some(true)));
        assert_eq!((facts.width, facts.height), (Some(320), Some(240)), "{name}");
        assert!((facts.seconds.unwrap() - 2.0).abs() < 0.2, "{name}: {facts:?}");
    }
    for (name, mime) in [
        ("a.mp3", "audio/mpeg"),
        ("a.ogg", "audio/ogg"),
        ("a.opus", "audio/ogg; codecs=opus"),
        ("a.wav", "audio/wav"),
        ("a.m4a", "audio/mp4"),
        ("a.aac", "audio/aac"),
        ("a.flac", "audio/flac"),
    ] {
        let facts = facts(&room, &room.made(name, "-f lavfi -i sine=duration=2")).await;
        assert_eq!((facts.mime.as_str(), facts.kind), (mime, Kind::Audio));
        assert!((facts.seconds.unwrap() - 2.0).abs() < 0.2, "{name}: {facts:?}");
    }
}

#[tokio::test]
async fn mp4_opus_gif_and_webp_tell_their_length_without_ffprobe() {
    let room = Room::new();
    let media = room.without_ffmpeg();
    let video = media.probe(&room.video("a.mp4"), None, None).await.unwrap();
    assert_eq!((video.width, video.height, video.has_audio), (Some(320), Some(240), Some(true)));
    assert!((video.seconds.unwrap() - 2.0).abs() < 0.1, "{video:?}");

    let fragmented = room.made(
        "frag.mp4",
        "-f lavfi -i testsrc=duration=2:size=320x240:rate=10 -pix_fmt yuv420p -movflags frag_keyframe+empty_moov",
    );
    let video = media.probe(&fragmented, None, None).await.unwrap();
    assert_eq!((video.kind, video.width, video.has_audio), (Kind::Video, Some(320), Some(false)));

    // A phone stores an upright video lying, with a turn beside it.
    let lying = room.video("lying.mp4");
    let upright = room.made("upright.mp4", &format!("-i {} -c copy -metadata:s:v:0 rotate=90", lying.display()));
    let video = media.probe(&upright, None, None).await.unwrap();
    assert_eq!((video.width, video.height), (Some(240), Some(320)));

    let gif = media.probe(&room.gif("a.gif"), None, None).await.unwrap();
    assert_eq!((gif.width, gif.height, gif.animated), (Some(101), Some(51), true));
    assert!((gif.seconds.unwrap() - 1.0).abs() < 1e-6, "{gif:?}");
    let sticker = media.sticker(&room.path("a.gif"), None).await.unwrap();
    assert!(sticker.facts.animated && (sticker.facts.seconds.unwrap() - 1.0).abs() < 1e-6);

    let note = room.made("a.ogg", "-f lavfi -i sine=duration=3 -c:a libopus");
    let note = media.probe(&note, None, None).await.unwrap();
    assert!((note.seconds.unwrap() - 3.0).abs() < 0.03, "{note:?}");
}

#[tokio::test]
async fn a_damaged_file_is_still_a_document() {
    let room = Room::new();
    let bytes = std::fs::read(room.video("a.mp4")).unwrap();
    let path = room.file("broken.mp4", &bytes[..bytes.len() / 2]);
    let facts = room.media().document(&path, Some("application/pdf"), Some("film.mp4")).await.unwrap();
    assert_eq!((facts.mime.as_str(), facts.extension.as_str(), facts.kind), ("video/mp4", "mp4", Kind::Document));
    assert_eq!(facts.size, bytes.len() as u64 / 2);
}

#[tokio::test]
async fn words_make_no_file_a_picture() {
    let room = Room::new();
    let media = room.media();
    for (content, declared, name, mime, extension) in [
        (&b"<html>404</html>"[..], "image/png", "a.png", "text/html", "html"),
        (b"\x01\x02\x03", "image/png", "a.png", "image/png", "png"),
        (b"#EXTM3U", "video/mp4", "a.mp4", "video/mp4", "mp4"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/png", "a.png", "image/svg+xml", "svg"),
        (b"%PDF-1.7", "application/octet-stream", "a", "application/pdf", "pdf"),
        (b"", "", "", "application/octet-stream", "bin"),
    ] {
        let path = room.file("a", content);
        let facts = media.probe(&path, Some(declared), Some(name)).await.unwrap();
        assert_eq!((facts.mime.as_str(), facts.kind), (mime, Kind::Document), "{name}");
        assert_eq!(facts.extension, extension);
    }
}
