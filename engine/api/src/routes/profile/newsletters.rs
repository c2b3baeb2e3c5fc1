//! `GET /newsletters` and `/newsletter/…`: newsletters (channels), which an account
//! follows, reads, reacts to, and makes.

use crate::error::{ApiError, ApiResult};
use crate::extract::{About, Whole, required};
use crate::faults::Question;
use crate::view::{newsletter_json, post_json};
use serde::Deserialize;
use serde_json::{Value, json};
use warest_model::fault::Fault;
use warest_model::jid::Jid;

/// Longest name, in characters (WhatsApp's own limit).
const NAME_CHARS: usize = 100;
/// Longest description, in characters (WhatsApp's own limit).
const DESCRIPTION_CHARS: usize = 2_048;
/// Longest reaction, in characters.
const EMOJI_CHARS: usize = 32;
/// Posts of a page when the client does not say, and at most.
const POSTS: (u64, u64) = (20, 100);
/// Longest address, link or code of one, in bytes.
const NAMED_BYTES: usize = 128;
/// What stands before the code of a link.
const LINK: &str = "whatsapp.com/channel/";

/// Which newsletter, and what of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Which {
    newsletter_id: Option<String>,
    name: Option<String>,
    description: Option<String>,
    count: Option<Whole>,
    before: Option<Whole>,
    server_id: Option<Whole>,
    emoji: Option<String>,
}

type Ask = About<Which>;

/// Those that the account follows.
pub async fn list(about: About) -> ApiResult {
    let followed = about.account()?.newsletters().await.map_err(refusal)?;
    let data: Vec<Value> = followed.iter().map(newsletter_json).collect();
    Ok(about.done("Newsletters fetched", json!({ "data": data })))
}

/// One, by its address, its link or the code of that.
pub async fn info(about: Ask) -> ApiResult {
    let named = named(&about)?;
    let code = named.rsplit_once(LINK).map_or(named, |(_, code)| code);
    let newsletter = about.account()?.newsletter(code).await.map_err(refusal)?;
    Ok(about.done("Newsletter fetched", json!({ "data": newsletter_json(&newsletter) })))
}

/// Makes one.
pub async fn create(mut about: Ask) -> ApiResult {
    let name = about.fields.name.take().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let name = bounded("name", required("name", name)?, NAME_CHARS)?;
    let description = about.fields.description.take().filter(|text| !text.is_empty());
    let description = description.map(|text| bounded("description", text, DESCRIPTION_CHARS)).transpose()?;
    let made = about.account()?.create_newsletter(&name, description.as_deref()).await.map_err(refusal)?;
    Ok(about.done("Newsletter created", json!({ "newsletterId": made.id, "data": newsletter_json(&made) })))
}

/// Follows one.
pub async fn follow(about: Ask) -> ApiResult {
    change(&about, true).await
}

/// Follows one no longer.
pub async fn unfollow(about: Ask) -> ApiResult {
    change(&about, false).await
}

/// Its last messages, newest first.
pub async fn posts(about: Ask) -> ApiResult {
    let newsletter = address(&about)?;
    let count = about.fields.count.map_or(POSTS.0, |count| count.0);
    if !(1..=POSTS.1).contains(&count) {
        return Err(ApiError::invalid(format!("`count` takes 1 to {}", POSTS.1)));
    }
    let before = about.fields.before.map(|before| before.0);
    let posts = about.account()?.newsletter_posts(&newsletter, count as u32, before).await.map_err(refusal)?;
    let data: Vec<Value> = posts.iter().map(post_json).collect();
    Ok(about.done("Newsletter posts fetched", json!({ "newsletterId": newsletter, "data": data })))
}

/// Reacts to a message; an empty emoji takes the reaction off.
pub async fn react(mut about: Ask) -> ApiResult {
    let newsletter = address(&about)?;
    let post = required("serverId", about.fields.server_id)?.0;
    let emoji = bounded("emoji", required("emoji", about.fields.emoji.take())?, EMOJI_CHARS)?;
    about.account()?.react_to_post(&newsletter, post, &emoji).await.map_err(refusal)?;
    let shown = json!({ "newsletterId": newsletter, "serverId": post, "emoji": emoji, "status": "success" });
    Ok(about.done("Reaction sent", shown))
}

async fn change(about: &Ask, on: bool) -> ApiResult {
    let newsletter = address(about)?;
    about.account()?.follow_newsletter(&newsletter, on).await.map_err(refusal)?;
    let message = if on { "Newsletter followed" } else { "Newsletter unfollowed" };
    Ok(about.done(message, json!({ "newsletterId": newsletter, "following": on, "status": "success" })))
}

fn refusal(fault: Fault) -> ApiError {
    Question::Newsletter.refusal(fault)
}

fn named(about: &Ask) -> Result<&str, ApiError> {
    let text = about.fields.newsletter_id.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let text = required("newsletterId", text)?;
    if text.len() > NAMED_BYTES {
        return Err(ApiError::invalid(format!("`newsletterId` may have at most {NAMED_BYTES} bytes")));
    }
    Ok(text)
}

fn address(about: &Ask) -> Result<Jid, ApiError> {
    let (user, server) = named(about)?.split_once('@').unwrap_or((named(about)?, "newsletter"));
    match Jid::from_parts(user, server) {
        Ok(jid) if jid.server() == "newsletter" => Ok(jid),
        _ => Err(ApiError::invalid("`newsletterId` is an address such as 120363025386030504@newsletter")),
    }
}

fn bounded(field: &str, text: String, most: usize) -> Result<String, ApiError> {
    match text.chars().count() > most {
        true => Err(ApiError::invalid(format!("`{field}` may have at most {most} characters"))),
        false => Ok(text),
    }
}
