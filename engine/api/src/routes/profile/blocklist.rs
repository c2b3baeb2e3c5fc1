//! `GET /profile/blocklist`, `POST /profile/block` and `/profile/unblock`: whom an
//! account hears nothing of.

use crate::error::{ApiError, ApiResult};
use crate::extract::{About, required};
use crate::faults::Question;
use serde::Deserialize;
use serde_json::json;

/// Whom.
#[derive(Debug, Deserialize)]
pub struct Whom {
    to: Option<String>,
}

impl Whom {
    /// As the client wrote it.
    pub fn to(&self) -> Result<&str, ApiError> {
        required("to", self.to.as_deref().filter(|to| !to.is_empty()))
    }
}

/// Those who are blocked.
pub async fn list(about: About) -> ApiResult {
    let blocked = about.account()?.blocked().await.map_err(|fault| Question::Me.refusal(fault))?;
    Ok(about.done("Blocklist fetched", json!({ "data": blocked })))
}

/// Blocks somebody.
pub async fn block(about: About<Whom>) -> ApiResult {
    change(&about, true, Question::Block, "Blocked").await
}

/// Hears of them again.
pub async fn unblock(about: About<Whom>) -> ApiResult {
    change(&about, false, Question::Unblock, "Unblocked").await
}

async fn change(about: &About<Whom>, on: bool, question: Question, message: &str) -> ApiResult {
    let whom = about.person("to", about.fields.to()?)?;
    about.account()?.block(&whom, on).await.map_err(|fault| question.refusal(fault))?;
    Ok(about.done(message, json!({ "jid": whom, "blocked": on, "status": "success" })))
}
