//! How a file is answered: in the answer itself, as base64, or by way of the
//! engine's storage, where it stays for an hour.
//!
//! A file in the storage belongs to a session: the one that the client names, or
//! the first of its own.

use crate::auth::Caller;
use crate::codes;
use crate::error::ApiError;
use crate::extract::parse_optional;
use crate::files::write;
use crate::state::ApiState;
use crate::view::iso;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use warest_pipeline::directory::SessionEntry;
use warest_pipeline::files::NewFile;

/// How long a file stays.
const LIFE: Duration = Duration::from_secs(3_600);

/// Where a file goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// Into the answer.
    #[default]
    Base64,
    /// Into the storage; the answer has its URL.
    Url,
    /// Into the storage; the answer has its id.
    File,
}

/// A file as it is answered.
#[derive(Debug)]
pub struct Shown {
    /// The file, its URL, or its id.
    pub data: String,
    /// About it.
    pub meta: Value,
}

/// Where a client's files go.
#[derive(Debug, Clone)]
pub struct Keeping {
    entry: Option<SessionEntry>,
}

impl Keeping {
    /// With the session that the client names, or the first of its own.
    pub fn of(caller: &Caller, state: &ApiState, session: Option<&str>) -> Result<Self, ApiError> {
        let entry = match parse_optional("sessionId", session)? {
            Some(id) => Some(caller.session(state, &id)?),
            None => {
                let mut all = state.engine.sessions(&caller.user).into_iter();
                all.find(|entry| entry.owner.id == caller.user.id)
            }
        };
        Ok(Self { entry })
    }

    /// Whether there is a session to keep files with.
    pub fn can(&self) -> bool {
        self.entry.is_some()
    }

    /// Answers a file.
    pub async fn answer(&self, state: &ApiState, output: Output, bytes: Bytes, mime: &str) -> Result<Shown, ApiError> {
        let mut meta = json!({ "mode": "base64", "mimeType": mime, "mimetype": mime, "size": bytes.len() });
        if output == Output::Base64 {
            return Ok(Shown { data: format!("data:{mime};base64,{}", STANDARD.encode(&bytes)), meta });
        }
        let Some(entry) = &self.entry else {
            let message = "a file is kept with a session: create one, or ask for `output` base64";
            return Err(ApiError::new(codes::UNSUPPORTED_OPERATION, message));
        };
        let file = write(state, bytes).await?;
        let new = NewFile { name: None, mime: Some(mime.to_owned()), life: Some(LIFE) };
        let id = state.engine.keep_file(entry, new, &file).await?;
        let url = (output == Output::Url).then(|| state.engine.media_url(&id));
        meta["mode"] = json!(if output == Output::Url { "url" } else { "file" });
        meta["key"] = json!(id);
        meta["url"] = json!(url);
        meta["temporary"] = json!(true);
        meta["expiresAt"] = json!(iso(state.now_ms() + LIFE.as_millis() as i64));
        Ok(Shown { data: url.unwrap_or_else(|| id.to_string()), meta })
    }
}
