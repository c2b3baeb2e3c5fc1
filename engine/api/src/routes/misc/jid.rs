//! `POST /misc/whatsapp/validate/jid` and `/misc/whatsapp/resolve/jid-or-lid`: what an
//! address is, whether it is there, and by what other name.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Input, required};
use crate::faults::{Question, is_hidden, is_unknown};
use crate::files::strip_prefix;
use crate::knowing::{account, both};
use crate::state::ApiState;
use axum::extract::State;
use serde::Deserialize;
use serde_json::json;
use warest_model::fault::Fault;
use warest_model::jid::Jid;
use warest_model::phone::Phone;
use warest_pipeline::Account;

/// Which address.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    session_id: Option<String>,
    jid: Option<String>,
    input: Option<String>,
}

/// Whether there is such an account, group or newsletter.
pub async fn validate(caller: Caller, State(state): State<ApiState>, ask: Input<Ask>) -> ApiResult {
    let ask = ask.fields;
    let text = required("jid", ask.jid.filter(|jid| !jid.is_empty()))?;
    let knowing = account(&caller, &state, ask.session_id.as_deref())?;
    let (exists, kind) = match address(&state, &text) {
        Some(jid) => (exists(knowing.account.as_ref(), &jid).await?, kind(&jid)),
        None => (false, "unknown"),
    };
    let data = json!({ "exists": exists, "type": kind });
    Ok(Reply::new(codes::SUCCESS, "JID validation complete").results(vec![json!({ "data": data })]))
}

/// Both names of a person.
pub async fn resolve(caller: Caller, State(state): State<ApiState>, ask: Input<Ask>) -> ApiResult {
    let ask = ask.fields;
    let text = required("input", ask.input.filter(|input| !input.is_empty()))?;
    let knowing = account(&caller, &state, ask.session_id.as_deref())?;
    let found = address(&state, &text);
    let is_person = |jid: &Jid| matches!(jid.server(), "s.whatsapp.net" | "lid");
    let (jid, lid) = match &found {
        Some(jid) if is_person(jid) => both(knowing.account.as_ref(), jid).await,
        other => (other.clone(), None),
    };
    let kind = match found.as_ref().map(kind) {
        Some("user") => "jid",
        other => other.unwrap_or("unknown"),
    };
    let country = jid.as_ref().and_then(Phone::of_jid).and_then(|phone| phone.country().map(str::to_owned));
    let data = json!({ "isValid": found.is_some(), "type": kind, "lid": lid, "jid": jid, "country": country });
    Ok(Reply::new(codes::SUCCESS, "Identifier resolved").results(vec![json!({ "data": data })]))
}

/// A number in any spelling, an address, or `lid:` and digits.
fn address(state: &ApiState, text: &str) -> Option<Jid> {
    let text = text.trim();
    match strip_prefix(text, "lid:") {
        Some(digits) => Jid::from_parts(digits.split('@').next().unwrap_or_default(), "lid").ok(),
        None => state.engine.recipient(text).ok(),
    }
}

fn kind(jid: &Jid) -> &'static str {
    match jid.server() {
        "s.whatsapp.net" => "user",
        "lid" => "lid",
        "g.us" => "group",
        "newsletter" => "newsletter",
        _ if jid.user() == "status" => "status",
        _ => "broadcast",
    }
}

async fn exists(account: &dyn Account, jid: &Jid) -> Result<bool, ApiError> {
    let there = |fault: Fault| match fault {
        fault if is_unknown(&fault) => Ok(false),
        fault if is_hidden(&fault) => Ok(true),
        fault => Err(Question::Other.refusal(fault)),
    };
    match jid.server() {
        "s.whatsapp.net" => {
            let found = account.on_whatsapp(std::slice::from_ref(jid)).await;
            let found = found.map_err(|fault| Question::Person.refusal(fault))?;
            Ok(found.first().is_some_and(|found| found.exists))
        }
        "lid" => match account.other_name(jid).await {
            Ok(other) => Ok(other.is_some()),
            Err(fault) => there(fault),
        },
        "g.us" => account.group(jid).await.map(|_| true).or_else(there),
        "newsletter" => account.newsletter(jid.as_str()).await.map(|_| true).or_else(there),
        // One's own lists are not asked for; the status list is always there.
        _ => Ok(jid.user() == "status"),
    }
}
