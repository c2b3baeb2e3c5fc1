//! What a person sets at a phone: profile, privacy, whom it blocks, whether it is there; and calls.
//! `PUT /phones/{phone}/profile`, `PUT …/privacy`, `POST …/block`, `POST …/presence`, `POST …/call`.

use super::{Body, Control, Failure, body, groups::picture_of};
use crate::account::lock;
use crate::error::SimnetError;
use crate::person::{Business, PRIVACY};
use crate::server::calls::{self, Call};
use crate::server::group::{self, id_in};
use crate::server::{people, presence};
use axum::extract::{Path, State};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Texts of a business profile.
const TEXT: usize = 512;
/// Entries of a list in a business profile.
const ENTRIES: usize = 10;

/// What to change of a profile; what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Profile {
    /// The name shown to others.
    pub name: Option<String>,
    /// The about text.
    pub about: Option<String>,
    /// The picture in base64; empty takes it away.
    pub picture: Option<String>,
    /// A business profile, which makes the account a business.
    pub business: Option<Business>,
    /// Whether others find the number on WhatsApp.
    pub on_whatsapp: Option<bool>,
}

impl Control {
    /// Changes a phone's profile. Others are told.
    pub async fn set_profile(&self, phone: &str, profile: Profile) -> Result<(), SimnetError> {
        let account = self.net.require(phone)?;
        if profile.business.as_ref().is_some_and(|business| !fits(business)) {
            return Err(SimnetError::Invalid(format!(
                "business takes a name, texts of at most {TEXT} bytes and lists of at most {ENTRIES}"
            )));
        }
        let picture = match &profile.picture {
            Some(text) => {
                let bytes = STANDARD.decode(text);
                let bytes = bytes.map_err(|_| SimnetError::Invalid("picture is not base64".into()))?;
                Some(picture_of(self, &bytes)?)
            }
            None => None,
        };
        if let Some(name) = &profile.name
            && !people::set_name(&self.net, &account, name)
        {
            return Err(SimnetError::Invalid("name must have 1 to 200 bytes".into()));
        }
        if let Some(about) = &profile.about
            && !people::set_about(&self.net, &account, None, about)
        {
            return Err(SimnetError::Invalid("about must have at most 139 characters".into()));
        }
        if let Some(picture) = picture {
            people::set_picture(&self.net, &account, None, picture);
        }
        let mut person = lock(&account.person);
        if let Some(business) = profile.business {
            person.business = Some(business);
        }
        if let Some(listed) = profile.on_whatsapp {
            person.listed = listed;
        }
        drop(person);
        self.net.touch();
        Ok(())
    }

    /// Changes privacy settings of a phone, all or none.
    pub async fn set_privacy(&self, phone: &str, settings: &BTreeMap<String, String>) -> Result<(), SimnetError> {
        let account = self.net.require(phone)?;
        {
            let mut person = lock(&account.person);
            let mut changed = person.clone();
            for (category, value) in settings {
                if !changed.set_privacy(category, value) {
                    let known = PRIVACY.iter().find(|(name, _)| name == category);
                    return Err(SimnetError::Invalid(match known {
                        Some((_, values)) => format!("{category} takes one of {}", values.join(", ")),
                        None => format!("no privacy setting {category:?}: see docs/simnet.md"),
                    }));
                }
            }
            *person = changed;
        }
        people::tell_privacy(&self.net, &account, None);
        Ok(())
    }

    /// The privacy settings of a phone.
    pub async fn privacy(&self, phone: &str) -> Result<BTreeMap<String, String>, SimnetError> {
        let account = self.net.require(phone)?;
        let person = lock(&account.person);
        Ok(PRIVACY.iter().map(|(name, _)| ((*name).to_owned(), person.privacy(name).to_owned())).collect())
    }

    /// A phone blocks a number, or unblocks it. Returns whether that changed anything.
    pub async fn block(&self, phone: &str, other: &str, block: bool) -> Result<bool, SimnetError> {
        let account = self.net.require(phone)?;
        let other = self.net.require(other)?;
        Ok(people::set_blocked(&self.net, &account, None, &other, block))
    }

    /// The numbers that a phone's account has blocked.
    pub async fn blocked(&self, phone: &str) -> Result<Vec<String>, SimnetError> {
        Ok(lock(&self.net.require(phone)?.person).blocked.iter().cloned().collect())
    }

    /// A phone comes or goes.
    pub async fn set_presence(&self, phone: &str, available: bool) -> Result<(), SimnetError> {
        presence::set(&self.net, &*self.net.require(phone)?, 0, available);
        Ok(())
    }

