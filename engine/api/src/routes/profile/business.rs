//! `GET /profile/business-profile`: the pages of businesses.

use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::About;
use crate::faults::Question;
use crate::people::{DEEP, one_or_many, people};
use crate::view::business_json;
use serde::Deserialize;
use serde_json::json;

/// Which numbers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lookup {
    check_numbers: Option<String>,
}

/// Looks them up. One that is no business has a page of nulls.
pub async fn get(about: About<Lookup>) -> ApiResult {
    let numbers = people(&about, "checkNumbers", about.fields.check_numbers.as_deref(), DEEP)?;
    let account = about.account()?;
    let mut pages = Vec::with_capacity(numbers.len());
    for jid in &numbers {
        let page = account.business(jid).await.map_err(|fault| -> ApiError { Question::Person.refusal(fault) })?;
        pages.push(business_json(jid, page.as_ref()));
    }
    let shown = json!({ "data": one_or_many(pages) });
    Ok(Reply::new(codes::SUCCESS, "Business profile fetched").results(vec![shown]))
}
