//! The limits of media work, and the contract's settings for automatic
//! compression with their defaults.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// The programs that do what Rust does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Programs {
    /// ffmpeg, if there is one.
    pub ffmpeg: Option<PathBuf>,
    /// ffprobe, if there is one. Without it fewer facts are known.
    pub ffprobe: Option<PathBuf>,
}

impl Programs {
    /// `named` if it is given, else ffmpeg on the `PATH`; ffprobe from beside it,
    /// else from the `PATH`. A named program that is not there is as none.
    pub fn find(named: Option<&Path>) -> Self {
        let ffmpeg = match named {
            Some(path) if path.components().count() > 1 => path.is_file().then(|| path.to_owned()),
            Some(name) => on_path(name),
            None => on_path(Path::new("ffmpeg")),
        };
        let beside = |program: &PathBuf| {
            let probe = program.with_file_name("ffprobe");
            probe.is_file().then_some(probe)
        };
        let ffprobe = ffmpeg.as_ref().and_then(|program| beside(program).or_else(|| on_path(Path::new("ffprobe"))));
        Self { ffmpeg, ffprobe }
    }
}

fn on_path(name: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Everything that bounds media work.
#[derive(Debug, Clone)]
pub struct MediaConfig {
    /// ffmpeg and ffprobe.
    pub programs: Programs,
    /// Where results and intermediate files are made. They are removed when
    /// dropped; what a crash leaves there is rubbish.
    pub temp_dir: PathBuf,
    /// Most pixels of a picture.
    pub max_pixels: u64,
    /// Most pixels of a frame of a video or an animation: a decoder keeps many.
    pub max_frame_pixels: u64,
    /// Most bytes of an image file.
    pub max_image_bytes: u64,
    /// Most bytes that a decoded picture takes. A progressive JPEG takes up to
    /// three times that while it is decoded, others hardly more.
    pub decode_memory: u64,
    /// Most bytes of what ffmpeg makes.
    pub max_output_bytes: u64,
    /// How long one run of ffmpeg may take.
    pub ffmpeg_timeout: Duration,
    /// Threads of one run of ffmpeg.
    pub ffmpeg_threads: usize,
    /// Pieces of work done at once.
    pub concurrency: usize,
    /// Automatic compression.
    pub compress: Compress,
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            programs: Programs::find(None),
            temp_dir: std::env::temp_dir(),
            max_pixels: 50_000_000,
            max_frame_pixels: 4096 * 2304,
            max_image_bytes: 100 << 20,
            decode_memory: 256 << 20,
            max_output_bytes: 256 << 20,
            ffmpeg_timeout: Duration::from_secs(120),
            ffmpeg_threads: 2,
            concurrency: 2,
            compress: Compress::default(),
        }
    }
}

/// Automatic compression: the variables `WAREST_COMPRESS_*`.
#[derive(Debug, Clone, PartialEq)]
pub struct Compress {
    /// `_ENABLED`.
    pub enabled: bool,
    /// Images.
    pub image: ImageCompress,
    /// Audio.
    pub audio: AudioCompress,
    /// Videos.
    pub video: VideoCompress,
}

impl Default for Compress {
    fn default() -> Self {
        Self { enabled: true, image: Default::default(), audio: Default::default(), video: Default::default() }
    }
}

/// The variables `WAREST_COMPRESS_IMAGE_*`.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageCompress {
    /// `_MAX_DIMENSION`: the longer side in pixels; 0 scales nothing.
    pub max_dimension: u32,
    /// `_QUALITY` of JPEG and WebP, 1 to 100.
    pub quality: u8,
    /// `_ALLOW_WEBP`: a result may be WebP, if the format need not be kept.
    pub allow_webp: bool,
    /// `_KEEP_FORMAT`: the result is what the original was.
    pub keep_format: bool,
    /// `_PNG_TO_JPEG`: a PNG that shows nothing through becomes JPEG, even if
    /// formats are kept.
    pub png_to_jpeg: bool,
    /// `_PNG_LEVEL`, 1 to 9.
    pub png_level: u8,
    /// `_MIN_BYTES`: smaller files are left alone.
    pub min_bytes: u64,
    /// `_MIN_SAVINGS_RATIO`: a result that saves less is thrown away.
    pub min_savings: f64,
}

impl Default for ImageCompress {
    fn default() -> Self {
        Self {
            max_dimension: 1280,
            quality: 82,
            allow_webp: false,
            keep_format: true,
            png_to_jpeg: true,
            png_level: 8,
            min_bytes: 2048,
            min_savings: 0.04,
        }
    }
}

/// The variables `WAREST_COMPRESS_AUDIO_*`.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioCompress {
    /// `_BITRATE_K`: kbit/s.
    pub bitrate_k: u32,
    /// `_PREFER_OPUS`: the result is OGG Opus, not MP3.
    pub prefer_opus: bool,
    /// `_MIN_BYTES`: smaller files are left alone.
    pub min_bytes: u64,
    /// `_MIN_SAVINGS_RATIO`: a result that saves less is thrown away.
    pub min_savings: f64,
}

impl Default for AudioCompress {
    fn default() -> Self {
        Self { bitrate_k: 96, prefer_opus: true, min_bytes: 8192, min_savings: 0.04 }
    }
}

/// The variables `WAREST_COMPRESS_VIDEO_*`.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoCompress {
    /// `_CRF` of x264, 0 to 51.
    pub crf: u8,
    /// `_MAX_WIDTH` in pixels; 0 scales nothing.
    pub max_width: u32,
    /// `_PRESET` of x264; see [`crate::Transcode::preset`].
    pub preset: &'static str,
    /// `_AUDIO_BITRATE_K`: kbit/s.
    pub audio_bitrate_k: u32,
    /// `_MIN_BYTES`: smaller files are left alone.
    pub min_bytes: u64,
    /// `_MIN_SAVINGS_RATIO`: a result that saves less is thrown away.
    pub min_savings: f64,
}

impl Default for VideoCompress {
    fn default() -> Self {
        Self { crf: 28, max_width: 720, preset: "veryfast", audio_bitrate_k: 96, min_bytes: 65536, min_savings: 0.05 }
    }
}
