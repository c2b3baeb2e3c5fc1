//! One message of a phone: `GET /phones/{phone}/messages/{id}` is what has become of it, `…/media`
//! the file that came with it, `…/media/info` what it says of the file. `DELETE …/media` lets the
//! file expire at the media host.

use super::{Control, Failure};
use crate::error::SimnetError;
use crate::media::cipher;
use crate::phone::attachment::{Attachment, MediaInfo, attachment};
use crate::phone::thread::{self, MessageState};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use tokio::io::AsyncReadExt as _;

/// Bytes of a file in one piece of an answer.
const CHUNK: usize = 64 * 1024;

impl Control {
    /// What has become of a message: edits, reactions, votes, ….
    pub async fn message(&self, phone: &str, id: &str) -> Result<MessageState, SimnetError> {
        let account = self.net.require(phone)?;
        thread::state(&account.primary.inbox, id).ok_or_else(|| unknown(phone, id))
    }

    /// What a message says of its file.
    pub async fn media_info(&self, phone: &str, id: &str) -> Result<MediaInfo, SimnetError> {
        Ok(self.attachment(phone, id)?.info)
    }

    /// The file of a message, as the phone got it: downloaded, checked and decrypted.
    pub async fn media(&self, phone: &str, id: &str) -> Result<(MediaInfo, std::fs::File), SimnetError> {
        let attachment = self.attachment(phone, id)?;
        let info = attachment.info.clone();
        let claim = attachment.claim().map_err(SimnetError::BadMedia)?;
        Ok((info, cipher::download(&self.net, claim).await?))
    }

    /// Lets the file of a message expire at the media host: from now on it answers 410, until a
    /// phone uploads the file again.
    pub async fn expire_media(&self, phone: &str, id: &str) -> Result<(), SimnetError> {
        let path = self.attachment(phone, id)?.direct_path;
        cipher::expire(&self.net, path.as_deref().unwrap_or_default())
    }

    fn attachment(&self, phone: &str, id: &str) -> Result<Attachment, SimnetError> {
        let account = self.net.require(phone)?;
        let shown = account.primary.inbox.find(id).ok_or_else(|| unknown(phone, id))?;
        let open = shown.chat.ends_with("@newsletter");
        let message = shown.decoded().unwrap_or_default();
        attachment(&message, open).ok_or_else(|| SimnetError::BadMedia("there is none with this message".into()))
    }
}

fn unknown(phone: &str, id: &str) -> SimnetError {
    SimnetError::UnknownMessage { phone: phone.to_owned(), id: id.to_owned() }
}

pub(super) fn routes() -> Router<Control> {
    Router::new()
        .route("/phones/{phone}/messages/{id}", get(state))
        .route("/phones/{phone}/messages/{id}/media", get(media).delete(expire))
        .route("/phones/{phone}/messages/{id}/media/info", get(info))
}

async fn state(
    State(control): State<Control>,
    Path((phone, id)): Path<(String, String)>,
) -> Result<Json<MessageState>, Failure> {
    Ok(Json(control.message(&phone, &id).await?))
}

async fn info(
    State(control): State<Control>,
    Path((phone, id)): Path<(String, String)>,
) -> Result<Json<MediaInfo>, Failure> {
    Ok(Json(control.media_info(&phone, &id).await?))
}

async fn media(State(control): State<Control>, Path((phone, id)): Path<(String, String)>) -> Result<Response, Failure> {
    let (info, file) = control.media(&phone, &id).await?;
    let file = tokio::fs::File::from_std(file);
    let content = futures::stream::try_unfold(file, async |mut file| {
        let mut chunk = vec![0; CHUNK];
        let n = file.read(&mut chunk).await?;
        chunk.truncate(n);
        Ok::<_, std::io::Error>((n > 0).then(|| (Bytes::from(chunk), file)))
    });
    let kind = header::HeaderValue::from_str(&info.mimetype)
        .unwrap_or(header::HeaderValue::from_static("application/octet-stream"));
    let headers = [(header::CONTENT_TYPE, kind), (header::CONTENT_LENGTH, info.length.into())];
    Ok((headers, Body::from_stream(content)).into_response())
}

async fn expire(
    State(control): State<Control>,
    Path((phone, id)): Path<(String, String)>,
) -> Result<StatusCode, Failure> {
    control.expire_media(&phone, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
