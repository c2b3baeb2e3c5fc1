//! Names of people: a phone number wherever it is known, the LID otherwise.
//!
//! WhatsApp hides phone numbers behind LIDs. The contract speaks of phone
//! numbers, so a stanza's own hint is taken first, then what the session has
//! learnt. Device and agent suffixes never leave this crate.

use async_trait::async_trait;
use warest_model::jid::Jid as Address;
use whatsapp_rust::{Client, Jid, Server};

/// One person or chat, named both ways where possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    /// The phone-number address if it is known, else the LID; groups as they are.
    pub(crate) address: Address,
    /// The LID, if it is known.
    pub(crate) lid: Option<Address>,
}

/// The account itself, by both of its names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Me {
    pub(crate) phone: Option<Jid>,
    pub(crate) lid: Option<Jid>,
}

impl Me {
    /// The account that a client is paired with.
    pub(crate) fn of(client: &Client) -> Self {
        Self { phone: client.pn(), lid: client.lid() }
    }

    /// Whether a device of the account, or the account, is meant.
    pub(crate) fn is(&self, jid: &Jid) -> bool {
        let own = if is_lid(jid) { &self.lid } else { &self.phone };
        is_person(jid) && own.as_ref().is_some_and(|own| own.user == jid.user)
    }

    /// The account, named.
    pub(crate) fn who(&self) -> Option<Who> {
        let jid = self.phone.as_ref().or(self.lid.as_ref())?;
        from_stanza(jid, self.lid.as_ref())
    }
}

/// Knows people by both of their names.
#[async_trait]
pub(crate) trait Names: Send + Sync {
    /// The other name of a person: the LID behind a phone number, or the reverse.
    async fn other(&self, jid: &Jid) -> Option<Jid>;
    /// The account itself.
    fn me(&self) -> Me;
}

#[async_trait]
impl Names for Client {
    async fn other(&self, jid: &Jid) -> Option<Jid> {
        let known = self.get_lid_pn_entry(&jid.to_non_ad()).await.ok().flatten()?;
        Some(match is_lid(jid) {
            true => Jid::new(&*known.phone_number, Server::Pn),
            false => Jid::new(&*known.lid, Server::Lid),
        })
    }

    fn me(&self) -> Me {
        Me::of(self)
    }
}

/// Names `jid`, with `alt` as the other name that its stanza gave. `None` if it
/// is an address that the contract has no word for.
pub(crate) async fn name(names: &dyn Names, jid: &Jid, alt: Option<&Jid>) -> Option<Who> {
    let said = from_stanza(jid, alt)?;
    let complete = said.lid.as_ref().is_some_and(|lid| *lid != said.address);
    if complete || !is_person(jid) {
        return Some(said);
    }
    match names.other(jid).await {
        Some(other) => from_stanza(jid, Some(&other)),
        None => Some(said),
    }
}

/// Names an address that a peer wrote as text.
pub(crate) async fn name_text(names: &dyn Names, text: &str) -> Option<Who> {
    name(names, &text.parse().ok()?, None).await
}

/// Names `jid` by what the stanza says alone.
pub(super) fn from_stanza(jid: &Jid, alt: Option<&Jid>) -> Option<Who> {
    let own = address(jid)?;
    if !is_person(jid) {
        return Some(Who { address: own, lid: None });
    }
    let other = alt.filter(|alt| is_person(alt) && is_lid(alt) != is_lid(jid)).and_then(address);
    Some(match (is_lid(jid), other) {
        (true, Some(phone)) => Who { address: phone, lid: Some(own) },
        (true, None) => Who { address: own.clone(), lid: Some(own) },
        (false, lid) => Who { address: own, lid },
    })
}

/// The address without its device, in the model's form.
pub(crate) fn address(jid: &Jid) -> Option<Address> {
    let server = match jid.server {
        Server::Pn | Server::Hosted | Server::Legacy => "s.whatsapp.net",
        Server::Lid | Server::HostedLid => "lid",
        Server::Group => "g.us",
        Server::Broadcast => "broadcast",
        Server::Newsletter => "newsletter",
        _ => return None,
    };
    Address::from_parts(&jid.user, server).ok()
}

pub(super) fn is_lid(jid: &Jid) -> bool {
    matches!(jid.server, Server::Lid | Server::HostedLid)
}

fn is_person(jid: &Jid) -> bool {
    is_lid(jid) || matches!(jid.server, Server::Pn | Server::Hosted | Server::Legacy)
}

/// Names for tests: pairs of LID and phone number, of which the first is the
/// account's own.
#[cfg(test)]
pub(super) mod testing {
    #![allow(clippy::unwrap_used)]
    use super::*;

    pub(crate) struct Book(pub(crate) Vec<(Jid, Jid)>);

    /// The account is 62899 and 999; 62811 is 100, and 62822 is 200.
    pub(crate) fn book() -> Book {
        let jid = |text: &str| text.parse().unwrap();
        let pair = |lid: &str, phone: &str| (jid(&format!("{lid}@lid")), jid(&format!("{phone}@s.whatsapp.net")));
        Book(vec![pair("99900999", "62899999"), pair("10000100", "62811111"), pair("20000200", "62822222")])
    }

    #[async_trait]
    impl Names for Book {
        async fn other(&self, jid: &Jid) -> Option<Jid> {
            self.0.iter().find_map(|(lid, phone)| match () {
                () if jid.user == lid.user => Some(phone.clone()),
                () if jid.user == phone.user => Some(lid.clone()),
                () => None,
            })
        }

        fn me(&self) -> Me {
            Me { phone: Some(self.0[0].1.clone()), lid: Some(self.0[0].0.clone()) }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn who(jid: &str, alt: Option<&str>) -> (String, Option<String>) {
        let alt = alt.map(|alt| alt.parse().unwrap());
        let who = from_stanza(&jid.parse().unwrap(), alt.as_ref()).unwrap();
        (who.address.to_string(), who.lid.map(String::from))
    }

    #[test]
    fn the_phone_number_wins_and_devices_are_cut_off() {
        let both = ("62811111@s.whatsapp.net".to_owned(), Some("100200300@lid".to_owned()));
        assert_eq!(who("62811111:4@s.whatsapp.net", Some("100200300:4@lid")), both);
        assert_eq!(who("100200300:4@lid", Some("62811111:4@s.whatsapp.net")), both);
        assert_eq!(who("62811111@s.whatsapp.net", None), (both.0.clone(), None));
        let lid = "100200300@lid".to_owned();
        assert_eq!(who("100200300@lid", None), (lid.clone(), Some(lid)));
        assert_eq!(who("120363@g.us", Some("62811111@s.whatsapp.net")), ("120363@g.us".into(), None));
    }

    #[tokio::test]
    async fn what_the_stanza_does_not_say_is_looked_up() {
        let book = testing::book();
        let lid = "10000100@lid".parse::<Jid>().unwrap();
        let who = name(&book, &lid, None).await.unwrap();
        assert_eq!((who.address.as_str(), who.lid.unwrap().as_str()), ("62811111@s.whatsapp.net", "10000100@lid"));
        assert!(book.me().is(&"62899999:7@s.whatsapp.net".parse().unwrap()));
        assert!(book.me().is(&"99900999@lid".parse().unwrap()));
        assert!(!book.me().is(&lid));
    }
}
