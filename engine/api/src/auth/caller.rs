//! The user behind a request, and what they may touch.

use crate::codes;
use crate::error::ApiError;
use crate::state::ApiState;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::{Arc, Mutex, PoisonError};
use warest_model::clock::Millis;
use warest_model::id::{SessionId, UserId};
use warest_model::user::User;
use warest_pipeline::directory::SessionEntry;
use warest_store::StoreError;

/// The user behind a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user.
    pub user: User,
    /// The hash of the key that they came with.
    key: [u8; 32],
    /// Label of the session that the request is about.
    label: Arc<Mutex<Option<String>>>,
}

impl Caller {
    /// A caller who is `user`, by the key with this hash.
    pub fn new(user: User, key: [u8; 32]) -> Self {
        Self { user, key, label: Arc::default() }
    }

    /// Whether the key still makes them the same user, by the store.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn is_current(&self, state: &ApiState) -> Result<bool, StoreError> {
        Ok(state.engine.store().user_by_key(self.key).await?.as_ref() == Some(&self.user))
    }

    /// The session with this name, if it is the caller's (admins may use all).
    pub fn session(&self, state: &ApiState, id: &SessionId) -> Result<SessionEntry, ApiError> {
        let entry =
            state.engine.session(id).ok_or_else(|| ApiError::new(codes::SESSION_NOT_FOUND, "Session not found"))?;
        if !self.may(&entry.owner.id) {
            return Err(ApiError::new(codes::FORBIDDEN, "this session belongs to another user"));
        }
        self.about(&entry);
        Ok(entry)
    }

    /// Whether the caller may see what `session` did at `at_ms`. What is older
    /// than the session was done by one that had the same name before.
    pub fn check_record(
        &self,
        state: &ApiState,
        session: &SessionId,
        at_ms: Millis,
        what: &str,
    ) -> Result<(), ApiError> {
        match state.engine.session(session).filter(|entry| entry.session.created_ms <= at_ms) {
            _ if self.user.is_admin => Ok(()),
            Some(entry) if self.may(&entry.owner.id) => Ok(()),
            Some(_) => Err(ApiError::new(codes::FORBIDDEN, format!("{what} belongs to another user"))),
            None => Err(ApiError::not_found(what)),
        }
    }

    /// Whose records the caller's lists show: everybody's for admins.
    pub fn scope(&self) -> Option<UserId> {
        (!self.user.is_admin).then(|| self.user.id.clone())
    }

    /// Notes which session the request is about.
    pub fn about(&self, entry: &SessionEntry) {
        // A request is about one session; what is noted last is how it stands now.
        *self.label.lock().unwrap_or_else(PoisonError::into_inner) = Some(entry.session.label.clone());
    }

    /// Adds the headers that name the caller and the session.
    pub fn sign(&self, headers: &mut HeaderMap) {
        let mut put = |name, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        put("x-warest-registry", self.user.id.as_str());
        put("x-warest-username", &self.user.username);
        if let Some(label) = self.label.lock().unwrap_or_else(PoisonError::into_inner).as_deref() {
            put("x-warest-label", label);
        }
    }

    fn may(&self, owner: &UserId) -> bool {
        self.user.is_admin || self.user.id == *owner
    }
}

impl FromRequestParts<ApiState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, ApiError> {
        // Only a route without `authenticate` lacks it.
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| ApiError::new(codes::UNAUTHORIZED, "send your API key as the header X-WAREST-API-KEY"))
    }
}

/// The session of the path (`{sessionId}`), if it is the caller's.
pub struct OwnSession(pub SessionEntry);

impl FromRequestParts<ApiState> for OwnSession {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|error| ApiError::invalid(error.to_string()))?;
        let id = params.iter().find(|(name, _)| *name == "sessionId").map(|(_, id)| id);
        let id: SessionId = crate::extract::parse("sessionId", id.unwrap_or_default())?;
        caller.session(state, &id).map(Self)
    }
}
