//! What a person sees and changes at a phone that is app state: `GET /phones/{phone}/chats`,
//! `…/starred`, `…/labels`, `…/contacts`, `…/app-state`; `POST …/chats/{chat}`, `…/star`, `…/labels`;
//! `PUT …/contacts`.

use super::{Body, Control, Failure, body};
use crate::account::Account;
use crate::error::SimnetError;
use crate::network::Network;
use crate::phone::sync::{self, Action, AppStateReport, ChatChange, ChatState, Contact, Label, Starred, view};
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

impl Control {
    /// The chats of a phone that there is anything to say of.
    pub async fn chats(&self, phone: &str) -> Result<Vec<ChatState>, SimnetError> {
        self.view(phone, view::chats)
    }

    /// The messages that are starred.
    pub async fn starred(&self, phone: &str) -> Result<Vec<Starred>, SimnetError> {
        self.view(phone, view::starred)
    }

    /// The account's labels, deleted ones too.
    pub async fn labels(&self, phone: &str) -> Result<Vec<Label>, SimnetError> {
        self.view(phone, view::labels)
    }

    /// The account's address book.
    pub async fn contacts(&self, phone: &str) -> Result<Vec<Contact>, SimnetError> {
        self.view(phone, view::contacts)
    }

    /// All app state of the account, as it is.
    pub async fn app_state(&self, phone: &str) -> Result<AppStateReport, SimnetError> {
        self.view(phone, view::report)
    }

    fn view<T>(&self, phone: &str, view: impl FnOnce(&Network, &Account) -> T) -> Result<T, SimnetError> {
        Ok(view(&self.net, &*self.net.require(phone)?))
    }

    /// Changes a chat at a phone.
    pub async fn change_chat(&self, phone: &str, chat: &str, change: ChatChange) -> Result<(), SimnetError> {
        let account = self.net.require(phone)?;
        sync::perform(&self.net, &account, Action::chat(&self.net, chat, change)?)
    }

    /// Stars a message at a phone, or takes the star off.
    pub async fn star(&self, phone: &str, chat: &str, id: &str, on: bool) -> Result<(), SimnetError> {
        let account = self.net.require(phone)?;
        let shown = account.primary.inbox.find(id);
        let shown = shown.ok_or_else(|| SimnetError::UnknownMessage { phone: phone.into(), id: id.into() })?;
        // In a group, a message is also named by who wrote it.
        let author = match chat.contains('@') && !shown.from_me {
            true => Some(self.net.require(&shown.from)?.lid_jid().to_string()),
            false => None,
        };
        let action = Action::star(&self.net, chat, id, shown.from_me, author.as_deref(), on)?;
        sync::perform(&self.net, &account, vec![action])
    }

    /// Makes, changes or deletes a label at a phone; returns its id.
    pub async fn set_label(
        &self,
        phone: &str,
        id: Option<&str>,
        name: &str,
        color: i32,
        deleted: bool,
    ) -> Result<String, SimnetError> {
        let account = self.net.require(phone)?;
        if name.is_empty() || name.len() > 200 {
            return Err(SimnetError::Invalid("a label's name has 1 to 200 bytes".into()));
        }
        let id = match id {
            Some(id) if id.is_empty() || id.len() > 64 => {
                return Err(SimnetError::Invalid("a label's id has 1 to 64 bytes".into()));
            }
            Some(id) => id.to_owned(),
            None => {
                let known = view::labels(&self.net, &account);
                let last = known.iter().filter_map(|label| label.id.parse::<u32>().ok()).max();
                (last.unwrap_or(0) + 1).to_string()
            }
        };
        sync::perform(&self.net, &account, vec![Action::label(&id, name, color, deleted)])?;
        Ok(id)
    }

