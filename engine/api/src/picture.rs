//! The picture of an account or a group: whatever the client gives becomes what
//! the apps have, a square JPEG of at most 640 pixels.

use crate::error::ApiError;
use crate::extract::{About, required};
use crate::files::{Given, lost, on_disk, unfit};
use serde::Deserialize;
use warest_pipeline::media::{Fit, Format, ImageWork, Resize};

/// Longest side.
const SIDE: u32 = 640;
const QUALITY: u8 = 85;

/// The field that a picture is given in.
#[derive(Debug, Deserialize)]
pub struct PictureField {
    picture: Option<String>,
}

/// The picture of a request, as the apps have it.
pub async fn avatar(about: &mut About<PictureField>) -> Result<Vec<u8>, ApiError> {
    let given = Given::of(about.upload.take(), about.fields.picture.take());
    let picture = on_disk(&about.state, "picture", required("picture", given)?).await?;
    let media = about.state.engine.attacher().media();
    let facts = media.probe(&picture, None, None).await.map_err(|error| unfit("picture", error))?;
    // The apps cut a square out of the middle.
    let side = facts.width.unwrap_or(SIDE).min(facts.height.unwrap_or(SIDE)).clamp(1, SIDE);
    let resize = Resize { width: Some(side), height: Some(side), fit: Fit::Cover, without_enlargement: false };
    let work = ImageWork { resize: Some(resize), format: Format::Jpeg { quality: QUALITY } };
    let made = media.image(&picture, &work).await.map_err(|error| unfit("picture", error))?;
    tokio::fs::read(&made.file).await.map_err(|error| lost(&error))
}
