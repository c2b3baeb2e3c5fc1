//! Automatic compression before sending: smaller where it pays, and never a
//! reason for a send to fail.

use crate::encode::Format;
use crate::error::MediaError;
use crate::facts::{Facts, Kind};
use crate::media::{Media, Output, write_picture};
use crate::picture;
use crate::shape::{Resize, plan};
use crate::transcode::{Target, Transcode, scaled_to};
use crate::video::{H264, words};
use std::path::Path;

impl Media {
    /// A smaller form of a file, if the configuration wants one and it saves
    /// enough; none otherwise, and if the file cannot be converted. Animations,
    /// documents and OGG Opus stay as they are. Audio and video need ffmpeg.
    pub async fn compress(&self, path: &Path, facts: &Facts) -> Option<Output> {
        let config = &self.config.compress;
        if !config.enabled {
            return None;
        }
        let (min_bytes, min_savings) = match facts.kind {
            Kind::Image => (config.image.min_bytes, config.image.min_savings),
            Kind::Audio => (config.audio.min_bytes, config.audio.min_savings),
            Kind::Video => (config.video.min_bytes, config.video.min_savings),
            Kind::Document => return None,
        };
        if facts.size < min_bytes.max(1) {
            return None;
        }
        let made = match facts.kind {
            Kind::Image if !facts.animated => self.smaller_image(path, facts).await,
            Kind::Audio if facts.mime != crate::mime::OGG_OPUS => self.smaller_audio(path).await,
            Kind::Video => self.smaller_video(path).await,
            _ => return None,
        };
        match made {
            Ok(output) => {
                let savings = 1.0 - output.facts.size as f64 / facts.size as f64;
                (savings >= min_savings).then_some(output)
            }
            Err(error) => {
                tracing::debug!(mime = facts.mime, %error, "a file goes out uncompressed");
                None
            }
        }
    }

    async fn smaller_image(&self, path: &Path, facts: &Facts) -> Result<Output, MediaError> {
        let permit = self.permit(Some(facts)).await?;
        let (path, mime) = (path.to_owned(), facts.mime.clone());
        let made = self.compute(&permit, move |config| {
            let wants = &config.compress.image;
            let decoded = picture::decode(&path, &mime, config)?;
            let quality = wants.quality.clamp(1, 100);
            let png = Format::Png { level: wants.png_level.clamp(1, 9) };
            let is_opaque = !picture::is_see_through(&decoded.image);
            let format = match mime.as_str() {
                "image/webp" if wants.keep_format => Format::Webp { quality },
                "image/jpeg" if wants.keep_format => Format::Jpeg { quality },
                _ if wants.allow_webp && !wants.keep_format => Format::Webp { quality },
                "image/png" if !wants.png_to_jpeg || (wants.keep_format && !is_opaque) => png,
                _ if is_opaque => Format::Jpeg { quality },
                _ => png,
            };
            let size = decoded.size();
            let resize = match wants.max_dimension {
                0 => Resize::default(),
                side => Resize::within(side.min(crate::shape::MAX_SIDE)),
            };
            write_picture(decoded, &plan(&resize, size)?, format, config)
        });
        let file = made.await?;
        self.output(&permit, file).await
    }

    async fn smaller_audio(&self, path: &Path) -> Result<Output, MediaError> {
        let wants = &self.config.compress.audio;
        let target = if wants.prefer_opus { Target::Opus } else { Target::Mp3 };
        let audio_kbps = Some(wants.bitrate_k.clamp(8, 320));
        self.transcode(path, &Transcode { target, audio_kbps, video_kbps: None, preset: None }).await
    }

    async fn smaller_video(&self, path: &Path) -> Result<Output, MediaError> {
        let wants = &self.config.compress.video;
        let (facts, permit) = self.begin(path).await?;
        let most = if wants.max_width == 0 { u32::MAX } else { wants.max_width.max(16) };
        let scale = scaled_to(most, u32::MAX);
        let mut args = words(&["-map", "0:v:0", "-map", "0:a:0?", "-vf", &scale]);
        args.extend(words(&H264));
        args.extend(words(&["-preset", wants.preset, "-crf", &wants.crf.min(51).to_string()]));
        args.extend(words(&["-c:a", "aac", "-ac", "2", "-b:a", &format!("{}k", wants.audio_bitrate_k.clamp(8, 320))]));
        args.extend(words(&["-movflags", "+faststart", "-f", "mp4"]));
        self.transcoded(&permit, path, &facts, &args).await
    }
}
