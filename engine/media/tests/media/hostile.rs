//! Files made to harm, and files that broke on their way.

use crate::support::{Room, eventually, flag, noise, png_bomb, turned};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use warest_media::{Fit, Format, ImageWork, Kind, Media, MediaConfig, MediaError, Programs, Resize, Transcode};

const JPEG: ImageWork = ImageWork {
    resize: Some(Resize { width: Some(1280), height: Some(1280), fit: Fit::Inside, without_enlargement: true }),
    format: Format::Jpeg { quality: 82 },
};

/// Most memory that this process ever had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::test]
async fn a_picture_of_50_megapixels_is_worked_on_in_bounded_memory() {
    let room = Room::new();
    let jpeg = room.made("big.jpg", "-f lavfi -i color=red:size=8660x5773 -frames:v 1");
    let png = room.made("big.png", "-f lavfi -i color=red@0.5:size=8660x5773,format=rgba -frames:v 1");
    let media = room.without_ffmpeg();
    for path in [&jpeg, &png] {
        let output = media.image(path, &JPEG).await.unwrap();
        assert_eq!((output.facts.width, output.facts.height), (Some(1280), Some(853)));
        // Its pixels are 150 and 200 MB.
        assert!(peak() < 400, "{} MiB for {path:?}", peak());
    }
    let two = (0..2).map(|_| media.image(&png, &JPEG));
    for output in futures_of(two).await {
        output.unwrap();
    }
    assert!(peak() < 400, "{} MiB for two at once: huge pictures wait for each other", peak());
}

