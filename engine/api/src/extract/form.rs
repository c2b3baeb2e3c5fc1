//! A request that may carry files: JSON, a form, or the raw bytes of one file
//! with its fields in the query. Files stream to temporary files as they come, so
//! that their size costs no memory; they go to the engine's storage once it is
//! known whose they are.

use super::json::{Json, content_type};
use crate::codes;
use crate::error::ApiError;
use crate::files;
use crate::state::ApiState;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{FromRequest, Query, Request};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use serde_json::{Map, Value};
use std::collections::HashMap;
use tempfile::TempPath;
use tokio::io::AsyncWriteExt as _;
use warest_model::content::MediaSource;
use warest_model::id::MediaId;
use warest_pipeline::directory::SessionEntry;
use warest_pipeline::files::NewFile;

/// Fields of a form, at most.
const FIELDS: usize = 200;
/// Files of one request, at most.
const FILES: usize = 30;
/// Longest field that is no file, in bytes.
const FIELD_BYTES: usize = 256 << 10;
/// The field of a body that is nothing but a file.
const RAW: &str = "";

/// What a client sent.
#[derive(Debug)]
pub struct Form {
    /// The fields that are no files.
    pub fields: Map<String, Value>,
    files: Vec<FormFile>,
}

/// A file of a form; it goes when this is dropped.
#[derive(Debug)]
struct FormFile {
    /// The field it came in.
    field: String,
    file: TempPath,
    name: Option<String>,
    mime: Option<String>,
}

impl FromRequest<ApiState> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let kind = content_type(&parts.headers);
        let query = Query::<HashMap<String, String>>::try_from_uri(&parts.uri).map(|query| query.0).unwrap_or_default();
        let mut form = Self { fields: Map::new(), files: Vec::new() };
        match kind.as_str() {
            "multipart/form-data" => {
                let request = Request::from_parts(parts, body);
                let unreadable = |error: axum::extract::multipart::MultipartRejection| {
                    ApiError::new(codes::BAD_REQUEST, error.body_text())
                };
                let multipart = Multipart::from_request(request, state).await.map_err(unreadable)?;
                form.read_multipart(multipart, state).await?;
            }
            "application/octet-stream" => {
                form.add_query(query);
                let name = file_name(&parts.headers, &form.fields);
                let bytes = body.into_data_stream().map_err(|_| cut_off());
                form.keep(state, RAW.to_owned(), name, None, bytes).await?;
            }
            _ => {
                let Json(fields) =
                    Json::<Map<String, Value>>::from_request(Request::from_parts(parts, body), state).await?;
                form.fields = fields;
            }
        }
        Ok(form)
    }
}

impl Form {
    async fn read_multipart(&mut self, mut parts: Multipart, state: &ApiState) -> Result<(), ApiError> {
        let mut count = 0;
        while let Some(field) = parts.next_field().await.map_err(|error| unreadable(&error))? {
            count += 1;
            if count > FIELDS {
                return Err(ApiError::invalid(format!("a form may have at most {FIELDS} fields")));
            }
            let name = field.name().unwrap_or_default().trim_end_matches("[]").to_owned();
            if field.file_name().is_some() {
                if self.files.len() == FILES {
                    return Err(ApiError::invalid(format!("at most {FILES} files may be sent at once")));
                }
                let (file_name, mime) = (field.file_name().map(str::to_owned), field.content_type().map(str::to_owned));
                let bytes = field.map_err(|error| unreadable(&error));
                self.keep(state, name, file_name, mime, bytes).await?;
            } else {
                let text = bounded(field).await?;
                self.add(name, text);
            }
        }
        Ok(())
    }

    fn add_query(&mut self, query: HashMap<String, String>) {
        for (name, text) in query.into_iter().take(FIELDS) {
            self.add(name, text);
        }
    }

    /// A field that comes again becomes a list. What looks like JSON is read as
    /// such, as forms have no other way to say it.
    fn add(&mut self, name: String, text: String) {
        let looks_like_json = text.starts_with(['{', '[']);
        let value = looks_like_json.then(|| serde_json::from_str(&text).ok()).flatten().unwrap_or(Value::from(text));
        match self.fields.get_mut(&name) {
            Some(Value::Array(values)) => values.push(value),
            Some(other) => *other = Value::Array(vec![other.take(), value]),
            None => {
                self.fields.insert(name, value);
            }
        }
    }

    async fn keep(
        &mut self,
        state: &ApiState,
        field: String,
        name: Option<String>,
        mime: Option<String>,
        mut bytes: impl Stream<Item = Result<Bytes, ApiError>> + Unpin,
    ) -> Result<(), ApiError> {
        let (file, path) = state.engine.temp_file()?.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        let full = |error: std::io::Error| {
            tracing::error!(%error, "an upload could not be kept");
            ApiError::new(codes::INTERNAL_ERROR, "the file could not be kept; see the server's log")
        };
        let (mut size, most) = (0, state.engine.fetcher().config().most_bytes);
        while let Some(piece) = bytes.next().await {
            let piece = piece?;
            size += piece.len() as u64;
            if size > most {
                let message = format!("a file may have at most {} MB", most >> 20);
                return Err(ApiError::new(codes::PAYLOAD_TOO_LARGE, message));
            }
            file.write_all(&piece).await.map_err(full)?;
        }
        file.flush().await.map_err(full)?;
        if size == 0 {
            return Err(ApiError::invalid("the file is empty"));
        }
        self.files.push(FormFile { field, file: path, name, mime });
        Ok(())
    }

