//! What an account says of itself and whom it lets see it: about, picture, business profile,
//! privacy settings, blocked accounts, and whether it is there. Everything in it is bounded.

use crate::state::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The privacy categories, their values, the default first.
pub(crate) const PRIVACY: [(&str, &[&str]); 9] = [
    ("last", &["all", "contacts", "contact_blacklist", "none"]),
    ("online", &["all", "match_last_seen"]),
    ("profile", &["all", "contacts", "contact_blacklist", "none"]),
    ("status", &["all", "contacts", "contact_blacklist", "none"]),
    ("readreceipts", &["all", "none"]),
    ("groupadd", &["all", "contacts", "contact_blacklist", "none"]),
    ("calladd", &["all", "known", "contacts"]),
    ("messages", &["all", "contacts"]),
    ("defense", &["off", "on_standard"]),
];

/// Accounts that one account can block.
pub(crate) const BLOCKED: usize = 1_000;

/// A picture and its id, which changes whenever the picture does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Picture {
    pub(crate) id: String,
    pub(crate) bytes: Bytes,
}

/// The about text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    pub(crate) text: String,
    pub(crate) at: u64,
}

/// A business profile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Business {
    /// The name that WhatsApp verified.
    pub name: String,
    /// What the business does.
    pub description: String,
    /// Where it is.
    pub address: String,
    /// How to write to it.
    pub email: String,
    /// Its pages on the web.
    pub websites: Vec<String>,
    /// What kind of business it is.
    pub categories: Vec<String>,
}

/// One account's view of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Person {
    pub(crate) about: About,
    pub(crate) picture: Option<Picture>,
    pub(crate) business: Option<Business>,
    /// Whether others find the number on WhatsApp.
    pub(crate) listed: bool,
    /// What differs from the defaults.
    pub(crate) privacy: BTreeMap<String, String>,
    /// Numbers.
    pub(crate) blocked: BTreeSet<String>,
    /// Seconds until messages in new chats disappear, and since when.
    pub(crate) disappearing: (u32, u64),
    /// When it was last there, in seconds since 1970; 0 if never.
    pub(crate) last_seen: u64,
}

impl Default for Person {
    fn default() -> Self {
        Self {
            about: About::default(),
            picture: None,
            business: None,
            listed: true,
            privacy: BTreeMap::new(),
            blocked: BTreeSet::new(),
            disappearing: (0, 0),
            last_seen: 0,
        }
    }
}

impl Person {
    /// The value of a privacy category; empty for one that does not exist.
    pub(crate) fn privacy(&self, category: &str) -> &str {
        let default = || PRIVACY.iter().find(|(name, _)| *name == category).and_then(|(_, values)| values.first());
        self.privacy.get(category).map(String::as_str).or_else(|| default().copied()).unwrap_or_default()
    }

    /// Sets a privacy category. False when there is no such category or value.
    pub(crate) fn set_privacy(&mut self, category: &str, value: &str) -> bool {
        let known = PRIVACY.iter().any(|(name, values)| *name == category && values.contains(&value));
        if known {
            self.privacy.insert(category.to_owned(), value.to_owned());
        }
        known
    }
}