    /// A phone calls a number, or a group's members. Returns the call's id.
    pub async fn call(&self, phone: &str, to: &str, video: bool, group: Option<&str>) -> Result<String, SimnetError> {
        let caller = self.net.require(phone)?;
        let group = group.map(id_in).or_else(|| to.ends_with("@g.us").then(|| id_in(to)));
        let called = if to.ends_with("@g.us") {
            let members: Vec<String> =
                self.net.groups.read(id_in(to), |group| Ok(group.members.keys().cloned().collect()))?;
            members.iter().filter(|member| *member != phone).filter_map(|member| self.net.account(member)).collect()
        } else {
            vec![self.net.require(to)?]
        };
        Ok(calls::ring(&self.net, &caller, called, video, group)?)
    }

    /// A phone hangs up.
    pub async fn end_call(&self, phone: &str, id: &str) -> Result<(), SimnetError> {
        if calls::end(&self.net, &*self.net.require(phone)?, id) {
            return Ok(());
        }
        let reason = format!("{phone} has no call {id} that goes on: see GET /phones/{phone}/calls");
        Err(SimnetError::Refused { code: 404, reason })
    }

    /// The calls in which a phone takes part, the newest last.
    pub async fn calls(&self, phone: &str) -> Result<Vec<Call>, SimnetError> {
        Ok(self.net.calls.of(&self.net.require(phone)?.phone))
    }
}

fn fits(business: &Business) -> bool {
    let texts = [&business.name, &business.description, &business.address, &business.email];
    let lists = [&business.websites, &business.categories];
    !business.name.is_empty()
        && texts.iter().all(|text| text.len() <= TEXT)
        && lists.iter().all(|list| list.len() <= ENTRIES && list.iter().all(|text| text.len() <= TEXT))
}

pub(super) fn routes() -> Router<Control> {
    Router::new()
        .route("/phones/{phone}/profile", put(profile))
        .route("/phones/{phone}/privacy", put(privacy).get(show_privacy))
        .route("/phones/{phone}/block", post(block))
        .route("/phones/{phone}/unblock", post(unblock))
        .route("/phones/{phone}/call", post(call))
        .route("/phones/{phone}/call/{id}/end", post(end))
        .route("/phones/{phone}/calls", get(calls_of))
}

type Answer = Result<Json<serde_json::Value>, Failure>;

async fn profile(State(control): State<Control>, Path(phone): Path<String>, bytes: Body) -> Answer {
    control.set_profile(&phone, body(bytes)?).await?;
    Ok(Json(serde_json::json!({})))
}

async fn privacy(State(control): State<Control>, Path(phone): Path<String>, bytes: Body) -> Answer {
    control.set_privacy(&phone, &body(bytes)?).await?;
    Ok(Json(serde_json::json!({})))
}

async fn show_privacy(
    State(control): State<Control>,
    Path(phone): Path<String>,
) -> Result<Json<BTreeMap<String, String>>, Failure> {
    Ok(Json(control.privacy(&phone).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Other {
    phone: String,
}

async fn block(State(control): State<Control>, Path(phone): Path<String>, bytes: Body) -> Answer {
    let Other { phone: other } = body(bytes)?;
    Ok(Json(serde_json::json!({ "changed": control.block(&phone, &other, true).await? })))
}

async fn unblock(State(control): State<Control>, Path(phone): Path<String>, bytes: Body) -> Answer {
    let Other { phone: other } = body(bytes)?;
    Ok(Json(serde_json::json!({ "changed": control.block(&phone, &other, false).await? })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ring {
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    video: bool,
    #[serde(default)]
    group: Option<String>,
}

async fn call(State(control): State<Control>, Path(phone): Path<String>, bytes: Body) -> Answer {
    let Ring { to, video, group } = body(bytes)?;
    // A group alone means all its members.
    let to = to.or_else(|| group.as_deref().map(|group| group::jid(id_in(group)).to_string()));
    let to = to.ok_or_else(|| SimnetError::Invalid("a call needs to, or group".into()))?;
    let id = control.call(&phone, &to, video, group.as_deref()).await?;
    Ok(Json(serde_json::json!({ "id": id })))
}

async fn end(State(control): State<Control>, Path((phone, id)): Path<(String, String)>) -> Answer {
    control.end_call(&phone, &id).await?;
    Ok(Json(serde_json::json!({})))
}

async fn calls_of(State(control): State<Control>, Path(phone): Path<String>) -> Result<Json<Vec<Call>>, Failure> {
    Ok(Json(control.calls(&phone).await?))
}
