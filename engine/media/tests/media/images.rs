//! Scaling and converting pictures, and thumbnails.

use crate::support::{Room, flag, is_near, noise, opened, turned};
use image::{GenericImageView, Rgba, RgbaImage};
use warest_media::{Fit, Format, ImageWork, Kind, MediaError, Resize, ThumbnailWork};

const KEEP: Format = Format::Keep { quality: None };

fn sized(width: u32, height: u32, fit: Fit) -> Option<Resize> {
    Some(Resize { width: Some(width), height: Some(height), fit, without_enlargement: false })
}

#[tokio::test]
async fn a_picture_keeps_its_format_or_takes_another_without_ffmpeg() {
    let room = Room::new();
    let media = room.without_ffmpeg();
    for (name, kept) in
        [("a.png", "image/png"), ("a.jpg", "image/jpeg"), ("a.webp", "image/webp"), ("a.bmp", "image/png")]
    {
        let path = room.picture(name, &flag(64, 48));
        let work = ImageWork { resize: None, format: KEEP };
        assert_eq!(media.image(&path, &work).await.unwrap().facts.mime, kept, "{name}");
        for (format, mime) in [("jpeg", "image/jpeg"), ("png", "image/png"), ("webp", "image/webp")] {
            let work = ImageWork { resize: None, format: Format::parse(format, Some(90)).unwrap() };
            let output = media.image(&path, &work).await.unwrap();
            assert_eq!((output.facts.mime.as_str(), output.facts.kind), (mime, Kind::Image));
            assert_eq!((output.facts.width, output.facts.height), (Some(64), Some(48)));
            let shown = opened(&output.file).to_rgba8();
            assert!(is_near(*shown.get_pixel(4, 4), [0, 255, 0, 255]), "{name} as {format}");
            assert!(is_near(*shown.get_pixel(40, 40), [0, 0, 255, 255]), "{name} as {format}");
        }
    }
}

#[tokio::test]
async fn each_fit_shows_what_it_should() {
    let room = Room::new();
    let media = room.without_ffmpeg();
    let path = room.picture("a.png", &flag(200, 100));
    let resized = async |fit, format| {
        let work = ImageWork { resize: sized(60, 60, fit), format };
        opened(&media.image(&path, &work).await.unwrap().file).to_rgba8()
    };
    assert_eq!(resized(Fit::Inside, KEEP).await.dimensions(), (60, 30));
    assert_eq!(resized(Fit::Outside, KEEP).await.dimensions(), (120, 60));
    assert_eq!(resized(Fit::Fill, KEEP).await.dimensions(), (60, 60));
    let contained = resized(Fit::Contain, KEEP).await;
    assert_eq!((contained.dimensions(), contained.get_pixel(0, 0)[3]), ((60, 60), 0));
    let contained = resized(Fit::Contain, Format::Jpeg { quality: 90 }).await;
    assert!(is_near(*contained.get_pixel(0, 0), [255; 4]), "a JPEG's border is white");
    // The green corner ends at 50 of 200 pixels, where the cut is.
    let covering = resized(Fit::Cover, KEEP).await;
    assert_eq!(covering.dimensions(), (60, 60));
    assert!(is_near(*covering.get_pixel(3, 3), [255, 0, 0, 255]));
}

#[tokio::test]
async fn a_turned_photo_comes_out_upright_and_says_nothing_of_its_place() {
    let room = Room::new();
    let media = room.without_ffmpeg();
    let plain = std::fs::read(room.picture("plain.jpg", &flag(80, 40))).unwrap();
    // 6: the camera was held a quarter turn; what is stored at the top is shown at the right.
    let path = room.file("turned.jpg", &turned(&plain, 6));
    let facts = media.probe(&path, None, None).await.unwrap();
    assert_eq!((facts.width, facts.height), (Some(40), Some(80)));
    for resize in [None, sized(20, 40, Fit::Inside), sized(20, 40, Fit::Cover)] {
        let output = media.image(&path, &ImageWork { resize, format: KEEP }).await.unwrap();
        let shown = opened(&output.file).to_rgba8();
        let (width, height) = shown.dimensions();
        assert_eq!(height, 2 * width, "{resize:?}");
        assert!(is_near(*shown.get_pixel(width - 1, 0), [0, 255, 0, 255]), "{resize:?}");
        assert!(is_near(*shown.get_pixel(0, height / 2), [0, 0, 255, 255]), "{resize:?}");
        let bytes = std::fs::read(&output.file).unwrap();
        assert!(!bytes.windows(6).any(|word| word == b"secret" || word == b"Exif\0\0"));
    }
    let thumbnail = media.preview(&path).await.unwrap();
    assert_eq!((thumbnail.width, thumbnail.height), (40, 80));
}

