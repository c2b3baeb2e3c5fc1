//! An uploaded file: the `file` field of a form, or the raw body.

use super::json::{content_type, read_body};
use crate::codes;
use crate::error::ApiError;
use crate::state::ApiState;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use bytes::Bytes;

/// The bytes of an uploaded file.
pub struct Upload(pub Bytes);

impl FromRequest<ApiState> for Upload {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let file = match content_type(request.headers()).as_str() {
            "multipart/form-data" => from_form(request, state).await?,
            "application/wasm" | "application/octet-stream" => read_body(request, state).await?,
            _ => {
                return Err(ApiError::new(
                    codes::UNSUPPORTED_MEDIA_TYPE,
                    "send the file as multipart/form-data (field `file`), or raw as application/wasm",
                ));
            }
        };
        if file.is_empty() {
            return Err(ApiError::new(codes::MISSING_PARAMETER, "`file` is empty"));
        }
        Ok(Self(file))
    }
}

async fn from_form(request: Request, state: &ApiState) -> Result<Bytes, ApiError> {
    let mut form = Multipart::from_request(request, state)
        .await
        .map_err(|error| ApiError::new(codes::BAD_REQUEST, error.body_text()))?;
    while let Some(field) = form.next_field().await.map_err(|error| unreadable(&error))? {
        if field.name() == Some("file") {
            return field.bytes().await.map_err(|error| unreadable(&error));
        }
    }
    Err(ApiError::missing("file"))
}

/// Why a form could not be read.
pub fn unreadable(error: &MultipartError) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(codes::PAYLOAD_TOO_LARGE, "the body is too large"),
        _ => ApiError::new(codes::BAD_REQUEST, format!("the form cannot be read: {}", error.body_text())),
    }
}
