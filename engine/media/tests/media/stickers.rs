//! Stickers of pictures, animations and videos.

use crate::support::{Room, flag, is_near, noise, opened};
use image::{AnimationDecoder, codecs::webp::WebPDecoder};
use std::io::BufReader;
use std::path::Path;
use warest_media::{Kind, MediaError, StickerPack};

fn frames(path: &Path) -> Vec<image::Frame> {
    let decoder = WebPDecoder::new(BufReader::new(std::fs::File::open(path).unwrap())).unwrap();
    decoder.into_frames().collect_frames().unwrap()
}

#[tokio::test]
async fn a_picture_becomes_a_square_with_a_transparent_border() {
    let room = Room::new();
    let sticker = room.without_ffmpeg().sticker(&room.picture("a.jpg", &flag(300, 150)), None).await.unwrap();
    let facts = &sticker.facts;
    assert_eq!((facts.mime.as_str(), facts.width, facts.height), ("image/webp", Some(512), Some(512)));
    assert!(facts.size <= 100 << 10 && !facts.animated);
    let shown = opened(&sticker.file).to_rgba8();
    assert_eq!((shown.get_pixel(256, 20)[3], shown.get_pixel(256, 490)[3]), (0, 0));
    assert!(is_near(*shown.get_pixel(20, 150), [0, 255, 0, 255]));
}

#[tokio::test]
async fn even_noise_fits_into_a_sticker() {
    let room = Room::new();
    let sticker = room.without_ffmpeg().sticker(&room.picture("a.png", &noise(700, 700)), None).await.unwrap();
    assert!(sticker.facts.size <= 100 << 10, "{}", sticker.facts.size);
}

#[tokio::test]
async fn a_gif_becomes_a_moving_sticker_without_ffmpeg() {
    let room = Room::new();
    let sticker = room.without_ffmpeg().sticker(&room.gif("a.gif"), None).await.unwrap();
    let facts = &sticker.facts;
    assert_eq!((facts.mime.as_str(), facts.width, facts.height), ("image/webp", Some(512), Some(512)));
    assert!(facts.animated && facts.size <= 500 << 10 && facts.kind == Kind::Image);
    assert!((facts.seconds.unwrap() - 1.0).abs() < 0.01, "{facts:?}");
    let frames = frames(&sticker.file);
    assert_eq!(frames.len(), 10);
    // The square, 20 of 101 pixels wide, goes from the left to the right, and
    // leaves nothing behind.
    let (first, last) = (frames[0].buffer(), frames[9].buffer());
    assert!(is_near(*first.get_pixel(50, 226), [255, 0, 0, 255]) && last.get_pixel(50, 226)[3] == 0);
    assert!(is_near(*last.get_pixel(415, 226), [255, 0, 0, 255]) && first.get_pixel(415, 226)[3] == 0);
}

#[tokio::test]
async fn a_video_becomes_a_moving_sticker_of_ten_seconds_at_most() {
    let room = Room::new();
    let video = room.made("a.mp4", "-f lavfi -i testsrc=duration=14:size=320x240:rate=25 -pix_fmt yuv420p");
    let sticker = room.media().sticker(&video, None).await.unwrap();
    let facts = &sticker.facts;
    assert!(facts.animated && facts.size <= 500 << 10, "{facts:?}");
    assert!((9.5..=10.0).contains(&facts.seconds.unwrap()), "{facts:?}");
    let first = frames(&sticker.file).remove(0).into_buffer();
    assert_eq!((first.dimensions(), first.get_pixel(256, 10)[3]), ((512, 512), 0));
    assert_eq!(first.get_pixel(256, 256)[3], 255);
    let missing = room.without_ffmpeg().sticker(&video, None).await;
    assert!(matches!(missing, Err(MediaError::FfmpegMissing { .. })), "{missing:?}");
}

#[tokio::test]
async fn a_moving_sticker_of_noise_gives_up_quality_to_fit() {
    let room = Room::new();
    let gif = room.made("noise.gif", "-f lavfi -i nullsrc=size=128x128:duration=3:rate=12,geq=random(1)*255:128:128");
    let sticker = room.without_ffmpeg().sticker(&gif, None).await.unwrap();
    assert!(sticker.facts.animated && sticker.facts.size <= 500 << 10, "{:?}", sticker.facts);
    assert!((2.8..=3.1).contains(&sticker.facts.seconds.unwrap()), "{:?}", sticker.facts);
}

#[tokio::test]
async fn what_is_a_sticker_already_stays_byte_for_byte() {
    let room = Room::new();
    let media = room.without_ffmpeg();
    for path in [room.picture("still.png", &flag(512, 400)), room.gif("moving.gif")] {
        let sticker = media.sticker(&path, None).await.unwrap();
        let again = media.sticker(&sticker.file, None).await.unwrap();
        assert_eq!(std::fs::read(&sticker.file).unwrap(), std::fs::read(&again.file).unwrap());
    }
    // Of another size, it is made anew.
    let small = media.sticker(&room.picture("small.webp", &flag(100, 100)), None).await.unwrap();
    assert_eq!(small.facts.width, Some(512));
}

#[tokio::test]
async fn a_sticker_tells_of_its_pack_and_still_shows() {
    let room = Room::new();
    let media = room.without_ffmpeg();
    let pack = StickerPack { name: Some("Cats é".into()), author: Some("Me".into()), ..StickerPack::default() };
    for path in [room.picture("still.png", &flag(512, 400)), room.gif("moving.gif")] {
        let plain = media.sticker(&path, None).await.unwrap();
        // Named from the source, and named afterwards, twice.
        let once = media.sticker(&path, Some(&pack)).await.unwrap();
        let twice = media.sticker(&once.file, Some(&pack)).await.unwrap();
        for named in [&once, &twice] {
            assert_eq!((named.facts.width, named.facts.animated), (Some(512), plain.facts.animated));
            assert_eq!(opened(&named.file).to_rgba8(), opened(&plain.file).to_rgba8());
            let bytes = std::fs::read(&named.file).unwrap();
            let texts = String::from_utf8_lossy(&bytes).matches(r#""sticker-pack-name":"Cats é""#).count();
            assert_eq!(texts, 1);
        }
    }
    let long = StickerPack { name: Some("x".repeat(300)), ..StickerPack::default() };
    let refused = media.sticker(&room.path("still.png"), Some(&long)).await;
    assert!(matches!(refused, Err(MediaError::Refused { field: "packName", .. })));
}
