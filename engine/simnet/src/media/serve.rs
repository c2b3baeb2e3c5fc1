//! The media host's HTTP: `POST /mms/<type>/<hash>?auth=…` stores a body (`resume=1` asks how much
//! of it is here, `file_offset=` goes on from there), `GET /v/…` gives it back, whole or in part.
//! Bodies stream in both directions; a fault in force strikes here.

use super::MediaHost;
use super::store::{FILE, Progress, StoreError};
use crate::chance::now;
use crate::faults::{Direction, Fault, MediaFault};
use crate::network::Network;
use axum::body::{Body, BodyDataStream};
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};
use std::io::SeekFrom;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

/// How long a path is good for, in seconds.
const PATH_TTL: u64 = 30 * 24 * 3600;
/// An upload that sends nothing for this long has broken off.
const SILENCE: Duration = Duration::from_secs(60);
/// Bytes read from a file at a time.
const CHUNK: usize = 64 * 1024;

pub(super) fn router(net: Arc<Network>) -> Router {
    Router::new()
        .route("/v/{folder}/{name}", get(download))
        .route("/mms/{kind}/{token}", post(upload))
        .route("/{family}/{kind}/{token}", post(upload_beside))
        .layer(DefaultBodyLimit::disable())
        .with_state(net)
}

/// Where clients find a stored file: path and query, as messages carry it.
pub(crate) fn direct_path(kind: &str, id: &str) -> String {
    let folder = match kind {
        "image" | "thumbnail-link" => "t62.7118-24",
        "video" => "t62.7161-24",
        "audio" => "t62.7117-24",
        "document" => "t62.7119-24",
        "sticker" | "sticker-pack" => "t62.15575-24",
        _ => "t62.36147-24",
    };
    let expiry = format!("{:X}", now() + PATH_TTL);
    let key = path_key(id, &expiry);
    format!("/v/{folder}/{id}.enc?ccb=11-4&oh={key}&oe={expiry}&_nc_sid=5e03e0")
}

/// The stored file that a path names. The path's key must be right and its time not over.
pub(crate) fn locate(path_and_query: &str) -> Result<String, StoreError> {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    let name = path.rsplit('/').next().unwrap_or_default();
    let id = name.strip_suffix(".enc").ok_or(StoreError::Unknown)?;
    let (key, expiry) =
        (parameter(query, "oh").ok_or(StoreError::Unknown)?, parameter(query, "oe").ok_or(StoreError::Unknown)?);
    if key != path_key(id, expiry) {
        return Err(StoreError::Unknown);
    }
    if u64::from_str_radix(expiry, 16).is_ok_and(|at| at > now()) { Ok(id.to_owned()) } else { Err(StoreError::Gone) }
}

fn path_key(id: &str, expiry: &str) -> String {
    hex::encode(&Sha256::digest(format!("simnet media path {id} {expiry}").as_bytes())[..16])
}

/// A query parameter. Clients append theirs to a path that may have a query, so `?` parts them too.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split(['&', '?'])
        .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
}

