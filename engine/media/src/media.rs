//! The room's front: each operation takes a permit, learns what the file is and
//! has it done, computing on threads that may block.
//!
//! A permit goes along with the thread that computes, so that a caller who goes
//! away frees no place that is still taken.

use crate::config::MediaConfig;
use crate::encode::{self, Format};
use crate::error::MediaError;
use crate::facts::{self, Facts, Kind};
use crate::ffmpeg::{Ffmpeg, Input};
use crate::picture;
use crate::shape::{Plan, Resize, plan};
use crate::video::words;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use tempfile::{NamedTempFile, TempPath};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A result: a file that is removed when this is dropped.
#[derive(Debug)]
pub struct Output {
    /// Where it is. [`TempPath::persist`] keeps it.
    pub file: TempPath,
    /// What it is.
    pub facts: Facts,
}

/// What is done to an image. The result is upright and without metadata; of an
/// animation it is the first picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageWork {
    /// Another size.
    pub resize: Option<Resize>,
    /// Another format.
    pub format: Format,
}

/// Does work on media files. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Media {
    pub(crate) config: Arc<MediaConfig>,
    permits: Arc<Semaphore>,
}

/// A place among the work done at once.
pub(crate) type Permit = Arc<OwnedSemaphorePermit>;

/// Pictures of more pixels than this are worked on alone.
const HUGE: u64 = 12_000_000;

impl Media {
    /// Work within these limits.
    pub fn new(config: MediaConfig) -> Self {
        let permits = Arc::new(Semaphore::new(config.concurrency.max(1)));
        Self { config: Arc::new(config), permits }
    }

    /// The limits.
    pub fn config(&self) -> &MediaConfig {
        &self.config
    }

