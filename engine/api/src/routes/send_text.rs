//! `POST|GET /messages/send/text`: sends a text to one recipient or several.
//!
//! Each recipient has a job of its own, durable before this answers. It answers
//! when all have ended, or after a while with what is still queued.

use crate::auth::Caller;
use crate::codes;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Flag, Json, Moment, OneOrMany, Query, parse_required, required};
use crate::idempotency::RequestBirths;
use crate::sending::{Batch, text_of};
use crate::state::ApiState;
use axum::extract::State;
use serde::Deserialize;
use warest_model::birth::Births;
use warest_model::content::Content;
use warest_model::jid::Jid;
use warest_model::limits::RECIPIENTS;
use warest_model::plan::{Effect, MessageKey, PresenceState};

/// Longest message id, in bytes.
const ID_BYTES: usize = 128;

/// What to send.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    session_id: Option<String>,
    to: Option<OneOrMany>,
    message: Option<String>,
    text: Option<String>,
    presence: Option<Flag>,
    reply_message_id: Option<String>,
    schedule_at: Option<Moment>,
    // `isForwarded` is read by nobody yet; the answer says that it was not.
}

/// The contract's form.
pub async fn post(
    caller: Caller,
    State(state): State<ApiState>,
    RequestBirths(births): RequestBirths,
    Json(letter): Json<Letter>,
) -> ApiResult {
    send(&caller, &state, &births, letter).await
}

/// The same in the query, for clients that can do no other.
pub async fn get(
    caller: Caller,
    State(state): State<ApiState>,
    RequestBirths(births): RequestBirths,
    Query(letter): Query<Letter>,
) -> ApiResult {
    send(&caller, &state, &births, letter).await
}

async fn send(caller: &Caller, state: &ApiState, births: &Births, letter: Letter) -> ApiResult {
    let id = parse_required("sessionId", letter.session_id.as_deref())?;
    let entry = caller.session(state, &id)?;
    let recipients = recipients(state, letter.to)?;
    let text = text_of("message", letter.message.or(letter.text))?;
    let reply_to = letter.reply_message_id.filter(|id| !id.is_empty());
    if reply_to.as_ref().is_some_and(|id| id.len() > ID_BYTES) {
        return Err(ApiError::invalid(format!("`replyMessageId` takes {ID_BYTES} bytes")));
    }
    let now = state.now_ms();
    let at_ms = letter.schedule_at.map(|at| at.within_a_year("scheduleAt", now)).transpose()?;
    let typing = letter.presence.unwrap_or_default().0;

    let mut batch = Batch::new(&entry, births, reply_to.as_deref(), at_ms);
    for (to, jid) in recipients {
        if typing {
            // Shown or not, the text goes out; nobody waits for it.
            let presence = Effect::Presence { state: PresenceState::Composing, to: Some(jid.clone()) };
            let _ = state.engine.send(&entry, births, presence, at_ms).await;
        }
        let quoted = reply_to.clone().map(|id| quote(&jid, id));
        let effect = Effect::Message {
            to: jid.clone(),
            content: Content::text(text.clone()),
            mentions: Vec::new(),
            quoted,
            forwarded: false,
        };
        batch.queue(state, to, jid, effect).await?;
    }
    Ok(batch.settle(state, "Text message sent", "text").await)
}

fn quote(chat: &Jid, id: String) -> MessageKey {
    MessageKey { remote_jid: chat.clone(), from_me: false, id, participant: None }
}

/// The recipients as written and as addresses, each once.
fn recipients(state: &ApiState, to: Option<OneOrMany>) -> Result<Vec<(String, Jid)>, ApiError> {
    let to = required("to", to.filter(|to| !to.0.is_empty()))?.0;
    if to.len() > RECIPIENTS {
        return Err(ApiError::invalid(format!("`to` takes at most {RECIPIENTS} recipients")));
    }
    let mut recipients: Vec<(String, Jid)> = Vec::with_capacity(to.len());
    for text in to {
        let jid = state
            .engine
            .recipient(&text)
            .map_err(|error| ApiError::new(codes::RECIPIENT_INVALID, format!("`to`: {error}")))?;
        if recipients.iter().all(|(_, known)| *known != jid) {
            recipients.push((text, jid));
        }
    }
    Ok(recipients)
}
