//! What requests are read with: like axum's extractors, but a request that
//! cannot be read is refused in the contract's envelope and names the field.

mod fields;
mod form;
mod json;
mod moment;
mod page;
mod params;
mod session;
mod upload;
mod values;

pub use fields::{Fields, Input};
pub use form::{Form, written_source};
pub use json::{Json, OptionalJson};
pub use moment::Moment;
pub use page::{PageQuery, Paged};
pub use params::{Path, Query};
pub use session::{About, AboutGroup, group_address, required_flag};
pub use upload::Upload;
pub use values::{Flag, OneOrMany, Whole, Word, nullable};

use crate::error::ApiError;
use std::fmt::Display;
use std::str::FromStr;

/// A field that must be there.
pub fn required<T>(name: &str, value: Option<T>) -> Result<T, ApiError> {
    value.ok_or_else(|| ApiError::missing(name))
}

/// Reads a field from its text form.
pub fn parse<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|error| misread(name, &error))
}

/// Refuses a field that could not be read: says what it takes, since a client knows
/// nothing of the types that it is read as.
pub fn misread(name: &str, error: &impl Display) -> ApiError {
    let why = error.to_string();
    ApiError::invalid(match taken(&why) {
        Some(what) => format!("`{name}` is {what}"),
        None => format!("`{name}`: {why}"),
    })
}

/// What a field takes, where the error has nothing but the name of a type for it.
fn taken(why: &str) -> Option<&'static str> {
    let expected = why.rsplit_once(", expected ").map_or(why, |(_, expected)| expected);
    Some(match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8"
        | "i16"
        | "i32"
        | "i64"
        | "isize"
        | "a whole number"
        | "invalid digit found in string"
        | "cannot parse integer from empty string" => "a whole number",
        "number too large to fit in target type" => "a smaller whole number",
        "number too small to fit in target type" => "a larger whole number",
        "f32" | "f64" | "invalid float literal" | "cannot parse float from empty string" => "a number",
        "a boolean" | "true or false" | "provided string was not `true` or `false`" => "true or false",
        "a string" | "a borrowed string" => "a text",
        "a sequence" => "a list",
        other if other == "a map" || other.starts_with("struct ") => "an object",
        _ => return None,
    })
}

/// Reads a field that must be there from its text form.
pub fn parse_required<T: FromStr<Err: Display>>(name: &str, text: Option<&str>) -> Result<T, ApiError> {
    let text = text.filter(|text| !text.is_empty());
    parse(name, required(name, text)?)
}

/// Reads a field from its text form, if it is there.
pub fn parse_optional<T: FromStr<Err: Display>>(name: &str, text: Option<&str>) -> Result<Option<T>, ApiError> {
    text.filter(|text| !text.is_empty()).map(|text| parse(name, text)).transpose()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize)]
    struct Body {
        #[allow(dead_code)]
        count: Option<u64>,
        #[allow(dead_code)]
        name: Option<String>,
        #[allow(dead_code)]
        inner: Option<Box<Body>>,
    }

    #[test]
    fn what_a_field_takes_is_said_without_types() {
        for (body, what) in [
            (json!({ "count": "x, expected y" }), Some("a whole number, 0 or more")),
            (json!({ "count": -1 }), Some("a whole number, 0 or more")),
            (json!({ "count": 1.5 }), Some("a whole number, 0 or more")),
            (json!({ "name": 5 }), Some("a text")),
            (json!({ "inner": 5 }), Some("an object")),
        ] {
            let why = serde_json::from_value::<Body>(body.clone()).unwrap_err().to_string();
            assert_eq!(taken(&why), what, "{body}: {why}");
        }
        assert_eq!(taken(&"12x".parse::<i64>().unwrap_err().to_string()), Some("a whole number"));
        assert_eq!(taken(&"".parse::<u32>().unwrap_err().to_string()), Some("a whole number"));
        assert_eq!(taken(&"99999999999".parse::<u32>().unwrap_err().to_string()), Some("a smaller whole number"));
        assert_eq!(taken("unknown variant `x`, expected `a` or `b`"), None);
    }
}