    /// The text of a field.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.fields.get(name)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The files of a field: uploaded, or written as URL, data URL, base64 or id.
    pub async fn sources(
        &self,
        state: &ApiState,
        entry: &SessionEntry,
        field: &str,
    ) -> Result<Vec<MediaSource>, ApiError> {
        let mut sources = Vec::new();
        for file in self.files.iter().filter(|file| file.field == field || file.field == RAW) {
            sources.push(stored(state, entry, file).await?);
        }
        let written = match self.fields.get(field) {
            Some(Value::Array(items)) => items.iter().collect(),
            Some(one @ Value::String(text)) if !text.is_empty() => vec![one],
            _ => Vec::new(),
        };
        for text in written.into_iter().take(FILES + 1).filter_map(Value::as_str) {
            sources.push(written_source(state, entry, field, text).await?);
        }
        if sources.len() > FILES {
            return Err(ApiError::invalid(format!("at most {FILES} files may be sent at once")));
        }
        Ok(sources)
    }

    /// The one file of a field that must have one.
    pub async fn source(&self, state: &ApiState, entry: &SessionEntry, field: &str) -> Result<MediaSource, ApiError> {
        self.sources(state, entry, field).await?.into_iter().next().ok_or_else(|| ApiError::missing(field))
    }
}

/// A file that is written in a text: a URL stays one, bytes go to the storage.
pub async fn written_source(
    state: &ApiState,
    entry: &SessionEntry,
    field: &str,
    text: &str,
) -> Result<MediaSource, ApiError> {
    let text = text.trim();
    if text.starts_with("http://") || text.starts_with("https://") {
        return Ok(MediaSource::Url(text.to_owned()));
    }
    if let Ok(id) = text.parse::<MediaId>() {
        return Ok(MediaSource::Stored(id));
    }
    let bytes = inline_bytes(text).ok_or_else(|| {
        ApiError::invalid(format!("`{field}` takes an http(s) URL, a data URL, base64, or the id of a stored file"))
    })?;
    let mime = text.strip_prefix("data:").and_then(|rest| rest.split([';', ',']).next()).map(str::to_owned);
    let mut file = Form { fields: Map::new(), files: Vec::new() };
    let once = futures::stream::iter([Ok(Bytes::from(bytes))]);
    file.keep(state, field.to_owned(), None, mime, once).await?;
    let file = file.files.first().ok_or_else(|| ApiError::missing(field))?;
    stored(state, entry, file).await
}

async fn stored(state: &ApiState, entry: &SessionEntry, file: &FormFile) -> Result<MediaSource, ApiError> {
    let new = NewFile { name: file.name.clone(), mime: file.mime.clone(), life: None };
    Ok(MediaSource::Stored(state.engine.keep_file(entry, new, &file.file).await?))
}

/// The bytes of a data URL, or of base64.
fn inline_bytes(text: &str) -> Option<Vec<u8>> {
    let encoded = match text.strip_prefix("data:") {
        Some(rest) => rest.split_once(";base64,")?.1,
        // A sentence is no file, though its letters may be those of base64.
        None if text.contains(' ') => return None,
        None => text,
    };
    files::base64(encoded).filter(|bytes| !bytes.is_empty())
}

fn cut_off() -> ApiError {
    ApiError::new(codes::BAD_REQUEST, "the body was cut off")
}

async fn bounded(mut field: Field<'_>) -> Result<String, ApiError> {
    let name = field.name().unwrap_or_default().to_owned();
    let mut text = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| unreadable(&error))? {
        if text.len() + chunk.len() > FIELD_BYTES {
            return Err(ApiError::invalid(format!("`{name}` is longer than {} KiB", FIELD_BYTES >> 10)));
        }
        text.extend_from_slice(&chunk);
    }
    String::from_utf8(text).map_err(|_| ApiError::invalid(format!("`{name}` is not UTF-8")))
}

fn file_name(headers: &HeaderMap, fields: &Map<String, Value>) -> Option<String> {
    let header = headers.get("x-filename").and_then(|name| name.to_str().ok()).map(str::to_owned);
    header.or_else(|| fields.get("filename").and_then(Value::as_str).map(str::to_owned))
}

fn unreadable(error: &MultipartError) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(codes::PAYLOAD_TOO_LARGE, "the body is too large"),
        _ => ApiError::new(codes::BAD_REQUEST, format!("the form cannot be read: {}", error.body_text())),
    }
}
