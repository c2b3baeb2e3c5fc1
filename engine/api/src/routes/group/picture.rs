//! `GET|POST|DELETE /group/picture`: the picture of a group.

use crate::error::ApiResult;
use crate::extract::AboutGroup;
use crate::faults::Question;
use crate::picture::{PictureField, avatar};
use serde_json::json;

/// Where it can be fetched; null if there is none.
pub async fn get(ask: AboutGroup) -> ApiResult {
    let url = ask.account()?.picture(&ask.group, false).await.map_err(|fault| Question::Group.refusal(fault))?;
    Ok(ask.done("Group picture fetched", json!({ "pictureUrl": url })))
}

/// Sets it: a data URL, base64, an http(s) URL, or the file of a form.
pub async fn post(mut ask: AboutGroup<PictureField>) -> ApiResult {
    let account = ask.account()?;
    let jpeg = avatar(&mut ask.about).await?;
    let set = account.set_picture(Some(&ask.group), Some(jpeg)).await;
    set.map_err(|fault| Question::GroupUpdate.refusal(fault))?;
    // It is set, whether its new address can be had or not.
    let url = account.picture(&ask.group, false).await.ok().flatten();
    Ok(ask.done("Group picture updated", json!({ "pictureUrl": url, "status": "success" })))
}

/// Removes it.
pub async fn delete(ask: AboutGroup) -> ApiResult {
    let removed = ask.account()?.set_picture(Some(&ask.group), None).await;
    removed.map_err(|fault| Question::GroupUpdate.refusal(fault))?;
    Ok(ask.changed("Group picture removed"))
}
