//! A body that is read twice: once for its hash, and once by whoever works on it.
//!
//! A short one is kept in memory meanwhile, a longer one in a temporary file, so
//! that its size costs no memory.

use crate::codes;
use crate::error::ApiError;
use crate::files::lost;
use crate::state::ApiState;
use axum::RequestExt as _;
use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::LengthLimitError;
use sha2::{Digest as _, Sha256};
use std::error::Error;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use tokio_util::io::ReaderStream;

/// Longest body that is kept in memory, in bytes.
const IN_MEMORY: usize = 256 << 10;
/// What is read from a file at once, in bytes.
const PIECE: usize = 64 << 10;

/// Reads the body of a request, up to the route's limit, into `hash`; answers the
/// same body, to be read again.
pub async fn spool(request: Request, state: &ApiState, hash: &mut Sha256) -> Result<Body, ApiError> {
    let mut pieces = request.into_limited_body().into_data_stream();
    let mut memory = Vec::new();
    let mut file = None;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(unreadable)?;
        hash.update(&piece);
        if file.is_none() && memory.len() + piece.len() > IN_MEMORY {
            // It has no name, so a crash leaves nothing behind.
            let made = File::from_std(state.engine.temp_file()?.into_file());
            file.insert(made).write_all(&std::mem::take(&mut memory)).await.map_err(|error| lost(&error))?;
        }
        match &mut file {
            Some(file) => file.write_all(&piece).await.map_err(|error| lost(&error))?,
            None => memory.extend_from_slice(&piece),
        }
    }
    let Some(mut file) = file else { return Ok(Bytes::from(memory).into()) };
    file.rewind().await.map_err(|error| lost(&error))?;
    Ok(Body::from_stream(ReaderStream::with_capacity(file, PIECE)))
}

/// Why a body could not be read: too long, or cut off.
fn unreadable(error: axum::Error) -> ApiError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return ApiError::new(codes::PAYLOAD_TOO_LARGE, "the body is too large");
        }
        cause = error.source();
    }
    ApiError::new(codes::BAD_REQUEST, "the body was cut off")
}
