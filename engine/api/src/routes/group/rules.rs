//! `POST /group/locked`, `/announcement`, `/member-add-mode`, `/approval`,
//! `/ephemeral`: who may do what in a group, and how long its messages stay.

use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{AboutGroup, Flag, Whole, required, required_flag};
use crate::faults::Question;
use serde::Deserialize;
use serde_json::{Value, json};
use warest_model::group::{GroupSetting, Who};

/// The rules; each operation has one of them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    locked: Option<Flag>,
    announcement: Option<Flag>,
    member_add_mode: Option<Flag>,
    approval: Option<Flag>,
    seconds: Option<Whole>,
}

type Ask = AboutGroup<Rule>;

/// Whether admins alone change name, description and picture.
pub async fn locked(ask: Ask) -> ApiResult {
    let locked = required_flag("locked", ask.about.fields.locked)?;
    set(&ask, GroupSetting::Edits(who(locked)), "Group lock updated", json!({ "locked": locked })).await
}

/// Whether admins alone write.
pub async fn announcement(ask: Ask) -> ApiResult {
    let on = required_flag("announcement", ask.about.fields.announcement)?;
    let shown = json!({ "announcement": on });
    set(&ask, GroupSetting::Writes(who(on)), "Group announcement mode updated", shown).await
}

/// Whether every member may add others.
pub async fn member_add_mode(ask: Ask) -> ApiResult {
    let all = required_flag("memberAddMode", ask.about.fields.member_add_mode)?;
    let shown = json!({ "memberAddMode": all });
    set(&ask, GroupSetting::Adds(who(!all)), "Group member add mode updated", shown).await
}

/// Whether an admin approves who joins.
pub async fn approval(ask: Ask) -> ApiResult {
    let on = required_flag("approval", ask.about.fields.approval)?;
    set(&ask, GroupSetting::Approval(on), "Group approval mode updated", json!({ "approval": on })).await
}

/// After how long messages disappear.
pub async fn ephemeral(ask: Ask) -> ApiResult {
    let seconds = timer(ask.about.fields.seconds)?;
    let shown = json!({ "seconds": seconds });
    set(&ask, GroupSetting::Ephemeral(seconds), "Group disappearing messages updated", shown).await
}

/// A time after which messages disappear, in `seconds`: one that the apps know.
pub fn timer(seconds: Option<Whole>) -> Result<u32, ApiError> {
    const DAY: u64 = 24 * 3_600;
    let seconds = required("seconds", seconds)?.0;
    if ![0, DAY, 7 * DAY, 90 * DAY].contains(&seconds) {
        return Err(ApiError::invalid("`seconds` is 0 (never), 86400, 604800 or 7776000"));
    }
    Ok(seconds as u32)
}

fn who(admins: bool) -> Who {
    if admins { Who::Admins } else { Who::Everyone }
}

async fn set(ask: &Ask, rule: GroupSetting, message: &str, mut shown: Value) -> Result<Reply, ApiError> {
    let changed = ask.account()?.set_group(&ask.group, &rule).await;
    changed.map_err(|fault| Question::GroupUpdate.refusal(fault))?;
    shown["status"] = json!("success");
    Ok(ask.done(message, shown))
}
