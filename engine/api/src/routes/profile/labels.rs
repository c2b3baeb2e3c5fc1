//! `GET|POST|DELETE /labels` and `GET|POST|DELETE /labels/chats`: the labels of a
//! business account, and the chats that they are on.

use crate::error::{ApiError, ApiResult};
use crate::extract::{About, Whole, required};
use crate::faults::Question;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::PoisonError;
use warest_model::history::{Change, Label};
use warest_store::Slice;

/// Longest name, in characters (WhatsApp's own limit).
const NAME_CHARS: usize = 100;
/// How many colours there are (WhatsApp's own).
const COLOURS: u64 = 20;
/// Longest id, in bytes.
const ID_BYTES: usize = 20;
/// Chats of a page.
const PAGE: u32 = 500;

/// A label, or the chat that it is put on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tag {
    label_id: Option<String>,
    name: Option<String>,
    color: Option<Whole>,
    to: Option<String>,
    offset: Option<Whole>,
}

/// All of them, by name.
pub async fn list(about: About) -> ApiResult {
    let labels = about.state.engine.store().labels(&about.entry.session.id).await?;
    let data: Vec<Value> = labels.iter().map(label_json).collect();
    Ok(about.done("Labels fetched", json!({ "data": data })))
}

/// What one is on: chats, and messages in them.
pub async fn chats(about: About<Tag>) -> ApiResult {
    let id = label_id(&about.fields)?;
    let page = Slice { limit: PAGE, offset: about.fields.offset.unwrap_or_default().0 };
    let (labelled, total) = about.state.engine.store().labelled(&about.entry.session.id, &id, &page).await?;
    let data: Vec<Value> = labelled.iter().map(|one| json!({ "chat": one.chat, "messageId": one.message })).collect();
    Ok(about.done("Labelled chats fetched", json!({ "labelId": id, "data": data, "total": total })))
}

/// Makes it, or changes it. A new one has the next number.
pub async fn save(mut about: About<Tag>) -> ApiResult {
    let named = match about.fields.label_id.as_deref().filter(|id| !id.is_empty()) {
        Some(_) => Some(label_id(&about.fields)?),
        None => None,
    };
    let name = about.fields.name.take().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let name = required("name", name)?;
    if name.chars().count() > NAME_CHARS {
        return Err(ApiError::invalid(format!("`name` may have at most {NAME_CHARS} characters")));
    }
    let color = about.fields.color.unwrap_or_default().0;
    if color >= COLOURS {
        return Err(ApiError::invalid(format!("`color` is a number below {COLOURS}")));
    }
    let account = about.account()?;
    let id = match named {
        Some(id) => id,
        None => next_id(&about).await?,
    };
    let label = Label { id, name, color: color as i32 };
    account.save_label(&label).await.map_err(|fault| Question::Other.refusal(fault))?;
    // The account tells the history of it some time later; who asks next would miss it.
    let change = vec![Change::Label(label.clone())];
    if let Err(error) = about.state.engine.store().apply(&about.entry.session.id, change).await {
        // It is made, whether it is listed already or not.
        tracing::warn!(%error, "a new label is not in the history yet");
    }
    let shown = json!({ "labelId": label.id, "name": label.name, "color": label.color, "status": "success" });
    Ok(about.done("Label saved", shown))
}

/// Removes it.
pub async fn delete(about: About<Tag>) -> ApiResult {
    let id = label_id(&about.fields)?;
    about.account()?.remove_label(&id).await.map_err(|fault| Question::Other.refusal(fault))?;
    Ok(about.done("Label removed", json!({ "labelId": id, "status": "success" })))
}

/// Puts it on a chat.
pub async fn put_on(about: About<Tag>) -> ApiResult {
    change(&about, true).await
}

/// Takes it off a chat.
pub async fn take_off(about: About<Tag>) -> ApiResult {
    change(&about, false).await
}

async fn change(about: &About<Tag>, on: bool) -> ApiResult {
    let id = label_id(&about.fields)?;
    let to = required("to", about.fields.to.as_deref().filter(|to| !to.is_empty()))?;
    let chat = about.address("to", to)?;
    about.account()?.label_chat(&id, &chat, on).await.map_err(|fault| Question::Other.refusal(fault))?;
    let message = if on { "Label put on the chat" } else { "Label taken off the chat" };
    Ok(about.done(message, json!({ "labelId": id, "chat": chat, "labelled": on, "status": "success" })))
}

/// The number after the last one, and after those of labels that are being made.
async fn next_id(about: &About<Tag>) -> Result<String, ApiError> {
    let session = &about.entry.session.id;
    let labels = about.state.engine.store().labels(session).await?;
    let last = labels.iter().filter_map(|label| label.id.parse::<u64>().ok()).max().unwrap_or_default();
    let mut given = about.state.labels.lock().unwrap_or_else(PoisonError::into_inner);
    given.retain(|session, _| about.state.engine.session(session).is_some());
    let number = given.entry(session.clone()).or_default();
    *number = last.max(*number).saturating_add(1);
    Ok(number.to_string())
}

fn label_json(label: &Label) -> Value {
    json!({ "labelId": label.id, "name": label.name, "color": label.color })
}

/// WhatsApp numbers labels.
fn label_id(tag: &Tag) -> Result<String, ApiError> {
    let id = required("labelId", tag.label_id.as_deref().filter(|id| !id.is_empty()))?;
    if id.len() > ID_BYTES || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ApiError::invalid("`labelId` is a number, such as \"7\""));
    }
    Ok(id.to_owned())
}
