//! ffmpeg as a child process that can do only what it is for.
//!
//! Reads the one file named, writes the one file named (or its standard
//! output). The input format is given, so that no playlist or script of formats
//! is ever followed; only the protocols `file` and `pipe` are allowed, and
//! references within MP4 to other files are off. The child has a deadline, a
//! bounded output, few threads, an empty environment, and is killed when the
//! future that runs it goes away.

use crate::config::MediaConfig;
use crate::container::Shape;
use crate::error::MediaError;
use crate::mime;
use serde::Deserialize;
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// Most of what ffmpeg says that is kept.
const MAX_WORDS: usize = 4096;
/// Most of ffprobe's answer.
const MAX_ANSWER: usize = 256 << 10;
/// Longest that ffprobe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(15);
/// Most that ffmpeg allocates at once, in bytes.
const MAX_ALLOCATION: &str = "268435456";

/// ffmpeg within the limits of a configuration.
#[derive(Clone, Copy)]
pub(crate) struct Ffmpeg<'a>(pub &'a MediaConfig);

/// What is read: ffmpeg's name of the format, and options of that reader.
pub(crate) struct Input<'a> {
    pub path: &'a Path,
    pub format: &'a str,
    pub options: Vec<String>,
}

impl<'a> Input<'a> {
    /// A media file of a type that its content shows.
    pub(crate) fn media(path: &'a Path, mime: &str, wanted: &'static str) -> Result<Self, MediaError> {
        let unsupported = || MediaError::Unsupported { mime: mime.to_owned(), wanted };
        let format = mime::demuxer(mime).ok_or_else(unsupported)?;
        Ok(Self { path, format, options: Vec::new() })
    }
}

/// An argument that makes ffmpeg take a path as a path, whatever is in it.
fn file(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(path);
    url
}

