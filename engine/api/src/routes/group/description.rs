//! `POST /group/description`: what a group is for. An empty text takes it away.

use crate::error::ApiResult;
use crate::extract::{AboutGroup, required};
use crate::faults::Question;
use crate::routes::group::create::check_description;
use serde::Deserialize;
use serde_json::json;
use warest_model::group::GroupSetting;

/// The new description.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Describe {
    group_description: Option<String>,
}

/// Changes it.
pub async fn post(mut ask: AboutGroup<Describe>) -> ApiResult {
    let text = required("groupDescription", ask.about.fields.group_description.take())?;
    check_description("groupDescription", &text)?;
    let change = GroupSetting::Description(text.clone());
    let changed = ask.account()?.set_group(&ask.group, &change).await;
    changed.map_err(|fault| Question::GroupUpdate.refusal(fault))?;
    Ok(ask.done("Group description updated", json!({ "groupDescription": text, "status": "success" })))
}
