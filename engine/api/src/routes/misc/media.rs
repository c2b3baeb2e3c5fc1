//! `POST /misc/media/thumbnail` and `/misc/media/image`: small pictures of images and
//! videos, and images in another size or format.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Input, Whole, Word, required};
use crate::files::{Given, lost, on_disk, unfit};
use crate::routes::misc::output::{Keeping, Output};
use crate::state::ApiState;
use crate::view::iso;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use warest_pipeline::media::{Fit, Format, ImageWork, Kind, MediaError, Resize, ThumbnailWork};

/// Longest side that is asked for, in pixels. The media room has its own say.
const SIDE: u64 = 8_192;

/// What to make small pictures of.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Small {
    session_id: Option<String>,
    file: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    width: Option<Whole>,
    height: Option<Whole>,
    count: Option<Whole>,
    output: Option<Word<Output>>,
}

/// What to do with an image.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Work {
    session_id: Option<String>,
    file: Option<String>,
    actions: Option<Actions>,
    output: Option<Word<Output>>,
}

#[derive(Debug, Default, Deserialize)]
struct Actions {
    convert: Option<String>,
    resize: Option<Size>,
    compress: Option<Compress>,
}

#[derive(Debug, Deserialize)]
struct Size {
    width: Option<Whole>,
    height: Option<Whole>,
    fit: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Compress {
    quality: Option<Whole>,
}

/// Makes small pictures.
pub async fn thumbnail(caller: Caller, State(state): State<ApiState>, ask: Input<Small>) -> ApiResult {
    let (fields, upload) = (ask.fields, ask.upload);
    let given = required("file", Given::of(upload, fields.file))?;
    let kind = match fields.kind.as_deref() {
        Some("image") => Kind::Image,
        Some("video") => Kind::Video,
        _ => return Err(ApiError::invalid("type must be image or video")),
    };
    let defaults = ThumbnailWork::default();
    let work = ThumbnailWork {
        width: side("width", fields.width)?.unwrap_or(defaults.width),
        height: side("height", fields.height)?.unwrap_or(defaults.height),
        count: side("count", fields.count)?.unwrap_or(defaults.count),
    };
    let keeping = Keeping::of(&caller, &state, fields.session_id.as_deref())?;
    let file = on_disk(&state, "file", given).await?;
    let media = state.engine.attacher().media();
    let facts = media.probe(&file, None, None).await.map_err(|error| unfit("file", error))?;
    if facts.kind != kind {
        return Err(ApiError::invalid(format!("`file` is {}, not what `type` says", facts.mime)));
    }
    let made = media.thumbnails(&file, &work).await.map_err(refused)?;
    let output = fields.output.unwrap_or_default().0;
    let mut shown = Vec::with_capacity(made.len());
    for one in made {
        let answer = keeping.answer(&state, output, one.jpeg.into(), "image/jpeg").await?;
        let mut meta = answer.meta;
        meta["width"] = json!(one.width);
        meta["height"] = json!(one.height);
        shown.push(json!({ "thumbnail": answer.data, "meta": meta }));
    }
    Ok(Reply::new(codes::SUCCESS, "Thumbnails generated").results(vec![json!({ "data": shown })]))
}

/// Another size or format.
pub async fn image(caller: Caller, State(state): State<ApiState>, ask: Input<Work>) -> ApiResult {
    let (fields, upload) = (ask.fields, ask.upload);
    let given = required("file", Given::of(upload, fields.file))?;
    let actions = fields.actions.unwrap_or_default();
    let (work, performed) = actions.read()?;
    let keeping = Keeping::of(&caller, &state, fields.session_id.as_deref())?;
    let file = on_disk(&state, "file", given).await?;
    let made = state.engine.attacher().media().image(&file, &work).await.map_err(refused)?;
    let output = fields.output.unwrap_or_default().0;
    if output == Output::Base64 && made.facts.size > state.config.file_bytes as u64 {
        let message = "the result is too large for an answer; ask for `output` url";
        return Err(ApiError::new(codes::MEDIA_TOO_LARGE, message));
    }
    let bytes = tokio::fs::read(&made.file).await.map_err(|error| lost(&error))?;
    let size = bytes.len();
    let shown = keeping.answer(&state, output, bytes.into(), &made.facts.mime).await?;
    let mut meta = shown.meta;
    meta["label"] = json!("image");
    Ok(Reply::new(codes::SUCCESS, "Image processed").results(vec![json!({
        "data": shown.data,
        "details": {
            "format": made.facts.mime.strip_prefix("image/"),
            "width": made.facts.width,
            "height": made.facts.height,
            "size": size,
        },
        "actionsPerformed": performed,
        "createdAt": iso(state.now_ms()),
        "meta": meta,
    })]))
}

impl Actions {
    fn read(&self) -> Result<(ImageWork, Value), ApiError> {
        let quality = self.compress.as_ref().and_then(|compress| compress.quality);
        let quality = quality.map(|quality| match quality.0 {
            1..=100 => Ok(quality.0 as u8),
            _ => Err(ApiError::invalid("`actions.compress.quality` takes 1 to 100")),
        });
        let quality = quality.transpose()?;
        let convert = self.convert.as_deref().filter(|name| !name.is_empty());
        let format = match convert {
            Some(name) => Format::parse(name, quality).map_err(refused)?,
            None => Format::Keep { quality },
        };
        let resize = self.resize.as_ref().map(Size::read).transpose()?;
        let performed = json!({
            "converted": convert.is_some(),
            "resized": resize.is_some(),
            "compressed": quality.is_some(),
        });
        Ok((ImageWork { resize, format }, performed))
    }
}

impl Size {
    fn read(&self) -> Result<Resize, ApiError> {
        let fit = self.fit.as_deref().filter(|name| !name.is_empty());
        Ok(Resize {
            width: side("width", self.width)?,
            height: side("height", self.height)?,
            fit: fit.map(Fit::parse).transpose().map_err(refused)?.unwrap_or_default(),
            without_enlargement: false,
        })
    }
}

fn side(field: &str, number: Option<Whole>) -> Result<Option<u32>, ApiError> {
    match number {
        Some(Whole(number)) if number > SIDE => Err(ApiError::invalid(format!("`{field}` takes at most {SIDE}"))),
        other => Ok(other.map(|number| number.0 as u32)),
    }
}

/// The media room names the field itself where one is wrong.
fn refused(error: MediaError) -> ApiError {
    match error {
        MediaError::Refused { field, why } => ApiError::invalid(format!("`{field}` {why}")),
        other => unfit("file", other),
    }
}
