//! Making files, and looking at results.

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use warest_media::{Media, MediaConfig, Programs};

/// A folder for the files of one test.
pub struct Room {
    pub folder: TempDir,
}

impl Room {
    pub fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn config(&self) -> MediaConfig {
        MediaConfig { temp_dir: self.folder.path().to_owned(), ..MediaConfig::default() }
    }

    pub fn media(&self) -> Media {
        Media::new(self.config())
    }

    pub fn without_ffmpeg(&self) -> Media {
        Media::new(MediaConfig { programs: Programs::default(), ..self.config() })
    }

    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn picture(&self, name: &str, image: &DynamicImage) -> PathBuf {
        let path = self.path(name);
        image.save_with_format(&path, ImageFormat::from_path(&path).unwrap()).unwrap();
        path
    }

    /// A file that ffmpeg makes with these arguments, words between spaces.
    pub fn made(&self, name: &str, args: &str) -> PathBuf {
        let path = self.path(name);
        let output = Command::new("ffmpeg")
            .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"])
            .args(args.split_whitespace())
            .arg(&path)
            .output()
            .expect("these tests need ffmpeg: install it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        path
    }

    /// Two seconds of moving colours with a tone, 320×240.
    pub fn video(&self, name: &str) -> PathBuf {
        self.made(
            name,
            "-f lavfi -i testsrc=duration=2:size=320x240:rate=10 -f lavfi -i sine=frequency=440:duration=2 \
             -pix_fmt yuv420p",
        )
    }

    /// A GIF of a second: a red square that moves over a transparent ground.
    pub fn gif(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let mut encoder = image::codecs::gif::GifEncoder::new(std::fs::File::create(&path).unwrap());
        encoder.set_repeat(image::codecs::gif::Repeat::Infinite).unwrap();
        for step in 0..10 {
            let image = RgbaImage::from_fn(101, 51, |x, y| {
                let inside = (step * 8..step * 8 + 20).contains(&x) && (10..30).contains(&y);
                if inside { Rgba([255, 0, 0, 255]) } else { Rgba([0, 0, 0, 0]) }
            });
            let delay = image::Delay::from_numer_denom_ms(100, 1);
            encoder.encode_frame(image::Frame::from_parts(image, 0, 0, delay)).unwrap();
        }
        path
    }

    /// Files in the folder that are not `known`.
    pub fn leftovers(&self, known: &[&Path]) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|path| !known.contains(&path.as_path())).collect()
    }
}

/// A picture with red above and blue below, and a green corner at the top left.
pub fn flag(width: u32, height: u32) -> DynamicImage {
    RgbImage::from_fn(width, height, |x, y| {
        if x < width / 4 && y < height / 4 {
            Rgb([0, 255, 0])
        } else if y < height / 2 {
            Rgb([255, 0, 0])
        } else {
            Rgb([0, 0, 255])
        }
    })
    .into()
}

/// A picture that no format makes small.
pub fn noise(width: u32, height: u32) -> DynamicImage {
    let mut state = 1_u32;
    RgbImage::from_fn(width, height, |_, _| {
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        };
        Rgb([next(), next(), next()])
    })
    .into()
}

/// Whether a pixel is about this colour.
pub fn is_near(pixel: Rgba<u8>, colour: [u8; 4]) -> bool {
    pixel.0.iter().zip(colour).all(|(a, b)| a.abs_diff(b) <= 24)
}

pub fn opened(path: &Path) -> DynamicImage {
    let reader = image::ImageReader::open(path).unwrap().with_guessed_format().unwrap();
    reader.decode().unwrap()
}

/// What ffprobe says of a file: `codec_name`, `pix_fmt`, … a line each.
pub fn streams(path: &Path) -> String {
    let entries = "stream=codec_name,codec_type,pix_fmt,width,height,channels,sample_rate";
    let output = Command::new("ffprobe")
        .args(["-loglevel", "error", "-show_entries", entries, "-of", "default=noprint_wrappers=1"])
        .arg(path)
        .output()
        .expect("these tests need ffprobe: install ffmpeg");
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until something holds.
pub async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A PNG that says it has this size, with hardly any data.
pub fn png_bomb(width: u32, height: u32) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8; 4], body: &[u8]| {
        png.extend_from_slice(&(body.len() as u32).to_be_bytes());
        let begin = png.len();
        png.extend_from_slice(name);
        png.extend_from_slice(body);
        let sum = crc32(&png[begin..]);
        png.extend_from_slice(&sum.to_be_bytes());
    };
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend_from_slice(&[8, 6, 0, 0, 0]);
    chunk(b"IHDR", &header);
    chunk(b"IDAT", &[0x78, 0x9c, 0x63, 0, 0, 0, 1, 0, 1]);
    chunk(b"IEND", &[]);
    png
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

/// A JPEG with an EXIF orientation and a place of taking in it.
pub fn turned(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0]);
    exif.extend_from_slice(b"taken at a secret place");
    let mut file = vec![0xff, 0xd8, 0xff, 0xe1];
    file.extend_from_slice(&(exif.len() as u16 + 2).to_be_bytes());
    file.extend_from_slice(&exif);
    file.extend_from_slice(&jpeg[2..]);
    file
}
