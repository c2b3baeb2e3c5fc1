//! `GET /groups` and `GET /group/info`: the groups of an account, and one of them.

use crate::asking::members_json;
use crate::error::ApiResult;
use crate::extract::{About, AboutGroup};
use crate::faults::Question;
use crate::view::group_json;
use serde_json::{Value, json};

/// All of them, without their members.
pub async fn list(about: About) -> ApiResult {
    let groups = about.account()?.groups().await.map_err(|fault| Question::Other.refusal(fault))?;
    let data: Vec<Value> = groups.iter().map(group_json).collect();
    Ok(about.done("Groups fetched", json!({ "data": data })))
}

/// One, with its members.
pub async fn info(ask: AboutGroup) -> ApiResult {
    let account = ask.account()?;
    let group = account.group(&ask.group).await.map_err(|fault| Question::Group.refusal(fault))?;
    let mut data = group_json(&group);
    data["participants"] = json!(members_json(&ask.about, account.as_ref(), &group).await?);
    Ok(ask.about.done("Group info fetched", json!({ "data": data })))
}
