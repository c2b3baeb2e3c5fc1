//! `GET /group/participants`: who is in a group, and as what.

use crate::asking::members_json;
use crate::error::ApiResult;
use crate::extract::AboutGroup;
use crate::faults::Question;
use serde_json::json;

/// The members.
pub async fn list(ask: AboutGroup) -> ApiResult {
    let account = ask.account()?;
    let group = account.group(&ask.group).await.map_err(|fault| Question::Group.refusal(fault))?;
    let participants = members_json(&ask.about, account.as_ref(), &group).await?;
    Ok(ask.done("Participants fetched", json!({ "participants": participants })))
}
