#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
//! Media files as people send them, and as nobody should. The files are made
//! here: pictures by the image crate, sound and video by ffmpeg, which must be
//! installed.

mod compress;
mod hostile;
mod images;
mod probe;
mod sound;
mod stickers;
mod support;
mod videos;
