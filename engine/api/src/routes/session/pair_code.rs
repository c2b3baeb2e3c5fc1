//! `GET|POST /session/create/pair-code`: adds a session, or takes the one that is
//! there, and answers the code to type into the phone with this number.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{OptionalJson, Query, parse_required, required};
use crate::routes::session::create::open_or_create;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use warest_model::fault::NOT_CONNECTED;
use warest_model::jid::Jid;
use warest_model::session::SessionState;
use warest_pipeline::EngineError;

/// Characters between two dashes of a code.
const GROUP: usize = 4;

/// Which session, and the phone to pair it with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wish {
    session_id: Option<String>,
    phone: Option<String>,
    label: Option<String>,
}

/// The contract's form.
pub async fn get(caller: Caller, State(state): State<ApiState>, Query(wish): Query<Wish>) -> ApiResult {
    pair(&caller, &state, wish).await
}

/// The same with a body.
pub async fn post(
    caller: Caller,
    State(state): State<ApiState>,
    Query(query): Query<Wish>,
    OptionalJson(body): OptionalJson<Wish>,
) -> ApiResult {
    let wish = Wish {
        session_id: body.session_id.or(query.session_id),
        phone: body.phone.or(query.phone),
        label: body.label.or(query.label),
    };
    pair(&caller, &state, wish).await
}

async fn pair(caller: &Caller, state: &ApiState, wish: Wish) -> ApiResult {
    let id = parse_required("sessionId", wish.session_id.as_deref())?;
    let phone = number(state, &required("phone", wish.phone.filter(|phone| !phone.is_empty()))?)?;
    let entry = open_or_create(caller, state, id, wish.label).await?;
    // A code can be asked for once the server has begun to pair.
    let begun = |state: SessionState, qr: bool| state == SessionState::Open || qr;
    let wait = state.config.qr_wait;
    let status = state.engine.wait_status(&entry, wait, |now| begun(now.state, now.qr.is_some())).await;
    let mut result = json!({ "registryUser": entry.owner.id, "sessionId": entry.session.id, "status": status.state, "pairCode": "" });
    if status.state == SessionState::Open {
        return Ok(Reply::new(codes::SESSION_OPEN, "Session already open").results(vec![result]));
    }
    match state.engine.pair_code(&entry, &phone).await {
        Ok(code) => {
            result["pairCode"] = json!(grouped(&code));
            Ok(Reply::new(codes::SUCCESS, "Pair code generated").results(vec![result]))
        }
        Err(EngineError::Link(fault)) if fault.code == NOT_CONNECTED => {
            let reply = Reply::new(codes::SESSION_LOGIN_PENDING, "Pair code pending").http(StatusCode::ACCEPTED);
            Ok(reply.results(vec![result]))
        }
        Err(error) => Err(error.into()),
    }
}

fn number(state: &ApiState, text: &str) -> Result<Jid, ApiError> {
    let jid = state.engine.recipient(text).map_err(|error| ApiError::invalid(format!("`phone`: {error}")))?;
    match jid.server() {
        "s.whatsapp.net" => Ok(jid),
        _ => Err(ApiError::invalid("`phone` is the number of the phone to pair with")),
    }
}

/// A code as people read it: `XXXX-XXXX`.
fn grouped(code: &str) -> String {
    let letters: Vec<char> = code.chars().filter(char::is_ascii_alphanumeric).collect();
    let groups: Vec<String> = letters.chunks(GROUP).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_shown_in_two_groups() {
        for code in ["ABCD1234", "ABCD-1234", "ABCD 1234"] {
            assert_eq!(grouped(code), "ABCD-1234");
        }
    }
}
