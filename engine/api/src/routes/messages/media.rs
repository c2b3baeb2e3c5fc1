//! `POST /messages/send/{media,audio,document,sticker,gif,files}`: files, given as
//! URL, data URL, base64, form or raw body.

use super::letter::{Letter, Said, content, flag, message_id, with_source};
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Form, written_source};
use crate::idempotency::RequestBirths;
use crate::state::ApiState;
use axum::extract::State;
use serde_json::{Map, Value};
use warest_model::content::MediaSource;

/// An operation that sends one file.
struct Operation {
    /// The field with the file, and what results call the message.
    field: &'static str,
    /// The send action that says it.
    action: &'static str,
    /// Its `mediaType`; none if the action says all.
    kind: Option<&'static str>,
    /// Whether the file is made smaller unless the client says otherwise.
    compress: bool,
}

async fn send(caller: Caller, state: ApiState, births: RequestBirths, form: Form, operation: Operation) -> ApiResult {
    let letter = Letter::read(&caller, &state, &form.fields)?;
    let source = form.source(&state, &letter.entry, operation.field).await?;
    let mut fields = with_source(&form, source);
    if let Some(kind) = operation.kind {
        fields.entry("mediaType").or_insert_with(|| kind.into());
    }
    if operation.compress {
        fields.entry("compress").or_insert(Value::Bool(true));
    }
    let said = content(&state, operation.action, &fields)?;
    letter.send(&state, &births.0, vec![said.into()], operation.field).await
}

/// A picture, a film, a sound, whatever the file is.
pub async fn media(caller: Caller, State(state): State<ApiState>, births: RequestBirths, form: Form) -> ApiResult {
    let operation = Operation { field: "media", action: "media", kind: Some("auto"), compress: true };
    send(caller, state, births, form, operation).await
}

/// A sound; with `isVN`, a voice note.
pub async fn audio(caller: Caller, State(state): State<ApiState>, births: RequestBirths, form: Form) -> ApiResult {
    let kind = if flag(&form.fields, "isVN")? { "voice" } else { "audio" };
    let operation = Operation { field: "audio", action: "media", kind: Some(kind), compress: false };
    send(caller, state, births, form, operation).await
}

/// A file as it is.
pub async fn document(caller: Caller, State(state): State<ApiState>, births: RequestBirths, form: Form) -> ApiResult {
    let operation = Operation { field: "document", action: "document", kind: None, compress: false };
    send(caller, state, births, form, operation).await
}

/// A sticker, made of any picture or short film.
pub async fn sticker(caller: Caller, State(state): State<ApiState>, births: RequestBirths, form: Form) -> ApiResult {
    let operation = Operation { field: "sticker", action: "sticker", kind: None, compress: false };
    send(caller, state, births, form, operation).await
}

/// A film that plays by itself.
pub async fn gif(caller: Caller, State(state): State<ApiState>, births: RequestBirths, form: Form) -> ApiResult {
    let operation = Operation { field: "gif", action: "media", kind: Some("gif"), compress: false };
    send(caller, state, births, form, operation).await
}

/// Several files, each as it is.
pub async fn files(
    caller: Caller,
    State(state): State<ApiState>,
    RequestBirths(births): RequestBirths,
    form: Form,
) -> ApiResult {
    let letter = Letter::read(&caller, &state, &form.fields)?;
    let caption = form.text("caption");
    let mut said = Vec::new();
    for source in form.sources(&state, &letter.entry, "files").await? {
        said.push(document_of(&state, source, caption.clone(), None)?.into());
    }
    // Files that are objects have a name and a caption of their own.
    let objects = form.fields.get("files").and_then(Value::as_array).into_iter().flatten();
    for object in objects.filter_map(Value::as_object) {
        let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        let file = text("file").ok_or_else(|| ApiError::missing("files[].file"))?;
        let source = written_source(&state, &letter.entry, "files[].file", &file).await?;
        let content = document_of(&state, source, text("caption").or_else(|| caption.clone()), text("filename"))?;
        let reply_to = text("replyMessageId").map(|id| message_id("files[].replyMessageId", id)).transpose()?;
        said.push(Said { content, reply_to });
    }
    if said.is_empty() {
        return Err(ApiError::missing("files"));
    }
    letter.send(&state, &births, said, "files").await
}

fn document_of(
    state: &ApiState,
    source: MediaSource,
    caption: Option<String>,
    name: Option<String>,
) -> Result<warest_model::content::Content, ApiError> {
    let mut fields = Map::new();
    match source {
        MediaSource::Url(url) => fields.insert("url".to_owned(), url.into()),
        MediaSource::Stored(id) => fields.insert("mediaId".to_owned(), id.to_string().into()),
    };
    for (field, text) in [("caption", caption), ("filename", name)] {
        if let Some(text) = text {
            fields.insert(field.to_owned(), text.into());
        }
    }
    content(state, "document", &fields)
}
