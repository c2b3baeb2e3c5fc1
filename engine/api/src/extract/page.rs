//! How much of a list, and from where.

use super::parse_optional;
use crate::envelope::Reply;
use crate::error::ApiError;
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::str::FromStr;
use warest_store::Page;

/// Rows of a page when the client does not say.
const DEFAULT: u32 = 50;
/// Most rows of a page.
const MOST: u32 = 500;

/// `before` and `limit` of a list.
#[derive(Debug, Default, Deserialize)]
pub struct PageQuery {
    before: Option<String>,
    limit: Option<String>,
}

impl PageQuery {
    /// The page; `before` must be an id of type `Id`.
    pub fn page<Id: FromStr<Err: Display> + Display>(&self) -> Result<Page, ApiError> {
        let before = parse_optional::<Id>("before", self.before.as_deref())?.map(|id| id.to_string());
        let limit = parse_optional("limit", self.limit.as_deref())?.unwrap_or(DEFAULT);
        if !(1..=MOST).contains(&limit) {
            return Err(ApiError::invalid(format!("`limit` takes 1 to {MOST}")));
        }
        Ok(Page { before, limit })
    }
}

/// A page as an answer.
pub trait Paged {
    /// With `results`, and `next`: what to send as `before` for the page after
    /// this one, null if this is the last.
    fn page<T: Serialize>(self, rows: Vec<T>, page: &Page, id: impl Fn(&T) -> String) -> Self;
}

impl Paged for Reply {
    fn page<T: Serialize>(self, rows: Vec<T>, page: &Page, id: impl Fn(&T) -> String) -> Self {
        let next = rows.last().filter(|_| rows.len() >= page.limit as usize).map(id);
        self.results(rows).with("next", next)
    }
}