async fn futures_of<T: Send + 'static>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (one, done) in all.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(result) = one.as_mut().poll(context)
            {
                *done = Some(result);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn a_picture_that_claims_to_be_huge_is_refused_by_its_header() {
    let room = Room::new();
    let media = room.media();
    let mut gif = b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0;".to_vec();
    gif.resize(200, 0);
    for path in [room.file("bomb.png", &png_bomb(60_000, 60_000)), room.file("bomb.gif", &gif)] {
        let begin = Instant::now();
        for result in [
            media.image(&path, &JPEG).await.map(drop),
            media.sticker(&path, None).await.map(drop),
            media.preview(&path).await.map(drop),
            media.gif_video(&path).await.map(drop),
        ] {
            assert!(matches!(result, Err(MediaError::TooLarge { .. })), "{path:?}: {result:?}");
        }
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
    assert!(peak() < 200, "{} MiB", peak());
}

#[tokio::test]
async fn a_video_of_huge_frames_is_refused_by_its_header() {
    let room = Room::new();
    let path = room.made("a.mp4", "-f lavfi -i color=red:size=6000x4000:rate=1:duration=1 -preset ultrafast");
    let media = room.media();
    let mp4 = Transcode::parse("mp4", None, None, None).unwrap();
    for result in [
        media.transcode(&path, &mp4).await.map(drop),
        media.gif_video(&path).await.map(drop),
        media.sticker(&path, None).await.map(drop),
        media.preview(&path).await.map(drop),
    ] {
        assert!(matches!(result, Err(MediaError::TooLarge { pixels: 24_000_000, .. })), "{result:?}");
    }
}

#[tokio::test]
async fn scaling_cannot_be_made_to_take_all_memory() {
    let room = Room::new();
    let path = room.picture("line.png", &flag(1, 60_000));
    let wide = Resize { width: Some(8192), height: Some(1), fit: Fit::Fill, without_enlargement: false };
    let refused = room.media().image(&path, &ImageWork { resize: Some(wide), ..JPEG }).await;
    assert!(matches!(refused, Err(MediaError::Refused { field: "resize", .. })), "{refused:?}");
}

#[tokio::test]
async fn a_file_that_broke_off_says_so() {
    let room = Room::new();
    let media = room.media();
    let preview = std::fs::read(room.picture("preview.jpg", &flag(16, 16))).unwrap();
    for name in ["a.png", "a.jpg", "a.webp", "a.gif", "exif.jpg"] {
        let mut bytes = std::fs::read(room.picture(name, &noise(300, 300))).unwrap();
        if name == "exif.jpg" {
            // The end of a preview in its header is not the end of the picture.
            let mut comment = vec![0xff, 0xd8, 0xff, 0xfe];
            comment.extend_from_slice(&(preview.len() as u16 + 2).to_be_bytes());
            comment.extend_from_slice(&preview);
            comment.extend_from_slice(&turned(&bytes, 1)[2..]);
            bytes = comment;
        }
        let whole = room.file(name, &bytes);
        media.image(&whole, &JPEG).await.unwrap();
        for part in [bytes.len() / 2, bytes.len() - 40] {
            let broken = room.file("broken", &bytes[..part]);
            let result = media.image(&broken, &JPEG).await;
            assert!(matches!(result, Err(MediaError::Corrupt { .. })), "{name} of {part} bytes: {result:?}");
        }
    }
    let bytes = std::fs::read(room.video("a.mp4")).unwrap();
    for part in [100, bytes.len() / 2] {
        let broken = room.file("broken.mp4", &bytes[..part]);
        let result = media.probe(&broken, None, None).await;
        assert!(matches!(result, Err(MediaError::Corrupt { .. })), "{part} bytes: {result:?}");
    }
}

#[tokio::test]
async fn svg_is_no_picture_here() {
    let room = Room::new();
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>";
    let path = room.file("a.png", svg);
    let media = room.media();
    for result in [media.image(&path, &JPEG).await.map(drop), media.sticker(&path, None).await.map(drop)] {
        assert!(matches!(&result, Err(MediaError::Unsupported { mime, .. }) if mime == "image/svg+xml"), "{result:?}");
    }
}

#[tokio::test]
async fn a_playlist_that_is_called_a_video_opens_no_other_file() {
    let room = Room::new();
    let media = room.media();
    let alone = Programs { ffprobe: None, ..Programs::find(None) };
    let alone = Media::new(MediaConfig { programs: alone, ..room.config() });
    let secret = room.video("secret.mp4");
    let there = secret.display();
    let mp4 = Transcode::parse("mp4", None, None, None).unwrap();
    let playlists = [
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile:{there}\n#EXT-X-ENDLIST\n"),
        format!("ffconcat version 1.0\nfile '{there}'\n"),
        // The name alone ffmpeg takes for safe.
        "ffconcat version 1.0\nfile secret.mp4\n".to_owned(),
        format!("<?xml version=\"1.0\"?><MPD><Period><BaseURL>{there}</BaseURL></Period></MPD>"),
        format!("v=0\r\nc=IN IP4 127.0.0.1\r\nm=video 5000 RTP/AVP 96\r\na={there}\r\n"),
    ];
    // Bare, and behind the beginning of files that ffmpeg is given.
    for begin in
        [&b""[..], b"\0\0\0\x08ftyp", b"OggS", b"RIFF\0\0\0\0AVI LIST", b"ID3\x03\0\0\0\0\0\0", b"\x1a\x45\xdf\xa3"]
    {
        for playlist in &playlists {
            let path = room.file("playlist.mp4", &[begin, playlist.as_bytes()].concat());
            if let Ok(facts) = media.probe(&path, Some("video/mp4"), Some("playlist.mp4")).await {
                assert_eq!((facts.width, facts.has_audio.unwrap_or(false)), (None, false));
            }
            assert!(media.transcode(&path, &mp4).await.is_err());
            assert!(media.voice_note(&path).await.is_err());
            // Each of the two programs refuses it by itself.
            assert!(alone.voice_note(&path).await.is_err());
        }
    }
    media.transcode(&secret, &mp4).await.unwrap();
}

#[tokio::test]
async fn a_name_that_looks_like_an_option_or_a_url_is_a_name() {
    let room = Room::new();
    let media = room.media();
    let source = room.made("a.mp3", "-f lavfi -i sine=duration=1");
    for name in ["-y", "http:a.mp3", "concat:a|b", "a b'\"%d.mp3"] {
        let path = room.path(name);
        std::fs::copy(&source, &path).unwrap();
        media.transcode(&path, &Transcode::parse("wav", None, None, None).unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_result_that_would_be_too_large_is_refused_not_cut() {
    let room = Room::new();
    let path = room.made("a.mp3", "-f lavfi -i sine=duration=20");
    let media = Media::new(MediaConfig { max_output_bytes: 500_000, ..room.config() });
    let wav = media.transcode(&path, &Transcode::parse("wav", None, None, None).unwrap()).await;
    assert!(matches!(wav, Err(MediaError::TooHeavy { .. })), "{wav:?}");
    let mp3 = Transcode::parse("mp3", Some("32k"), None, None).unwrap();
    assert!(media.transcode(&path, &mp3).await.is_ok());
}

#[tokio::test]
async fn a_damaged_video_gives_one_short_sentence_without_our_paths() {
    let room = Room::new();
    let mut bytes = std::fs::read(room.made("a.mp3", "-f lavfi -i sine=duration=1")).unwrap();
    bytes.truncate(60);
    bytes.resize(5000, 0x11);
    let path = room.file("a.mp3", &bytes);
    let error = room.media().voice_note(&path).await.unwrap_err().to_string();
    assert!(error.len() < 300 && !error.contains(&*room.folder.path().to_string_lossy()), "{error}");
}

/// A program that never ends and notes its process id.
fn sleeper(room: &Room) -> (Programs, PathBuf) {
    let note = room.path("pid");
    let script = format!("#!/bin/sh\necho $$ > {0}.new\nmv {0}.new {0}\nexec sleep 600\n", note.display());
    let program = room.file("ffmpeg", script.as_bytes());
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    (Programs { ffmpeg: Some(program), ffprobe: None }, note)
}

fn is_running(pid: &str) -> bool {
    Path::new("/proc").join(pid.trim()).exists()
}

#[tokio::test]
async fn ffmpeg_is_killed_when_its_time_is_over() {
    let room = Room::new();
    let (programs, note) = sleeper(&room);
    let path = room.made("a.mp3", "-f lavfi -i sine=duration=1");
    let config = MediaConfig { programs, ffmpeg_timeout: Duration::from_secs(2), ..room.config() };
    let result = Media::new(config).voice_note(&path).await;
    assert!(matches!(result, Err(MediaError::Timeout { seconds: 2 })), "{result:?}");
    assert!(!is_running(&std::fs::read_to_string(note).unwrap()));
}

#[tokio::test]
async fn ffmpeg_is_killed_when_nobody_waits_for_it_and_its_place_is_free() {
    let room = Room::new();
    let (programs, note) = sleeper(&room);
    let path = room.made("a.mp3", "-f lavfi -i sine=duration=1");
    let media = Media::new(MediaConfig { programs, concurrency: 1, ..room.config() });
    let task = tokio::spawn({
        let (media, path) = (media.clone(), path.clone());
        async move { media.voice_note(&path).await.map(drop) }
    });
    eventually("the program starts", || note.exists()).await;
    let pid = std::fs::read_to_string(&note).unwrap();
    assert!(is_running(&pid));
    task.abort();
    eventually("the program is gone", || !is_running(&pid)).await;
    let picture = room.picture("a.png", &flag(10, 10));
    assert!(media.image(&picture, &JPEG).await.is_ok());
}

#[tokio::test]
async fn noise_that_calls_itself_media_harms_nothing() {
    let room = Room::new();
    let media = room.media();
    let noise = noise(100, 100).into_bytes();
    for begin in [
        &b"\x89PNG\r\n\x1a\n"[..],
        b"\xff\xd8\xff\xe0",
        b"GIF89a",
        b"BM",
        b"RIFF\xff\xff\0\0WEBPVP8X",
        b"RIFF\0\x10\0\0WEBPVP8 ",
        b"\0\0\0\x18ftypisom\0\0\0\0isommp41\0\0\x20\0moov",
        b"\x1a\x45\xdf\xa3",
        b"ID3\x04\0\0",
        b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead\x01\x01\x38\x01",
    ] {
        let path = room.file("noise", &[begin, &noise].concat());
        if let Ok(facts) = media.probe(&path, None, None).await {
            assert!(facts.kind != Kind::Image || facts.pixels_are_sane(), "{facts:?}");
        }
        assert!(media.image(&path, &JPEG).await.is_err());
        let _ = media.sticker(&path, None).await;
        let _ = media.preview(&path).await;
        let _ = media.voice_note(&path).await;
    }
}

trait Sane {
    fn pixels_are_sane(&self) -> bool;
}

impl Sane for warest_media::Facts {
    fn pixels_are_sane(&self) -> bool {
        self.width.is_none_or(|width| width > 0) && self.height.is_none_or(|height| height > 0)
    }
}
