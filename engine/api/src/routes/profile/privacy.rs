//! `GET|POST /profile/privacy`: who sees what of an account.

use crate::error::{ApiError, ApiResult};
use crate::extract::About;
use crate::faults::Question;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use warest_model::people::Privacy;

/// What most categories take.
const PEOPLE: &[&str] = &["all", "contacts", "contact_blacklist", "none"];
/// The contract's names, WhatsApp's, and what WhatsApp takes there. One that takes
/// nothing is shown only.
const CATEGORIES: [(&str, &str, &[&str]); 9] = [
    ("readReceipts", "readreceipts", &["all", "none"]),
    ("profilePhoto", "profile", PEOPLE),
    ("status", "status", PEOPLE),
    ("online", "online", &["all", "match_last_seen"]),
    ("lastSeen", "last", PEOPLE),
    ("groupAdd", "groupadd", PEOPLE),
    ("callAdd", "calladd", &["all", "known", "contacts"]),
    ("stickers", "stickers", &[]),
    ("messages", "messages", &["all", "contacts"]),
];

/// What to change, by the contract's names.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    read_receipts: Option<String>,
    profile_photo: Option<String>,
    status: Option<String>,
    online: Option<String>,
    last_seen: Option<String>,
    group_add: Option<String>,
    call_add: Option<String>,
    stickers: Option<String>,
    messages: Option<String>,
}

/// How it stands. A category that WhatsApp does not tell is null.
pub async fn get(about: About) -> ApiResult {
    let privacy = about.account()?.privacy().await.map_err(|fault| Question::Me.refusal(fault))?;
    Ok(about.done("Privacy settings fetched", shown(&privacy)))
}

/// Changes those that are named, one after the other, once all of them are known to be
/// what WhatsApp takes.
pub async fn post(mut about: About<Changes>) -> ApiResult {
    let changes = about.fields.read()?;
    let account = about.account()?;
    for change in &changes {
        account.set_privacy(change).await.map_err(|fault| Question::Me.refusal(fault))?;
    }
    let privacy = account.privacy().await.map_err(|fault| Question::Me.refusal(fault))?;
    Ok(about.done("Privacy settings updated", shown(&privacy)))
}

impl Changes {
    fn read(&mut self) -> Result<Vec<Privacy>, ApiError> {
        let values = [
            self.read_receipts.take(),
            self.profile_photo.take(),
            self.status.take(),
            self.online.take(),
            self.last_seen.take(),
            self.group_add.take(),
            self.call_add.take(),
            self.stickers.take(),
            self.messages.take(),
        ];
        let mut changes = Vec::new();
        for ((name, category, takes), value) in CATEGORIES.into_iter().zip(values) {
            let Some(value) = value else { continue };
            if takes.is_empty() {
                return Err(ApiError::invalid(format!("`{name}` cannot be changed from here")));
            }
            if !takes.contains(&value.as_str()) {
                return Err(ApiError::invalid(format!("`{name}` is one of {}", takes.join(", "))));
            }
            changes.push(Privacy { category: category.to_owned(), value });
        }
        if changes.is_empty() {
            let settable = CATEGORIES.iter().filter(|(_, _, takes)| !takes.is_empty());
            let names: Vec<&str> = settable.map(|(name, ..)| *name).collect();
            return Err(ApiError::missing(&format!("one of {}", names.join(", "))));
        }
        Ok(changes)
    }
}

fn shown(privacy: &[Privacy]) -> Value {
    let told: BTreeMap<&str, &str> = privacy.iter().map(|one| (one.category.as_str(), one.value.as_str())).collect();
    let fields = CATEGORIES.iter().map(|(name, category, _)| ((*name).to_owned(), json!(told.get(category))));
    Value::Object(Map::from_iter(fields))
}