impl Ffmpeg<'_> {
    /// Whether ffprobe is there.
    pub(crate) fn can_probe(self) -> bool {
        self.0.programs.ffprobe.is_some()
    }

    fn guarded(program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear();
        for name in ["PATH", "LD_LIBRARY_PATH", "SYSTEMROOT"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    fn command(self, needed_for: &'static str, input: &Input<'_>) -> Result<Command, MediaError> {
        let program = self.0.programs.ffmpeg.as_ref().ok_or(MediaError::FfmpegMissing { needed_for })?;
        let mut command = Self::guarded(program);
        command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-max_alloc", MAX_ALLOCATION]);
        command.args(["-filter_threads", "1", "-threads", &self.0.ffmpeg_threads.to_string()]);
        command.args(["-protocol_whitelist", "file,pipe", "-f", input.format]);
        if input.format == "mov" {
            command.args(["-enable_drefs", "0"]);
        }
        let most = if input.format == "png_pipe" { self.0.max_pixels } else { self.0.max_frame_pixels };
        if input.format != "rawvideo" {
            command.args(["-max_pixels", &most.to_string()]);
        }
        command.args(&input.options).arg("-i").arg(file(input.path));
        Ok(command)
    }

    /// Makes a file of another. `args` are ours: codecs, filters, the format.
    pub(crate) async fn convert(
        self,
        needed_for: &'static str,
        input: Input<'_>,
        args: &[String],
        output: &Path,
    ) -> Result<(), MediaError> {
        let mut command = self.command(needed_for, &input)?;
        self.to_file(&mut command, args, output);
        self.run(command, input.path, |_| {}).await?;
        self.check_made(output)
    }

    /// As [`Self::convert`], and `pcm` hears the sound meanwhile: one channel
    /// of 16 bits, little endian, [`PCM_RATE`] samples a second.
    pub(crate) async fn convert_and_hear(
        self,
        needed_for: &'static str,
        input: Input<'_>,
        output: Option<(&[String], &Path)>,
        pcm: impl FnMut(&[u8]),
    ) -> Result<(), MediaError> {
        let mut command = self.command(needed_for, &input)?;
        if let Some((args, path)) = output {
            self.to_file(&mut command, args, path);
        }
        command.args(["-map", "0:a:0", "-vn", "-sn", "-dn", "-ac", "1", "-ar", &PCM_RATE.to_string()]);
        command.args(["-c:a", "pcm_s16le", "-f", "s16le", "pipe:1"]).stdout(Stdio::piped());
        self.run(command, input.path, pcm).await?;
        output.map_or(Ok(()), |(_, path)| self.check_made(path))
    }

    fn to_file(self, command: &mut Command, args: &[String], output: &Path) {
        // What a caller's file says of itself (titles, places) stays behind.
        command.args(["-map_metadata", "-1", "-map_chapters", "-1", "-sn", "-dn"]).args(args);
        command.args(["-threads", &self.0.ffmpeg_threads.to_string()]);
        command.args(["-fs", &self.0.max_output_bytes.to_string()]).arg(file(output));
    }

    fn check_made(self, output: &Path) -> Result<(), MediaError> {
        let bytes = std::fs::metadata(output)?.len();
        if bytes == 0 {
            return Err(MediaError::corrupt("nothing in it could be converted"));
        }
        // ffmpeg ends a file before the limit without a word.
        let limit = self.0.max_output_bytes;
        if bytes >= limit - limit / 64 {
            return Err(MediaError::TooHeavy { what: "the converted file", bytes, limit });
        }
        Ok(())
    }

    async fn run(self, mut command: Command, input: &Path, out: impl FnMut(&[u8])) -> Result<(), MediaError> {
        let seconds = self.0.ffmpeg_timeout.as_secs();
        let mut child = command.spawn()?;
        let finished = tokio::time::timeout(self.0.ffmpeg_timeout, finish(&mut child, out)).await;
        let (status, words) = match finished {
            Ok(finished) => finished?,
            Err(_) => {
                child.kill().await?;
                return Err(MediaError::Timeout { seconds });
            }
        };
        if status { Ok(()) } else { Err(MediaError::Ffmpeg(first_words(&words, input))) }
    }

    /// Asks ffprobe for the shape of a file.
    pub(crate) async fn probe(self, path: &Path, mime: &str) -> Result<Shape, MediaError> {
        let program = self.0.programs.ffprobe.as_ref();
        let program = program.ok_or(MediaError::FfmpegMissing { needed_for: "reading such a file" })?;
        let input = Input::media(path, mime, "audio or video")?;
        let mut command = Self::guarded(program);
        command.args(["-loglevel", "error", "-max_alloc", MAX_ALLOCATION]);
        command.args(["-protocol_whitelist", "file,pipe", "-f", input.format]);
        if input.format == "mov" {
            command.args(["-enable_drefs", "0"]);
        }
        const ENTRIES: &str = "format=duration:stream=codec_type,width,height,duration:stream_disposition=attached_pic:\
                               stream_side_data=rotation";
        command.args(["-show_entries", ENTRIES, "-of", "json", "-i"]).arg(file(path)).stdout(Stdio::piped());
        let mut answer = Vec::new();
        let mut child = command.spawn()?;
        let keep = |bytes: &[u8]| answer.extend_from_slice(&bytes[..bytes.len().min(MAX_ANSWER - answer.len())]);
        let deadline = PROBE_TIMEOUT.min(self.0.ffmpeg_timeout);
        let Ok(finished) = tokio::time::timeout(deadline, finish(&mut child, keep)).await else {
            child.kill().await?;
            return Err(MediaError::Timeout { seconds: deadline.as_secs() });
        };
        let (status, words) = finished?;
        if !status {
            return Err(MediaError::corrupt(first_words(&words, path)));
        }
        let probed: Probed = serde_json::from_slice(&answer).map_err(MediaError::corrupt)?;
        Ok(probed.shape())
    }
}

/// Samples a second of what [`Ffmpeg::convert_and_hear`] hears.
pub(crate) const PCM_RATE: u32 = 8000;

/// Reads all that a child says and waits for its end: whether it succeeded, and
/// the beginning of its complaints.
async fn finish(child: &mut Child, out: impl FnMut(&[u8])) -> std::io::Result<(bool, Vec<u8>)> {
    let mut words = Vec::new();
    let keep = |bytes: &[u8]| words.extend_from_slice(&bytes[..bytes.len().min(MAX_WORDS - words.len())]);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    tokio::try_join!(drain(stdout, out), drain(stderr, keep))?;
    Ok((child.wait().await?.success(), words))
}

async fn drain(from: Option<impl AsyncRead + Unpin>, mut into: impl FnMut(&[u8])) -> std::io::Result<()> {
    let Some(mut from) = from else { return Ok(()) };
    let mut chunk = vec![0; 16 << 10];
    loop {
        match from.read(&mut chunk).await? {
            0 => return Ok(()),
            got => into(&chunk[..got]),
        }
    }
}

/// One line of what ffmpeg said, without the paths of this machine.
fn first_words(words: &[u8], input: &Path) -> String {
    let words = String::from_utf8_lossy(words);
    let lines = || words.lines().map(str::trim).filter(|line| !line.is_empty());
    // The last line names the result; earlier ones often the cause.
    let line = lines().next().unwrap_or("it says nothing more");
    let line = line.replace(&*input.to_string_lossy(), "the file").replace("file:the file", "the file");
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[derive(Deserialize)]
struct Probed {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Length,
}

#[derive(Deserialize)]
struct Stream {
    #[serde(default)]
    codec_type: String,
    width: Option<u32>,
    height: Option<u32>,
    duration: Option<String>,
    #[serde(default)]
    disposition: Disposition,
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

#[derive(Deserialize, Default)]
struct Disposition {
    #[serde(default)]
    attached_pic: i64,
}

#[derive(Deserialize)]
struct SideData {
    rotation: Option<f64>,
}

#[derive(Deserialize, Default)]
struct Length {
    duration: Option<String>,
}

impl Probed {
    fn shape(&self) -> Shape {
        let seconds =
            |text: &Option<String>| text.as_deref()?.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
        let video = self.streams.iter().find(|one| one.codec_type == "video" && one.disposition.attached_pic == 0);
        let turned = |one: &Stream| {
            let mut turns = one.side_data_list.iter().filter_map(|data| data.rotation);
            turns.next_back().is_some_and(|degrees| (degrees.abs() / 90.0).round() as i64 % 2 == 1)
        };
        let size = video.and_then(|one| {
            let (width, height) = (one.width?, one.height?);
            Some(if turned(one) { (height, width) } else { (width, height) })
        });
        let longest = self.streams.iter().filter_map(|one| seconds(&one.duration)).fold(0.0, f64::max);
        Shape {
            width: size.map(|size| size.0),
            height: size.map(|size| size.1),
            seconds: seconds(&self.format.duration).or((longest > 0.0).then_some(longest)),
            has_audio: Some(self.streams.iter().any(|one| one.codec_type == "audio")),
        }
    }
}
