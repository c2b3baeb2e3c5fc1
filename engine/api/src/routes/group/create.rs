//! `POST /group/create`: makes a group. What is missing is told before what is
//! unknown.

use crate::auth::Caller;
use crate::codes;
use crate::error::{ApiError, ApiResult};
use crate::extract::{About, Fields, OneOrMany, parse_required, required};
use crate::faults::Question;
use crate::routes::group::members::{Lists, MEMBERS, verdict};
use crate::state::ApiState;
use crate::view::outcome_json;
use axum::extract::{FromRequest, FromRequestParts, Request};
use serde::Deserialize;
use serde_json::{Value, json};
use warest_model::group::NewGroup;

/// Longest name of a group, in characters (WhatsApp's own limit).
const SUBJECT_CHARS: usize = 100;
/// Longest description, in characters (WhatsApp's own limit).
const DESCRIPTION_CHARS: usize = 2_048;

/// A group to make, and the session that makes it.
pub struct Founding {
    about: About,
    new: NewGroup,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    session_id: Option<String>,
    group_name: Option<String>,
    group_description: Option<String>,
    community_id: Option<String>,
    participants: Option<OneOrMany<MEMBERS>>,
}

impl FromRequest<ApiState> for Founding {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        let fields = Fields::of(Request::from_parts(parts, body), state).await?;
        let wish: Wish = fields.read()?;
        let id = parse_required("sessionId", wish.session_id.as_deref())?;
        let subject = subject("groupName", wish.group_name)?;
        let about: About = About::of(&caller, state, &id, &fields)?;
        let description = wish.group_description.filter(|text| !text.is_empty());
        check_description("groupDescription", description.as_deref().unwrap_or_default())?;
        let community = wish.community_id.filter(|text| !text.is_empty());
        let community = community.map(|text| crate::extract::group_address("communityId", &text)).transpose()?;
        let texts = wish.participants.unwrap_or_default().0;
        let people = texts.iter().map(|text| about.person("participants", text)).collect::<Result<_, _>>()?;
        Ok(Self { about, new: NewGroup { subject, description, participants: people, community } })
    }
}

/// Makes it. A group stands also if some could not be had.
pub async fn post(ask: Founding) -> ApiResult {
    let made = ask.about.account()?.create_group(&ask.new).await;
    let (group, outcomes) = made.map_err(|fault| Question::GroupCreate.refusal(fault))?;
    let (_, status) = verdict(Question::GroupCreate, &outcomes);
    let code = if status == "success" { codes::SUCCESS } else { codes::PARTIAL_SUCCESS };
    let mut shown = Lists { done: "addedParticipants", failed: "failedToAdd" }.of(&outcomes);
    shown["groupId"] = json!(group.id);
    shown["groupName"] = json!(group.subject);
    shown["participants"] = outcomes.iter().map(outcome_json).collect::<Value>();
    Ok(ask.about.ended(code, "Group created", shown))
}

/// A group's name.
pub fn subject(field: &str, text: Option<String>) -> Result<String, ApiError> {
    let text = required(field, text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))?;
    if text.chars().count() > SUBJECT_CHARS {
        let message = format!("`{field}` may have at most {SUBJECT_CHARS} characters");
        return Err(ApiError::new(codes::GROUP_SUBJECT_TOO_LONG, message));
    }
    Ok(text)
}

/// Refuses a description that is too long.
pub fn check_description(field: &str, text: &str) -> Result<(), ApiError> {
    if text.chars().count() > DESCRIPTION_CHARS {
        let message = format!("`{field}` may have at most {DESCRIPTION_CHARS} characters");
        return Err(ApiError::new(codes::GROUP_DESCRIPTION_TOO_LONG, message));
    }
    Ok(())
}
