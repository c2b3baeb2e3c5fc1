//! Reactors as the registry keeps them: flows and plugins, and what names any of
//! them. Webhook receivers are in [`crate::target`].

use crate::clock::Millis;
use crate::event::EventKind;
use crate::id::{FlowId, SessionId, TargetId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// What an event is owed to. Its text form (`flow:flw_…`, `plugin:echo`,
/// `target:tgt_…`) names it in rows and on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ReactorRef {
    /// A Rhai script.
    Flow(FlowId),
    /// A WASM plugin, by name.
    Plugin(String),
    /// A webhook receiver.
    Target(TargetId),
}

impl fmt::Display for ReactorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flow(id) => write!(f, "flow:{id}"),
            Self::Plugin(name) => write!(f, "plugin:{name}"),
            Self::Target(id) => write!(f, "target:{id}"),
        }
    }
}

impl From<ReactorRef> for String {
    fn from(reactor: ReactorRef) -> String {
        reactor.to_string()
    }
}

impl TryFrom<String> for ReactorRef {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" names no reactor");
        match text.split_once(':') {
            Some(("flow", id)) => id.parse().map(Self::Flow).map_err(|_| wrong()),
            Some(("plugin", name)) if !name.is_empty() => Ok(Self::Plugin(name.to_owned())),
            Some(("target", id)) => id.parse().map(Self::Target).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

/// A Rhai script that reacts to events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// `flw_`+ULID.
    pub id: FlowId,
    /// The user who owns it; it sees that user's sessions only.
    pub owner: UserId,
    /// A name for people.
    pub name: String,
    /// The one session it listens to, or all of its owner's.
    pub session: Option<SessionId>,
    /// The events it wants; empty means none.
    pub on: Vec<EventKind>,
    /// The source text.
    pub script: String,
    /// Whether it is in use.
    pub enabled: bool,
    /// When it was created.
    pub created_ms: Millis,
    /// When it was last changed.
    pub updated_ms: Millis,
}

/// An uploaded plugin. The component's bytes are read on their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plugin {
    /// Unique; what `describe` answered.
    pub name: String,
    /// The user who uploaded it; only their sessions can enable it.
    pub owner: UserId,
    /// What `describe` answered.
    pub version: String,
    /// The events it wants.
    pub on: Vec<EventKind>,
    /// SHA-256 of the component, in hex.
    pub sha256: String,
    /// Size of the component, in bytes.
    pub size: u64,
    /// When this version was uploaded.
    pub created_ms: Millis,
}

/// A plugin as one session uses it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginBinding {
    /// The session.
    pub session: SessionId,
    /// The plugin's name.
    pub plugin: String,
    /// Whether it is in use.
    pub enabled: bool,
    /// Handed to the plugin with each event: an object.
    pub config: Value,
}