async fn upload(
    State(net): State<Arc<Network>>,
    Path((kind, token)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    body: Body,
) -> Response {
    store(&net, &kind, &token, &query.unwrap_or_default(), body).await.unwrap_or_else(IntoResponse::into_response)
}

/// Families other than `mms`: what is not encrypted, such as a newsletter's pictures.
async fn upload_beside(
    state: State<Arc<Network>>,
    Path((family, kind, token)): Path<(String, String, String)>,
    query: RawQuery,
    body: Body,
) -> Response {
    let kind = if family == "mms" { kind } else { format!("{family}-{kind}") };
    upload(state, Path((kind, token)), query, body).await
}

async fn store(net: &Arc<Network>, kind: &str, token: &str, query: &str, body: Body) -> Result<Response, Failure> {
    let host = net.media.get().ok_or(Failure(StatusCode::SERVICE_UNAVAILABLE, "the media host is not up"))?;
    let auth = parameter(query, "auth").unwrap_or_default();
    // The token may be percent-encoded; of what it is made of, only the separator may be.
    let auth = auth.replace("%2E", ".");
    let Some(phone) = host.holder(&auth) else {
        net.stats.count("media.unauthorised");
        return Err(Failure(StatusCode::UNAUTHORIZED, "the token is not valid: ask for media_conn again"));
    };
    if parameter(query, "resume").is_some() {
        return Ok(Json(match host.store.progress(token) {
            Progress::Nothing => serde_json::json!({ "resume": "0" }),
            Progress::Part(bytes) => serde_json::json!({ "resume": bytes.to_string() }),
            Progress::Complete(id) => stored(host, kind, &id, Some("complete")),
        })
        .into_response());
    }
    let fault = net.faults.media(Some(phone), Direction::Out);
    if fault.is_some() {
        net.stats.count("faults.struck");
    }
    if let Some(refusal) = fault.as_ref().and_then(refused) {
        return Err(refusal);
    }
    let offset: u64 = parameter(query, "file_offset").and_then(|at| at.parse().ok()).unwrap_or(0);
    let part = if offset > 0 {
        host.store.resume(token, offset)?
    } else {
        host.store.part(&hex::encode(net.chance.bytes::<16>()))
    };
    if let Err(failure) = receive(body, &part, offset, fault.as_ref()).await {
        net.stats.count("media.broken_off");
        host.store.keep_part(token, part);
        return Err(failure);
    }
    let id = hex::encode(net.chance.bytes::<16>());
    let filed = {
        let (net, kind, token) = (net.clone(), kind.to_owned(), token.to_owned());
        tokio::task::spawn_blocking(move || {
            let host = net.media.get().ok_or(StoreError::Unknown)?;
            host.store.finish(&kind, &token, &part, id)
        })
        .await
    };
    let id = filed.map_err(|_| Failure(StatusCode::INTERNAL_SERVER_ERROR, "the upload was not stored"))??;
    net.stats.count("media.uploads");
    Ok(Json(stored(host, kind, &id, None)).into_response())
}

fn stored(host: &MediaHost, kind: &str, id: &str, resume: Option<&str>) -> serde_json::Value {
    let path = direct_path(kind, id);
    let mut answer = serde_json::json!({
        "url": format!("https://{}{path}", host.host), "direct_path": path, "handle": id,
    });
    if let Some(resume) = resume {
        answer["resume"] = resume.into();
    }
    answer
}

/// Writes a body to a file from `offset` on.
async fn receive(body: Body, to: &PathBuf, offset: u64, fault: Option<&Fault>) -> Result<(), Failure> {
    let mut file = tokio::fs::OpenOptions::new().create(true).truncate(false).write(true).open(to).await.map_err(io)?;
    file.set_len(offset).await.map_err(io)?;
    file.seek(SeekFrom::Start(offset)).await.map_err(io)?;
    let taken = copy(body.into_data_stream(), &mut file, offset, fault).await;
    file.flush().await.map_err(io)?;
    taken
}

async fn copy(
    mut body: BodyDataStream,
    file: &mut tokio::fs::File,
    mut at: u64,
    fault: Option<&Fault>,
) -> Result<(), Failure> {
    let broken = Failure(StatusCode::BAD_REQUEST, "the upload broke off");
    let begin = at;
    loop {
        let chunk = match tokio::time::timeout(SILENCE, body.next()).await {
            Ok(None) => return Ok(()),
            Ok(Some(Ok(chunk))) => chunk,
            Ok(Some(Err(_))) | Err(_) => return Err(broken),
        };
        at += chunk.len() as u64;
        if at > FILE {
            return Err(StoreError::TooLarge.into());
        }
        file.write_all(&chunk).await.map_err(io)?;
        match fault.and_then(|fault| fault.how) {
            // Half of it at most is taken: the client may go on from there.
            Some(MediaFault::Truncate) if at > begin => {
                return Err(Failure(StatusCode::BAD_GATEWAY, "the upload was cut off by a fault"));
            }
            Some(MediaFault::Stall) => {
                tokio::time::sleep(fault.map(Fault::wait).unwrap_or_default()).await;
            }
            _ => {}
        }
    }
}

async fn download(
    State(net): State<Arc<Network>>,
    Path((folder, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    send(&net, &format!("/v/{folder}/{name}?{query}"), &query, &headers)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn send(net: &Arc<Network>, path: &str, query: &str, headers: &HeaderMap) -> Result<Response, Failure> {
    let host = net.media.get().ok_or(Failure(StatusCode::SERVICE_UNAVAILABLE, "the media host is not up"))?;
    let phone = parameter(query, "auth").and_then(|auth| host.holder(auth));
    let fault = net.faults.media(phone, Direction::In);
    if fault.is_some() {
        net.stats.count("faults.struck");
    }
    if let Some(refusal) = fault.as_ref().and_then(refused) {
        return Err(refusal);
    }
    let (path, object) = host.store.find(&locate(path)?)?;
    let range = range(headers, object.bytes)?;
    let mut file = tokio::fs::File::open(&path).await.map_err(io)?;
    let (status, part) = match range {
        Some(range) => (StatusCode::PARTIAL_CONTENT, range),
        None => (StatusCode::OK, 0..object.bytes),
    };
    file.seek(SeekFrom::Start(part.start)).await.map_err(io)?;
    let length = part.end - part.start;
    let mut answer = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_LENGTH, length);
    if status == StatusCode::PARTIAL_CONTENT {
        let content = format!("bytes {}-{}/{}", part.start, part.end.saturating_sub(1), object.bytes);
        answer = answer.header(header::CONTENT_RANGE, content);
    }
    net.stats.count("media.downloads");
    let body = Body::from_stream(contents(file, length, fault));
    answer.body(body).map_err(|_| Failure(StatusCode::INTERNAL_SERVER_ERROR, "no answer could be made"))
}

/// `length` bytes of a file, as a fault spoils them.
fn contents(file: tokio::fs::File, length: u64, fault: Option<Fault>) -> impl Stream<Item = std::io::Result<Bytes>> {
    futures::stream::try_unfold((file, length, fault), move |(mut file, left, fault)| async move {
        if left == 0 {
            return Ok(None);
        }
        let how = fault.as_ref().and_then(|fault| fault.how);
        if how == Some(MediaFault::Truncate) && left <= length.div_ceil(2) {
            return Err(std::io::Error::other("cut off by a fault"));
        }
        if how == Some(MediaFault::Stall) {
            tokio::time::sleep(fault.as_ref().map(Fault::wait).unwrap_or_default()).await;
        }
        let most =
            left.min(CHUNK as u64).min(if how == Some(MediaFault::Truncate) { length.div_ceil(2) } else { left });
        let mut chunk = vec![0; usize::try_from(most).unwrap_or(CHUNK)];
        let n = file.read(&mut chunk).await?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        chunk.truncate(n);
        if how == Some(MediaFault::Corrupt)
            && left == length
            && let Some(first) = chunk.first_mut()
        {
            *first ^= 1;
        }
        Ok(Some((Bytes::from(chunk), (file, left - n as u64, fault))))
    })
}

/// The one range asked for.
fn range(headers: &HeaderMap, bytes: u64) -> Result<Option<Range<u64>>, Failure> {
    let Some(asked) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()) else { return Ok(None) };
    let Some((from, to)) = asked.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let range = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) => from..to.saturating_add(1).min(bytes),
        (Ok(from), Err(_)) => from..bytes,
        (Err(_), Ok(last)) => bytes.saturating_sub(last)..bytes,
        (Err(_), Err(_)) => return Ok(None),
    };
    if range.start >= range.end {
        return Err(Failure(StatusCode::RANGE_NOT_SATISFIABLE, "the file is shorter than that"));
    }
    Ok(Some(range))
}

