//! Files: what is fetched, what is converted, and where it is kept.

use super::{in_range, list, text, var};
use anyhow::bail;
use std::path::{Path, PathBuf};
use std::time::Duration;
use warest_media::{AudioCompress, Compress, ImageCompress, MediaConfig, Programs, VideoCompress};
use warest_pipeline::files::{CollectConfig, FetchConfig};

/// What x264 may be told.
const PRESETS: [&str; 7] = ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"];

/// Where files are kept.
#[derive(Debug, Clone)]
pub struct Storage {
    /// The folder.
    pub path: PathBuf,
    /// Whether they are encrypted.
    pub encrypt: bool,
    /// What signs URLs, if it is not the master key.
    pub signing_secret: Option<String>,
}

/// Where files are kept, beside the rest of the state unless said otherwise.
pub fn storage(data_dir: &Path) -> anyhow::Result<Storage> {
    match text("WAREST_STORAGE_DRIVER").as_deref() {
        None | Some("local") => {}
        Some(other) => bail!("WAREST_STORAGE_DRIVER is \"{other}\"; this version keeps files with `local`"),
    }
    let named = text("WAREST_STORAGE_LOCAL_PRIVATE_PATH").or_else(|| text("WAREST_STORAGE_LOCAL_PATH"));
    Ok(Storage {
        path: named.map_or_else(|| data_dir.join("private").join("storages"), PathBuf::from),
        encrypt: flag("WAREST_STORAGE_LOCAL_ENCRYPT")?.unwrap_or(true),
        signing_secret: text("WAREST_STORAGE_LOCAL_SIGNED_SECRET"),
    })
}

/// How long the URL of a file is good.
pub fn url_life() -> anyhow::Result<Duration> {
    let seconds: u64 = var("WAREST_STORAGE_LOCAL_SIGNED_TTL_SEC")?.unwrap_or(900);
    Ok(Duration::from_secs(seconds.clamp(1, 366 * 24 * 3_600)))
}

/// Bounds of the files that messages are sent with.
pub fn fetch(data_dir: &Path) -> anyhow::Result<FetchConfig> {
    let default = FetchConfig::default();
    let ms: Option<u64> = var("UPLOAD_FETCH_TIMEOUT_MS")?;
    let megabytes: Option<u64> = var("MEDIA_PER_FILE_MB")?;
    Ok(FetchConfig {
        most_bytes: megabytes.map_or(default.most_bytes, |megabytes| megabytes.clamp(1, 2_048) << 20),
        timeout: ms.map_or(default.timeout, |ms| Duration::from_millis(ms.clamp(1_000, 3_600_000))),
        temp_dir: data_dir.join("tmp"),
    })
}

/// Which files of incoming messages are fetched.
pub fn collect() -> anyhow::Result<CollectConfig> {
    Ok(CollectConfig {
        enabled: flag("WAREST_DOWNLOAD_MEDIA_RECEIVED")?.unwrap_or(true),
        types: list("WAREST_DOWNLOAD_MEDIA_ALLOW_MIMETYPES").iter().map(|mime| mime.to_ascii_lowercase()).collect(),
    })
}

/// How files are converted.
pub fn media(data_dir: &Path) -> anyhow::Result<MediaConfig> {
    let named = text("WAREST_COMPRESS_FFMPEG_PATH").or_else(|| text("FFMPEG_PATH")).map(PathBuf::from);
    Ok(MediaConfig {
        programs: Programs::find(named.as_deref()),
        temp_dir: data_dir.join("tmp"),
        compress: compress()?,
        ..MediaConfig::default()
    })
}

