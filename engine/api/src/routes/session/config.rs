//! `POST /session/{sessionId}/config`: the webhooks of a session.
//!
//! `webhookUrl` is a URL, a list of them, or null or "" for none. A URL without
//! a `webhookSecret` gets a new secret; a secret alone replaces the one in use.

use crate::auth::OwnSession;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Flag, Json, OneOrMany, nullable};
use crate::state::ApiState;
use crate::view::webhook_fields;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

/// What to change.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    #[serde(default, deserialize_with = "nullable")]
    webhook_url: Option<OneOrMany>,
    webhook_secret: Option<String>,
    preflight: Option<Flag>,
    preflight_verify: Option<Flag>,
}

/// Changes them.
pub async fn post(
    OwnSession(entry): OwnSession,
    State(state): State<ApiState>,
    Json(config): Json<Config>,
) -> ApiResult {
    let preflight = config.preflight.or(config.preflight_verify).unwrap_or_default().0;
    let secret = config.webhook_secret.filter(|secret| !secret.is_empty());
    let (code, targets) = match (config.webhook_url, secret) {
        (Some(OneOrMany(urls)), secret) => {
            let urls = checked(&state, urls)?;
            (codes::SUCCESS, state.engine.set_webhooks(&entry, &urls, secret, preflight).await?)
        }
        (None, Some(secret)) => (codes::SUCCESS, state.engine.set_webhook_secret(&entry, &secret).await?),
        (None, None) => (codes::NOOP, state.engine.targets(&entry)),
    };
    let mut result = json!({ "registryUser": entry.owner.id, "sessionId": entry.session.id });
    for (name, value) in webhook_fields(&targets) {
        result[name] = value;
    }
    result["targets"] = targets.iter().map(|target| json!({ "id": target.id, "url": target.url })).collect::<Value>();
    let message = if code == codes::NOOP { "Nothing to change" } else { "Config updated" };
    Ok(Reply::new(code, message).results(vec![result]))
}

/// The URLs that are not empty, each of them deliverable to.
fn checked(state: &ApiState, urls: Vec<String>) -> Result<Vec<String>, ApiError> {
    let mut checked: Vec<String> = Vec::new();
    for url in urls.into_iter().filter(|url| !url.is_empty()) {
        check_url(state, &url)?;
        if !checked.contains(&url) {
            checked.push(url);
        }
    }
    Ok(checked)
}

/// Refuses a URL that could never be delivered to.
pub fn check_url(state: &ApiState, url: &str) -> Result<(), ApiError> {
    state.engine.check_webhook_url(url).map_err(|error| ApiError::new(codes::WEBHOOK_INVALID_URL, error.to_string()))
}
