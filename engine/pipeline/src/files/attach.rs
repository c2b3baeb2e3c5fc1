//! From a message's file to what is attached to it: fetched, made what the
//! message says it is, and described.
//!
//! The same file for many recipients is worked on once: results are kept for a
//! minute, up to a bound, and callers who ask at the same time share one work.

use super::fetch::Fetcher;
use futures::future::Shared;
use futures::{FutureExt as _, future::BoxFuture};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempPath;
use tokio::time::{Duration, Instant};
use warest_link::Attachment;
use warest_media::{Facts, Format, Kind, MediaError, Output, Target, Transcode};
use warest_model::content::{Content, Fit, ImageFormat, ImageWork, Media, MediaKind};
use warest_model::fault::Fault;

/// How long a result is kept for the next who asks.
const KEPT: Duration = Duration::from_secs(60);
/// Results kept at most.
const KEPT_FILES: usize = 32;
/// Types of pictures that every WhatsApp shows.
const SHOWN_IMAGES: &[&str] = &["image/jpeg", "image/png"];
/// Types of films that every WhatsApp plays.
const PLAYED_VIDEOS: &[&str] = &["video/mp4", "video/3gpp"];
/// Types of sound that every WhatsApp plays.
const PLAYED_AUDIO: &[&str] =
    &["audio/mpeg", "audio/mp4", "audio/aac", "audio/amr", "audio/ogg; codecs=opus", "audio/ogg"];

/// An attachment, and the file that it lives on.
#[derive(Debug)]
pub struct Ready {
    /// What the link gets.
    pub attachment: Attachment,
    _file: TempPath,
}

type Work = Shared<BoxFuture<'static, Result<Arc<Ready>, Fault>>>;

/// Makes attachments.
#[derive(Clone)]
pub struct Attacher {
    fetcher: Fetcher,
    media: warest_media::Media,
    works: Arc<Mutex<HashMap<Media, (Instant, Work)>>>,
}

impl Attacher {
    /// With files from `fetcher`, worked on by `media`.
    pub fn new(fetcher: Fetcher, media: warest_media::Media) -> Self {
        Self { fetcher, media, works: Arc::default() }
    }

    /// Where files come from.
    pub fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// What works on files.
    pub fn media(&self) -> &warest_media::Media {
        &self.media
    }

    /// The attachments of a content, in the order of its sources.
    pub async fn attach(&self, content: &Content) -> Result<Vec<Arc<Ready>>, Fault> {
        let mut ready = Vec::new();
        match content {
            Content::Media(media) => ready.push(self.ready(media.clone()).await?),
            Content::Buttons { image: Some(source), .. } | Content::List { image: Some(source), .. } => {
                ready.push(self.ready(Media::new(MediaKind::Image, source.clone())).await?);
            }
            _ => {}
        }
        Ok(ready)
    }

    async fn ready(&self, media: Media) -> Result<Arc<Ready>, Fault> {
        // What is said beside the file makes it no other file.
        let key = Media { caption: None, view_once: false, ..media };
        let work = {
            let mut works = self.works.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            works.retain(|_, (until, _)| *until > now);
            match works.get(&key) {
                Some((_, work)) => work.clone(),
                None => {
                    let (this, media) = (self.clone(), key.clone());
                    let work = async move { this.make(&media).await.map(Arc::new) }.boxed().shared();
                    if works.len() < KEPT_FILES {
                        works.insert(key.clone(), (now + KEPT, work.clone()));
                    }
                    work
                }
            }
        };
        let made = work.await;
        if made.is_err() {
            // The next who asks tries anew.
            self.works.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        }
        made
    }

