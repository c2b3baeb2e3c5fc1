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
    text.parse().map_err(|error| ApiError::invalid(format!("`{name}`: {error}")))
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