    /// Puts a contact into the address book; without a name, takes it out.
    pub async fn set_contact(&self, phone: &str, contact: &str, name: Option<&str>) -> Result<(), SimnetError> {
        let account = self.net.require(phone)?;
        if !crate::account::is_phone(contact) || name.is_some_and(|name| name.is_empty() || name.len() > 200) {
            return Err(SimnetError::Invalid("a contact has a number, and a name of 1 to 200 bytes".into()));
        }
        sync::perform(&self.net, &account, vec![Action::contact(&self.net, contact, name)])
    }

    /// Sets the name that others see, at the phone.
    pub async fn set_push_name(&self, phone: &str, name: &str) -> Result<(), SimnetError> {
        let account = self.net.require(phone)?;
        if name.is_empty() || name.len() > 200 {
            return Err(SimnetError::Invalid("a name has 1 to 200 bytes".into()));
        }
        sync::perform(&self.net, &account, vec![Action::push_name(name)])
    }
}

pub(super) fn routes() -> Router<Control> {
    Router::new()
        .route("/phones/{phone}/chats", get(chats))
        .route("/phones/{phone}/chats/{chat}", post(change))
        .route("/phones/{phone}/starred", get(starred))
        .route("/phones/{phone}/star", post(star))
        .route("/phones/{phone}/labels", get(labels).post(label))
        .route("/phones/{phone}/contacts", get(contacts).put(contact))
        .route("/phones/{phone}/push-name", axum::routing::put(push_name))
        .route("/phones/{phone}/app-state", get(app_state))
}

async fn chats(State(control): State<Control>, Path(phone): Path<String>) -> Result<Json<Vec<ChatState>>, Failure> {
    Ok(Json(control.chats(&phone).await?))
}

async fn starred(State(control): State<Control>, Path(phone): Path<String>) -> Result<Json<Vec<Starred>>, Failure> {
    Ok(Json(control.starred(&phone).await?))
}

async fn labels(State(control): State<Control>, Path(phone): Path<String>) -> Result<Json<Vec<Label>>, Failure> {
    Ok(Json(control.labels(&phone).await?))
}

async fn contacts(State(control): State<Control>, Path(phone): Path<String>) -> Result<Json<Vec<Contact>>, Failure> {
    Ok(Json(control.contacts(&phone).await?))
}

async fn app_state(State(control): State<Control>, Path(phone): Path<String>) -> Result<Json<AppStateReport>, Failure> {
    Ok(Json(control.app_state(&phone).await?))
}

async fn change(
    State(control): State<Control>,
    Path((phone, chat)): Path<(String, String)>,
    bytes: Body,
) -> Result<Json<Value>, Failure> {
    control.change_chat(&phone, &chat, body(bytes)?).await?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Star {
    chat: String,
    id: String,
    on: bool,
}

async fn star(State(control): State<Control>, Path(phone): Path<String>, bytes: Body) -> Result<Json<Value>, Failure> {
    let Star { chat, id, on } = body(bytes)?;
    control.star(&phone, &chat, &id, on).await?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetLabel {
    #[serde(default)]
    id: Option<String>,
    name: String,
    #[serde(default)]
    color: i32,
    #[serde(default)]
    deleted: bool,
}

async fn label(State(control): State<Control>, Path(phone): Path<String>, bytes: Body) -> Result<Json<Value>, Failure> {
    let SetLabel { id, name, color, deleted } = body(bytes)?;
    let id = control.set_label(&phone, id.as_deref(), &name, color, deleted).await?;
    Ok(Json(json!({ "id": id })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetContact {
    phone: String,
    #[serde(default)]
    name: Option<String>,
}

async fn contact(
    State(control): State<Control>,
    Path(phone): Path<String>,
    bytes: Body,
) -> Result<Json<Value>, Failure> {
    let SetContact { phone: contact, name } = body(bytes)?;
    control.set_contact(&phone, &contact, name.as_deref()).await?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetPushName {
    name: String,
}

async fn push_name(
    State(control): State<Control>,
    Path(phone): Path<String>,
    bytes: Body,
) -> Result<Json<Value>, Failure> {
    let SetPushName { name } = body(bytes)?;
    control.set_push_name(&phone, &name).await?;
    Ok(Json(json!({})))
}
