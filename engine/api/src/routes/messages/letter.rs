//! What the send operations have in common: to whom, in answer to what, when;
//! and the one way from a content to its jobs.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::ApiError;
use crate::extract::{Form, Moment, OneOrMany, parse_required, required};
use crate::sending::{Batch, refusal};
use crate::state::ApiState;
use serde::Deserialize;
use serde_json::{Map, Value};
use warest_model::action::{ActionContext, parse_content};
use warest_model::birth::Births;
use warest_model::clock::Millis;
use warest_model::content::Content;
use warest_model::jid::Jid;
use warest_model::limits::RECIPIENTS;
use warest_model::plan::{Effect, MessageKey, PresenceState};
use warest_pipeline::directory::SessionEntry;

/// Longest message id, in bytes.
const ID_BYTES: usize = 128;
/// Most people named in one message.
const MENTIONS: usize = 256;

/// To whom, in answer to what, when.
pub struct Letter {
    /// The session that sends it.
    pub entry: SessionEntry,
    recipients: Vec<(String, Jid)>,
    typing: bool,
    reply_to: Option<String>,
    forwarded: bool,
    mentions: Vec<Jid>,
    at_ms: Option<Millis>,
}

impl Letter {
    /// Reads it from the fields that all send operations take.
    pub fn read(caller: &Caller, state: &ApiState, fields: &Map<String, Value>) -> Result<Self, ApiError> {
        let entry = session(caller, state, fields)?;
        let recipients = recipients(state, field(fields, "to")?)?;
        let at: Option<Moment> = field(fields, "scheduleAt")?;
        let at_ms = at.map(|at| at.within_a_year("scheduleAt", state.now_ms())).transpose()?;
        let mentions: Option<OneOrMany<MENTIONS>> = field(fields, "mentions")?;
        let mentions = mentions.unwrap_or_default().0;
        let mentions = mentions.iter().map(|text| address(state, "mentions", text)).collect::<Result<_, _>>()?;
        Ok(Self {
            entry,
            recipients,
            typing: flag(fields, "presence")?,
            reply_to: reply_to(fields)?,
            forwarded: flag(fields, "isForwarded")?,
            mentions,
            at_ms,
        })
    }

    /// Queues `contents` for each recipient, waits a while, and answers. `kind`
    /// is what the results call it.
    pub async fn send(
        self,
        state: &ApiState,
        births: &Births,
        contents: Vec<Said>,
        kind: &'static str,
    ) -> Result<Reply, ApiError> {
        let mut batch = Batch::new(&self.entry, births, self.at_ms).of(codes::SEND_FAILED);
        for (to, jid) in &self.recipients {
            if self.typing {
                // Shown or not, the message goes out; nobody waits for it.
                let presence = Effect::Presence { state: PresenceState::Composing, to: Some(jid.clone()) };
                let _ = state.engine.send(&self.entry, births, presence, self.at_ms).await;
            }
            for said in &contents {
                let reply_to = said.reply_to.as_ref().or(self.reply_to.as_ref());
                let quoted = match reply_to {
                    Some(id) => Some(key_of(state, &self.entry, jid, id).await?),
                    None => None,
                };
                let effect = Effect::Message {
                    to: jid.clone(),
                    content: said.content.clone(),
                    mentions: self.mentions.clone(),
                    quoted,
                    forwarded: self.forwarded,
                };
                batch.queue(state, to.clone(), jid.clone(), effect).await?;
            }
        }
        let mut name = kind.chars();
        let title: String = name.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(name).collect();
        Ok(batch.settle(state, &format!("{title} message sent"), kind).await)
    }
}

/// One message to each recipient.
pub struct Said {
    /// What it says.
    pub content: Content,
    /// The message it answers, where it differs from the others'.
    pub reply_to: Option<String>,
}

impl From<Content> for Said {
    fn from(content: Content) -> Self {
        Self { content, reply_to: None }
    }
}

/// The session that the fields name.
pub fn session(caller: &Caller, state: &ApiState, fields: &Map<String, Value>) -> Result<SessionEntry, ApiError> {
    let id = parse_required("sessionId", field::<String>(fields, "sessionId")?.as_deref())?;
    caller.session(state, &id)
}

/// The content that the send action `name` makes of these fields.
pub fn content(state: &ApiState, name: &str, fields: &Map<String, Value>) -> Result<Content, ApiError> {
    let context = ActionContext { country_code: state.engine.config().country_code.clone(), chat: None };
    parse_content(name, fields, &context).map_err(|fault| refusal(&fault, codes::INVALID_PARAMETER))
}

/// A field, read as what it should be; `None` if it is absent.
pub fn field<'a, T: Deserialize<'a>>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<T>, ApiError> {
    match fields.get(name).filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => T::deserialize(value).map(Some).map_err(|error| crate::extract::misread(name, &error)),
    }
}

/// A yes or no; no if it is absent.
pub fn flag(fields: &Map<String, Value>, name: &str) -> Result<bool, ApiError> {
    Ok(field::<crate::extract::Flag>(fields, name)?.unwrap_or_default().0)
}

/// The key of a message, as the history knows it; a guess if it does not.
pub async fn key_of(state: &ApiState, entry: &SessionEntry, chat: &Jid, id: &str) -> Result<MessageKey, ApiError> {
    let known = state.engine.store().message(&entry.session.id, Some(chat), id).await?;
    Ok(known.map_or_else(
        || MessageKey { remote_jid: chat.clone(), from_me: false, id: id.to_owned(), participant: None },
        |known| known.message.key,
    ))
}

/// A message id, if it can be one.
pub fn message_id(name: &str, id: String) -> Result<String, ApiError> {
    if (1..=ID_BYTES).contains(&id.len()) {
        Ok(id)
    } else {
        Err(ApiError::invalid(format!("`{name}` takes 1 to {ID_BYTES} bytes")))
    }
}

fn reply_to(fields: &Map<String, Value>) -> Result<Option<String>, ApiError> {
    let id: Option<String> = field(fields, "replyMessageId")?;
    id.filter(|id| !id.is_empty()).map(|id| message_id("replyMessageId", id)).transpose()
}

/// An address in any spelling.
pub fn address(state: &ApiState, name: &str, text: &str) -> Result<Jid, ApiError> {
    state.engine.recipient(text).map_err(|error| ApiError::new(codes::RECIPIENT_INVALID, format!("`{name}`: {error}")))
}

/// The recipients as written and as addresses, each once.
pub fn recipients(state: &ApiState, to: Option<OneOrMany>) -> Result<Vec<(String, Jid)>, ApiError> {
    let to = required("to", to.filter(|to| !to.0.is_empty()))?.0;
    if to.len() > RECIPIENTS {
        return Err(ApiError::invalid(format!("`to` takes at most {RECIPIENTS} recipients")));
    }
    let mut recipients: Vec<(String, Jid)> = Vec::with_capacity(to.len());
    for text in to {
        let jid = address(state, "to", &text)?;
        if recipients.iter().all(|(_, known)| *known != jid) {
            recipients.push((text, jid));
        }
    }
    Ok(recipients)
}

/// The fields of a form, for its files see [`Form::source`].
pub fn with_source(form: &Form, source: warest_model::content::MediaSource) -> Map<String, Value> {
    let mut fields = form.fields.clone();
    for name in ["url", "mediaId", "webpUrl", "imageUrl"] {
        fields.remove(name);
    }
    match source {
        warest_model::content::MediaSource::Url(url) => fields.insert("url".to_owned(), url.into()),
        warest_model::content::MediaSource::Stored(id) => fields.insert("mediaId".to_owned(), id.to_string().into()),
    };
    fields
}
