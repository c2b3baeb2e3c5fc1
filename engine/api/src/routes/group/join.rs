//! `GET|POST /group/join-via-link`: what an invitation leads to, and joining by it.
//! What is missing is told before what is unknown.

use crate::auth::Caller;
use crate::codes;
use crate::error::{ApiError, ApiResult};
use crate::extract::{About, Fields, parse_required, required};
use crate::faults::Question;
use crate::routes::group::invite::LINK;
use crate::state::ApiState;
use crate::view::members;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use warest_model::group::{Joined, Who};

/// Longest code of an invitation, in bytes.
const CODE_BYTES: usize = 64;

/// An invitation, and the session that it is for.
pub struct Invitation {
    about: About,
    code: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Letter {
    session_id: Option<String>,
    invite_link: Option<String>,
}

impl FromRequest<ApiState> for Invitation {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        let fields = Fields::of(Request::from_parts(parts, body), state).await?;
        let letter: Letter = fields.read()?;
        let id = parse_required("sessionId", letter.session_id.as_deref())?;
        let link = required("inviteLink", letter.invite_link.filter(|link| !link.is_empty()))?;
        let about = About::of(&caller, state, &id, &fields)?;
        Ok(Self { about, code: code(&link)? })
    }
}

/// The group behind it.
pub async fn get(ask: Invitation) -> ApiResult {
    let account = ask.about.account()?;
    let group = account.group_by_invite(&ask.code).await.map_err(|fault| Question::Invite.refusal(fault))?;
    // One who is no member may not be shown it.
    let picture = account.picture(&group.id, true).await.ok().flatten();
    Ok(ask.about.done(
        "Group invite info fetched",
        json!({
            "groupId": group.id,
            "groupName": group.subject,
            "groupDescription": group.description,
            "participantsCount": members(&group),
            "isGroupLocked": group.edits == Who::Admins,
            "isAnnouncement": group.writes == Who::Admins,
            "isEphemeral": group.ephemeral_seconds.is_some_and(|seconds| seconds > 0),
            "inviteLink": format!("{LINK}{}", ask.code),
            "groupPicture": picture,
        }),
    ))
}

/// Joins it, or asks to.
pub async fn post(ask: Invitation) -> ApiResult {
    let joined = ask.about.account()?.join_group(&ask.code).await.map_err(|fault| Question::Invite.refusal(fault))?;
    let (code, group, status) = match joined {
        Joined::Member(group) => (codes::SUCCESS, group, "success joined group"),
        Joined::Pending(group) => (codes::ACCEPTED, group, "pending approval to join"),
    };
    let shown = json!({ "groupId": group, "status": status });
    // The contract answers 200 in both cases.
    Ok(ask.about.ended(code, "Joined group via link", shown).http(StatusCode::OK))
}

/// The code of a link, or the code alone.
fn code(link: &str) -> Result<String, ApiError> {
    let text = link.trim();
    let bare = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    let code = bare.strip_prefix("chat.whatsapp.com/").unwrap_or(bare);
    let code = code.strip_prefix("invite/").unwrap_or(code);
    let code = code.split(['?', '#', '/']).next().unwrap_or_default();
    let is_code = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if code.is_empty() || code.len() > CODE_BYTES || !code.bytes().all(is_code) || (bare != text && code == bare) {
        return Err(ApiError::invalid("`inviteLink` is a link such as https://chat.whatsapp.com/ABC123, or its code"));
    }
    Ok(code.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn links_in_every_form_have_their_code() {
        for link in [
            "https://chat.whatsapp.com/AbC-1_2",
            "http://chat.whatsapp.com/AbC-1_2?mode=wwt",
            "chat.whatsapp.com/invite/AbC-1_2",
            " AbC-1_2 ",
        ] {
            assert_eq!(code(link).unwrap(), "AbC-1_2", "{link}");
        }
        for link in ["", "https://example.com/AbC", "https://chat.whatsapp.com/", "a b", &"x".repeat(65), "https://abc"]
        {
            assert!(code(link).is_err(), "{link}");
        }
    }
}
