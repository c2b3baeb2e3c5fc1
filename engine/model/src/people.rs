//! People, businesses and newsletters, as the server describes them, and what an
//! account shows of itself.

use crate::jid::Jid;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the server knows of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnWhatsapp {
    /// The number's address.
    pub jid: Jid,
    /// Whether there is an account.
    pub exists: bool,
    /// Its LID, if it was told.
    pub lid: Option<Jid>,
    /// Whether it is a business.
    pub business: bool,
}

/// What an account shows of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// What it says about itself.
    pub about: Option<String>,
    /// Where its picture can be fetched.
    pub picture_url: Option<String>,
    /// The name that WhatsApp has verified, of a business.
    pub verified_name: Option<String>,
    /// Its linked devices.
    pub devices: Vec<u16>,
    /// Its LID, if it was told.
    pub lid: Option<Jid>,
}

/// Who sees something of the account, or may do something to it: categories
/// and values by WhatsApp's own names, such as `last` and `contacts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Privacy {
    /// What: `last`, `online`, `profile`, `status`, `readreceipts`, `groupadd`, `calladd`, …
    pub category: String,
    /// Who: `all`, `contacts`, `contact_blacklist`, `none`, `match_last_seen`, …
    pub value: String,
}

/// A business's page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Business {
    /// What it does.
    pub description: Option<String>,
    /// Where.
    pub address: Option<String>,
    /// Its mail address.
    pub email: Option<String>,
    /// Its web sites.
    pub websites: Vec<String>,
    /// Its trades.
    pub categories: Vec<String>,
    /// When it is open, in WhatsApp's own form.
    pub hours: Value,
}

/// A newsletter (channel).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newsletter {
    /// Its address.
    pub id: Jid,
    /// What it is called.
    pub name: String,
    /// What it is about.
    pub description: Option<String>,
    /// How many follow it.
    pub subscribers: u64,
    /// Whether WhatsApp has verified it.
    pub verified: bool,
    /// What this account is to it: `owner`, `admin`, `subscriber` or `guest`.
    pub role: Option<String>,
    /// The code of its link.
    pub invite: Option<String>,
    /// When it was made, in milliseconds.
    pub created_ms: Option<i64>,
}

/// A message of a newsletter.
#[derive(Debug, Clone, PartialEq)]
pub struct NewsletterPost {
    /// Its number within the newsletter.
    pub server_id: u64,
    /// Its id.
    pub id: Option<String>,
    /// When it was posted, in milliseconds.
    pub ts_ms: i64,
    /// What it says.
    pub text: Option<String>,
    /// `text`, `image`, …
    pub content_type: String,
    /// How often it was seen.
    pub views: Option<u64>,
    /// Reactions, and how many.
    pub reactions: Vec<(String, u64)>,
}
