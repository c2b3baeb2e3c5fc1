//! Sound and video in another format. What a caller may choose is a short list;
//! ffmpeg's arguments are made here.

use crate::error::MediaError;
use crate::facts::{Facts, Kind};
use crate::ffmpeg::Input;
use crate::media::{Media, Output, Permit};
use crate::video::{H264, words};
use std::path::Path;

/// A format to convert to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// H.264 and AAC.
    Mp4,
    /// VP8 and Opus.
    Webm,
    /// MP3.
    Mp3,
    /// OGG Opus.
    Opus,
    /// AAC in MP4.
    M4a,
    /// AAC alone.
    Aac,
    /// PCM of 16 bits.
    Wav,
}

impl Target {
    fn is_video(self) -> bool {
        matches!(self, Self::Mp4 | Self::Webm)
    }
}

/// What is wanted of a conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transcode {
    /// The format.
    pub target: Target,
    /// Sound in kbit/s, 8 to 320.
    pub audio_kbps: Option<u32>,
    /// Picture in kbit/s, 50 to 8000; absent means by quality.
    pub video_kbps: Option<u32>,
    /// How hard x264 tries: `ultrafast`, `superfast`, `veryfast`, `faster`,
    /// `fast`, `medium` or `slow`; absent means `veryfast`.
    pub preset: Option<&'static str>,
}

/// What x264 may be told.
const PRESETS: [&str; 7] = ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"];
/// Longest side of a converted video: x264 keeps many frames in memory.
const MAX_VIDEO_SIDE: u32 = 1920;
const AUDIO_KBPS: (u32, u32) = (8, 320);
const VIDEO_KBPS: (u32, u32) = (50, 8000);

impl Transcode {
    /// Reads what a caller wrote: a format such as `mp4`, rates such as `128k`,
    /// `1.5M` or a number (kbit/s below 8000, else bit/s), a preset.
    pub fn parse(
        format: &str,
        audio_bitrate: Option<&str>,
        video_bitrate: Option<&str>,
        preset: Option<&str>,
    ) -> Result<Self, MediaError> {
        let target = match format.to_ascii_lowercase().as_str() {
            "mp4" => Target::Mp4,
            "webm" => Target::Webm,
            "mp3" => Target::Mp3,
            "ogg" | "opus" | "oga" => Target::Opus,
            "m4a" => Target::M4a,
            "aac" => Target::Aac,
            "wav" => Target::Wav,
            _ => {
                let why = "must be mp4, webm, mp3, ogg, opus, m4a, aac or wav".to_owned();
                return Err(MediaError::Refused { field: "format", why });
            }
        };
        let preset = match preset {
            None => None,
            Some(name) => Some(preset_named(name)?),
        };
        let rate = |field, text: Option<&str>, range| text.map(|text| kbps(field, text, range)).transpose();
        Ok(Self {
            target,
            audio_kbps: rate("audioBitrate", audio_bitrate, AUDIO_KBPS)?,
            video_kbps: rate("videoBitrate", video_bitrate, VIDEO_KBPS)?,
            preset,
        })
    }

    fn check(&self) -> Result<(), MediaError> {
        let rates = [("audioBitrate", self.audio_kbps, AUDIO_KBPS), ("videoBitrate", self.video_kbps, VIDEO_KBPS)];
        for (field, rate, range) in rates {
            if let Some(rate) = rate {
                within(field, rate, range)?;
            }
        }
        self.preset.map_or(Ok(()), |name| preset_named(name).map(drop))
    }

    fn args(&self) -> Vec<String> {
        let rate = |kbps: Option<u32>, usual: u32| format!("{}k", kbps.unwrap_or(usual));
        let mut args = if self.target.is_video() {
            words(&["-map", "0:v:0", "-map", "0:a:0?", "-vf", &scaled_to(MAX_VIDEO_SIDE, MAX_VIDEO_SIDE)])
        } else {
            words(&["-map", "0:a:0", "-vn"])
        };
        match self.target {
            Target::Mp4 => {
                args.extend(words(&H264));
                args.extend(words(&["-preset", self.preset.unwrap_or("veryfast")]));
                match self.video_kbps {
                    Some(_) => args.extend(words(&["-b:v", &rate(self.video_kbps, 0)])),
                    None => args.extend(words(&["-crf", "23"])),
                }
                args.extend(words(&["-c:a", "aac", "-ac", "2", "-b:a", &rate(self.audio_kbps, 128)]));
                args.extend(words(&["-movflags", "+faststart", "-f", "mp4"]));
            }
            Target::Webm => {
                args.extend(words(&["-c:v", "libvpx", "-pix_fmt", "yuv420p", "-b:v", &rate(self.video_kbps, 1000)]));
                args.extend(words(&["-deadline", "realtime", "-cpu-used", "5"]));
                args.extend(words(&["-c:a", "libopus", "-ac", "2", "-b:a", &rate(self.audio_kbps, 96), "-f", "webm"]));
            }
            Target::Mp3 => {
                args.extend(words(&[
                    "-c:a",
                    "libmp3lame",
                    "-ac",
                    "2",
                    "-b:a",
                    &rate(self.audio_kbps, 128),
                    "-f",
                    "mp3",
                ]));
            }
            Target::Opus => {
                args.extend(words(&["-c:a", "libopus", "-ar", "48000", "-ac", "2"]));
                args.extend(words(&["-b:a", &rate(self.audio_kbps, 64), "-f", "ogg"]));
            }
            Target::M4a => {
                args.extend(words(&["-c:a", "aac", "-ac", "2", "-b:a", &rate(self.audio_kbps, 128)]));
                args.extend(words(&["-movflags", "+faststart", "-f", "ipod"]));
            }
            Target::Aac => {
                args.extend(words(&["-c:a", "aac", "-ac", "2", "-b:a", &rate(self.audio_kbps, 128), "-f", "adts"]));
            }
            Target::Wav => args.extend(words(&["-c:a", "pcm_s16le", "-f", "wav"])),
        }
        args
    }
}

