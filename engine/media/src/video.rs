//! Videos by ffmpeg: single frames, and the silent looping kind that WhatsApp
//! calls a GIF.

use crate::animation::{self, Pace};
use crate::error::MediaError;
use crate::facts::{Facts, Kind};
use crate::ffmpeg::Input;
use crate::media::{Media, Output, temp};
use crate::picture;
use crate::shape::Resize;
use std::io::Write;
use std::path::Path;
use tempfile::TempPath;

/// Longest side of a GIF's video.
const GIF_SIDE: u32 = 1280;
/// Longest that a GIF's video plays.
const GIF_SECONDS: u32 = 60;
/// Shortest time that a frame of one is shown, if we take it apart ourselves.
const FRAME_MS: u32 = 50;

/// Arguments from words.
pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// H.264 that every app plays, at even sizes.
pub(crate) const H264: [&str; 4] = ["-c:v", "libx264", "-pix_fmt", "yuv420p"];

impl Media {
    /// A frame of a video, as a PNG file.
    pub(crate) async fn frame(&self, path: &Path, facts: &Facts, seconds: f64) -> Result<TempPath, MediaError> {
        let needed_for = "pictures of videos";
        let mut input = Input::media(path, &facts.mime, "a video")?;
        input.options.extend(["-ss".to_owned(), format!("{seconds:.3}")]);
        let output = self.temp(".png")?;
        let args = words(&["-map", "0:v:0", "-frames:v", "1", "-c:v", "png", "-f", "image2", "-update", "1"]);
        match self.ffmpeg().convert(needed_for, input, &args, &output).await {
            // Headers may promise more than there is; the beginning is there.
            Err(MediaError::Corrupt { .. }) if seconds > 0.0 => {
                let input = Input::media(path, &facts.mime, "a video")?;
                self.ffmpeg().convert(needed_for, input, &args, &output).await?;
            }
            other => other?,
        }
        Ok(output)
    }

    /// The silent MP4 of a GIF, an animated WebP or a video: H.264, even sizes
    /// up to 1280 pixels, at most 60 s, what is transparent white. Needs ffmpeg.
    pub async fn gif_video(&self, path: &Path) -> Result<Output, MediaError> {
        let (facts, permit) = self.begin(path).await?;
        let needed_for = "videos of GIFs";
        let wanted = "a GIF, an animated WebP or a video";
        let is_moving = facts.kind == Kind::Video || facts.mime == "image/gif" || facts.animated;
        let size = facts.width.zip(facts.height).filter(|_| is_moving);
        let Some(size) = size else {
            return Err(MediaError::Unsupported { mime: facts.mime, wanted });
        };
        let frames; // Outlives its use as an input.
        let (input, size) = if facts.mime == "image/webp" {
            let source = path.to_owned();
            let made = self.compute(&permit, move |config| {
                let pace = Pace { most_ms: GIF_SECONDS * 1000, frame_ms: FRAME_MS };
                let mut spool = animation::spool(&source, &facts.mime, &Resize::within(GIF_SIDE / 2), pace, config)?;
                let mut file = temp(config, ".raw")?;
                // ffmpeg wants frames of equal length: each is repeated as often.
                let size = spool.size;
                let mut written = 0_u64;
                spool.each(1, |frame, ms| {
                    for _ in 0..(ms / FRAME_MS).max(1) {
                        written += frame.len() as u64;
                        if written > 4 * config.max_output_bytes {
                            return Ok(false);
                        }
                        file.write_all(&frame)?;
                    }
                    Ok(true)
                })?;
                Ok((file.into_temp_path(), size))
            });
            let (file, size) = made.await?;
            frames = file;
            let rate = (1000 / FRAME_MS).to_string();
            let shape = format!("{}x{}", size.0, size.1);
            let options = words(&["-pixel_format", "rgba", "-video_size", &shape, "-framerate", &rate]);
            (Input { path: &frames, format: "rawvideo", options }, size)
        } else {
            (Input::media(path, &facts.mime, wanted)?, size)
        };
        picture::check_pixels(u64::from(size.0) * u64::from(size.1), self.config.max_frame_pixels)?;
        let (width, height) = even_within(size, GIF_SIDE);
        // A white picture of that size, under the frames and as long as they are.
        let filter = format!(
            "color=white:size={width}x{height}:rate=25[white];[0:v:0]scale={width}:{height},format=rgba,fps=25[frames];\
             [white][frames]overlay=shortest=1:format=auto,format=yuv420p[shown]"
        );
        let mut args = words(&["-filter_complex", &filter, "-map", "[shown]", "-an"]);
        args.extend(words(&H264));
        args.extend(words(&["-preset", self.config.compress.video.preset, "-crf", "26"]));
        args.extend(words(&["-t", &GIF_SECONDS.to_string(), "-movflags", "+faststart", "-f", "mp4"]));
        let output = self.temp(".mp4")?;
        self.ffmpeg().convert(needed_for, input, &args, &output).await?;
        self.output(&permit, output).await
    }
}

fn even_within((width, height): (u32, u32), most: u32) -> (u32, u32) {
    let factor = (f64::from(most) / f64::from(width.max(height).max(1))).min(1.0);
    let even = |side: u32| (((f64::from(side) * factor) / 2.0).round() as u32 * 2).max(2);
    (even(width), even(height))
}
