//! Writing pictures: JPEG, PNG, WebP.

use crate::error::MediaError;
use crate::picture::on_white;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ImageEncoder};
use std::io::Write;
use webp::{Encoder, WebPConfig};

/// What a picture is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// What it was; GIF and BMP become PNG.
    Keep {
        /// Quality of JPEG and WebP, 1 to 100; absent means 82.
        quality: Option<u8>,
    },
    /// JPEG; what is transparent becomes white.
    Jpeg {
        /// 1 to 100.
        quality: u8,
    },
    /// PNG.
    Png {
        /// Compression, 1 to 9.
        level: u8,
    },
    /// WebP.
    Webp {
        /// 1 to 100.
        quality: u8,
    },
    /// TIFF, by ffmpeg.
    Tiff,
    /// AVIF, by ffmpeg.
    Avif {
        /// 1 to 100.
        quality: u8,
    },
}

/// Quality where none is asked for.
pub(crate) const QUALITY: u8 = 82;
/// Compression of PNG where none is asked for.
pub(crate) const LEVEL: u8 = 6;
/// Longest side of a WebP picture.
const WEBP_SIDE: u32 = 16_383;

impl Format {
    /// The format of this name (`png`, `jpg`, `jpeg`, `webp`, `tiff`, `avif`).
    pub fn parse(name: &str, quality: Option<u8>) -> Result<Self, MediaError> {
        let lossy = quality.unwrap_or(QUALITY);
        Ok(match name {
            "png" => Self::Png { level: LEVEL },
            "jpg" | "jpeg" => Self::Jpeg { quality: lossy },
            "webp" => Self::Webp { quality: lossy },
            "tiff" => Self::Tiff,
            "avif" => Self::Avif { quality: lossy },
            _ => {
                let why = "must be png, jpg, jpeg, webp, tiff or avif".to_owned();
                return Err(MediaError::Refused { field: "convert", why });
            }
        })
    }

    /// Refuses numbers out of their range.
    pub(crate) fn check(self) -> Result<Self, MediaError> {
        let within = |field, number: u8, most: u8| {
            if (1..=most).contains(&number) {
                return Ok(self);
            }
            Err(MediaError::Refused { field, why: format!("must be 1 to {most}") })
        };
        match self {
            Self::Keep { quality: Some(quality) }
            | Self::Jpeg { quality }
            | Self::Webp { quality }
            | Self::Avif { quality } => within("quality", quality, 100),
            Self::Png { level } => within("level", level, 9),
            Self::Keep { quality: None } | Self::Tiff => Ok(self),
        }
    }

    /// The format that keeps what a picture of type `mime` is.
    pub(crate) fn settled(self, mime: &str) -> Self {
        let Self::Keep { quality } = self else { return self };
        let quality = quality.unwrap_or(QUALITY);
        match mime {
            "image/jpeg" => Self::Jpeg { quality },
            "image/webp" => Self::Webp { quality },
            _ => Self::Png { level: LEVEL },
        }
    }
}

/// Writes a picture of eight bits a channel. TIFF and AVIF are written as PNG,
/// for ffmpeg to go on with.
pub(crate) fn write(
    image: DynamicImage,
    format: Format,
    icc: Option<Vec<u8>>,
    into: &mut impl Write,
) -> Result<(), MediaError> {
    match format {
        Format::Jpeg { quality } => {
            let mut encoder = JpegEncoder::new_with_quality(into, quality);
            if let Some(icc) = icc {
                // An encoder that cannot carry it leaves it out.
                let _ = encoder.set_icc_profile(icc);
            }
            Ok(on_white(image).write_with_encoder(encoder)?)
        }
        Format::Webp { quality } => {
            let webp = webp(&image, &lossy(quality)?)?;
            Ok(into.write_all(&webp)?)
        }
        Format::Png { .. } | Format::Tiff | Format::Avif { .. } | Format::Keep { .. } => {
            let level = if let Format::Png { level } = format { level } else { 1 };
            let mut encoder = PngEncoder::new_with_quality(into, CompressionType::Level(level), FilterType::Adaptive);
            if let Some(icc) = icc {
                let _ = encoder.set_icc_profile(icc);
            }
            Ok(image.write_with_encoder(encoder)?)
        }
    }
}

/// libwebp's settings for lossy pictures.
pub(crate) fn lossy(quality: u8) -> Result<WebPConfig, MediaError> {
    let mut config = WebPConfig::new().map_err(|()| MediaError::corrupt("libwebp does not start"))?;
    config.quality = f32::from(quality);
    config.method = 4;
    Ok(config)
}

/// A picture as a WebP file.
pub(crate) fn webp(image: &DynamicImage, config: &WebPConfig) -> Result<webp::WebPMemory, MediaError> {
    let longest = image.width().max(image.height());
    if longest > WEBP_SIDE {
        let why = format!("makes {longest} pixels a side, and WebP holds {WEBP_SIDE}: resize it");
        return Err(MediaError::Refused { field: "convert", why });
    }
    let (width, height) = (image.width(), image.height());
    let failed = |error| MediaError::corrupt(format_args!("libwebp: {error:?}"));
    let encoded = match image {
        DynamicImage::ImageRgb8(rgb) => Encoder::from_rgb(rgb, width, height).encode_advanced(config),
        DynamicImage::ImageRgba8(rgba) => Encoder::from_rgba(rgba, width, height).encode_advanced(config),
        other if other.color().has_alpha() => {
            Encoder::from_rgba(&other.to_rgba8(), width, height).encode_advanced(config)
        }
        other => Encoder::from_rgb(&other.to_rgb8(), width, height).encode_advanced(config),
    };
    encoded.map_err(failed)
}
