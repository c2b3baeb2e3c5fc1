//! Stickers: WebP of 512×512 pixels, still up to 100 KiB, moving up to 500 KiB
//! and ten seconds.

use crate::animation::{self, Pace, Spool};
use crate::config::MediaConfig;
use crate::encode;
use crate::error::MediaError;
use crate::facts::{Facts, Kind};
use crate::ffmpeg::Input;
use crate::media::{Media, Output, temp_with};
use crate::picture;
use crate::riff::{self, Animation};
use crate::shape::{Fit, Resize, plan};
use crate::video::words;
use image::{DynamicImage, RgbaImage};
use std::fs::File;
use std::path::Path;
use tempfile::TempPath;
use webp::WebPMemory;

/// What a sticker says of the pack that it is from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StickerPack {
    /// The pack's identifier; absent means none.
    pub id: Option<String>,
    /// The pack's name.
    pub name: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// Emoji that it goes with; at most three are kept.
    pub emojis: Vec<String>,
}

const SIDE: u32 = 512;
const STILL_BYTES: usize = 100 << 10;
const MOVING_BYTES: usize = 500 << 10;
/// Frames are shown for a fifteenth of a second at least.
const PACE: Pace = Pace { most_ms: 10_000, frame_ms: 66 };
/// Qualities of a still, tried in turn.
const STILL: [u8; 6] = [90, 75, 55, 35, 15, 1];
/// Of a moving one: every how manyth frame, at which quality.
const MOVING: [(usize, u8); 9] = [(1, 75), (1, 50), (1, 30), (2, 50), (2, 25), (3, 25), (4, 10), (8, 5), (16, 1)];
/// Longest text of a pack, in bytes.
const MAX_TEXT: usize = 256;

impl Media {
    /// A sticker of a picture, an animation or (by ffmpeg) a video. A WebP that
    /// is a sticker already stays as it is, byte for byte, unless `pack` says
    /// otherwise.
    pub async fn sticker(&self, path: &Path, pack: Option<&StickerPack>) -> Result<Output, MediaError> {
        let exif = pack.map(exif).transpose()?;
        let (facts, permit) = self.begin(path).await?;
        let source = path.to_owned();
        let made = match facts.kind {
            Kind::Image if is_sticker(&facts) => {
                self.compute(&permit, move |config| {
                    // Only what can be shown is passed on.
                    picture::decode(&source, &facts.mime, config)?;
                    finish(&std::fs::read(&source)?, exif.as_deref(), config)
                })
                .await?
            }
            Kind::Image if facts.animated => {
                self.compute(&permit, move |config| {
                    let mut spool = animation::spool(&source, &facts.mime, &square(), PACE, config)?;
                    finish(&moving(&mut spool)?, exif.as_deref(), config)
                })
                .await?
            }
            Kind::Image => {
                self.compute(&permit, move |config| {
                    finish(&still(&source, &facts.mime, config)?, exif.as_deref(), config)
                })
                .await?
            }
            Kind::Video => {
                let frames = self.frames(path, &facts).await?;
                self.compute(&permit, move |config| {
                    let mut spool = Spool::of_raw(File::open(&frames)?, (SIDE, SIDE), 1000.0 / 15.0)?;
                    finish(&moving(&mut spool)?, exif.as_deref(), config)
                })
                .await?
            }
            _ => {
                let wanted = "a picture, an animation or a video";
                return Err(MediaError::Unsupported { mime: facts.mime, wanted });
            }
        };
        self.output(&permit, made).await
    }

    /// A video's frames, as they are in a sticker.
    async fn frames(&self, path: &Path, facts: &Facts) -> Result<TempPath, MediaError> {
        let input = Input::media(path, &facts.mime, "a video")?;
        let filter = format!(
            "fps=15,scale={SIDE}:{SIDE}:force_original_aspect_ratio=decrease,format=rgba,\
             pad={SIDE}:{SIDE}:-1:-1:color=black@0"
        );
        let seconds = (PACE.most_ms / 1000).to_string();
        let args = ["-map", "0:v:0", "-an", "-t", &seconds, "-vf", &filter, "-pix_fmt", "rgba", "-f", "rawvideo"];
        let output = self.temp(".raw")?;
        self.ffmpeg().convert("stickers of videos", input, &words(&args), &output).await?;
        Ok(output)
    }
}

fn square() -> Resize {
    Resize { width: Some(SIDE), height: Some(SIDE), fit: Fit::Contain, without_enlargement: false }
}

fn is_sticker(facts: &Facts) -> bool {
    let most = if facts.animated { MOVING_BYTES } else { STILL_BYTES };
    facts.mime == "image/webp"
        && (facts.width, facts.height) == (Some(SIDE), Some(SIDE))
        && facts.size <= most as u64
        && facts.seconds.unwrap_or(0.0) <= f64::from(PACE.most_ms) / 1000.0
}

fn finish(webp: &[u8], exif: Option<&[u8]>, config: &MediaConfig) -> Result<TempPath, MediaError> {
    match exif {
        Some(exif) => temp_with(config, ".webp", &riff::with_exif(webp, (SIDE, SIDE), exif)),
        None => temp_with(config, ".webp", webp),
    }
}

