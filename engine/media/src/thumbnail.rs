//! Small pictures of images and videos.

use crate::config::MediaConfig;
use crate::encode::{self, Format, QUALITY};
use crate::error::MediaError;
use crate::facts::{Facts, Kind};
use crate::media::{Media, Permit};
use crate::picture;
use crate::shape::{Fit, MAX_SIDE, Resize, plan};
use std::path::{Path, PathBuf};

/// What thumbnails are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThumbnailWork {
    /// Most pixels across, 1 to 8192.
    pub width: u32,
    /// Most pixels down, 1 to 8192.
    pub height: u32,
    /// How many moments of a video, 1 to 10; an image has one.
    pub count: u32,
}

impl Default for ThumbnailWork {
    fn default() -> Self {
        Self { width: 320, height: 320, count: 1 }
    }
}

/// A small JPEG picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// The JPEG file.
    pub jpeg: Vec<u8>,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

/// Most moments of a video.
const MAX_COUNT: u32 = 10;
/// Sides and qualities of a preview within a message, and its most bytes.
const PREVIEWS: [(u32, u8); 5] = [(100, 70), (100, 50), (72, 50), (72, 30), (48, 20)];
const PREVIEW_BYTES: usize = 10 << 10;

impl Media {
    /// Thumbnails of an image or, at even distances, of a video (which needs
    /// ffmpeg). They have the picture's shape and may be larger than it is.
    pub async fn thumbnails(&self, path: &Path, work: &ThumbnailWork) -> Result<Vec<Thumbnail>, MediaError> {
        if !(1..=MAX_COUNT).contains(&work.count) {
            return Err(MediaError::Refused { field: "count", why: format!("must be 1 to {MAX_COUNT}") });
        }
        for (field, side) in [("width", work.width), ("height", work.height)] {
            if side == 0 || side > MAX_SIDE {
                return Err(MediaError::Refused { field, why: format!("must be 1 to {MAX_SIDE} pixels") });
            }
        }
        let resize =
            Resize { width: Some(work.width), height: Some(work.height), fit: Fit::Inside, without_enlargement: false };
        let (facts, permit) = self.begin(path).await?;
        let moments = match (facts.kind, facts.seconds) {
            // The middles of as many equal parts.
            (Kind::Video, Some(seconds)) if work.count > 1 => {
                let part = seconds / f64::from(work.count);
                (0..work.count).map(|number| part * (f64::from(number) + 0.5)).collect()
            }
            _ => vec![0.0],
        };
        let mut thumbnails = Vec::with_capacity(moments.len());
        for moment in moments {
            let make =
                move |path: &PathBuf, mime: &str, config: &MediaConfig| thumbnail(path, mime, &resize, QUALITY, config);
            thumbnails.push(self.picture_of(&permit, path, &facts, moment, make).await?);
        }
        Ok(thumbnails)
    }

    /// The preview that goes within a message: at most 100 pixels a side and
    /// 10 KiB. That of a video needs ffmpeg.
    pub async fn preview(&self, path: &Path) -> Result<Thumbnail, MediaError> {
        let (facts, permit) = self.begin(path).await?;
        self.picture_of(&permit, path, &facts, 0.0, |path, mime, config| {
            let decoded = picture::decode(path, mime, config)?;
            let plan = plan(&Resize::within(PREVIEWS[0].0), decoded.size())?;
            let image = picture::on_white(decoded.shown(&plan)?);
            let mut preview = None;
            for (side, quality) in PREVIEWS {
                let plan = crate::shape::plan(&Resize::within(side), (image.width(), image.height()))?;
                let scaled = picture::scale(image.clone(), plan.crop, plan.scaled)?;
                let made = jpeg(scaled, quality)?;
                let fits = made.jpeg.len() <= PREVIEW_BYTES;
                preview = Some(made);
                if fits {
                    break;
                }
            }
            preview.ok_or_else(|| MediaError::corrupt("it has no preview"))
        })
        .await
    }

    /// Does something with the picture of a file: an image itself, or a frame of
    /// a video.
    async fn picture_of(
        &self,
        permit: &Permit,
        path: &Path,
        facts: &Facts,
        moment: f64,
        make: impl FnOnce(&PathBuf, &str, &MediaConfig) -> Result<Thumbnail, MediaError> + Send + 'static,
    ) -> Result<Thumbnail, MediaError> {
        match facts.kind {
            Kind::Image => {
                let (path, mime) = (path.to_owned(), facts.mime.clone());
                self.compute(permit, move |config| make(&path, &mime, config)).await
            }
            Kind::Video => {
                let frame = self.frame(path, facts, moment).await?;
                self.compute(permit, move |config| make(&frame.to_path_buf(), "image/png", config)).await
            }
            _ => Err(MediaError::Unsupported { mime: facts.mime.clone(), wanted: "a picture or a video" }),
        }
    }
}

fn thumbnail(
    path: &Path,
    mime: &str,
    resize: &Resize,
    quality: u8,
    config: &MediaConfig,
) -> Result<Thumbnail, MediaError> {
    let decoded = picture::decode(path, mime, config)?;
    let plan = plan(resize, decoded.size())?;
    jpeg(decoded.shown(&plan)?, quality)
}

fn jpeg(image: image::DynamicImage, quality: u8) -> Result<Thumbnail, MediaError> {
    let (width, height) = (image.width(), image.height());
    let mut jpeg = Vec::new();
    encode::write(image, Format::Jpeg { quality }, None, &mut jpeg)?;
    Ok(Thumbnail { jpeg, width, height })
}
