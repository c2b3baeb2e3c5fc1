//! `POST /group/name`: what a group is called.

use crate::error::ApiResult;
use crate::extract::AboutGroup;
use crate::faults::Question;
use crate::routes::group::create::subject;
use serde::Deserialize;
use serde_json::json;
use warest_model::group::GroupSetting;

/// The new name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rename {
    group_name: Option<String>,
}

/// Changes it.
pub async fn post(mut ask: AboutGroup<Rename>) -> ApiResult {
    let name = subject("groupName", ask.about.fields.group_name.take())?;
    let change = GroupSetting::Subject(name.clone());
    let changed = ask.account()?.set_group(&ask.group, &change).await;
    changed.map_err(|fault| Question::GroupUpdate.refusal(fault))?;
    Ok(ask.done("Group name updated", json!({ "groupName": name, "status": "success" })))
}