    async fn make(&self, media: &Media) -> Result<Ready, Fault> {
        let fetched = self.fetcher.fetch(&media.source).await?;
        let declared = media.mime.as_deref().or(fetched.mime.as_deref());
        let name = media.file_name.as_deref().or(fetched.name.as_deref());
        // A document is sent as it is, damaged or not.
        let facts = match media.kind {
            MediaKind::Document => self.media.document(&fetched.file, declared, name).await,
            _ => self.media.probe(&fetched.file, declared, name).await,
        };
        let facts = facts.map_err(unfit)?;
        let mut draft = Draft { facts, file: fetched.file, waveform: None, changed: false };
        if let Some(work) = &media.transcode {
            draft.take(self.media.transcode(&draft.file, &transcode(work, draft.facts.kind)?).await.map_err(unfit)?);
        }
        if let Some(work) = media.image.filter(|_| draft.facts.kind == Kind::Image) {
            draft.take(self.media.image(&draft.file, &image_work(work)).await.map_err(unfit)?);
        }
        let kind = match media.kind {
            MediaKind::Auto => kind_of(&draft.facts),
            kind => kind,
        };
        self.shape(&mut draft, kind, media.compress == Some(true)).await?;
        let thumbnail = match kind {
            MediaKind::Image | MediaKind::Video | MediaKind::Gif => self.thumbnail(&draft, kind).await?,
            _ => None,
        };
        let given = media.file_name.clone().or(fetched.name);
        let facts = draft.facts;
        let mime = match kind {
            MediaKind::Document => media.mime.clone().unwrap_or(facts.mime),
            _ => facts.mime,
        };
        let attachment = Attachment {
            file: draft.file.to_path_buf(),
            kind,
            file_name: match kind {
                MediaKind::Document => Some(given.unwrap_or_else(|| format!("file.{}", facts.extension))),
                _ => given,
            },
            mime,
            size: facts.size,
            width: facts.width,
            height: facts.height,
            seconds: facts.seconds.map(|seconds| seconds.ceil() as u32),
            thumbnail,
            waveform: draft.waveform,
            animated: facts.animated,
        };
        Ok(Ready { attachment, _file: draft.file })
    }

    /// Makes the file what the message says it is.
    async fn shape(&self, draft: &mut Draft, kind: MediaKind, compress: bool) -> Result<(), Fault> {
        let wanted = |fits: bool, wanted: &'static str| {
            let mime = draft.facts.mime.clone();
            if fits { Ok(()) } else { Err(unfit(MediaError::Unsupported { mime, wanted })) }
        };
        match kind {
            MediaKind::Image => {
                wanted(draft.facts.kind == Kind::Image, "a picture")?;
                if !SHOWN_IMAGES.contains(&draft.facts.mime.as_str()) && !draft.changed {
                    let work = warest_media::ImageWork { resize: None, format: Format::Jpeg { quality: 90 } };
                    draft.take(self.media.image(&draft.file, &work).await.map_err(unfit)?);
                }
                self.compress(draft, compress).await;
            }
            MediaKind::Video => {
                wanted(draft.facts.kind == Kind::Video || draft.facts.animated, "a film")?;
                if draft.facts.kind == Kind::Image {
                    draft.take(self.media.gif_video(&draft.file).await.map_err(unfit)?);
                } else if !PLAYED_VIDEOS.contains(&draft.facts.mime.as_str()) {
                    draft.take(self.media.transcode(&draft.file, &plain(Target::Mp4)).await.map_err(unfit)?);
                }
                self.compress(draft, compress).await;
            }
            MediaKind::Gif => {
                wanted(draft.facts.kind == Kind::Video || draft.facts.animated, "a moving picture")?;
                let is_ready =
                    PLAYED_VIDEOS.contains(&draft.facts.mime.as_str()) && draft.facts.has_audio == Some(false);
                if !is_ready {
                    draft.take(self.media.gif_video(&draft.file).await.map_err(unfit)?);
                }
            }
            MediaKind::Audio => {
                let sounds = draft.facts.kind == Kind::Audio || draft.facts.has_audio == Some(true);
                wanted(sounds, "a file with sound")?;
                if !PLAYED_AUDIO.contains(&draft.facts.mime.as_str()) {
                    draft.take(self.media.transcode(&draft.file, &plain(Target::M4a)).await.map_err(unfit)?);
                }
                self.compress(draft, compress).await;
            }
            MediaKind::Voice => {
                let note = self.media.voice_note(&draft.file).await.map_err(unfit)?;
                draft.waveform = note.waveform.map(|waveform| waveform.to_vec());
                draft.facts = note.facts;
                draft.facts.seconds = Some(note.seconds);
                if let Some(file) = note.file {
                    draft.file = file;
                }
            }
            MediaKind::Sticker => {
                draft.take(self.media.sticker(&draft.file, None).await.map_err(unfit)?);
            }
            MediaKind::Document | MediaKind::Auto => {}
        }
        Ok(())
    }

    async fn compress(&self, draft: &mut Draft, wanted: bool) {
        if wanted
            && !draft.changed
            && let Some(smaller) = self.media.compress(&draft.file, &draft.facts).await
        {
            draft.take(smaller);
        }
    }

    /// A picture that cannot be read is refused; of a film, the preview is a
    /// courtesy.
    async fn thumbnail(&self, draft: &Draft, kind: MediaKind) -> Result<Option<Vec<u8>>, Fault> {
        match self.media.preview(&draft.file).await {
            Ok(preview) => Ok(Some(preview.jpeg)),
            Err(error) if kind == MediaKind::Image => Err(unfit(error)),
            Err(error) => {
                tracing::debug!(%error, "a film goes without a preview");
                Ok(None)
            }
        }
    }
}

