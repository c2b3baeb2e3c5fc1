//! Files to send, made by ffmpeg: small, and of every kind.

use std::path::Path;
use std::process::Command;

/// One file of each kind.
pub struct Files {
    pub png: Vec<u8>,
    pub gif: Vec<u8>,
    pub mp4: Vec<u8>,
    pub mp3: Vec<u8>,
    pub ogg: Vec<u8>,
    pub pdf: Vec<u8>,
}

pub fn make() -> Files {
    let folder = tempfile::tempdir().unwrap();
    let picture = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=5:duration=2"];
    let sound = ["-f", "lavfi", "-i", "sine=frequency=440:duration=2"];
    Files {
        png: ffmpeg(folder.path(), "a.png", &picture, &["-frames:v", "1"]),
        gif: ffmpeg(folder.path(), "a.gif", &picture, &[]),
        mp4: ffmpeg(folder.path(), "a.mp4", &picture, &["-pix_fmt", "yuv420p", "-c:v", "libx264"]),
        mp3: ffmpeg(folder.path(), "a.mp3", &sound, &["-b:a", "64k"]),
        ogg: ffmpeg(folder.path(), "a.ogg", &sound, &["-c:a", "libopus", "-ac", "1", "-ar", "48000"]),
        pdf: b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n".to_vec(),
    }
}

fn ffmpeg(folder: &Path, name: &str, input: &[&str], output: &[&str]) -> Vec<u8> {
    let path = folder.join(name);
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-loglevel", "error", "-y"]).args(input).args(output).arg(&path);
    let made = command.output().unwrap();
    assert!(made.status.success(), "{name}: {}", String::from_utf8_lossy(&made.stderr));
    std::fs::read(path).unwrap()
}

/// A file as a data URL.
pub fn data_url(mime: &str, bytes: &[u8]) -> String {
    use base64::Engine as _;
    format!("data:{mime};base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}
