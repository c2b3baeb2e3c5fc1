//! Names of people: a phone number wherever it is known, the LID otherwise.
//!
//! WhatsApp hides phone numbers behind LIDs. The contract speaks of phone
//! numbers, so a stanza's own hint is taken first, then what the session has
//! learnt. Device and agent suffixes never leave this crate.

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

/// Names `jid`, with `alt` as the other name that its stanza gave. `None` if it
/// is an address that the contract has no word for.
pub(crate) async fn name(client: &Client, jid: &Jid, alt: Option<&Jid>) -> Option<Who> {
    let said = from_stanza(jid, alt)?;
    let complete = said.lid.as_ref().is_some_and(|lid| *lid != said.address);
    if complete || !is_person(jid) {
        return Some(said);
    }
    let Ok(Some(known)) = client.get_lid_pn_entry(&jid.to_non_ad()).await else { return Some(said) };
    let alt = match is_lid(jid) {
        true => Jid::new(&*known.phone_number, Server::Pn),
        false => Jid::new(&*known.lid, Server::Lid),
    };
    from_stanza(jid, Some(&alt))
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

fn is_lid(jid: &Jid) -> bool {
    matches!(jid.server, Server::Lid | Server::HostedLid)
}

fn is_person(jid: &Jid) -> bool {
    is_lid(jid) || matches!(jid.server, Server::Pn | Server::Hosted | Server::Legacy)
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
}
