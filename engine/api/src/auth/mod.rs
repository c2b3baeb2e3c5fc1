//! Who is calling: an API key in a header becomes a [`Caller`].
//!
//! Reads users by the SHA-256 of the presented key. Keys in a URL are refused,
//! since URLs are logged along the way. Every answer to a caller carries the
//! headers that name them.

mod cache;
mod caller;
mod key;

pub use cache::KeyCache;
pub use caller::{Caller, OwnSession};

use crate::codes;
use crate::error::ApiError;
use crate::state::ApiState;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use warest_model::user::User;
use warest_store::secret::api_key_hash;

/// Lets a request through once it is known who calls.
pub async fn authenticate(State(state): State<ApiState>, mut request: Request, next: Next) -> Response {
    let caller = match presented_key(&request) {
        Ok(hash) => owner(&state, hash).await.map(|user| Caller::new(user, hash)),
        Err(error) => Err(error),
    };
    let caller = match caller {
        Ok(caller) => caller,
        Err(error) => return error.into_response(),
    };
    request.extensions_mut().insert(caller.clone());
    let mut response = next.run(request).await;
    caller.sign(response.headers_mut());
    response
}

/// The hash of the key that a request presents.
fn presented_key(request: &Request) -> Result<[u8; 32], ApiError> {
    if key::in_query(request.uri().query().unwrap_or_default()) {
        return Err(ApiError::invalid(
            "an API key in the URL is not read, since URLs are logged; send it as the header X-WAREST-API-KEY, \
             and replace this key",
        ));
    }
    key::presented(request.headers()).map(api_key_hash).ok_or_else(|| {
        let error = json!("Missing X-WAREST-API-KEY");
        ApiError::new(codes::UNAUTHORIZED, "send your API key as the header X-WAREST-API-KEY").with("error", error)
    })
}

/// The user whose key has this hash.
async fn owner(state: &ApiState, hash: [u8; 32]) -> Result<User, ApiError> {
    let now = state.now_ms();
    if let Some(user) = state.keys.get(&hash, now) {
        return Ok(user);
    }
    let user = state.engine.store().user_by_key(hash).await?.ok_or_else(|| {
        let error = json!("Invalid X-WAREST-API-KEY");
        ApiError::new(codes::API_KEY_INVALID, "this API key belongs to nobody").with("error", error)
    })?;
    state.keys.put(hash, user.clone(), now);
    Ok(user)
}
