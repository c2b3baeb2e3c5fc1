//! The parameters of path and query.

use super::misread;
use crate::error::ApiError;
use axum::extract::FromRequestParts;
use axum::extract::rejection::{PathRejection, QueryRejection};

/// The parameters of the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub struct Path<T>(pub T);

/// The parameters of the query.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub struct Query<T>(pub T);

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::invalid(without("Invalid URL: ", &rejection.body_text()))
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        let text = without("Failed to deserialize query string: ", &rejection.body_text());
        // The field, and what is wrong with it; what is absent has no field in front.
        let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "._[]".contains(c));
        match text.split_once(": ").filter(|(name, _)| is_name(name)) {
            Some((name, why)) => misread(name, &why),
            None => Self::invalid(text.as_str()),
        }
    }
}

/// The words after a lead that says nothing to a client.
fn without(lead: &str, text: &str) -> String {
    text.strip_prefix(lead).unwrap_or(text).to_owned()
}
