//! Addresses in answers: the phone number where it is known, the LID beside it.

use crate::inbound::who;
use warest_model::jid::Jid as Address;
use whatsapp_rust::{Client, Jid};

/// Somebody, by the names that an answer gives and those that are known.
pub(super) struct Person {
    /// The phone number's address, if it is known, else the LID.
    pub(super) jid: Address,
    /// The LID, if it is known.
    pub(super) lid: Option<Address>,
}

/// Names somebody; `other` is what the answer gives beside. `None` for what is
/// no person's address.
pub(super) async fn person(client: &Client, jid: &Jid, other: Option<&Jid>) -> Option<Person> {
    let who = who::name(client, jid, other).await?;
    Some(Person { jid: who.address, lid: who.lid })
}

/// The phone number's address of somebody, if it is known, else the LID.
pub(super) async fn address(client: &Client, jid: Option<&Jid>, other: Option<&Jid>) -> Option<Address> {
    match (jid, other) {
        (Some(jid), other) => person(client, jid, other).await.map(|person| person.jid),
        (None, Some(other)) => person(client, other, None).await.map(|person| person.jid),
        (None, None) => None,
    }
}

/// A chat's address.
pub(super) fn chat(jid: &Jid) -> Option<Address> {
    who::address(jid)
}
