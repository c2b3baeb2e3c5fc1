//! `GET|POST /session/create`: adds a session, or connects the one that is
//! there, and waits a little for the QR code to scan.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{OptionalJson, Query, parse, parse_optional, parse_required};
use crate::state::ApiState;
use crate::view::{iso, qr_fields, webhook_fields};
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use ulid::Ulid;
use warest_model::id::SessionId;
use warest_model::session::SessionState;
use warest_pipeline::EngineError;
use warest_pipeline::directory::SessionEntry;
use warest_pipeline::engine::NewSession;

/// Which session.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wish {
    session_id: Option<String>,
    label: Option<String>,
}

/// The contract's form: needs a `sessionId`.
pub async fn get(caller: Caller, State(state): State<ApiState>, Query(wish): Query<Wish>) -> ApiResult {
    let id = parse_required("sessionId", wish.session_id.as_deref())?;
    create(&caller, &state, id, wish.label).await
}

/// Ours: gives the session a name if the client does not.
pub async fn post(
    caller: Caller,
    State(state): State<ApiState>,
    Query(query): Query<Wish>,
    OptionalJson(body): OptionalJson<Wish>,
) -> ApiResult {
    let named = body.session_id.or(query.session_id);
    let id = match parse_optional("sessionId", named.as_deref())? {
        Some(id) => id,
        None => new_name(&state)?,
    };
    create(&caller, &state, id, body.label.or(query.label)).await
}

async fn create(caller: &Caller, state: &ApiState, id: SessionId, label: Option<String>) -> ApiResult {
    let entry = open_or_create(caller, state, id, label).await?;
    let wait = state.config.qr_wait;
    let shown = |state: SessionState, qr: bool| state == SessionState::Open || qr;
    let status = state.engine.wait_status(&entry, wait, |now| shown(now.state, now.qr.is_some())).await;
    let mut result = describe(state, &entry);
    result["status"] = json!(status.state);
    let (code, message) = match (&status.qr, status.state) {
        (_, SessionState::Open) => (codes::SESSION_OPEN, "Session already open"),
        (Some(qr), _) => {
            for (name, value) in qr_fields(&qr.text, qr.expires_ms, state.now_ms()) {
                result[name] = value;
            }
            (codes::SESSION_QR_REQUIRED, "Scan the QR to continue")
        }
        (None, _) => (codes::SESSION_LOGIN_PENDING, "Session is connecting; ask again for the QR"),
    };
    // The contract answers 200 also where a QR is to be scanned.
    let http = if code == codes::SESSION_LOGIN_PENDING { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok(Reply::new(code, message).http(http).results(vec![result]))
}

/// The session with this name, made if there is none, on its way to be open.
pub async fn open_or_create(
    caller: &Caller,
    state: &ApiState,
    id: SessionId,
    label: Option<String>,
) -> Result<SessionEntry, ApiError> {
    let entry = match state.engine.session(&id) {
        Some(_) => start(caller, state, &id, label).await?,
        None => {
            let new = NewSession { id, label: label.unwrap_or_default() };
            let created = state.engine.create_session(&caller.user, new).await;
            created.map_err(|error| match error {
                EngineError::Exists(_) => ApiError::new(codes::SESSION_ALREADY_EXISTS, "Session already exists"),
                other => other.into(),
            })?
        }
    };
    caller.about(&entry);
    Ok(entry)
}

async fn start(
    caller: &Caller,
    state: &ApiState,
    id: &SessionId,
    label: Option<String>,
) -> Result<SessionEntry, ApiError> {
    let mut entry = caller.session(state, id)?;
    if let Some(label) = label.filter(|label| *label != entry.session.label) {
        state.engine.relabel_session(&entry, label.clone()).await?;
        entry.session.label = label;
    }
    state.engine.start_session(&entry).await?;
    Ok(entry)
}

fn describe(state: &ApiState, entry: &SessionEntry) -> Value {
    let mut result = json!({
        "registryUser": entry.owner.id,
        "sessionId": entry.session.id,
        "label": entry.session.label,
        "createdAt": iso(entry.session.created_ms),
    });
    for (name, value) in webhook_fields(&state.engine.targets(entry)) {
        result[name] = value;
    }
    result
}

fn new_name(state: &ApiState) -> Result<SessionId, ApiError> {
    let ulid = Ulid::from_parts(state.now_ms().max(0) as u64, rand::random());
    parse("sessionId", &format!("session-{ulid}").to_ascii_lowercase())
}
