//! `POST /profile/presence/subscribe`: to be told of somebody's presence, as
//! events, until the connection ends.

use crate::error::ApiResult;
use crate::extract::About;
use crate::faults::Question;
use crate::routes::profile::blocklist::Whom;
use serde_json::json;

/// Subscribes.
pub async fn subscribe(about: About<Whom>) -> ApiResult {
    let whom = about.person("to", about.fields.to()?)?;
    about.account()?.subscribe_presence(&whom).await.map_err(|fault| Question::Presence.refusal(fault))?;
    Ok(about.done("Subscribed to presence", json!({ "jid": whom, "status": "success" })))
}
