//! What a person does and sees at a phone: `GET /phones/{phone}/messages`, `POST …/read`,
//! `POST …/typing`, `GET …/receipts`, `GET …/presence`.

use super::{Body, Control, Failure, body, send};
use crate::account::Account;
use crate::chance::now;
use crate::error::SimnetError;
use crate::phone::Command;
use crate::phone::content::{Content, Options, React};
use crate::phone::inbox::{SeenPresence, SeenReceipt, ShownMessage};
use crate::server::group::{self, id_in};
use crate::server::{route, status};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use wacore_binary::Jid;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp as wa;

/// Messages in one answer.
const PAGE: usize = 1_000;
/// The longest wait for a new message.
const WAIT: Duration = Duration::from_secs(30);
/// Message ids in one read receipt.
const IDS: usize = 1_000;

/// A message that was sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sent {
    /// Its id.
    pub id: String,
}

/// Whether a chat is a group, or where status posts go.
fn is_shared(chat: &str) -> bool {
    chat.ends_with("@g.us") || chat == status::ID
}

/// Where a message goes.
enum To {
    Account(Arc<Account>),
    Group(String),
}

/// A chat state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TypingState {
    /// Writing a text.
    Composing,
    /// Recording a voice note.
    Recording,
    /// No longer writing.
    Paused,
}

impl Control {
    /// Sends a text from a phone to a number; `id` is made up when absent.
    pub async fn send_text(&self, phone: &str, to: &str, text: &str, id: Option<&str>) -> Result<Sent, SimnetError> {
        self.send_content(phone, to, Content::Text(text.to_owned()), Options::default(), id).await
    }

    /// Reacts from a phone to a message in its chat with a number; an empty emoji takes it back.
    pub async fn react(
        &self,
        phone: &str,
        to: &str,
        id: &str,
        emoji: &str,
        from_me: bool,
    ) -> Result<Sent, SimnetError> {
        let react = React { id: id.to_owned(), emoji: emoji.to_owned(), from_me: Some(from_me) };
        self.send_content(phone, to, Content::React(react), Options::default(), None).await
    }

    /// Who wrote a message that a phone shows in a group.
    fn author(&self, phone: &str, group: &str, id: &str) -> Result<Option<Jid>, SimnetError> {
        let from = self.net.require(phone)?.primary.inbox.author(group, id);
        let Some(from) = from else {
            return Err(SimnetError::UnknownMessage { phone: phone.to_owned(), id: id.to_owned() });
        };
        Ok(self.net.account(&from).map(|account| account.lid_jid()))
    }

    /// Sends any message from a phone to a number.
    pub async fn send(
        &self,
        phone: &str,
        to: &str,
        message: wa::Message,
        id: Option<&str>,
    ) -> Result<Sent, SimnetError> {
        let account = self.net.require(phone)?;
        let to = if is_shared(to) { To::Group(id_in(to).to_owned()) } else { To::Account(self.net.require(to)?) };
        let id = match id {
            Some(id) if id.is_empty() || id.len() > 128 || !id.is_ascii() => {
                return Err(SimnetError::Invalid("id must have 1 to 128 ASCII characters".into()));
            }
            Some(id) => id.to_owned(),
            None => self.net.chance.message_id(),
        };
        let (done, sent) = oneshot::channel();
        let message = Box::new(message);
        let command = match to {
            To::Account(to) => Command::Send { to, message, id, done },
            To::Group(group) => Command::SendGroup { group, message, id, done },
        };
        account.primary.commands.send(command).await.map_err(|_| SimnetError::Stopping)?;
        sent.await.map_err(|_| SimnetError::Stopping)?.map(|id| Sent { id })
    }

    /// Marks messages of the chat with a number as read, with a receipt.
    pub async fn mark_read(&self, phone: &str, chat: &str, ids: &[String]) -> Result<(), SimnetError> {
        self.mark(phone, chat, ids, "read").await
    }

    /// Marks voice notes and what may be seen once as played, with a receipt.
    pub async fn mark_played(&self, phone: &str, chat: &str, ids: &[String]) -> Result<(), SimnetError> {
        self.mark(phone, chat, ids, "played").await
    }

    async fn mark(&self, phone: &str, chat: &str, ids: &[String], kind: &'static str) -> Result<(), SimnetError> {
        let account = self.net.require(phone)?;
        let Some((first, others)) = ids.split_first().filter(|_| ids.len() <= IDS) else {
            return Err(SimnetError::Invalid(format!("ids must list 1 to {IDS} message ids")));
        };
        let mut receipt = NodeBuilder::new("receipt");
        if is_shared(chat) {
            receipt = receipt.attr("to", status::shared_jid(id_in(chat)));
            if let Some(author) = self.author(phone, chat, first)? {
                receipt = receipt.attr("participant", author);
            }
        } else {
            receipt = receipt.attr("to", self.net.require(chat)?.lid_jid());
        }
        receipt = receipt.attr("type", kind).attr("id", first.as_str()).attr("t", now());
        if !others.is_empty() {
            let items = others.iter().map(|id| NodeBuilder::new("item").attr("id", id).build());
            receipt = receipt.children([NodeBuilder::new("list").children(items).build()]);
        }
        let own = account.device(0).ok_or(SimnetError::Stopping)?;
        route::receipt(&self.net, &own, &receipt.build());
        Ok(())
    }