fn compress() -> anyhow::Result<Compress> {
    let (image, audio, video) = (ImageCompress::default(), AudioCompress::default(), VideoCompress::default());
    let least: Option<u64> = var("WAREST_COMPRESS_MIN_BYTES")?;
    let savings = ratio("WAREST_COMPRESS_MIN_SAVINGS_RATIO")?;
    Ok(Compress {
        enabled: flag("WAREST_COMPRESS_ENABLED")?.unwrap_or(true),
        image: ImageCompress {
            max_dimension: var("WAREST_COMPRESS_IMAGE_MAX_DIMENSION")?.unwrap_or(image.max_dimension),
            quality: in_range("WAREST_COMPRESS_IMAGE_QUALITY", 1.0, 100.0)?.map_or(image.quality, |q| q as u8),
            allow_webp: flag("WAREST_COMPRESS_IMAGE_ALLOW_WEBP")?.unwrap_or(image.allow_webp),
            keep_format: flag("WAREST_COMPRESS_IMAGE_KEEP_FORMAT")?.unwrap_or(image.keep_format),
            png_to_jpeg: flag("WAREST_COMPRESS_IMAGE_PNG_TO_JPEG")?.unwrap_or(image.png_to_jpeg),
            png_level: in_range("WAREST_COMPRESS_IMAGE_PNG_LEVEL", 1.0, 9.0)?.map_or(image.png_level, |l| l as u8),
            min_bytes: var("WAREST_COMPRESS_IMAGE_MIN_BYTES")?.or(least).unwrap_or(image.min_bytes),
            min_savings: ratio("WAREST_COMPRESS_IMAGE_MIN_SAVINGS_RATIO")?.or(savings).unwrap_or(image.min_savings),
        },
        audio: AudioCompress {
            bitrate_k: kbits("WAREST_COMPRESS_AUDIO_BITRATE_K")?.unwrap_or(audio.bitrate_k),
            prefer_opus: flag("WAREST_COMPRESS_AUDIO_PREFER_OPUS")?.unwrap_or(audio.prefer_opus),
            min_bytes: var("WAREST_COMPRESS_AUDIO_MIN_BYTES")?.or(least).unwrap_or(audio.min_bytes),
            min_savings: ratio("WAREST_COMPRESS_AUDIO_MIN_SAVINGS_RATIO")?.or(savings).unwrap_or(audio.min_savings),
        },
        video: VideoCompress {
            crf: in_range("WAREST_COMPRESS_VIDEO_CRF", 0.0, 51.0)?.map_or(video.crf, |crf| crf as u8),
            max_width: var("WAREST_COMPRESS_VIDEO_MAX_WIDTH")?.unwrap_or(video.max_width),
            preset: preset(video.preset)?,
            audio_bitrate_k: kbits("WAREST_COMPRESS_VIDEO_AUDIO_BITRATE_K")?.unwrap_or(video.audio_bitrate_k),
            min_bytes: var("WAREST_COMPRESS_VIDEO_MIN_BYTES")?.or(least).unwrap_or(video.min_bytes),
            min_savings: ratio("WAREST_COMPRESS_VIDEO_MIN_SAVINGS_RATIO")?.or(savings).unwrap_or(video.min_savings),
        },
    })
}

fn preset(usual: &'static str) -> anyhow::Result<&'static str> {
    const NAME: &str = "WAREST_COMPRESS_VIDEO_PRESET";
    let Some(named) = text(NAME) else { return Ok(usual) };
    match PRESETS.into_iter().find(|preset| *preset == named) {
        Some(preset) => Ok(preset),
        None => bail!("{NAME} is \"{named}\"; use one of {}", PRESETS.join(", ")),
    }
}

fn kbits(name: &str) -> anyhow::Result<Option<u32>> {
    Ok(in_range(name, 8.0, 320.0)?.map(|kbits| kbits as u32))
}

fn ratio(name: &str) -> anyhow::Result<Option<f64>> {
    in_range(name, 0.0, 1.0)
}

fn flag(name: &str) -> anyhow::Result<Option<bool>> {
    match text(name).map(|value| value.to_ascii_lowercase()).as_deref() {
        None => Ok(None),
        Some("true" | "1" | "yes" | "on") => Ok(Some(true)),
        Some("false" | "0" | "no" | "off") => Ok(Some(false)),
        Some(other) => bail!("{name} is \"{other}\"; use true or false"),
    }
}
