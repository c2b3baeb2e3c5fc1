//! Refusals: what an endpoint answers when it does not do what it was asked.
//!
//! Every failure of the engine, and every request that cannot be read, becomes
//! an [`ApiError`] here: a code of the contract and a message that says what to
//! do. What is internal is logged and not told.

use crate::codes::{self, Code};
use crate::envelope::Reply;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use warest_model::fault::{Fault, FaultKind, OVERLIMIT};
use warest_pipeline::EngineError;
use warest_store::StoreError;

/// What an endpoint answers with.
pub type ApiResult = Result<Reply, ApiError>;

/// Longest message, in characters: some quote what the client sent.
const MESSAGE_CHARS: usize = 500;
/// Seconds after which something busy may be asked again.
const BUSY_RETRY_AFTER: u64 = 1;

/// A refusal.
#[derive(Debug)]
pub struct ApiError {
    code: Code,
    message: String,
    fields: Vec<(&'static str, Value)>,
    retry_after: Option<u64>,
}

impl ApiError {
    /// A refusal with a code and a sentence that says what to do.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let mut message: String = message.into();
        if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS) {
            message.truncate(end);
            message.push('…');
        }
        Self { code, message, fields: Vec::new(), retry_after: None }
    }

    /// A field is missing.
    pub fn missing(field: &str) -> Self {
        match field {
            "sessionId" => Self::new(codes::SESSION_REQUIRED, "sessionId is required"),
            other => Self::new(codes::MISSING_PARAMETER, format!("{other} is required")),
        }
    }

    /// A field is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(codes::INVALID_PARAMETER, message)
    }

    /// There is no such thing.
    pub fn not_found(what: &str) -> Self {
        Self::new(codes::NOT_FOUND, format!("{what} was not found"))
    }

    /// There is no open account behind the session.
    pub fn not_open() -> Self {
        Self::new(codes::SESSION_NOT_LOGGED_IN, "Login required (scan QR or pairing)")
    }

    /// Its code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What it says.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// With one more field of the envelope.
    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.fields.push((name, value));
        self
    }

    /// With the time after which it may be asked again.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut reply = Reply::new(self.code, self.message);
        for (name, value) in self.fields {
            reply = reply.with(name, value);
        }
        let mut response = reply.into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let message = error.to_string();
        match error {
            EngineError::NotFound(_) => Self::new(codes::NOT_FOUND, message),
            EngineError::Exists(_) => Self::new(codes::CONFLICT, message),
            EngineError::Forbidden(_) => Self::new(codes::FORBIDDEN, message),
            EngineError::Invalid(_) => Self::new(codes::INVALID_PARAMETER, message),
            EngineError::State(_) => Self::new(codes::INVALID_STATE, message),
            EngineError::Action(fault) | EngineError::Plugin(fault) => refused(&fault),
            EngineError::Script { line, column, message: what } => Self::new(codes::UNPROCESSABLE_ENTITY, message)
                .with("result", json!({ "line": line, "column": column, "error": what })),
            EngineError::Full { retry_after } => Self::new(codes::SESSION_BUSY, message).retry_after(retry_after),
            EngineError::Preflight(why) => Self::new(codes::BAD_REQUEST, "Webhook preflight failed")
                .with("results", json!([{ "results": [{ "ok": false, "error": why }] }])),
            EngineError::NotOpen => Self::not_open(),
            EngineError::Link(fault) => link(&fault),
            EngineError::Files(why) => {
                tracing::error!(why, "a file could not be kept");
                Self::new(codes::INTERNAL_ERROR, "the file could not be kept; see the server's log")
            }
            EngineError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { what } => Self::not_found(what),
            StoreError::Exists { what } => Self::new(codes::CONFLICT, format!("{what} exists already")),
            StoreError::Stale { what } => {
                Self::new(codes::INVALID_STATE, format!("{what} was just changed; try again"))
            }
            StoreError::Closed => {
                Self::new(codes::SERVICE_UNAVAILABLE, "the server is shutting down").retry_after(BUSY_RETRY_AFTER)
            }
            StoreError::Corrupt { .. } | StoreError::WrongKey | StoreError::Database(_) => {
                tracing::error!(%error, "the store failed");
                Self::new(codes::DATABASE_ERROR, "the store failed; try again, and see the server's log")
            }
        }
    }
}

/// A guest or an action list that was refused, or failed by itself.
fn refused(fault: &Fault) -> ApiError {
    let code = match (fault.kind, fault.code.as_str()) {
        (FaultKind::Retry, _) => {
            return ApiError::new(codes::CONCURRENCY_LIMIT, fault.message.as_str()).retry_after(BUSY_RETRY_AFTER);
        }
        (_, "recipient_invalid" | "recipient_missing") => codes::RECIPIENT_INVALID,
        (_, "text_too_long") => codes::MESSAGE_TOO_LONG,
        (_, "action_unsupported") => codes::UNSUPPORTED_OPERATION,
        (_, code) if code.starts_with("script") || code.starts_with("plugin") || code.starts_with("guest") => {
            codes::UNPROCESSABLE_ENTITY
        }
        _ => codes::INVALID_PARAMETER,
    };
    ApiError::new(code, fault.message.as_str()).with("result", json!({ "error": fault.code }))
}

/// The session's connection refused.
fn link(fault: &Fault) -> ApiError {
    let code = match (fault.kind, fault.code.as_str()) {
        (_, "not_connected") => codes::SESSION_CLOSED,
        (_, OVERLIMIT) => codes::RATE_LIMITED,
        (_, "phone_invalid") => codes::INVALID_PARAMETER,
        (_, "already_paired") => codes::INVALID_STATE,
        (_, "session_deleted") => codes::SESSION_NOT_FOUND,
        (_, "logged_out") => codes::SESSION_NOT_LOGGED_IN,
        (FaultKind::Retry | FaultKind::Unknown, _) => codes::NETWORK_ERROR,
        (FaultKind::Fail, _) => codes::DOWNSTREAM_ERROR,
    };
    ApiError::new(code, fault.message.as_str())
}