    /// Shows a chat state to a number.
    pub async fn typing(&self, phone: &str, to: &str, state: TypingState) -> Result<(), SimnetError> {
        let account = self.net.require(phone)?;
        let state = match state {
            TypingState::Composing => "composing",
            TypingState::Recording => "recording",
            TypingState::Paused => "paused",
        };
        if to.ends_with("@g.us") {
            return Ok(group::message::chat_state(&self.net, &account, id_in(to), state)?);
        }
        route::chat_state(&self.net, &account, &*self.net.require(to)?, state);
        Ok(())
    }

    /// What a phone shows after `after`, oldest first, at most 1,000. With `wait`, returns as soon
    /// as there is something newer, and after at most `wait` (30 s at most) in any case.
    pub async fn messages(
        &self,
        phone: &str,
        after: u64,
        wait: Option<Duration>,
    ) -> Result<Vec<ShownMessage>, SimnetError> {
        let account = self.net.require(phone)?;
        let inbox = &account.primary.inbox;
        if let Some(wait) = wait {
            let mut news = inbox.watch();
            let arrival = async {
                while !inbox.has_after(after) {
                    if news.changed().await.is_err() {
                        return;
                    }
                }
            };
            tokio::select! {
                _ = tokio::time::timeout(wait.min(WAIT), arrival) => {}
                () = self.net.stop.cancelled() => {}
            }
        }
        Ok(inbox.messages(after, PAGE))
    }

    /// The receipts a phone got after `after`.
    pub async fn receipts(&self, phone: &str, after: u64) -> Result<Vec<SeenReceipt>, SimnetError> {
        Ok(self.net.require(phone)?.primary.inbox.receipts(after))
    }

    /// The presences and chat states a phone saw after `after`.
    pub async fn presence(&self, phone: &str, after: u64) -> Result<Vec<SeenPresence>, SimnetError> {
        Ok(self.net.require(phone)?.primary.inbox.presences(after))
    }
}

pub(super) fn routes() -> Router<Control> {
    Router::new()
        .route("/phones/{phone}/messages", send::sending().get(list))
        .route("/phones/{phone}/read", post(read))
        .route("/phones/{phone}/played", post(played))
        .route("/phones/{phone}/typing", post(typing))
        .route("/phones/{phone}/receipts", get(receipts))
        .route("/phones/{phone}/presence", get(presence).post(set_presence))
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    wait: Option<u64>,
}

async fn list(
    State(control): State<Control>,
    Path(phone): Path<String>,
    query: Result<Query<After>, QueryRejection>,
) -> Result<Json<Vec<ShownMessage>>, Failure> {
    let Query(After { after, wait }) = query?;
    let wait = wait.map(Duration::from_millis);
    Ok(Json(control.messages(&phone, after, wait).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    chat: String,
    ids: Vec<String>,
}

async fn read(
    State(control): State<Control>,
    Path(phone): Path<String>,
    bytes: Body,
) -> Result<Json<serde_json::Value>, Failure> {
    let Read { chat, ids } = body(bytes)?;
    control.mark_read(&phone, &chat, &ids).await?;
    Ok(Json(serde_json::json!({})))
}

async fn played(
    State(control): State<Control>,
    Path(phone): Path<String>,
    bytes: Body,
) -> Result<Json<serde_json::Value>, Failure> {
    let Read { chat, ids } = body(bytes)?;
    control.mark_played(&phone, &chat, &ids).await?;
    Ok(Json(serde_json::json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typing {
    to: String,
    state: TypingState,
}

async fn typing(
    State(control): State<Control>,
    Path(phone): Path<String>,
    bytes: Body,
) -> Result<Json<serde_json::Value>, Failure> {
    let Typing { to, state } = body(bytes)?;
    control.typing(&phone, &to, state).await?;
    Ok(Json(serde_json::json!({})))
}

async fn receipts(
    State(control): State<Control>,
    Path(phone): Path<String>,
    query: Result<Query<After>, QueryRejection>,
) -> Result<Json<Vec<SeenReceipt>>, Failure> {
    let Query(After { after, .. }) = query?;
    Ok(Json(control.receipts(&phone, after).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Presence {
    state: There,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum There {
    Available,
    Unavailable,
}

async fn set_presence(
    State(control): State<Control>,
    Path(phone): Path<String>,
    bytes: Body,
) -> Result<Json<serde_json::Value>, Failure> {
    let Presence { state } = body(bytes)?;
    control.set_presence(&phone, state == There::Available).await?;
    Ok(Json(serde_json::json!({})))
}

async fn presence(
    State(control): State<Control>,
    Path(phone): Path<String>,
    query: Result<Query<After>, QueryRejection>,
) -> Result<Json<Vec<SeenPresence>>, Failure> {
    let Query(After { after, .. }) = query?;
    Ok(Json(control.presence(&phone, after).await?))
}
