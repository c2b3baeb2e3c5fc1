//! What a plugin is told.

use crate::bindings::EventInput;
use crate::plan::Key;
use serde_json::Value;

/// One event.
#[derive(Debug, Clone)]
pub struct Event {
    /// `message_received`, …
    pub name: String,
    /// `evt_` and a ULID.
    pub id: Option<String>,
    /// When it was recorded, in milliseconds since 1970.
    pub ts_ms: u64,
    /// The session's id.
    pub session: String,
    /// The chat it happened in.
    pub chat: Option<String>,
    /// The body that a webhook receiver would get: `{event, data, ts, session}`.
    pub body: Value,
    /// The plugin's configuration for this session.
    pub config: Value,
}

impl Event {
    pub(crate) fn read(input: EventInput) -> Result<Self, String> {
        let json = |what: &str, text: &str| {
            serde_json::from_str(text).map_err(|error| format!("the {what} is not JSON: {error}"))
        };
        Ok(Self {
            body: json("event", &input.body_json)?,
            config: json("configuration", &input.config_json)?,
            name: input.name,
            id: input.id,
            ts_ms: input.ts,
            session: input.session.id,
            chat: input.chat,
        })
    }

    /// The payload.
    pub fn data(&self) -> &Value {
        &self.body["data"]
    }

    /// The text of a message.
    pub fn text(&self) -> Option<&str> {
        self.data()["text"].as_str()
    }

    /// Who wrote it.
    pub fn sender(&self) -> Option<&str> {
        self.data()["sender"].as_str()
    }

    /// Names the message, to react to it, read it or quote it.
    pub fn key(&self) -> Option<Key> {
        let key = &self.data()["key"];
        Some(Key {
            remote_jid: key["remoteJid"].as_str()?.into(),
            from_me: key["fromMe"].as_bool().unwrap_or(false),
            id: key["id"].as_str()?.into(),
            participant: key["participant"].as_str().map(Into::into),
        })
    }
}
