//! `POST /newsletters`, `GET /newsletters/{id}`, `POST /newsletters/{id}/messages`.

use super::{Body, Control, Failure, body};
use crate::error::SimnetError;
use crate::phone::describe;
use crate::server::newsletter::{self, Newsletter};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use waproto::whatsapp as wa;

/// The longest post, in bytes.
const TEXT: usize = 65_536;

/// A newsletter as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewsletterInfo {
    /// Its JID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// The number of who made it.
    pub owner: String,
    /// Its invite code.
    pub invite: String,
    /// The numbers that follow it.
    pub followers: Vec<String>,
    /// What was posted, the oldest first.
    pub posts: Vec<NewsletterPost>,
}

/// A post of a newsletter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewsletterPost {
    /// Its number in the newsletter.
    pub server_id: u64,
    /// Its message id.
    pub id: String,
    /// Its text; empty when it has none.
    pub text: String,
    /// Who reacted with what, by number.
    pub reactions: BTreeMap<String, String>,
}

impl Control {
    /// Creates a newsletter that a phone owns. Returns its JID.
    pub async fn create_newsletter(&self, name: &str, owner: &str) -> Result<String, SimnetError> {
        let account = self.net.require(owner)?;
        if name.is_empty() || name.chars().count() > 100 {
            return Err(SimnetError::Invalid("name must have 1 to 100 characters".into()));
        }
        let made = self.net.newsletters.create(&self.net.chance, &account, name, "");
        let made = made.ok_or_else(|| SimnetError::Invalid("the network has too many newsletters".into()))?;
        self.net.touch();
        Ok(newsletter::jid(&made.id).to_string())
    }

    /// The owner posts a text. Returns its number in the newsletter.
    pub async fn post_newsletter(&self, id: &str, text: &str) -> Result<u64, SimnetError> {
        if text.is_empty() || text.len() > TEXT {
            return Err(SimnetError::Invalid(format!("text must have 1 to {TEXT} bytes")));
        }
        let found = self.newsletter_state(id)?;
        let owner = self.net.require(&found.owner)?;
        let body =
            waproto::codec::message_to_vec(&wa::Message { conversation: Some(text.to_owned()), ..Default::default() });
        let message_id = self.net.chance.message_id();
        newsletter::post(&self.net, &owner, None, &found.id, &message_id, "text", &body).ok_or_else(|| unknown(id))
    }

    /// A newsletter.
    pub async fn newsletter(&self, id: &str) -> Result<NewsletterInfo, SimnetError> {
        let found = self.newsletter_state(id)?;
        let posts = found.posts.into_iter().map(|post| {
            let text = waproto::codec::message_decode(&post.body.0).ok();
            let text = text.map(|message| describe::plain(describe::unwrap(&message).message).1).unwrap_or_default();
            NewsletterPost { server_id: post.server_id, id: post.id, text, reactions: post.reactions }
        });
        Ok(NewsletterInfo {
            id: newsletter::jid(&found.id).to_string(),
            name: found.name,
            description: found.description,
            owner: found.owner,
            invite: found.invite,
            followers: found.followers.into_iter().collect(),
            posts: posts.collect(),
        })
    }

    fn newsletter_state(&self, id: &str) -> Result<Newsletter, SimnetError> {
        let digits = id.strip_suffix("@newsletter").unwrap_or(id);
        self.net.newsletters.with(digits, |one| one.clone()).ok_or_else(|| unknown(id))
    }
}

fn unknown(id: &str) -> SimnetError {
    SimnetError::Refused { code: 404, reason: format!("no newsletter {id}: create one with POST /newsletters") }
}

pub(super) fn routes() -> Router<Control> {
    Router::new()
        .route("/newsletters", post(create))
        .route("/newsletters/{id}", get(show))
        .route("/newsletters/{id}/messages", post(publish))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    name: String,
    owner: String,
}

async fn create(State(control): State<Control>, bytes: Body) -> Result<(StatusCode, Json<serde_json::Value>), Failure> {
    let Create { name, owner } = body(bytes)?;
    let id = control.create_newsletter(&name, &owner).await?;
    Ok((StatusCode::CREATED, Json(serde_json::json!({ "id": id }))))
}

async fn show(State(control): State<Control>, Path(id): Path<String>) -> Result<Json<NewsletterInfo>, Failure> {
    Ok(Json(control.newsletter(&id).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Publish {
    text: String,
}

async fn publish(
    State(control): State<Control>,
    Path(id): Path<String>,
    bytes: Body,
) -> Result<Json<serde_json::Value>, Failure> {
    let Publish { text } = body(bytes)?;
    Ok(Json(serde_json::json!({ "serverId": control.post_newsletter(&id, &text).await? })))
}
