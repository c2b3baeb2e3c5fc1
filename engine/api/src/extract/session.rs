//! Requests about a session that they name by `sessionId`, in the query or in the
//! body, and about a group of it, named by `groupId`.
//!
//! What is missing is told before what is unknown: a request without a `groupId`
//! says nothing of whose the session is.

use super::fields::Fields;
use super::values::Flag;
use super::{parse_required, required};
use crate::auth::Caller;
use crate::error::ApiError;
use crate::state::ApiState;
use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use warest_model::id::SessionId;
use warest_model::jid::Jid;
use warest_pipeline::directory::SessionEntry;

/// No fields of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(expecting = "an object")]
pub struct Nothing {}

/// A request about one of the caller's sessions, with fields of its own.
pub struct About<T = Nothing> {
    /// The session.
    pub entry: SessionEntry,
    /// The other fields.
    pub fields: T,
    /// The file of a form.
    pub upload: Option<Bytes>,
    pub(crate) state: ApiState,
}

/// A request about a group of one of the caller's sessions.
pub struct AboutGroup<T = Nothing> {
    /// The session, and the other fields.
    pub about: About<T>,
    /// The group.
    pub group: Jid,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    session_id: Option<String>,
    group_id: Option<String>,
}

/// Who asks, and with what.
struct Asked {
    caller: Caller,
    fields: Fields,
    named: Named,
}

impl Asked {
    async fn of(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        let fields = Fields::of(Request::from_parts(parts, body), state).await?;
        let mut named: Named = fields.read()?;
        if named.session_id.is_none() {
            named.session_id = fields.read_query::<Named>()?.session_id;
        }
        Ok(Self { caller, fields, named })
    }
}

impl<T: DeserializeOwned> About<T> {
    /// For an extractor of one's own: the session, if it is the caller's.
    pub fn of(caller: &Caller, state: &ApiState, id: &SessionId, fields: &Fields) -> Result<Self, ApiError> {
        let read = fields.read()?;
        let entry = caller.session(state, id)?;
        Ok(Self { entry, fields: read, upload: fields.upload.clone(), state: state.clone() })
    }
}

impl<T: DeserializeOwned> FromRequest<ApiState> for About<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let asked = Asked::of(request, state).await?;
        let id = parse_required("sessionId", asked.named.session_id.as_deref())?;
        About::of(&asked.caller, state, &id, &asked.fields)
    }
}

impl<T: DeserializeOwned> FromRequest<ApiState> for AboutGroup<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let mut asked = Asked::of(request, state).await?;
        let id = parse_required("sessionId", asked.named.session_id.as_deref())?;
        let group = required("groupId", asked.named.group_id.take().filter(|group| !group.is_empty()))?;
        let about = About::of(&asked.caller, state, &id, &asked.fields)?;
        Ok(Self { about, group: group_address("groupId", &group)? })
    }
}

/// A group's address, also without its server.
pub fn group_address(name: &str, text: &str) -> Result<Jid, ApiError> {
    let text = text.trim();
    let (user, server) = text.split_once('@').unwrap_or((text, "g.us"));
    match Jid::from_parts(user, server) {
        Ok(jid) if jid.is_group() => Ok(jid),
        _ => Err(ApiError::invalid(format!("`{name}` is a group's address, such as 120363025386030504@g.us"))),
    }
}

/// A yes or no that must be there.
pub fn required_flag(name: &str, flag: Option<Flag>) -> Result<bool, ApiError> {
    required(name, flag).map(|flag| flag.0)
}
