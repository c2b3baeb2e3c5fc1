//! `GET /group/invite` and `POST /group/invite/revoke`: the link by which others
//! join a group.

use crate::error::ApiResult;
use crate::extract::AboutGroup;
use crate::faults::Question;
use serde_json::json;

/// What stands before the code of an invitation.
pub const LINK: &str = "https://chat.whatsapp.com/";

/// The link.
pub async fn get(ask: AboutGroup) -> ApiResult {
    let code = ask.account()?.group_invite(&ask.group, false).await.map_err(|fault| Question::Invite.refusal(fault))?;
    let shown = json!({ "inviteLink": format!("{LINK}{code}"), "status": "success" });
    Ok(ask.done("Invite link fetched", shown))
}

/// A new link; the old one leads nowhere from now on.
pub async fn revoke(ask: AboutGroup) -> ApiResult {
    let code = ask.account()?.group_invite(&ask.group, true).await.map_err(|fault| Question::Invite.refusal(fault))?;
    let shown = json!({ "inviteLink": format!("{LINK}{code}"), "status": "success revoke invite link" });
    Ok(ask.done("Invite link revoked", shown))
}
