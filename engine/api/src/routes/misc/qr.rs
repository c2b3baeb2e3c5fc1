//! `POST /misc/convert-string-toqr/{target}`: a text as a QR code, as a PNG data URL
//! (`base64`) or as a file behind a URL (`svg`, `png`, `jpg`, `jpeg`, `webp`).

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Input, Path, required};
use crate::files;
use crate::routes::misc::output::{Keeping, Output};
use crate::state::ApiState;
use axum::extract::State;
use image::{DynamicImage, ImageFormat, Luma};
use qrcode::QrCode;
use qrcode::render::svg;
use serde::Deserialize;
use serde_json::json;
use std::io::Cursor;

/// Most bytes of the largest code there is.
const QR_BYTES: usize = 2_953;
/// Smallest side of a picture, in pixels.
const SIDE: u32 = 264;

/// What the code says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    session_id: Option<String>,
    string: Option<String>,
    encoding: Option<String>,
}

/// Draws it.
pub async fn post(
    caller: Caller,
    State(state): State<ApiState>,
    Path(target): Path<String>,
    ask: Input<Ask>,
) -> ApiResult {
    let target = Target::of(&target)?;
    let text = required("string", ask.fields.string.filter(|text| !text.is_empty()))?;
    let bytes = bytes(&text, ask.fields.encoding.as_deref().unwrap_or("utf8"))?;
    if bytes.len() > QR_BYTES {
        return Err(ApiError::invalid(format!("`string` has more than the {QR_BYTES} bytes that a QR code holds")));
    }
    let drawn = target.draw(&bytes).ok_or_else(|| ApiError::invalid("`string` does not fit into a QR code"))?;
    let keeping = Keeping::of(&caller, &state, ask.fields.session_id.as_deref())?;
    // Without a session to keep it with, a file is answered as a data URL, too.
    let output = if target.is_inline || !keeping.can() { Output::Base64 } else { Output::Url };
    let mut shown = keeping.answer(&state, output, drawn.into(), target.mime).await?;
    if output == Output::Base64 {
        shown.meta["mode"] = json!("dataurl");
    }
    shown.meta["format"] = json!(target.format);
    let message = match target.is_inline {
        true => "String converted to QR-friendly PNG (base64 data URI)".to_owned(),
        false => format!("String converted to QR-friendly {} format", target.format.to_ascii_uppercase()),
    };
    let shown = json!({ "data": shown.data, "meta": shown.meta });
    Ok(Reply::new(codes::SUCCESS, message).results(vec![shown]))
}

fn bytes(text: &str, encoding: &str) -> Result<Vec<u8>, ApiError> {
    let wrong = || ApiError::invalid(format!("`string` is not {encoding}"));
    match encoding.to_ascii_lowercase().as_str() {
        "utf8" | "utf-8" => Ok(text.as_bytes().to_vec()),
        "base64" => files::base64(text).ok_or_else(wrong),
        "hex" => hex::decode(text.trim()).map_err(|_| wrong()),
        "latin1" | "binary" => text.chars().map(|c| u8::try_from(c).map_err(|_| wrong())).collect(),
        "ascii" if text.is_ascii() => Ok(text.as_bytes().to_vec()),
        "ascii" => Err(wrong()),
        _ => Err(ApiError::invalid("`encoding` is utf8, base64, hex, latin1 or ascii")),
    }
}

struct Target {
    format: &'static str,
    mime: &'static str,
    /// `None` is SVG.
    image: Option<ImageFormat>,
    is_inline: bool,
}

impl Target {
    fn of(name: &str) -> Result<Self, ApiError> {
        let (format, mime, image) = match name {
            "base64" | "png" => ("png", "image/png", Some(ImageFormat::Png)),
            "jpg" | "jpeg" => ("jpeg", "image/jpeg", Some(ImageFormat::Jpeg)),
            "webp" => ("webp", "image/webp", Some(ImageFormat::WebP)),
            "svg" => ("svg", "image/svg+xml", None),
            _ => {
                return Err(ApiError::invalid("Unsupported target format; use base64, svg, png, jpg, jpeg, or webp"));
            }
        };
        Ok(Self { format, mime, image, is_inline: name == "base64" })
    }

    fn draw(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let code = QrCode::new(bytes).ok()?;
        let Some(format) = self.image else {
            return Some(code.render::<svg::Color<'_>>().min_dimensions(SIDE, SIDE).build().into_bytes());
        };
        let picture = DynamicImage::from(code.render::<Luma<u8>>().min_dimensions(SIDE, SIDE).build());
        // WebP knows no grey.
        let picture = if format == ImageFormat::WebP { picture.to_rgb8().into() } else { picture };
        let mut file = Cursor::new(Vec::new());
        picture.write_to(&mut file, format).ok()?;
        Some(file.into_inner())
    }
}