fn still(path: &Path, mime: &str, config: &MediaConfig) -> Result<Vec<u8>, MediaError> {
    let decoded = picture::decode(path, mime, config)?;
    let plan = plan(&square(), decoded.size())?;
    let image = decoded.shown(&plan)?;
    for quality in STILL {
        let webp = encode::webp(&image, &encode::lossy(quality)?)?;
        if webp.len() <= STILL_BYTES {
            return Ok(webp.to_vec());
        }
    }
    Err(MediaError::TooHeavy { what: "the sticker", bytes: STILL_BYTES as u64 + 1, limit: STILL_BYTES as u64 })
}

/// A part of a picture, encoded.
struct Patch {
    webp: WebPMemory,
    at: (u32, u32),
    size: (u32, u32),
    ms: u32,
}

fn moving(spool: &mut Spool) -> Result<Vec<u8>, MediaError> {
    for (stride, quality) in MOVING {
        if let Some(webp) = animate(spool, stride, quality)? {
            return Ok(webp);
        }
    }
    Err(MediaError::TooHeavy { what: "the sticker", bytes: MOVING_BYTES as u64 + 1, limit: MOVING_BYTES as u64 })
}

/// The animation at this quality, unless it becomes too large. Each frame holds
/// only what has changed.
fn animate(spool: &mut Spool, stride: usize, quality: u8) -> Result<Option<Vec<u8>>, MediaError> {
    let mut config = encode::lossy(quality)?;
    // Much faster, little larger: there are many frames.
    config.method = 2;
    let mut animation = Animation::new(SIDE, SIDE);
    let mut before: Option<RgbaImage> = None;
    let mut waiting: Option<Patch> = None;
    let mut fits = true;
    let push = |animation: &mut Animation, patch: Patch| {
        animation.push(&patch.webp, patch.at, patch.size, patch.ms);
        animation.len() <= MOVING_BYTES
    };
    spool.each(stride, |frame, ms| {
        let changed = match &before {
            Some(before) => changed(before, &frame),
            None => Some((0, 0, frame.width(), frame.height())),
        };
        let Some((x, y, width, height)) = changed else {
            if let Some(waiting) = &mut waiting {
                waiting.ms += ms;
            }
            return Ok(true);
        };
        if let Some(patch) = waiting.take() {
            fits = push(&mut animation, patch);
        }
        let part = DynamicImage::from(image::imageops::crop_imm(&frame, x, y, width, height).to_image());
        waiting = Some(Patch { webp: encode::webp(&part, &config)?, at: (x, y), size: (width, height), ms });
        before = Some(frame);
        Ok(fits)
    })?;
    if let Some(patch) = waiting {
        fits = fits && push(&mut animation, patch);
    }
    Ok(fits.then(|| animation.finish()))
}

/// The smallest rectangle, beginning at even places, that holds all that differs.
fn changed(before: &RgbaImage, now: &RgbaImage) -> Option<(u32, u32, u32, u32)> {
    let row_bytes = 4 * now.width() as usize;
    let rows = || before.chunks_exact(row_bytes).zip(now.chunks_exact(row_bytes));
    let top = rows().position(|(before, now)| before != now)?;
    let bottom = rows().rposition(|(before, now)| before != now)?;
    let (mut left, mut right) = (now.width(), 0);
    for (before, now) in rows().take(bottom + 1).skip(top) {
        let pixels = || before.chunks_exact(4).zip(now.chunks_exact(4));
        if let Some(first) = pixels().position(|(before, now)| before != now) {
            left = left.min(first as u32);
        }
        if let Some(last) = pixels().rposition(|(before, now)| before != now) {
            right = right.max(last as u32);
        }
    }
    let (left, top) = (left & !1, top as u32 & !1);
    Some((left, top, right + 1 - left, bottom as u32 + 1 - top))
}

/// The EXIF in which apps look for a sticker's pack: a TIFF of one entry, a text
/// in JSON.
fn exif(pack: &StickerPack) -> Result<Vec<u8>, MediaError> {
    let texts = [("packId", &pack.id), ("packName", &pack.name), ("author", &pack.author)];
    for (field, text) in texts {
        if text.as_ref().is_some_and(|text| text.len() > MAX_TEXT) {
            return Err(MediaError::Refused { field, why: format!("must be at most {MAX_TEXT} bytes") });
        }
    }
    let emojis: Vec<_> = pack.emojis.iter().filter(|emoji| emoji.len() <= MAX_TEXT).take(3).collect();
    let json = serde_json::json!({
        "sticker-pack-id": pack.id.as_deref().unwrap_or_default(),
        "sticker-pack-name": pack.name.as_deref().unwrap_or_default(),
        "sticker-pack-publisher": pack.author.as_deref().unwrap_or_default(),
        "emojis": emojis,
    })
    .to_string();
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x41\x57\x07\0".to_vec();
    exif.extend_from_slice(&(json.len() as u32).to_le_bytes());
    // Where the text begins. Apps expect it right here, without the end of the
    // list that TIFF has.
    exif.extend_from_slice(&22_u32.to_le_bytes());
    exif.extend_from_slice(json.as_bytes());
    Ok(exif)
}
