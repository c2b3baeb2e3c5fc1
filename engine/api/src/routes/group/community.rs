//! `GET|POST /communities` and `GET|POST|DELETE /community/groups`: communities,
//! and the groups that are part of them.

use crate::codes;
use crate::error::ApiResult;
use crate::extract::{About, OneOrMany, group_address, required};
use crate::faults::Question;
use crate::routes::group::create::{check_description, subject};
use crate::routes::group::members::verdict;
use crate::view::{group_json, part_json};
use serde::Deserialize;
use serde_json::{Value, json};
use warest_model::jid::Jid;

/// Most groups of one request.
const GROUPS: usize = 50;

/// A community to make.
#[derive(Debug, Deserialize)]
pub struct Founding {
    name: Option<String>,
    description: Option<String>,
}

/// A community, and groups.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parts {
    community_id: Option<String>,
    group_ids: Option<OneOrMany<GROUPS>>,
}

/// Those that the account is in.
pub async fn list(about: About) -> ApiResult {
    let groups = about.account()?.groups().await.map_err(|fault| Question::Other.refusal(fault))?;
    let data: Vec<Value> = groups.iter().filter(|group| group.is_community).map(group_json).collect();
    Ok(about.done("Communities fetched", json!({ "data": data })))
}

/// Makes one.
pub async fn create(mut about: About<Founding>) -> ApiResult {
    let name = subject("name", about.fields.name.take())?;
    let description = about.fields.description.take().filter(|text| !text.is_empty());
    check_description("description", description.as_deref().unwrap_or_default())?;
    let made = about.account()?.create_community(&name, description.as_deref()).await;
    let made = made.map_err(|fault| Question::GroupCreate.refusal(fault))?;
    Ok(about.done("Community created", json!({ "communityId": made.id, "data": group_json(&made) })))
}

/// The groups of one.
pub async fn groups(about: About<Parts>) -> ApiResult {
    let community = community(&about.fields)?;
    let groups = about.account()?.community_groups(&community).await;
    let groups = groups.map_err(|fault| Question::Group.refusal(fault))?;
    let data: Vec<Value> = groups.iter().map(group_json).collect();
    Ok(about.done("Community groups fetched", json!({ "communityId": community, "data": data })))
}

/// Groups become part of it.
pub async fn link(about: About<Parts>) -> ApiResult {
    change(&about, true).await
}

/// Groups are part of it no longer.
pub async fn unlink(about: About<Parts>) -> ApiResult {
    change(&about, false).await
}

async fn change(about: &About<Parts>, linked: bool) -> ApiResult {
    let community = community(&about.fields)?;
    let texts = required("groupIds", about.fields.group_ids.as_ref().filter(|texts| !texts.0.is_empty()))?;
    let groups = texts.0.iter().map(|text| group_address("groupIds", text)).collect::<Result<Vec<Jid>, _>>()?;
    let outcomes = about.account()?.link_groups(&community, &groups, linked).await;
    let outcomes = outcomes.map_err(|fault| Question::GroupUpdate.refusal(fault))?;
    let (code, status) = verdict(Question::GroupUpdate, &outcomes);
    let (done, failed) = match linked {
        true => ("linkedGroups", "failedToLink"),
        false => ("unlinkedGroups", "failedToUnlink"),
    };
    let named = |refused: bool| -> Vec<&Jid> {
        outcomes.iter().filter(|one| one.error.is_some() == refused).map(|one| &one.jid).collect()
    };
    let mut shown = json!({ "communityId": community, "status": status });
    shown[done] = json!(named(false));
    shown[failed] = json!(named(true));
    shown["groups"] = outcomes.iter().map(part_json).collect::<Value>();
    let message = match (code == codes::SUCCESS, linked) {
        (true, true) => "Groups linked",
        (true, false) => "Groups unlinked",
        (false, _) => "WhatsApp refused some of the groups; see results[0].groups",
    };
    Ok(about.ended(code, message, shown))
}

fn community(parts: &Parts) -> Result<Jid, crate::error::ApiError> {
    let text = required("communityId", parts.community_id.as_deref().filter(|text| !text.is_empty()))?;
    group_address("communityId", text)
}
