//! `POST /phones/{phone}/messages`: a person writes at a phone. `POST /phones/{phone}/uploads` takes
//! a file too large for JSON, to be named in a message soon after.

use super::{Body, Control, Failure, body_of};
use crate::control::messages::Sent;
use crate::error::SimnetError;
use crate::media::store::FILE;
use crate::phone::content::{Content, Desk, Options, compose};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::routing::{MethodRouter, post};
use axum::{Json, Router};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::io::AsyncWriteExt as _;

/// The largest message, most of it a file in base64.
const MESSAGE: usize = 24 << 20;
/// What goes with a content, in a message's JSON.
const OPTIONS: [&str; 6] = ["quoted", "mentions", "caption", "forwarded", "viewOnce", "ephemeral"];

/// A file that was uploaded to a phone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Upload {
    /// What messages name it by.
    pub upload: String,
    /// Its bytes.
    pub bytes: u64,
}

impl Control {
    /// Sends the message that `message` describes, as in the control API: `to`, one content
    /// (`{"text": …}`, `{"image": {…}}`, …) and what goes with it.
    pub async fn write(&self, phone: &str, message: Value) -> Result<Sent, SimnetError> {
        let Value::Object(fields) = message else {
            return Err(SimnetError::Invalid("a message is a JSON object".into()));
        };
        let Written { to, id, content, options } = read(fields)?;
        self.send_content(phone, &to, content, options, id.as_deref()).await
    }

    /// Composes and sends a content.
    pub(crate) async fn send_content(
        &self,
        phone: &str,
        to: &str,
        content: Content,
        options: Options,
        id: Option<&str>,
    ) -> Result<Sent, SimnetError> {
        let account = self.net.require(phone)?;
        let desk = Desk { net: &self.net, account: &account, chat: to };
        let message = compose(&desk, content, options).await?;
        self.send(phone, to, message, id).await
    }

    /// Takes a file for a message that is sent soon.
    pub async fn upload<E: std::fmt::Display>(
        &self,
        phone: &str,
        content: impl futures::Stream<Item = Result<bytes::Bytes, E>>,
    ) -> Result<Upload, SimnetError> {
        self.net.require(phone)?;
        let name = hex::encode(self.net.chance.bytes::<12>());
        let failed = |reason: String| SimnetError::Media(format!("the upload was not kept: {reason}"));
        let path = self.net.media()?.store.draft(&name);
        let mut file = tokio::fs::File::create(&path).await.map_err(|e| failed(e.to_string()))?;
        let mut bytes = 0;
        let mut content = std::pin::pin!(content);
        while let Some(chunk) = content.next().await {
            let chunk = chunk.map_err(|e| SimnetError::Invalid(format!("the upload broke off: {e}")))?;
            bytes += chunk.len() as u64;
            if bytes > FILE {
                return Err(SimnetError::TooLarge(usize::try_from(FILE).unwrap_or(usize::MAX)));
            }
            file.write_all(&chunk).await.map_err(|e| failed(e.to_string()))?;
        }
        file.flush().await.map_err(|e| failed(e.to_string()))?;
        Ok(Upload { upload: name, bytes })
    }
}

/// A message as its JSON says.
struct Written {
    to: String,
    id: Option<String>,
    content: Content,
    options: Options,
}

fn read(mut fields: Map<String, Value>) -> Result<Written, SimnetError> {
    let invalid = |what: String| SimnetError::Invalid(what);
    let mut text = |name: &str| match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(format!("{name} is a string"))),
    };
    let to = text("to")?.ok_or_else(|| invalid("to is missing: whom the message is for".into()))?;
    let id = text("id")?;
    let options: Map<String, Value> =
        OPTIONS.iter().filter_map(|name| Some(((*name).to_owned(), fields.remove(*name)?))).collect();
    let options = serde_json::from_value(Value::Object(options)).map_err(|e| invalid(format!("the message: {e}")))?;
    if fields.len() != 1 {
        let found: Vec<&String> = fields.keys().collect();
        return Err(invalid(format!("a message has exactly one content, such as text or image; found {found:?}")));
    }
    let content = serde_json::from_value(Value::Object(fields)).map_err(|e| invalid(format!("the content: {e}")))?;
    Ok(Written { to, id, content, options })
}

/// `POST …/messages`, to stand beside `GET`.
pub(super) fn sending() -> MethodRouter<Control> {
    post(send).layer(DefaultBodyLimit::max(MESSAGE))
}

pub(super) fn routes() -> Router<Control> {
    Router::new().route("/phones/{phone}/uploads", post(upload).layer(DefaultBodyLimit::disable()))
}

async fn send(State(control): State<Control>, Path(phone): Path<String>, bytes: Body) -> Result<Json<Sent>, Failure> {
    Ok(Json(control.write(&phone, body_of(bytes, MESSAGE)?).await?))
}

async fn upload(
    State(control): State<Control>,
    Path(phone): Path<String>,
    content: axum::body::Body,
) -> Result<Json<Upload>, Failure> {
    Ok(Json(control.upload(&phone, content.into_data_stream()).await?))
}
