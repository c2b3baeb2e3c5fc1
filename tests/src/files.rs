//! Files to send, made by ffmpeg: small, and of every kind.

use anyhow::{Context as _, ensure};
use std::path::Path;
use std::process::Command;

/// One file of each kind.
pub struct Files {
    /// A picture of 64 × 48 pixels.
    pub png: Vec<u8>,
    /// The same.
    pub jpg: Vec<u8>,
    /// The same.
    pub webp: Vec<u8>,
    /// Two seconds that move.
    pub gif: Vec<u8>,
    /// The same as a film.
    pub mp4: Vec<u8>,
    /// Two seconds of sound.
    pub mp3: Vec<u8>,
    /// The same as a voice note has it.
    pub ogg: Vec<u8>,
    /// A document.
    pub pdf: Vec<u8>,
}

impl Files {
    /// Makes them.
    pub fn make() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let made = |name, input: &[&str], output: &[&str]| ffmpeg(folder.path(), name, input, output);
        let picture = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=5:duration=2"];
        let sound = ["-f", "lavfi", "-i", "sine=frequency=440:duration=2"];
        Ok(Self {
            png: made("a.png", &picture, &["-frames:v", "1"])?,
            jpg: made("a.jpg", &picture, &["-frames:v", "1"])?,
            webp: made("a.webp", &picture, &["-frames:v", "1", "-c:v", "libwebp"])?,
            gif: made("a.gif", &picture, &[])?,
            mp4: made("a.mp4", &picture, &["-pix_fmt", "yuv420p", "-c:v", "libx264"])?,
            mp3: made("a.mp3", &sound, &["-b:a", "64k"])?,
            ogg: made("a.ogg", &sound, &["-c:a", "libopus", "-ac", "1", "-ar", "48000"])?,
            pdf: b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n".to_vec(),
        })
    }
}

/// Runs ffmpeg; what it wrote.
pub fn ffmpeg(folder: &Path, name: &str, input: &[&str], output: &[&str]) -> anyhow::Result<Vec<u8>> {
    let path = folder.join(name);
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-loglevel", "error", "-y"]).args(input).args(output).arg(&path);
    let made = command.output().context("running ffmpeg")?;
    ensure!(made.status.success(), "{name}: {}", String::from_utf8_lossy(&made.stderr));
    Ok(std::fs::read(path)?)
}

/// Bytes in base64.
pub fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A file as a data URL.
pub fn data_url(mime: &str, bytes: &[u8]) -> String {
    format!("data:{mime};base64,{}", base64(bytes))
}
