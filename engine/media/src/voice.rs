//! Voice notes: OGG Opus with the waveform that apps draw.

use crate::error::MediaError;
use crate::facts::Facts;
use crate::ffmpeg::{Input, PCM_RATE};
use crate::media::{Media, Output};
use crate::mime;
use crate::video::words;
use std::path::{Path, PathBuf};
use tempfile::TempPath;

/// A voice note.
#[derive(Debug)]
pub struct VoiceNote {
    /// OGG Opus; absent if the file given was that already and is sent as it is.
    pub file: Option<TempPath>,
    /// What is sent.
    pub facts: Facts,
    /// Playing time.
    pub seconds: f64,
    /// Loudness, 0 to 100, of 64 equal parts. Absent without ffmpeg.
    pub waveform: Option<[u8; 64]>,
}

impl VoiceNote {
    /// The file to send: the one made, else `original`.
    pub fn path(&self, original: &Path) -> PathBuf {
        self.file.as_ref().map_or_else(|| original.to_owned(), |file| file.to_path_buf())
    }
}

const NEEDED_FOR: &str = "voice notes of anything but OGG Opus";
/// One channel, tuned for speech.
const OPUS: [&str; 15] = [
    "-map",
    "0:a:0",
    "-vn",
    "-c:a",
    "libopus",
    "-b:a",
    "32k",
    "-ac",
    "1",
    "-ar",
    "48000",
    "-application",
    "voip",
    "-f",
    "ogg",
];

impl Media {
    /// A voice note of a file with sound. OGG Opus stays as it is, and works
    /// without ffmpeg; everything else needs it.
    pub async fn voice_note(&self, path: &Path) -> Result<VoiceNote, MediaError> {
        let (facts, permit) = self.begin(path).await?;
        if facts.has_audio == Some(false) {
            return Err(MediaError::Unsupported { mime: facts.mime, wanted: "a file with sound" });
        }
        let input = Input::media(path, &facts.mime, "a file with sound")?;
        let mut loudness = Loudness::default();
        if facts.mime == mime::OGG_OPUS {
            let seconds = facts.seconds.ok_or_else(|| MediaError::corrupt("the OGG has no end"))?;
            let heard = self.ffmpeg().convert_and_hear(NEEDED_FOR, input, None, |pcm| loudness.hear(pcm)).await;
            let waveform = match heard {
                Ok(()) => Some(loudness.waveform()),
                Err(MediaError::FfmpegMissing { .. }) => None,
                Err(error) => return Err(error),
            };
            return Ok(VoiceNote { file: None, facts, seconds, waveform });
        }
        let output = self.temp(".ogg")?;
        let args = words(&OPUS);
        self.ffmpeg().convert_and_hear(NEEDED_FOR, input, Some((&args, &output)), |pcm| loudness.hear(pcm)).await?;
        let seconds = loudness.seconds();
        let Output { file, facts } = self.output(&permit, output).await?;
        Ok(VoiceNote { file: Some(file), facts, seconds, waveform: Some(loudness.waveform()) })
    }
}

/// Loudness over time, while samples pass by.
#[derive(Default)]
struct Loudness {
    /// Mean loudness of each full window.
    windows: Vec<f32>,
    sum: u64,
    in_window: u32,
    samples: u64,
    /// The first byte of a sample whose second has not come yet.
    half: Option<u8>,
}

/// Samples of a window: a fiftieth of a second.
const WINDOW: u32 = PCM_RATE / 50;
/// Most windows: a day of sound.
const MAX_WINDOWS: usize = 50 * 24 * 3600;

impl Loudness {
    fn hear(&mut self, pcm: &[u8]) {
        for byte in pcm {
            let Some(low) = self.half.take() else {
                self.half = Some(*byte);
                continue;
            };
            self.sum += u64::from(i16::from_le_bytes([low, *byte]).unsigned_abs());
            self.samples += 1;
            self.in_window += 1;
            if self.in_window == WINDOW {
                self.close();
            }
        }
    }

    fn close(&mut self) {
        if self.in_window > 0 && self.windows.len() < MAX_WINDOWS {
            self.windows.push(self.sum as f32 / self.in_window as f32);
        }
        (self.sum, self.in_window) = (0, 0);
    }

    fn seconds(&self) -> f64 {
        self.samples as f64 / f64::from(PCM_RATE)
    }

    fn waveform(mut self) -> [u8; 64] {
        self.close();
        let mut waveform = [0; 64];
        let count = self.windows.len();
        let parts: Vec<f32> = (0..64)
            .map(|part| {
                let (from, to) = (part * count / 64, ((part + 1) * count).div_ceil(64));
                let windows = &self.windows[from.min(count)..to.min(count)];
                windows.iter().sum::<f32>() / windows.len().max(1) as f32
            })
            .collect();
        let loudest = parts.iter().copied().fold(0.0, f32::max);
        if loudest > 0.0 {
            for (bar, part) in waveform.iter_mut().zip(parts) {
                *bar = (part / loudest * 100.0).round() as u8;
            }
        }
        waveform
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waveform_shows_where_it_is_loud() {
        let mut loudness = Loudness::default();
        let quiet_then_loud: Vec<u8> =
            (0..16_000_i32).flat_map(|n| (if n < 8000 { 100_i16 } else { 10_000 }).to_le_bytes()).collect();
        // Chunks of an odd size split samples.
        for chunk in quiet_then_loud.chunks(777) {
            loudness.hear(chunk);
        }
        assert!((loudness.seconds() - 2.0).abs() < 1e-9);
        let waveform = loudness.waveform();
        assert!(waveform[..31].iter().all(|bar| *bar == 1), "{waveform:?}");
        assert!(waveform[33..].iter().all(|bar| *bar == 100), "{waveform:?}");
    }

    #[test]
    fn silence_and_a_moment_have_waveforms_too() {
        assert_eq!(Loudness::default().waveform(), [0; 64]);
        let mut moment = Loudness::default();
        moment.hear(&[0, 64]);
        assert_eq!(moment.waveform(), [100; 64]);
    }
}
