//! `POST /profile/about`, `/profile/name` and `/profile/disappearing`: what an
//! account says of itself, and after how long messages of its new chats
//! disappear.

use crate::error::{ApiError, ApiResult};
use crate::extract::{About, Whole, required};
use crate::faults::Question;
use crate::routes::group::rules::timer;
use serde::Deserialize;
use serde_json::json;

/// Longest text about oneself, in characters (WhatsApp's own limit).
const ABOUT_CHARS: usize = 139;
/// Longest name, in characters (WhatsApp's own limit).
const NAME_CHARS: usize = 25;

/// What to change; each operation has one of them.
#[derive(Debug, Deserialize)]
pub struct Words {
    about: Option<String>,
    name: Option<String>,
    seconds: Option<Whole>,
}

/// What it says about itself; empty takes it away.
pub async fn about(mut about: About<Words>) -> ApiResult {
    let text = bounded("about", required("about", about.fields.about.take())?, ABOUT_CHARS)?;
    about.account()?.set_about(&text).await.map_err(|fault| Question::Me.refusal(fault))?;
    Ok(about.done("About updated", json!({ "about": text, "status": "success" })))
}

/// The name it goes by.
pub async fn name(mut about: About<Words>) -> ApiResult {
    let text = about.fields.name.take().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let text = bounded("name", required("name", text)?, NAME_CHARS)?;
    about.account()?.set_push_name(&text).await.map_err(|fault| Question::Me.refusal(fault))?;
    Ok(about.done("Name updated", json!({ "pushName": text, "status": "success" })))
}

/// After how long messages of new chats disappear.
pub async fn disappearing(about: About<Words>) -> ApiResult {
    let seconds = timer(about.fields.seconds)?;
    about.account()?.set_default_ephemeral(seconds).await.map_err(|fault| Question::Me.refusal(fault))?;
    Ok(about.done("Default disappearing timer updated", json!({ "seconds": seconds, "status": "success" })))
}

fn bounded(field: &str, text: String, most: usize) -> Result<String, ApiError> {
    match text.chars().count() > most {
        true => Err(ApiError::invalid(format!("`{field}` may have at most {most} characters"))),
        false => Ok(text),
    }
}
