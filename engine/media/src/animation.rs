//! Animations as raw frames in a file: what GIF, WebP and video have in common
//! on their way to another animation. One frame is in memory at a time.

use crate::config::MediaConfig;
use crate::container::delay_ms;
use crate::error::MediaError;
use crate::picture::{check_pixels, scale};
use crate::shape::{Plan, Resize, plan};
use image::codecs::gif::GifDecoder;
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder, DynamicImage, Frames, ImageDecoder, Limits, RgbaImage};
use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::path::Path;

/// Most pixels that are decoded for one animation.
const MAX_DECODED: u64 = 2_000_000_000;

/// Longest animation, and shortest time that a frame of it is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub most_ms: u32,
    pub frame_ms: u32,
}

/// Frames of one size, as RGBA in a file that has no name.
pub(crate) struct Spool {
    file: File,
    /// Pixels across and down.
    pub size: (u32, u32),
    /// When each frame begins, and when the last one ends; milliseconds.
    pub times: Vec<u32>,
}

impl Spool {
    /// Frames that ffmpeg has written, of `frame_ms` each.
    pub(crate) fn of_raw(file: File, size: (u32, u32), frame_ms: f64) -> Result<Self, MediaError> {
        let frames = file.metadata()?.len() / frame_bytes(size);
        if frames == 0 {
            return Err(MediaError::corrupt("the video has no picture"));
        }
        let times = (0..=frames).map(|frame| (frame as f64 * frame_ms).round() as u32).collect();
        Ok(Self { file, size, times })
    }

    /// How many frames there are.
    pub(crate) fn len(&self) -> usize {
        self.times.len().saturating_sub(1)
    }

    /// Hands out each `stride`-th frame with the time that it is shown, until
    /// `each` has had enough.
    pub(crate) fn each(
        &mut self,
        stride: usize,
        mut each: impl FnMut(RgbaImage, u32) -> Result<bool, MediaError>,
    ) -> Result<(), MediaError> {
        self.file.rewind()?;
        let mut reader = BufReader::with_capacity(1 << 20, &self.file);
        let bytes = frame_bytes(self.size);
        let frames = self.len();
        for first in (0..frames).step_by(stride) {
            let mut pixels = vec![0; bytes as usize];
            reader.read_exact(&mut pixels)?;
            let next = (first + stride).min(frames);
            reader.seek_relative(bytes as i64 * (next - first - 1) as i64)?;
            let frame = RgbaImage::from_raw(self.size.0, self.size.1, pixels);
            let frame = frame.ok_or_else(|| MediaError::corrupt("a frame has another size"))?;
            if !each(frame, self.times[next] - self.times[first])? {
                break;
            }
        }
        Ok(())
    }
}

fn frame_bytes((width, height): (u32, u32)) -> u64 {
    u64::from(width) * u64::from(height) * 4
}

/// The frames of an animated GIF or WebP, scaled. What is beyond the pace's end,
/// or too much to decode, is left out.
pub(crate) fn spool(
    path: &Path,
    mime: &str,
    resize: &Resize,
    pace: Pace,
    config: &MediaConfig,
) -> Result<Spool, MediaError> {
    let (frames, from) = frames(path, mime, config)?;
    let plan = plan(resize, from)?;
    let size = plan.canvas.unwrap_or(plan.scaled);
    let mut file = tempfile::tempfile_in(&config.temp_dir)?;
    let mut times = Vec::new();
    let (mut now, mut due, mut decoded) = (0_u32, 0_u32, 0_u64);
    for frame in frames {
        let frame = match frame {
            Ok(frame) => frame,
            // An animation that breaks off is as long as it got.
            Err(_) if !times.is_empty() => break,
            Err(error) => return Err(error.into()),
        };
        let (numerator, denominator) = frame.delay().numer_denom_ms();
        let shown = delay_ms(numerator / denominator.max(1)).min(pace.most_ms);
        if now >= due {
            let pixels = fitted(frame.into_buffer(), &plan)?;
            file.write_all(&pixels)?;
            times.push(now);
            due = now + pace.frame_ms;
        }
        now += shown;
        decoded += u64::from(from.0) * u64::from(from.1);
        if now >= pace.most_ms || decoded >= MAX_DECODED {
            break;
        }
    }
    if times.is_empty() {
        return Err(MediaError::corrupt("the animation has no picture"));
    }
    times.push(now.min(pace.most_ms));
    Ok(Spool { file, size, times })
}

fn fitted(frame: RgbaImage, plan: &Plan) -> Result<RgbaImage, MediaError> {
    let scaled = scale(DynamicImage::from(frame), plan.crop, plan.scaled)?.into_rgba8();
    let Some((width, height)) = plan.canvas else { return Ok(scaled) };
    let mut canvas = RgbaImage::new(width, height);
    let (x, y) = ((width - scaled.width()) / 2, (height - scaled.height()) / 2);
    image::imageops::replace(&mut canvas, &scaled, x.into(), y.into());
    Ok(canvas)
}

fn frames(path: &Path, mime: &str, config: &MediaConfig) -> Result<(Frames<'static>, (u32, u32)), MediaError> {
    let bytes = std::fs::metadata(path)?.len();
    if bytes > config.max_image_bytes {
        return Err(MediaError::TooHeavy { what: "the animation", bytes, limit: config.max_image_bytes });
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(config.decode_memory);
    let reader = BufReader::new(File::open(path)?);
    let check =
        |(width, height): (u32, u32)| check_pixels(u64::from(width) * u64::from(height), config.max_frame_pixels);
    if mime == "image/webp" {
        let decoder = WebPDecoder::new(reader)?;
        let size = decoder.dimensions();
        check(size)?;
        return Ok((decoder.into_frames(), size));
    }
    let mut decoder = GifDecoder::new(reader)?;
    let size = decoder.dimensions();
    check(size)?;
    decoder.set_limits(limits)?;
    Ok((decoder.into_frames(), size))
}
