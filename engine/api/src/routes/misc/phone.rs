//! `POST /misc/whatsapp/validate/phone`: whose a number is, and whether it has an
//! account.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Input, required};
use crate::faults::Question;
use crate::knowing::account;
use crate::state::ApiState;
use axum::extract::State;
use serde::Deserialize;
use serde_json::json;
use warest_model::phone::{Phone, PhoneError};

/// Which number.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    session_id: Option<String>,
    phone: Option<String>,
    country: Option<String>,
}

/// Looks it up.
pub async fn post(caller: Caller, State(state): State<ApiState>, ask: Input<Ask>) -> ApiResult {
    let ask = ask.fields;
    let text = required("phone", ask.phone.filter(|phone| !phone.is_empty()))?;
    let phone = match ask.country.as_deref().filter(|country| !country.is_empty()) {
        Some(country) => Phone::parse_within(&text, country),
        None => Phone::parse(&text, &state.engine.config().country_code),
    };
    let phone = phone.map_err(|error| match error {
        PhoneError::Number(_) => ApiError::invalid("Invalid phone number: `phone` takes 5 to 15 digits"),
        PhoneError::Country(_) => ApiError::invalid(format!("`country`: {error}")),
    })?;
    let jid = phone.jid().ok_or_else(|| ApiError::invalid("Invalid phone number"))?;
    let knowing = account(&caller, &state, ask.session_id.as_deref())?;
    let found = knowing.account.on_whatsapp(std::slice::from_ref(&jid)).await;
    let found = found.map_err(|fault| Question::Person.refusal(fault))?.into_iter().next();
    let exists = found.as_ref().is_some_and(|found| found.exists);
    let lid = match found.and_then(|found| found.lid) {
        None if exists => knowing.account.other_name(&jid).await.ok().flatten(),
        told => told,
    };
    let data = json!({
        "exists": exists,
        "e164": phone.e164(),
        "jid": jid,
        "lid": lid,
        "country": phone.country(),
        "isValid": phone.is_valid(),
        "lineType": phone.line(),
    });
    Ok(Reply::new(codes::SUCCESS, "Phone validation complete").results(vec![json!({ "data": data })]))
}
