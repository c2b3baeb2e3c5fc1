//! `POST /misc/whatsapp/file-decrypt`: opens a file that WhatsApp's servers hold, with
//! the key of its message.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Input, Word};
use crate::files::{self, File};
use crate::routes::misc::output::{Keeping, Output};
use crate::state::ApiState;
use axum::extract::State;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use warest_pipeline::sealed::{KEY_BYTES, SEALED_BYTES, open_file};

/// The file and its key.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    session_id: Option<String>,
    media_key: Option<String>,
    file: Option<String>,
    mime_type: Option<String>,
    file_sha256: Option<String>,
    output: Option<Word<Output>>,
}

/// Opens it.
pub async fn post(caller: Caller, State(state): State<ApiState>, ask: Input<Ask>) -> ApiResult {
    let missing = |what: &str| ApiError::new(codes::MISSING_PARAMETER, format!("{what} is required"));
    let (fields, upload) = (ask.fields, ask.upload);
    let key = fields.media_key.filter(|key| !key.is_empty()).ok_or_else(|| missing("mediaKey"))?;
    let text = fields.file.filter(|file| !file.is_empty());
    if text.is_none() && upload.is_none() {
        return Err(missing("Encrypted file"));
    }
    let key =
        bytes(&key).filter(|key| key.len() == KEY_BYTES).ok_or_else(|| ApiError::invalid("mediaKey is invalid"))?;
    let wanted = fields.file_sha256.filter(|hash| !hash.is_empty());
    let wanted =
        wanted.map(|hash| bytes(&hash).ok_or_else(|| ApiError::invalid("fileSha256 is invalid"))).transpose()?;
    let sealed = match (upload, text) {
        (Some(bytes), _) => bytes,
        (None, text) => files::file(&state, "file", &text.unwrap_or_default()).await?.bytes,
    };
    if sealed.len() < SEALED_BYTES {
        return Err(ApiError::invalid("Encrypted payload is too small"));
    }
    let keeping = Keeping::of(&caller, &state, fields.session_id.as_deref())?;
    let declared = fields.mime_type.filter(|mime| !mime.is_empty());
    let opened = open(sealed.to_vec(), key, declared, wanted).await?;
    let mime = opened.mime.unwrap_or_else(|| "application/octet-stream".to_owned());
    let shown = keeping.answer(&state, fields.output.unwrap_or_default().0, opened.bytes, &mime).await?;
    let shown = json!({ "data": shown.data, "meta": shown.meta });
    Ok(Reply::new(codes::SUCCESS, "File decrypted").results(vec![shown]))
}

/// Deciphering a large file takes a while.
async fn open(
    sealed: Vec<u8>,
    key: Vec<u8>,
    declared: Option<String>,
    wanted: Option<Vec<u8>>,
) -> Result<File, ApiError> {
    let work = move || {
        let opened = open_file(sealed, &key, declared.as_deref());
        let opened = opened.map_err(|fault| ApiError::invalid(format!("`file`: {}", fault.message)))?;
        if wanted.is_some_and(|wanted| wanted != Sha256::digest(&opened)[..]) {
            return Err(ApiError::invalid("the file has another SHA-256 than `fileSha256`"));
        }
        let mime = declared.or_else(|| infer::get(&opened).map(|kind| kind.mime_type().to_owned()));
        Ok(File { bytes: opened.into(), mime })
    };
    let opened = tokio::task::spawn_blocking(work).await;
    opened.unwrap_or_else(|_| Err(ApiError::new(codes::INTERNAL_ERROR, "Internal server error")))
}

/// Base64, or hexadecimal of the length of a key or a hash.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    match text.len() == 2 * KEY_BYTES {
        true => hex::decode(text).ok().or_else(|| files::base64(text)),
        false => files::base64(text),
    }
}
