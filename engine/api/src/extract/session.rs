//! The `sessionId` of an operation that takes nothing else: in the query as the
//! contract's GET forms have it, or in a JSON body.

use super::json::OptionalJson;
use super::{Query, parse_required};
use crate::auth::Caller;
use crate::error::ApiError;
use crate::state::ApiState;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::Method;
use serde::Deserialize;
use warest_pipeline::directory::SessionEntry;

/// The session that is meant, if it is the caller's.
pub struct SessionInput(pub SessionEntry);

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    session_id: Option<String>,
}

impl FromRequest<ApiState> for SessionInput {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        let Query(mut named) = Query::<Named>::from_request_parts(&mut parts, state).await?;
        if named.session_id.is_none() && parts.method != Method::GET {
            OptionalJson(named) = OptionalJson::from_request(Request::from_parts(parts, body), state).await?;
        }
        let id = parse_required("sessionId", named.session_id.as_deref())?;
        caller.session(state, &id).map(Self)
    }
}