    pub(crate) fn ffmpeg(&self) -> Ffmpeg<'_> {
        Ffmpeg(&self.config)
    }

    /// A place for work on a file: all places, if it is a huge picture.
    pub(crate) async fn permit(&self, facts: Option<&Facts>) -> Result<Permit, MediaError> {
        let is_huge = facts.and_then(Facts::pixels).is_some_and(|pixels| pixels > HUGE);
        let places = if is_huge { self.config.concurrency.max(1) } else { 1 };
        let permit = Arc::clone(&self.permits).acquire_many_owned(places as u32).await;
        // The semaphore is never closed; if it were, nothing could be done either.
        permit.map(Arc::new).map_err(|closed| MediaError::Io(std::io::Error::other(closed)))
    }

    /// Computes on a thread that may block. A decoder that panics on a file has
    /// found it damaged.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        permit: &Permit,
        work: impl FnOnce(&MediaConfig) -> Result<T, MediaError> + Send + 'static,
    ) -> Result<T, MediaError> {
        let (config, permit) = (Arc::clone(&self.config), Arc::clone(permit));
        let task = tokio::task::spawn_blocking(move || {
            let done = work(&config);
            drop(permit);
            done
        });
        task.await.unwrap_or_else(|_| Err(MediaError::corrupt("it could not be read")))
    }

    /// What a file is. Its content decides; `declared` and `name` are asked
    /// where content says nothing.
    pub async fn probe(&self, path: &Path, declared: Option<&str>, name: Option<&str>) -> Result<Facts, MediaError> {
        let permit = self.permit(None).await?;
        let mut facts = self.header(&permit, path, declared, name).await?;
        facts::ask_ffprobe(&mut facts, path, &self.ffmpeg()).await?;
        Ok(facts)
    }

    /// What a file is that is sent as a document: its type and size. Nothing
    /// else of it is read, so that it may be as damaged as it likes.
    pub async fn document(&self, path: &Path, declared: Option<&str>, name: Option<&str>) -> Result<Facts, MediaError> {
        let permit = self.permit(None).await?;
        let (path, declared, name) = (path.to_owned(), declared.map(str::to_owned), name.map(str::to_owned));
        self.compute(&permit, move |_| facts::of_document(&path, declared.as_deref(), name.as_deref())).await
    }

    async fn header(
        &self,
        permit: &Permit,
        path: &Path,
        declared: Option<&str>,
        name: Option<&str>,
    ) -> Result<Facts, MediaError> {
        let (path, declared, name) = (path.to_owned(), declared.map(str::to_owned), name.map(str::to_owned));
        self.compute(permit, move |_| facts::of_file(&path, declared.as_deref(), name.as_deref())).await
    }

    /// What a file is that is about to be worked on, and a place for that work.
    pub(crate) async fn begin(&self, path: &Path) -> Result<(Facts, Permit), MediaError> {
        let facts = self.probe(path, None, None).await?;
        if let Some(pixels) = facts.pixels() {
            let is_still = facts.kind == Kind::Image;
            let limit = if is_still { self.config.max_pixels } else { self.config.max_frame_pixels };
            picture::check_pixels(pixels, limit)?;
        }
        let permit = self.permit(Some(&facts)).await?;
        Ok((facts, permit))
    }

    /// Describes a file that was made here.
    pub(crate) async fn output(&self, permit: &Permit, file: TempPath) -> Result<Output, MediaError> {
        let mut facts = self.header(permit, &file, None, None).await?;
        facts::ask_ffprobe(&mut facts, &file, &self.ffmpeg()).await?;
        Ok(Output { file, facts })
    }

    /// An empty file for a result.
    pub(crate) fn temp(&self, suffix: &str) -> Result<TempPath, MediaError> {
        Ok(temp(&self.config, suffix)?.into_temp_path())
    }

    /// An image in another size or format.
    pub async fn image(&self, path: &Path, work: &ImageWork) -> Result<Output, MediaError> {
        work.format.check()?;
        let (facts, permit) = self.begin(path).await?;
        self.need_image(&facts)?;
        let format = work.format.settled(&facts.mime);
        let (source, resize) = (path.to_owned(), work.resize.unwrap_or_default());
        let made = self.compute(&permit, move |config| remake(&source, &facts.mime, &resize, format, config)).await?;
        let (needed_for, args) = match format {
            Format::Tiff => {
                ("TIFF", words(&["-c:v", "tiff", "-compression_algo", "deflate", "-update", "1", "-f", "image2"]))
            }
            Format::Avif { quality } => {
                // libaom counts from best (0) to worst (63).
                let crf = (63 - u32::from(quality) * 55 / 100).to_string();
                let args = ["-c:v", "libaom-av1", "-still-picture", "1", "-cpu-used", "6", "-crf", &crf];
                ("AVIF", [words(&args), words(&["-pix_fmt", "yuv420p", "-f", "avif"])].concat())
            }
            _ => return self.output(&permit, made).await,
        };
        let output = self.temp("")?;
        let input = Input { path: &made, format: "png_pipe", options: Vec::new() };
        self.ffmpeg().convert(needed_for, input, &args, &output).await?;
        self.output(&permit, output).await
    }

    pub(crate) fn need_image(&self, facts: &Facts) -> Result<(), MediaError> {
        if facts.kind == Kind::Image {
            return Ok(());
        }
        Err(MediaError::Unsupported { mime: facts.mime.clone(), wanted: "a JPEG, PNG, WebP, GIF or BMP picture" })
    }
}

/// An empty file.
pub(crate) fn temp(config: &MediaConfig, suffix: &str) -> Result<NamedTempFile, MediaError> {
    Ok(tempfile::Builder::new().prefix("media-").suffix(suffix).tempfile_in(&config.temp_dir)?)
}

/// A new file with these bytes.
pub(crate) fn temp_with(config: &MediaConfig, suffix: &str, bytes: &[u8]) -> Result<TempPath, MediaError> {
    let mut file = temp(config, suffix)?;
    file.write_all(bytes)?;
    Ok(file.into_temp_path())
}

fn remake(
    path: &Path,
    mime: &str,
    resize: &Resize,
    format: Format,
    config: &MediaConfig,
) -> Result<TempPath, MediaError> {
    let decoded = picture::decode(path, mime, config)?;
    let plan = plan(resize, decoded.size())?;
    write_picture(decoded, &plan, format, config)
}

/// Writes a decoded picture to a file.
pub(crate) fn write_picture(
    mut decoded: picture::Picture,
    plan: &Plan,
    format: Format,
    config: &MediaConfig,
) -> Result<TempPath, MediaError> {
    let icc = decoded.icc.take();
    let mut into = BufWriter::new(temp(config, "")?);
    encode::write(decoded.shown(plan)?, format, icc, &mut into)?;
    let file = into.into_inner().map_err(|error| MediaError::Io(error.into_error()))?;
    Ok(file.into_temp_path())
}
