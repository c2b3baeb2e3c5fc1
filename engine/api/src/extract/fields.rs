//! The fields of a request, wherever the client put them: in a JSON object, in a
//! form, or in the query if there is no body. A `GET` has its query alone.

use super::json::{check_content_type, content_type, read_body, read_json};
use super::misread;
use super::upload::unreadable;
use crate::codes;
use crate::error::ApiError;
use crate::state::ApiState;
use axum::extract::multipart::Multipart;
use axum::extract::{FromRequest, Request};
use axum::http::Method;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::form_urlencoded;

/// Most fields of a query or a form.
const FIELDS: usize = 2_000;
/// The parts of a form that are files.
const FILES: [&str; 2] = ["picture", "file"];

/// The fields of a request.
pub struct Fields {
    query: Value,
    body: Option<Body>,
    /// The file of a form.
    pub upload: Option<Bytes>,
}

enum Body {
    Json(Bytes),
    Form(Value),
}

impl Fields {
    /// Reads the body up to the route's limit.
    pub async fn of(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let query = texts(form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()))?;
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return Ok(Self { query, body: None, upload: None });
        }
        if content_type(request.headers()) == "multipart/form-data" {
            let (form, upload) = read_form(request, state).await?;
            return Ok(Self { query, body: Some(Body::Form(form)), upload });
        }
        let checked = check_content_type(request.headers());
        let bytes = read_body(request, state).await?;
        let body = match bytes.is_empty() {
            true => None,
            false => checked.map(|()| Some(Body::Json(bytes)))?,
        };
        Ok(Self { query, body, upload: None })
    }

    /// The fields that `T` knows.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        match &self.body {
            Some(Body::Json(bytes)) => read_json(bytes),
            Some(Body::Form(form)) => read_value(form),
            None => read_value(&self.query),
        }
    }

    /// Those of the query alone.
    pub fn read_query<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        read_value(&self.query)
    }
}

/// A request with fields that is about no session, or names it itself.
pub struct Input<T> {
    /// The fields.
    pub fields: T,
    /// The file of a form.
    pub upload: Option<Bytes>,
}

impl<T: DeserializeOwned> FromRequest<ApiState> for Input<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let fields = Fields::of(request, state).await?;
        Ok(Self { fields: fields.read()?, upload: fields.upload })
    }
}

fn read_value<T: DeserializeOwned>(fields: &Value) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(fields).map_err(|error| {
        let path = error.path().to_string();
        misread(&path, &error.into_inner())
    })
}

/// Texts by their names; a name that comes again makes a list.
fn texts(pairs: impl Iterator<Item = (impl AsRef<str>, impl Into<String>)>) -> Result<Value, ApiError> {
    let mut fields = Map::new();
    for (count, (name, text)) in pairs.enumerate() {
        if count == FIELDS {
            return Err(ApiError::invalid(format!("at most {FIELDS} fields")));
        }
        add(&mut fields, name.as_ref(), text.into());
    }
    Ok(Value::Object(fields))
}

fn add(fields: &mut Map<String, Value>, name: &str, text: String) {
    // Forms and queries write lists as `name` or `name[]`.
    let name = name.strip_suffix("[]").unwrap_or(name);
    match fields.get_mut(name) {
        None => drop(fields.insert(name.to_owned(), Value::String(text))),
        Some(Value::Array(list)) => list.push(Value::String(text)),
        Some(one) => *one = Value::Array(vec![one.take(), Value::String(text)]),
    }
}

async fn read_form(request: Request, state: &ApiState) -> Result<(Value, Option<Bytes>), ApiError> {
    let mut form = Multipart::from_request(request, state)
        .await
        .map_err(|error| ApiError::new(codes::BAD_REQUEST, error.body_text()))?;
    let (mut fields, mut upload, mut count) = (Map::new(), None, 0);
    while let Some(field) = form.next_field().await.map_err(|error| unreadable(&error))? {
        count += 1;
        if count > FIELDS {
            return Err(ApiError::invalid(format!("at most {FIELDS} fields")));
        }
        let name = field.name().unwrap_or_default().to_owned();
        if field.file_name().is_some() && FILES.contains(&name.as_str()) {
            upload = Some(field.bytes().await.map_err(|error| unreadable(&error))?);
        } else {
            add(&mut fields, &name, field.text().await.map_err(|error| unreadable(&error))?);
        }
    }
    Ok((Value::Object(fields), upload))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_name_that_comes_again_makes_a_list() {
        let pairs = [("to", "1"), ("to", "2"), ("to[]", "3"), ("x", "y")];
        assert_eq!(texts(pairs.into_iter()).unwrap(), json!({ "to": ["1", "2", "3"], "x": "y" }));
        let many = (0..=FIELDS).map(|_| ("a", "b"));
        assert_eq!(texts(many).unwrap_err().code(), codes::INVALID_PARAMETER);
    }
}
