//! Files of the storage: `GET /api/v1/media/{mediaId}` with a key, and
//! `GET /storage/private/{mediaId}` with the signature that its URL carries.
//!
//! A file that is still at WhatsApp is fetched first; the answer waits a while
//! for it. What is answered is never shown by a browser as a page of ours.

use crate::auth::Caller;
use crate::codes;
use crate::error::ApiError;
use crate::extract::{Path, Query, required};
use crate::state::ApiState;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::ops::Range;
use warest_model::clock::Millis;
use warest_model::id::MediaId;
use warest_store::media::{MediaRow, MediaState, ShelfError};

/// A file, for whoever may see its session.
pub async fn one(
    caller: Caller,
    State(state): State<ApiState>,
    Path(id): Path<MediaId>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let row = state.engine.store().media(&id).await?.ok_or_else(|| ApiError::not_found("the file"))?;
    caller.check_record(&state, &row.session, row.created_ms, "the file")?;
    answer(&state, row, &headers).await
}

/// What lets a URL be used by whoever has it.
#[derive(Debug, Deserialize)]
pub struct Signed {
    expires: Option<Millis>,
    signature: Option<String>,
}

/// A file, for whoever has its signed URL.
pub async fn signed(
    State(state): State<ApiState>,
    Path(id): Path<MediaId>,
    Query(signed): Query<Signed>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let expires = required("expires", signed.expires)?;
    let signature = required("signature", signed.signature)?;
    if !state.engine.shelf().verify(&id, expires, &signature, state.now_ms()) {
        let message = "this URL is not valid any more; fetch the message again for a new one";
        return Err(ApiError::new(codes::FORBIDDEN, message));
    }
    let row = state.engine.store().media(&id).await?.ok_or_else(|| ApiError::not_found("the file"))?;
    answer(&state, row, &headers).await
}

async fn answer(state: &ApiState, row: MediaRow, headers: &HeaderMap) -> Result<Response, ApiError> {
    let row = match row.state {
        MediaState::Pending | MediaState::Remote => state.engine.collect_now(&row).await?,
        _ => row,
    };
    let object = match (row.state, &row.object) {
        (MediaState::Stored, Some(object)) => object,
        (MediaState::Pending | MediaState::Remote, _) => {
            let message = "the file is still being fetched from WhatsApp; ask again";
            return Err(ApiError::new(codes::MEDIA_NOT_AVAILABLE, message).retry_after(2));
        }
        _ => {
            let why = row.fault.as_ref().map_or("it was removed", |fault| fault.message.as_str());
            return Err(ApiError::new(codes::MEDIA_NOT_AVAILABLE, format!("the file is not here: {why}")));
        }
    };
    let range = headers.get(header::RANGE).and_then(|range| wanted(range, row.media.size));
    let opened = state.engine.shelf().open(object, range.clone()).await.map_err(|error| match error {
        ShelfError::NotFound => ApiError::new(codes::MEDIA_NOT_AVAILABLE, error.to_string()),
        error => {
            tracing::error!(media = %row.media.id, %error, "a file could not be read");
            ApiError::new(codes::INTERNAL_ERROR, "the file could not be read; see the server's log")
        }
    })?;
    let mut response = Body::from_stream(opened.stream).into_response();
    let fields = response.headers_mut();
    let mut set = |name, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            fields.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, &row.media.mimetype);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'");
    set(header::CACHE_CONTROL, "private, max-age=300");
    set(header::ACCEPT_RANGES, "bytes");
    set(header::ETAG, &format!("\"{}\"", row.media.sha256));
    set(header::CONTENT_DISPOSITION, &disposition(&row));
    match range {
        Some(Range { start, end }) => {
            set(header::CONTENT_RANGE, &format!("bytes {start}-{}/{}", end - 1, opened.size));
            set(header::CONTENT_LENGTH, &(end - start).to_string());
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        None => set(header::CONTENT_LENGTH, &opened.size.to_string()),
    }
    Ok(response)
}

/// Pictures, sound and film may be shown; the rest is only saved.
fn disposition(row: &MediaRow) -> String {
    let kind = row.media.mimetype.split('/').next().unwrap_or_default();
    let shown = matches!(kind, "image" | "audio" | "video") && !row.media.mimetype.contains("svg");
    let name = row.media.file_name.as_deref().unwrap_or(row.media.id.as_str());
    let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    format!("{}; filename*=UTF-8''{encoded}", if shown { "inline" } else { "attachment" })
}

/// The one range of a request, if it is one that can be had.
fn wanted(range: &HeaderValue, size: u64) -> Option<Range<u64>> {
    let (from, to) = range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
    let range = match (from.parse::<u64>().ok(), to.parse::<u64>().ok()) {
        (Some(from), Some(to)) => from..to.checked_add(1)?.min(size),
        (Some(from), None) if to.is_empty() => from..size,
        (None, Some(last)) if from.is_empty() => size.saturating_sub(last)..size,
        _ => return None,
    };
    (range.start < range.end).then_some(range)
}
