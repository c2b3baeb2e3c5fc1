//! The control API: what a person or a test does with the phones. [`Control`] has every operation
//! as a method; the HTTP routes are thin shells around them. JSON in and out, errors as
//! `{"error": "what to do"}`, bodies bounded.

mod app_state;
mod faults;
mod files;
mod groups;
mod history;
mod messages;
mod newsletters;
mod people;
mod phones;
mod send;
mod stats;

pub use groups::{GroupAction, GroupChange, GroupInfo, GroupMember, GroupSettings, Participation};
pub use messages::{Sent, TypingState};
pub use newsletters::{NewsletterInfo, NewsletterPost};
pub use people::Profile;
pub use phones::{Linked, PhoneInfo};
pub use send::Upload;
pub use stats::{RootInfo, StatsReport};

use crate::error::SimnetError;
use crate::network::Network;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The largest body of a control request.
const BODY: usize = 256 * 1024;

/// All operations on a running network.
#[derive(Clone)]
pub struct Control {
    pub(crate) net: Arc<Network>,
}

impl Control {
    pub(crate) fn new(net: Arc<Network>) -> Self {
        Self { net }
    }
}

/// The routes of the control API.
pub(crate) fn routes(control: Control) -> Router {
    Router::new()
        .merge(phones::routes())
        .merge(messages::routes())
        .merge(groups::routes())
        .merge(people::routes())
        .merge(newsletters::routes())
        .merge(send::routes())
        .merge(files::routes())
        .merge(app_state::routes())
        .merge(history::routes())
        .merge(faults::routes())
        .merge(stats::routes())
        .fallback(async || Failure(SimnetError::UnknownRoute))
        .method_not_allowed_fallback(async || Failure(SimnetError::UnknownRoute))
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(control)
}

/// An error as the control API shows it.
struct Failure(SimnetError);

impl From<SimnetError> for Failure {
    fn from(error: SimnetError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(serde_json::json!({ "error": self.0.to_string() }))).into_response()
    }
}

impl From<QueryRejection> for Failure {
    fn from(rejection: QueryRejection) -> Self {
        Self(SimnetError::Invalid(format!("the query: {}", rejection.body_text())))
    }
}

impl From<PathRejection> for Failure {
    fn from(rejection: PathRejection) -> Self {
        Self(SimnetError::Invalid(format!("the path: {}", rejection.body_text())))
    }
}

/// A body that may have been too large to read.
type Body = Result<Bytes, BytesRejection>;

/// Reads a JSON body, whatever its content type says.
fn body<T: DeserializeOwned>(bytes: Body) -> Result<T, Failure> {
    body_of(bytes, BODY)
}

/// Reads a JSON body where more than the usual `limit` is taken.
fn body_of<T: DeserializeOwned>(bytes: Body, limit: usize) -> Result<T, Failure> {
    let bytes = bytes.map_err(|rejection| {
        Failure(match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => SimnetError::TooLarge(limit),
            _ => SimnetError::Invalid(rejection.body_text()),
        })
    })?;
    serde_json::from_slice(&bytes)
        .map_err(|e| Failure(SimnetError::Invalid(format!("the body is not the JSON this takes: {e}"))))
}
