//! JSON bodies: bounded, an object at the top, and refused with the path of the
//! field that is wrong. Fields that are not known are let through, since clients
//! send more than we read.

use super::misread;
use crate::codes;
use crate::error::ApiError;
use crate::state::ApiState;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use serde::de::{DeserializeOwned, IgnoredAny};

/// A JSON body.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<ApiState> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        check_content_type(request.headers())?;
        let body = read_body(request, state).await?;
        read_json(&body).map(Self)
    }
}

/// A JSON body that may be left out.
pub struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<ApiState> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let checked = check_content_type(request.headers());
        let body = read_body(request, state).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        checked.and_then(|()| read_json(&body)).map(Self)
    }
}

/// Reads a body up to the route's limit.
pub async fn read_body(request: Request, state: &ApiState) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state).await.map_err(unreadable)
}

/// Why a body could not be read: too long, or cut off.
fn unreadable(rejection: BytesRejection) -> ApiError {
    let message = rejection.body_text();
    match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(codes::PAYLOAD_TOO_LARGE, "the body is too large"),
        _ => ApiError::new(codes::BAD_REQUEST, message),
    }
}

/// Refuses a body that does not say it is JSON.
pub fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let kind = content_type(headers);
    if kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json")) {
        return Ok(());
    }
    Err(ApiError::new(codes::UNSUPPORTED_MEDIA_TYPE, "send the body as JSON, with Content-Type: application/json"))
}

/// The media type without its parameters, in lower case; empty if there is none.
pub fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Reads a JSON object.
pub fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // Fields that nobody reads are skipped unseen; the whole body is text all the same.
    if std::str::from_utf8(body).is_err() {
        return Err(ApiError::new(codes::MALFORMED_JSON, "the body is not UTF-8; JSON is always UTF-8"));
    }
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => {}
        None => return Err(ApiError::new(codes::MALFORMED_JSON, "the body is empty; send a JSON object")),
        Some(_) => {
            return Err(match serde_json::from_slice::<IgnoredAny>(body) {
                Ok(_) => ApiError::invalid("the body must be a JSON object"),
                Err(error) => malformed(&error),
            });
        }
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if !inner.is_data() {
            return malformed(&inner);
        }
        // The path says where; line and column are for what is not JSON at all.
        let why = inner.to_string();
        let why = why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why);
        misread(&path, &why)
    })?;
    reader.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> ApiError {
    ApiError::new(codes::MALFORMED_JSON, format!("the body is not JSON: {error}"))
}