/// The filter that makes a picture's sides even, its pixels square, and no side
/// longer than these.
pub(crate) fn scaled_to(width: u32, height: u32) -> String {
    let factor = format!("min(1,min({width}/(iw*sar),{height}/ih))");
    // A little more, so that 719.9999 is 720.
    let side = |length: &str| format!("'max(2,trunc({length}*{factor}/2+0.01)*2)'");
    format!("scale={}:{},setsar=1", side("iw*sar"), side("ih"))
}

/// The preset of this name.
fn preset_named(name: &str) -> Result<&'static str, MediaError> {
    let found = PRESETS.into_iter().find(|preset| *preset == name);
    found.ok_or_else(|| MediaError::Refused { field: "preset", why: format!("must be one of {}", PRESETS.join(", ")) })
}

fn kbps(field: &'static str, text: &str, range: (u32, u32)) -> Result<u32, MediaError> {
    let refused = || MediaError::Refused { field, why: "must be a rate such as 128k".to_owned() };
    let text = text.trim();
    let plain = |number: &str| {
        let is_number =
            !number.is_empty() && number.len() <= 12 && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        number.parse::<f64>().ok().filter(|_| is_number)
    };
    let kbps = if let Some(thousands) = text.strip_suffix(['k', 'K']) {
        plain(thousands).ok_or_else(refused)?
    } else if let Some(millions) = text.strip_suffix(['m', 'M']) {
        plain(millions).ok_or_else(refused)? * 1000.0
    } else {
        let number = plain(text).ok_or_else(refused)?;
        if number < 8000.0 { number } else { number / 1000.0 }
    };
    within(field, kbps.round() as u32, range)
}

fn within(field: &'static str, rate: u32, (least, most): (u32, u32)) -> Result<u32, MediaError> {
    if (least..=most).contains(&rate) {
        return Ok(rate);
    }
    Err(MediaError::Refused { field, why: format!("must be {least}k to {most}k") })
}

impl Media {
    /// Sound or video in another format. Needs ffmpeg.
    pub async fn transcode(&self, path: &Path, work: &Transcode) -> Result<Output, MediaError> {
        work.check()?;
        let (facts, permit) = self.begin(path).await?;
        need_sound_or_picture(&facts, work.target)?;
        self.transcoded(&permit, path, &facts, &work.args()).await
    }

    pub(crate) async fn transcoded(
        &self,
        permit: &Permit,
        path: &Path,
        facts: &Facts,
        args: &[String],
    ) -> Result<Output, MediaError> {
        let input = Input::media(path, &facts.mime, "audio or video")?;
        let output = self.temp("")?;
        self.ffmpeg().convert("converting audio and video", input, args, &output).await?;
        self.output(permit, output).await
    }
}

fn need_sound_or_picture(facts: &Facts, target: Target) -> Result<(), MediaError> {
    let is_gif = facts.mime == "image/gif";
    let fits = match facts.kind {
        Kind::Video => target.is_video() || facts.has_audio != Some(false),
        Kind::Audio => !target.is_video(),
        _ => is_gif && target.is_video(),
    };
    let wanted = if target.is_video() { "a video" } else { "audio, or a video with sound" };
    if fits { Ok(()) } else { Err(MediaError::Unsupported { mime: facts.mime.clone(), wanted }) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        let read = |text| Transcode::parse("mp3", Some(text), None, None).map(|work| work.audio_kbps.unwrap());
        assert_eq!(read("128k").unwrap(), 128);
        assert_eq!(read("128").unwrap(), 128);
        assert_eq!(read("96000").unwrap(), 96);
        let video = Transcode::parse("mp4", None, Some("1.5M"), Some("fast")).unwrap();
        assert_eq!((video.video_kbps, video.preset), (Some(1500), Some("fast")));
    }

    #[test]
    fn nothing_that_is_not_on_the_list_reaches_ffmpeg() {
        for format in ["concat", "mp4 -i /etc/passwd", "-f", "hls", "tee", ""] {
            assert!(Transcode::parse(format, None, None, None).is_err(), "{format}");
        }
        for rate in ["", "-1", "1e9", "999M", "128k -vf x", "NaN", "inf", "0", "128k\n", "١٢٨"] {
            let parsed = Transcode::parse("mp3", Some(rate), None, None);
            assert!(parsed.is_err() || rate == "128k\n", "{rate:?}");
            assert!(Transcode::parse("mp4", None, Some(rate), None).is_err() || rate == "128k\n", "{rate:?}");
        }
        for preset in ["", "placebo", "fast -y", "-vf"] {
            assert!(Transcode::parse("mp4", None, None, Some(preset)).is_err(), "{preset}");
        }
    }
}
