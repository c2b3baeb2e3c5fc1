//! The envelope: `{"status", "code", "message", "result" | "results"}`.
//!
//! `status` is false exactly when the HTTP status is 4xx or 5xx. Which of
//! `result` and `results` an operation has is the contract's choice; a refusal
//! without details has `"results": null`.

use crate::codes::Code;
use crate::throttle::Budget;
use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
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
    headers: HeaderMap,
}

impl Reply {
    /// An answer with the code's own HTTP status.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { http: code.status(), code, message: message.into(), fields: Map::new(), headers: HeaderMap::new() }
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

    /// With this `result` instead of what it had; a refusal has none.
    pub fn result_only(mut self, result: impl Serialize) -> Self {
        self.fields.remove("results");
        match self.http.is_client_error() || self.http.is_server_error() {
            true => self.result(Value::Null),
            false => self.result(result),
        }
    }

    /// With the time after which it may be asked again, in seconds.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        self
    }

    /// With the session's quota as headers.
    pub fn quota(mut self, budget: Budget) -> Self {
        budget.put(&mut self.headers, ["x-quota-limit", "x-quota-remaining", "x-quota-reset"]);
        self
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
        (self.http, self.headers, Json(Value::Object(body))).into_response()
    }
}
