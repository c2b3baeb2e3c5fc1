//! What is done to a media file before it is sent: probe, convert, scale,
//! transcode.
//!
//! Reads files and writes temporary files; it does no networking and knows
//! nothing of WhatsApp but the shapes its apps accept. Laws:
//!
//! - **Every file is hostile.** What a file is, its content says, not its name.
//!   Dimensions are read from headers and checked before anything is decoded;
//!   ffmpeg gets its input format from us and can reach no other file and no
//!   network; none of its options come from a caller.
//! - **Files in, files out.** No video or audio file is ever in memory; an image
//!   is, once, within [`MediaConfig::decode_memory`].
//! - **Work is bounded.** One semaphore holds all of it: a huge image takes all
//!   of the permits. ffmpeg has a deadline and dies with the future that waits
//!   for it.
//! - **Without ffmpeg** only what needs it fails, with an error that says so.

mod animation;
mod compress;
mod config;
mod container;
mod encode;
mod error;
mod facts;
mod ffmpeg;
mod media;
mod mime;
mod picture;
mod riff;
mod shape;
mod sticker;
mod thumbnail;
mod transcode;
mod video;
mod voice;

pub use config::{AudioCompress, Compress, ImageCompress, MediaConfig, Programs, VideoCompress};
pub use encode::Format;
pub use error::MediaError;
pub use facts::{Facts, Kind};
pub use media::{ImageWork, Media, Output};
pub use shape::{Fit, Resize};
pub use sticker::StickerPack;
pub use thumbnail::{Thumbnail, ThumbnailWork};
pub use transcode::{Target, Transcode};
pub use voice::VoiceNote;