/// A file on its way to being an attachment.
struct Draft {
    facts: Facts,
    file: TempPath,
    waveform: Option<Vec<u8>>,
    /// Whether it is another file than the one that was fetched.
    changed: bool,
}

impl Draft {
    fn take(&mut self, output: Output) {
        self.facts = output.facts;
        self.file = output.file;
        self.changed = true;
    }
}

fn kind_of(facts: &Facts) -> MediaKind {
    match facts.kind {
        Kind::Image if facts.animated => MediaKind::Gif,
        Kind::Image => MediaKind::Image,
        Kind::Video => MediaKind::Video,
        Kind::Audio => MediaKind::Audio,
        Kind::Document => MediaKind::Document,
    }
}

fn plain(target: Target) -> Transcode {
    Transcode { target, audio_kbps: None, video_kbps: None, preset: None }
}

fn transcode(work: &warest_model::content::Transcode, kind: Kind) -> Result<Transcode, Fault> {
    let usual = if kind == Kind::Video { "mp4" } else { "mp3" };
    let rate = |kbits: Option<u32>| kbits.map(|kbits| format!("{kbits}k"));
    let (audio, video) = (rate(work.audio_bitrate_k), rate(work.video_bitrate_k));
    Transcode::parse(
        work.format.as_deref().unwrap_or(usual),
        audio.as_deref(),
        video.as_deref(),
        work.preset.as_deref(),
    )
    .map_err(unfit)
}

fn image_work(work: ImageWork) -> warest_media::ImageWork {
    let quality = work.quality.unwrap_or(82);
    warest_media::ImageWork {
        resize: work.resize.map(|resize| warest_media::Resize {
            width: resize.width,
            height: resize.height,
            fit: match resize.fit {
                Fit::Cover => warest_media::Fit::Cover,
                Fit::Contain => warest_media::Fit::Contain,
                Fit::Fill => warest_media::Fit::Fill,
                Fit::Inside => warest_media::Fit::Inside,
                Fit::Outside => warest_media::Fit::Outside,
            },
            without_enlargement: resize.without_enlargement,
        }),
        format: match work.format {
            None => Format::Keep { quality: work.quality },
            Some(ImageFormat::Jpeg) => Format::Jpeg { quality },
            Some(ImageFormat::Png) => Format::Png { level: 8 },
            Some(ImageFormat::Webp) => Format::Webp { quality },
        },
    }
}

/// Why a file cannot be sent as what it should be.
pub(crate) fn unfit(error: MediaError) -> Fault {
    let message = error.to_string();
    match error {
        MediaError::TooLarge { .. } | MediaError::TooHeavy { .. } => Fault::fail("media_too_large", message),
        MediaError::Unsupported { .. } => Fault::fail("media_unsupported", message),
        MediaError::Corrupt { .. } => Fault::fail("media_corrupt", message),
        MediaError::Refused { .. } => Fault::fail("transform_invalid", message),
        MediaError::FfmpegMissing { .. } => Fault::fail("ffmpeg_missing", message),
        MediaError::Timeout { .. } | MediaError::Ffmpeg(_) => Fault::fail("media_unconverted", message),
        MediaError::Io(_) => Fault::retry("media_fetch_failed", message),
    }
}
