//! `POST /group/leave`: leaves a group.

use crate::error::ApiResult;
use crate::extract::AboutGroup;
use crate::faults::Question;

/// Leaves it.
pub async fn post(ask: AboutGroup) -> ApiResult {
    ask.account()?.leave_group(&ask.group).await.map_err(|fault| Question::Leave.refusal(fault))?;
    Ok(ask.changed("Left the group"))
}