#[tokio::test]
async fn what_is_transparent_is_white_in_jpeg_and_stays_so_in_the_rest() {
    let room = Room::new();
    let media = room.without_ffmpeg();
    let image = RgbaImage::from_fn(40, 40, |x, _| if x < 20 { Rgba([255, 0, 0, 255]) } else { Rgba([0, 0, 0, 0]) });
    let path = room.picture("a.png", &image.into());
    let jpeg = ImageWork { resize: sized(20, 20, Fit::Fill), format: Format::Jpeg { quality: 90 } };
    let shown = opened(&media.image(&path, &jpeg).await.unwrap().file).to_rgba8();
    assert!(is_near(*shown.get_pixel(18, 10), [255; 4]) && is_near(*shown.get_pixel(2, 10), [255, 0, 0, 255]));
    for format in [KEEP, Format::Webp { quality: 90 }] {
        let work = ImageWork { format, ..jpeg };
        let shown = opened(&media.image(&path, &work).await.unwrap().file).to_rgba8();
        assert_eq!(shown.get_pixel(18, 10)[3], 0, "{format:?}");
        assert!(is_near(*shown.get_pixel(2, 10), [255, 0, 0, 255]), "{format:?}");
    }
}

#[tokio::test]
async fn sixteen_bits_and_grey_are_pictures_like_others() {
    let room = Room::new();
    let media = room.without_ffmpeg();
    let image = flag(64, 64);
    for (name, image) in [
        ("rgb16.png", image::DynamicImage::from(image.to_rgb16())),
        ("rgba16.png", image.to_rgba16().into()),
        ("grey.png", image.to_luma8().into()),
        ("grey16a.png", image.to_luma_alpha16().into()),
    ] {
        let path = room.picture(name, &image);
        for format in [KEEP, Format::Jpeg { quality: 80 }, Format::Webp { quality: 80 }] {
            let output = media.image(&path, &ImageWork { resize: sized(32, 32, Fit::Inside), format }).await.unwrap();
            assert_eq!(opened(&output.file).dimensions(), (32, 32), "{name} as {format:?}");
        }
    }
}

#[tokio::test]
async fn tiff_and_avif_are_made_by_ffmpeg_and_refused_without() {
    let room = Room::new();
    let path = room.picture("a.png", &flag(64, 48));
    for (name, mime) in [("tiff", "image/tiff"), ("avif", "image/avif")] {
        let work = ImageWork { resize: None, format: Format::parse(name, None).unwrap() };
        let output = room.media().image(&path, &work).await.unwrap();
        assert_eq!(output.facts.mime, mime);
        assert!(output.facts.size > 100);
        let missing = room.without_ffmpeg().image(&path, &work).await;
        assert!(matches!(missing, Err(MediaError::FfmpegMissing { .. })), "{missing:?}");
    }
}

#[tokio::test]
async fn numbers_out_of_range_are_refused_by_name() {
    let room = Room::new();
    let media = room.without_ffmpeg();
    let path = room.picture("a.png", &flag(64, 48));
    for (resize, format, name) in [
        (sized(0, 10, Fit::Fill), KEEP, "width"),
        (sized(10, 9000, Fit::Fill), KEEP, "height"),
        (None, Format::Jpeg { quality: 0 }, "quality"),
        (None, Format::Webp { quality: 101 }, "quality"),
        (None, Format::Png { level: 10 }, "level"),
    ] {
        match media.image(&path, &ImageWork { resize, format }).await {
            Err(MediaError::Refused { field, .. }) => assert_eq!(field, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(Format::parse("svg", None).is_err() && Fit::parse("zoom").is_err());
    let none = ThumbnailWork { count: 11, ..ThumbnailWork::default() };
    assert!(matches!(media.thumbnails(&path, &none).await, Err(MediaError::Refused { field: "count", .. })));
}

#[tokio::test]
async fn a_preview_is_tiny_even_of_noise() {
    let room = Room::new();
    let media = room.without_ffmpeg();
    for (name, image) in [("flag.png", flag(640, 480)), ("noise.png", noise(100, 100))] {
        let preview = media.preview(&room.picture(name, &image)).await.unwrap();
        assert!(preview.jpeg.len() <= 10 << 10 && preview.width.max(preview.height) <= 100, "{name}");
        assert_eq!(image::guess_format(&preview.jpeg).unwrap(), image::ImageFormat::Jpeg);
    }
    let small = media.preview(&room.picture("small.png", &flag(16, 8))).await.unwrap();
    assert_eq!((small.width, small.height), (16, 8));
}

#[tokio::test]
async fn thumbnails_of_pictures_have_the_size_asked_for() {
    let room = Room::new();
    let media = room.without_ffmpeg();
    let path = room.picture("a.png", &flag(16, 8));
    let work = ThumbnailWork { width: 64, height: 320, count: 3 };
    let thumbnails = media.thumbnails(&path, &work).await.unwrap();
    assert_eq!(thumbnails.len(), 1);
    assert_eq!((thumbnails[0].width, thumbnails[0].height), (64, 32));
    let shown = image::load_from_memory(&thumbnails[0].jpeg).unwrap();
    assert_eq!(shown.dimensions(), (64, 32));
}
