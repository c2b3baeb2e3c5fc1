//! Automatic compression.

use crate::support::{Room, flag, noise, streams};
use image::{Rgba, RgbaImage};
use std::path::Path;
use warest_media::{Compress, ImageCompress, Media, MediaConfig, Output};

async fn compressed(media: &Media, path: &Path) -> Option<Output> {
    let facts = media.probe(path, None, None).await.unwrap();
    media.compress(path, &facts).await
}

#[tokio::test]
async fn a_large_photo_is_scaled_and_keeps_its_format() {
    let room = Room::new();
    let output = compressed(&room.without_ffmpeg(), &room.picture("a.jpg", &noise(2000, 1000))).await.unwrap();
    assert_eq!((output.facts.mime.as_str(), output.facts.width), ("image/jpeg", Some(1280)));
    assert_eq!(output.facts.height, Some(640));
}

#[tokio::test]
async fn png_becomes_jpeg_only_where_nothing_shows_through() {
    let room = Room::new();
    let media = room.without_ffmpeg();
    let opaque = compressed(&media, &room.picture("opaque.png", &noise(600, 600))).await.unwrap();
    assert_eq!(opaque.facts.mime, "image/jpeg");
    let image = RgbaImage::from_fn(1500, 1500, |x, y| Rgba([x as u8, y as u8, (x * y) as u8, (x % 256) as u8]));
    let clear = compressed(&media, &room.picture("clear.png", &image.into())).await.unwrap();
    assert_eq!(clear.facts.mime, "image/png");

    let wants = ImageCompress { keep_format: false, allow_webp: true, ..ImageCompress::default() };
    let config = MediaConfig { compress: Compress { image: wants, ..Compress::default() }, ..room.config() };
    let webp = compressed(&Media::new(config), &room.path("clear.png")).await.unwrap();
    assert_eq!(webp.facts.mime, "image/webp");
}

#[tokio::test]
async fn what_saves_too_little_goes_out_as_it_is() {
    let room = Room::new();
    let media = room.without_ffmpeg();
    let once = compressed(&media, &room.picture("a.jpg", &noise(2000, 1000))).await.unwrap();
    assert!(compressed(&media, &once.file).await.is_none(), "a second time gains nothing");
    assert!(compressed(&media, &room.picture("tiny.png", &flag(10, 10))).await.is_none(), "too small to try");
    assert!(compressed(&media, &room.gif("a.gif")).await.is_none(), "animations stay");
    assert!(compressed(&media, &room.file("a.pdf", &[b'%'; 10_000])).await.is_none(), "documents stay");
}

#[tokio::test]
async fn nothing_is_done_where_it_is_switched_off_or_fails() {
    let room = Room::new();
    let off = Compress { enabled: false, ..Compress::default() };
    let off = Media::new(MediaConfig { compress: off, ..room.config() });
    let path = room.picture("a.jpg", &noise(2000, 1000));
    assert!(compressed(&off, &path).await.is_none());
    let bytes = std::fs::read(&path).unwrap();
    let broken = room.file("broken.jpg", &bytes[..bytes.len() / 2]);
    assert!(compressed(&room.media(), &broken).await.is_none());
    assert!(compressed(&room.without_ffmpeg(), &room.video("a.mp4")).await.is_none());
}

#[tokio::test]
async fn sound_and_video_become_smaller_by_ffmpeg() {
    let room = Room::new();
    let media = room.media();
    let sound = compressed(&media, &room.made("a.wav", "-f lavfi -i sine=duration=3")).await.unwrap();
    assert_eq!(sound.facts.mime, "audio/ogg; codecs=opus");
    assert!(compressed(&media, &sound.file).await.is_none(), "Opus stays");
    let video = room.made(
        "a.mp4",
        "-f lavfi -i testsrc2=duration=2:size=1281x721:rate=15 -f lavfi -i sine=duration=2 -c:v libx264 -crf 8 \
         -pix_fmt yuv444p",
    );
    let video = compressed(&media, &video).await.unwrap();
    assert_eq!((video.facts.mime.as_str(), video.facts.width), ("video/mp4", Some(720)));
    let streams = streams(&video.file);
    assert!(streams.contains("pix_fmt=yuv420p") && streams.contains("codec_name=aac"), "{streams}");
}
