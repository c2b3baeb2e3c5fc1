//! The envelope: `{"status", "code", "message", "result" | "results"}`.
//!
//! `status` is false exactly when the HTTP status is 4xx or 5xx. Which of
//! `result` and `results` an operation has is the contract's choice; a refusal
//! without details has `"results": null`.

use crate::codes::Code;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

/// An answer in the envelope.
#[derive(Debug)]
pub struct Reply {
    http: StatusCode,
    code: Code,
    message: String,
    fields: Map<String, Value>,
}

impl Reply {
    /// An answer with the code's own HTTP status.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { http: code.status(), code, message: message.into(), fields: Map::new() }
    }

    /// Another HTTP status than the code's own.
    pub fn http(mut self, status: StatusCode) -> Self {
        self.http = status;
        self
    }

    /// With one `result`.
    pub fn result(self, result: impl Serialize) -> Self {
        self.with("result", result)
    }

    /// With a list of `results`.
    pub fn results<T: Serialize>(self, results: Vec<T>) -> Self {
        self.with("results", results)
    }

    /// With one more field of the envelope.
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        // What is put in here has text keys and finite numbers only, so it always
        // has a JSON form.
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.fields.insert(name.to_owned(), value);
        self
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let refused = self.http.is_client_error() || self.http.is_server_error();
        let mut body = Map::new();
        body.insert("status".to_owned(), (!refused).into());
        body.insert("code".to_owned(), self.code.number.into());
        body.insert("message".to_owned(), self.message.into());
        if !self.fields.contains_key("result") && !self.fields.contains_key("results") {
            body.insert("results".to_owned(), Value::Null);
        }
        body.extend(self.fields);
        (self.http, Json(Value::Object(body))).into_response()
    }
}
