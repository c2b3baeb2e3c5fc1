//! `GET /group/participants/requests`, `POST …/request/approve` and `…/reject`:
//! those who ask to join a group.

use crate::error::ApiResult;
use crate::extract::AboutGroup;
use crate::faults::Question;
use crate::routes::group::members::{Lists, Members, change, settle};
use crate::view::join_request_json;
use serde_json::{Value, json};
use warest_model::group::MemberChange;

/// Who asks.
pub async fn list(ask: AboutGroup) -> ApiResult {
    let requests = ask.account()?.join_requests(&ask.group).await.map_err(|fault| Question::Add.refusal(fault))?;
    let requests: Vec<Value> = requests.iter().map(join_request_json).collect();
    Ok(ask.done("Join requests fetched", json!({ "joinRequests": requests })))
}

/// They may.
pub async fn approve(ask: AboutGroup<Members>) -> ApiResult {
    let outcomes = change(&ask, MemberChange::Approve, Question::Add).await?;
    let lists = Lists { done: "approvedParticipants", failed: "failedToApprove" };
    Ok(settle(&ask, Question::Add, "Join requests approved", lists.of(&outcomes), &outcomes))
}

/// They may not.
pub async fn reject(ask: AboutGroup<Members>) -> ApiResult {
    let outcomes = change(&ask, MemberChange::Reject, Question::Remove).await?;
    Ok(settle(&ask, Question::Remove, "Join requests rejected", json!({}), &outcomes))
}
