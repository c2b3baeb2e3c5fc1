//! Videos: GIFs as videos, frames, other formats.

use crate::support::{Room, flag, is_near, opened, streams};
use warest_media::{Kind, MediaError, ThumbnailWork, Transcode};

#[tokio::test]
async fn a_gif_becomes_a_silent_video_of_even_size_on_white() {
    let room = Room::new();
    let video = room.media().gif_video(&room.gif("a.gif")).await.unwrap();
    let facts = &video.facts;
    assert_eq!((facts.mime.as_str(), facts.kind, facts.has_audio), ("video/mp4", Kind::Video, Some(false)));
    assert_eq!((facts.width, facts.height), (Some(102), Some(52)));
    assert!((facts.seconds.unwrap() - 1.0).abs() < 0.15, "{facts:?}");
    let streams = streams(&video.file);
    assert!(streams.contains("codec_name=h264") && streams.contains("pix_fmt=yuv420p"), "{streams}");
    assert_eq!(streams.matches("codec_type").count(), 1);
    // Ready to play before it is loaded: the table of contents comes first.
    let bytes = std::fs::read(&video.file).unwrap();
    let at = |name: &[u8]| bytes.windows(4).position(|word| word == name).unwrap();
    assert!(at(b"moov") < at(b"mdat"));
    let shown = opened(&room.made("first.png", &format!("-i {} -frames:v 1", video.file.display()))).to_rgba8();
    assert!(is_near(*shown.get_pixel(90, 45), [255; 4]), "{:?}", shown.get_pixel(90, 45));
    assert!(is_near(*shown.get_pixel(8, 20), [255, 0, 0, 255]), "{:?}", shown.get_pixel(8, 20));
}

#[tokio::test]
async fn a_moving_webp_and_a_video_become_silent_videos_too() {
    let room = Room::new();
    let media = room.media();
    let sticker = media.sticker(&room.gif("a.gif"), None).await.unwrap();
    let video = media.gif_video(&sticker.file).await.unwrap();
    assert_eq!((video.facts.width, video.facts.has_audio), (Some(512), Some(false)));
    assert!((video.facts.seconds.unwrap() - 1.0).abs() < 0.15, "{:?}", video.facts);

    let video = media.gif_video(&room.video("a.webm")).await.unwrap();
    assert_eq!((video.facts.width, video.facts.has_audio), (Some(320), Some(false)));
    assert!((video.facts.seconds.unwrap() - 2.0).abs() < 0.15, "{:?}", video.facts);

    let still = media.gif_video(&room.picture("a.png", &flag(10, 10))).await;
    assert!(matches!(still, Err(MediaError::Unsupported { .. })), "{still:?}");
    let missing = room.without_ffmpeg().gif_video(&room.path("a.gif")).await;
    assert!(matches!(missing, Err(MediaError::FfmpegMissing { .. })), "{missing:?}");
}

#[tokio::test]
async fn thumbnails_of_a_video_are_from_different_moments() {
    let room = Room::new();
    let media = room.media();
    let video = room.video("a.mp4");
    let thumbnails = media.thumbnails(&video, &ThumbnailWork { width: 160, height: 160, count: 3 }).await.unwrap();
    assert_eq!(thumbnails.len(), 3);
    assert!(thumbnails.iter().all(|one| (one.width, one.height) == (160, 120)));
    assert!(thumbnails[0] != thumbnails[1] && thumbnails[1] != thumbnails[2]);
    let preview = media.preview(&video).await.unwrap();
    assert_eq!((preview.width, preview.height), (100, 75));
    let missing = room.without_ffmpeg().preview(&video).await;
    assert!(matches!(missing, Err(MediaError::FfmpegMissing { .. })), "{missing:?}");
}

#[tokio::test]
async fn video_and_sound_take_every_format_on_the_list() {
    let room = Room::new();
    let media = room.media();
    let video = room.video("a.mp4");
    for (format, mime, codecs) in [
        ("mp4", "video/mp4", "codec_name=h264,codec_name=aac"),
        ("webm", "video/webm", "codec_name=vp8,codec_name=opus"),
        ("mp3", "audio/mpeg", "codec_name=mp3"),
        ("ogg", "audio/ogg; codecs=opus", "codec_name=opus"),
        ("m4a", "audio/mp4", "codec_name=aac"),
        ("aac", "audio/aac", "codec_name=aac"),
        ("wav", "audio/wav", "codec_name=pcm_s16le"),
    ] {
        let work = Transcode::parse(format, Some("48k"), Some("300k"), Some("ultrafast")).unwrap();
        let output = media.transcode(&video, &work).await.unwrap();
        assert_eq!(output.facts.mime, mime);
        let kind = if mime.starts_with("video") { Kind::Video } else { Kind::Audio };
        assert_eq!(output.facts.kind, kind);
        assert!((output.facts.seconds.unwrap() - 2.0).abs() < 0.2, "{:?}", output.facts);
        let streams = streams(&output.file);
        assert!(codecs.split(',').all(|codec| streams.contains(codec)), "{format}: {streams}");
    }
    assert!(room.leftovers(&[&video]).is_empty(), "results are removed with their handles");
}

#[tokio::test]
async fn converted_videos_are_even_square_and_not_huge() {
    let room = Room::new();
    let media = room.media();
    let mp4 = Transcode::parse("mp4", None, None, Some("ultrafast")).unwrap();
    for (size, shape, to) in [
        ("2000x500", "1", (1920, 480)),
        ("500x2000", "1", (480, 1920)),
        ("101x51", "1", (100, 50)),
        ("100x100", "2", (200, 100)),
        ("320x240", "1", (320, 240)),
    ] {
        let source = room.made(
            "a.mkv",
            &format!(
                "-f lavfi -i testsrc=duration=0.4:size={size}:rate=5,setsar={shape} -c:v libx264 -pix_fmt yuv444p"
            ),
        );
        let output = media.transcode(&source, &mp4).await.unwrap();
        assert_eq!((output.facts.width, output.facts.height), (Some(to.0), Some(to.1)), "{size}");
        let streams = streams(&output.file);
        assert!(streams.contains(&format!("width={}", to.0)) && streams.contains("pix_fmt=yuv420p"), "{streams}");
    }
}

#[tokio::test]
async fn a_format_that_the_file_has_nothing_for_is_refused() {
    let room = Room::new();
    let media = room.media();
    let silent = room.made("silent.mp4", "-f lavfi -i testsrc=duration=1:size=64x64:rate=5 -pix_fmt yuv420p");
    let mp3 = Transcode::parse("mp3", None, None, None).unwrap();
    let refused = media.transcode(&silent, &mp3).await;
    assert!(matches!(refused, Err(MediaError::Unsupported { .. })), "{refused:?}");
    let sound = room.made("a.mp3", "-f lavfi -i sine=duration=1");
    let mp4 = Transcode::parse("mp4", None, None, None).unwrap();
    let refused = media.transcode(&sound, &mp4).await;
    assert!(matches!(refused, Err(MediaError::Unsupported { .. })), "{refused:?}");
    let text = room.file("a.mp3", b"just words");
    let refused = media.transcode(&text, &mp3).await;
    assert!(matches!(refused, Err(MediaError::Unsupported { .. })), "{refused:?}");
}
