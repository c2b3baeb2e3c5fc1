//! `/messages/{messageId}/action/*`: what is done to a message that is there. The
//! history says who wrote it; one that it does not know is taken at its word.

use super::letter::{field, flag, key_of, message_id, recipients, session};
use crate::auth::Caller;
use crate::codes::{self, Code};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Json, Path, required};
use crate::idempotency::RequestBirths;
use crate::sending::{Batch, refusal};
use crate::state::ApiState;
use axum::extract::State;
use serde_json::{Map, Value};
use warest_model::content::Content;
use warest_model::jid::Jid;
use warest_model::plan::{Effect, MessageKey};

type Fields = Map<String, Value>;

/// What is asked, read so far.
struct Ask<'a> {
    caller: Caller,
    state: &'a ApiState,
    births: RequestBirths,
    message: String,
    fields: Fields,
}

impl Ask<'_> {
    /// Queues what `effects` makes of each key, and answers.
    async fn answer(
        self,
        kind: &'static str,
        failed: Code,
        effects: impl Fn(&Jid, MessageKey, &Known) -> Result<Vec<Effect>, ApiError>,
    ) -> ApiResult {
        let message = message_id("messageId", self.message)?;
        let entry = session(&self.caller, self.state, &self.fields)?;
        let recipients = recipients(self.state, field(&self.fields, "to")?)?;
        let mut batch = Batch::new(&entry, &self.births.0, None).of(failed).about(&message);
        for (to, jid) in recipients {
            let found = self.state.engine.store().message(&entry.session.id, Some(&jid), &message).await?;
            let known = Known {
                is_known: found.is_some(),
                is_revoked: found.as_ref().is_some_and(|found| found.message.revoked_ms.is_some()),
            };
            let key = key_of(self.state, &entry, &jid, &message).await?;
            for effect in effects(&jid, key, &known)? {
                batch.queue(self.state, to.clone(), jid.clone(), effect).await?;
            }
        }
        Ok(batch.settle(self.state, &format!("Message {kind} done"), kind).await)
    }
}

/// What the history says of a message.
struct Known {
    is_known: bool,
    is_revoked: bool,
}

/// Puts a star on it.
pub async fn star(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Path(message): Path<String>,
    Json(fields): Json<Fields>,
) -> ApiResult {
    let ask = Ask { caller, state: &state, births, message, fields };
    ask.answer("star", codes::SEND_FAILED, |_, key, _| Ok(vec![Effect::Star { key, on: true }])).await
}

/// Takes its star off.
pub async fn unstar(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Path(message): Path<String>,
    Json(fields): Json<Fields>,
) -> ApiResult {
    let ask = Ask { caller, state: &state, births, message, fields };
    ask.answer("unstar", codes::SEND_FAILED, |_, key, _| Ok(vec![Effect::Star { key, on: false }])).await
}

/// Reacts to it.
pub async fn reaction(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Path(message): Path<String>,
    Json(fields): Json<Fields>,
) -> ApiResult {
    let emoji: String = required("emoji", field::<String>(&fields, "emoji")?.filter(|emoji| !emoji.is_empty()))?;
    if emoji.chars().count() > 32 {
        return Err(ApiError::invalid("`emoji` takes one emoji"));
    }
    let ask = Ask { caller, state: &state, births, message, fields };
    let effects = |to: &Jid, key, _: &Known| Ok(vec![Effect::React { to: to.clone(), key, emoji: emoji.clone() }]);
    ask.answer("reaction", codes::REACTION_FAILED, effects).await
}

/// Takes the reaction off.
pub async fn unreaction(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Path(message): Path<String>,
    Json(fields): Json<Fields>,
) -> ApiResult {
    let ask = Ask { caller, state: &state, births, message, fields };
    let effects = |to: &Jid, key, _: &Known| Ok(vec![Effect::React { to: to.clone(), key, emoji: String::new() }]);
    ask.answer("unreaction", codes::REACTION_FAILED, effects).await
}

/// Removes it from this account; others keep it.
pub async fn delete(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Path(message): Path<String>,
    Json(fields): Json<Fields>,
) -> ApiResult {
    let with_media = if fields.contains_key("withMedia") { flag(&fields, "withMedia")? } else { true };
    let ask = Ask { caller, state: &state, births, message, fields };
    ask.answer("delete", codes::MESSAGE_DELETE_FAILED, |_, key, _| Ok(vec![Effect::Delete { key, with_media }])).await
}

/// Takes it back for everybody.
pub async fn revoke(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Path(message): Path<String>,
    Json(fields): Json<Fields>,
) -> ApiResult {
    let for_me = flag(&fields, "deleteForMe")?;
    let ask = Ask { caller, state: &state, births, message, fields };
    ask.answer("revoke", codes::MESSAGE_DELETE_FAILED, |_, key, known| {
        if known.is_revoked {
            return Err(ApiError::new(codes::MESSAGE_ALREADY_DELETED, "this message was revoked before"));
        }
        let key = own_unless_known(key, known);
        let mut effects = vec![Effect::Revoke { key: key.clone() }];
        if for_me {
            effects.push(Effect::Delete { key, with_media: true });
        }
        Ok(effects)
    })
    .await
}

/// Changes what it says.
pub async fn edit(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Path(message): Path<String>,
    Json(fields): Json<Fields>,
) -> ApiResult {
    let text = required("message", field::<String>(&fields, "message")?)?;
    let content = Content::text(text);
    content.check().map_err(|fault| refusal(&fault, codes::INVALID_PARAMETER))?;
    let ask = Ask { caller, state: &state, births, message, fields };
    ask.answer("edit", codes::MESSAGE_EDIT_NOT_ALLOWED, |_, key, known| {
        let key = own_unless_known(key, known);
        if !key.from_me {
            let message = "only messages of this account can be edited";
            return Err(ApiError::new(codes::MESSAGE_EDIT_NOT_ALLOWED, message));
        }
        if known.is_revoked {
            return Err(ApiError::new(codes::MESSAGE_ALREADY_DELETED, "this message was revoked"));
        }
        Ok(vec![Effect::Edit { key, content: content.clone() }])
    })
    .await
}

/// Tells its sender that it was read.
pub async fn mark_as_read(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Path(message): Path<String>,
    Json(fields): Json<Fields>,
) -> ApiResult {
    let ask = Ask { caller, state: &state, births, message, fields };
    ask.answer("mark-as-read", codes::CHAT_MARK_READ_FAILED, |_, key, _| Ok(vec![Effect::Read { keys: vec![key] }]))
        .await
}

/// One that the history does not know can only be the account's own, if it is to
/// be changed for others.
fn own_unless_known(key: MessageKey, known: &Known) -> MessageKey {
    MessageKey { from_me: key.from_me || !known.is_known, ..key }
}