fn refused(fault: &Fault) -> Option<Failure> {
    let code = match (fault.how, fault.code) {
        (None | Some(MediaFault::Status), code) => code.unwrap_or(500),
        _ => return None,
    };
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Some(Failure(status, "refused by a fault"))
}

/// A refusal: its status and why.
struct Failure(StatusCode, &'static str);

fn io(error: std::io::Error) -> Failure {
    tracing::debug!(%error, "media host");
    Failure(StatusCode::INTERNAL_SERVER_ERROR, "the file could not be read or written")
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unknown => Self(StatusCode::NOT_FOUND, "no such media"),
            StoreError::Gone => Self(StatusCode::GONE, "the media has expired: ask the phone to upload it again"),
            StoreError::Token => Self(StatusCode::BAD_REQUEST, "the path must end in base64 of a SHA-256"),
            StoreError::Hash => Self(StatusCode::BAD_REQUEST, "the body does not have the hash in the path"),
            StoreError::Offset => Self(StatusCode::BAD_REQUEST, "nothing was uploaded up to that offset"),
            StoreError::TooLarge => Self(StatusCode::PAYLOAD_TOO_LARGE, "the file is too large"),
            StoreError::Io(error) => io(error),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(serde_json::json!({ "error": self.1 }))).into_response()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{StoreError, direct_path, locate};

    #[test]
    fn a_path_is_good_with_what_clients_append_and_not_with_another_key() {
        let path = direct_path("image", "00ff");
        assert_eq!(locate(&path).unwrap(), "00ff");
        assert_eq!(locate(&format!("{path}?auth=x&token=y")).unwrap(), "00ff");
        assert_eq!(locate(&format!("{path}&hash=x&mms-type=image")).unwrap(), "00ff");
        assert!(matches!(locate(&path.replace("00ff", "00fe")), Err(StoreError::Unknown)));
        assert!(matches!(locate("/v/t62.7118-24/00ff.enc"), Err(StoreError::Unknown)));
    }
}
