//! WhatsApp addresses: phone numbers in any spelling become canonical JIDs.
//!
//! A [`Jid`] never carries a device part: it names a chat or a person, not one
//! of their devices.

use crate::phone;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A canonical address: `<digits>@s.whatsapp.net`, `<digits>@lid`,
/// `<id>@g.us`, `status@broadcast` or `<id>@newsletter`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Jid(String);

/// An address that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JidError {
    /// Neither a phone number nor `user@server`.
    #[error("recipient is empty; give a phone number with country code or a JID")]
    Empty,
    /// Phone numbers have 5 to 15 digits (ITU-T E.164 allows 15).
    #[error("\"{0}\" is not a phone number: 5 to 15 digits with country code are expected")]
    Phone(String),
    /// The part after `@` is not one that WhatsApp uses.
    #[error("\"{0}\" is not a WhatsApp server; use s.whatsapp.net, g.us, lid, newsletter or broadcast")]
    Server(String),
    /// The part before `@` does not fit its server.
    #[error("\"{0}\" is not a valid WhatsApp address")]
    User(String),
}

impl Jid {
    /// Reads a phone number in any spelling, or a JID. A number that begins with `0`
    /// is one of the country with the calling code `country_code` (digits).
    pub fn parse(text: &str, country_code: &str) -> Result<Self, JidError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(JidError::Empty);
        }
        match text.rsplit_once('@') {
            Some((user, server)) => Self::from_parts(user, server),
            None => Self::from_phone(text, country_code),
        }
    }

    /// Builds an address from the parts around `@`; a device suffix is cut off
    /// and `c.us` becomes `s.whatsapp.net`.
    pub fn from_parts(user: &str, server: &str) -> Result<Self, JidError> {
        let server = match server {
            "c.us" => "s.whatsapp.net",
            other => other,
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (user, fits) = match server {
            "s.whatsapp.net" | "lid" => {
                // `user.agent:device`; only the user names a person.
                let user = user.split([':', '.']).next().unwrap_or(user);
                (user, digits(user) && user.len() <= 20)
            }
            "g.us" => {
                let fits = user.len() <= 40 && user.split('-').all(digits) && !user.is_empty();
                (user, fits)
            }
            "newsletter" => (user, digits(user) && user.len() <= 40),
            "broadcast" => (user, user == "status" || (digits(user) && user.len() <= 40)),
            other => return Err(JidError::Server(clip(other))),
        };
        if fits { Ok(Self(format!("{user}@{server}"))) } else { Err(JidError::User(clip(&format!("{user}@{server}")))) }
    }

    fn from_phone(text: &str, country_code: &str) -> Result<Self, JidError> {
        let digits = phone::digits(text, country_code).ok_or_else(|| JidError::Phone(clip(text)))?;
        Ok(Self(format!("{digits}@s.whatsapp.net")))
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before `@`.
    pub fn user(&self) -> &str {
        self.0.split_once('@').map_or("", |(user, _)| user)
    }

    /// The part after `@`.
    pub fn server(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, server)| server)
    }

    /// Whether this is a group.
    pub fn is_group(&self) -> bool {
        self.server() == "g.us"
    }
}

fn clip(text: &str) -> String {
    text.chars().take(64).collect()
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Jid {
    type Error = JidError;
    fn try_from(text: String) -> Result<Self, JidError> {
        match text.rsplit_once('@') {
            Some((user, server)) => Self::from_parts(user, server),
            None => Err(JidError::User(clip(&text))),
        }
    }
}

impl From<Jid> for String {
    fn from(jid: Jid) -> String {
        jid.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn phone_numbers_in_any_spelling_become_one_jid() {
        for text in [
            "6281234567890",
            "+62 812-3456-7890",
            "081234567890",
            "0062 (812) 3456.7890",
            "6281234567890@c.us",
            "6281234567890:12@s.whatsapp.net",
        ] {
            let jid = Jid::parse(text, "62").unwrap();
            assert_eq!(jid.as_str(), "6281234567890@s.whatsapp.net", "{text}");
        }
    }

    #[test]
    fn other_addresses_keep_their_server() {
        for text in ["120363025386030504@g.us", "628123-1600000000@g.us", "16501234567890123@lid", "status@broadcast"] {
            assert_eq!(Jid::parse(text, "62").unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "12", "abc", "1234567890123456", "a@s.whatsapp.net", "1@evil.example", "@g.us", "62812'; --"] {
            assert!(Jid::parse(text, "62").is_err(), "{text:?}");
        }
    }
}
