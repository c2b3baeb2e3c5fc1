//! Newsletters.

use super::fault::mex;
use super::groups::millis;
use super::names;
use crate::outbound::address::jid;
use crate::outbound::fault::of_newsletter;
use warest_model::fault::Fault;
use warest_model::jid::Jid as Address;
use warest_model::people::{Newsletter, NewsletterPost};
use whatsapp_rust::proto_helpers::MessageExt as _;
use whatsapp_rust::wacore::send::media_type_from_message;
use whatsapp_rust::{
    Client, NewsletterError, NewsletterMessage, NewsletterMetadata, NewsletterRole, NewsletterVerification,
};

/// Most posts that one question asks for.
const POSTS: u32 = 100;

pub(super) async fn all(client: &Client) -> Result<Vec<Newsletter>, Fault> {
    let found = client.newsletter().list_subscribed().await.map_err(fault)?;
    Ok(found.into_iter().filter_map(described).collect())
}

pub(super) async fn one(client: &Client, id_or_invite: &str) -> Result<Newsletter, Fault> {
    let asked = id_or_invite.trim();
    let found = if asked.ends_with("@newsletter") {
        let id = asked.parse().map_err(|_| invalid())?;
        client.newsletter().get_metadata(&id).await
    } else {
        let code = asked.rsplit('/').next().unwrap_or(asked);
        client.newsletter().get_metadata_by_invite(code).await
    };
    described(found.map_err(fault)?).ok_or_else(invalid)
}

pub(super) async fn create(client: &Client, name: &str, description: Option<&str>) -> Result<Newsletter, Fault> {
    if name.trim().is_empty() {
        return Err(Fault::fail("newsletter_invalid", "a newsletter needs a name"));
    }
    let made = client.newsletter().create(name, description).await.map_err(fault)?;
    described(made).ok_or_else(invalid)
}

pub(super) async fn follow(client: &Client, newsletter: &Address, on: bool) -> Result<(), Fault> {
    let id = jid(newsletter)?;
    if on {
        client.newsletter().join(&id).await.map(|_| ()).map_err(fault)
    } else {
        client.newsletter().leave(&id).await.map_err(fault)
    }
}

pub(super) async fn posts(
    client: &Client,
    newsletter: &Address,
    count: u32,
    before: Option<u64>,
) -> Result<Vec<NewsletterPost>, Fault> {
    let count = count.clamp(1, POSTS);
    let found = client.newsletter().get_messages(jid(newsletter)?, count, before).await.map_err(fault)?;
    let mut posts: Vec<_> = found.into_iter().take(POSTS as usize).map(post).collect();
    posts.sort_by_key(|post| std::cmp::Reverse(post.server_id));
    Ok(posts)
}

pub(super) async fn react(client: &Client, newsletter: &Address, server_id: u64, emoji: &str) -> Result<(), Fault> {
    client.newsletter().send_reaction(&jid(newsletter)?, server_id, emoji).await.map_err(fault)
}

fn described(found: NewsletterMetadata) -> Option<Newsletter> {
    Some(Newsletter {
        id: names::chat(&found.jid)?,
        name: found.name,
        description: found.description.filter(|text| !text.is_empty()),
        subscribers: found.subscriber_count,
        verified: found.verification == NewsletterVerification::Verified,
        role: found.role.and_then(rank).map(str::to_owned),
        invite: found.invite_code,
        created_ms: found.creation_time.and_then(millis),
    })
}

fn rank(role: NewsletterRole) -> Option<&'static str> {
    Some(match role {
        NewsletterRole::Owner => "owner",
        NewsletterRole::Admin => "admin",
        NewsletterRole::Subscriber => "subscriber",
        NewsletterRole::Guest => "guest",
        _ => return None,
    })
}

fn post(found: NewsletterMessage) -> NewsletterPost {
    let text = found
        .message
        .as_ref()
        .and_then(|message| message.text_content().or_else(|| message.get_caption()).map(str::to_owned));
    NewsletterPost {
        server_id: found.server_id,
        id: Some(found.message_id).filter(|id| !id.is_empty()),
        ts_ms: millis(found.timestamp).unwrap_or(0),
        text,
        content_type: found
            .message
            .as_ref()
            .map_or("unknown", |message| media_type_from_message(message).unwrap_or("text"))
            .to_owned(),
        views: None,
        reactions: found.reactions.into_iter().map(|one| (one.code, one.count)).collect(),
    }
}

fn invalid() -> Fault {
    Fault::fail("newsletter_invalid", "give the address or the link of a newsletter")
}

fn unknown() -> Fault {
    Fault::fail("newsletter_not_found", "WhatsApp does not know this newsletter")
}

fn fault(error: NewsletterError) -> Fault {
    match &error {
        NewsletterError::InvalidRequest(_) => unknown(),
        NewsletterError::Mex(inner) => match mex(inner) {
            fault if fault.code == "not_found" => unknown(),
            fault => fault,
        },
        _ => of_newsletter(error),
    }
}
