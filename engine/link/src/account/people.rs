//! People and businesses.

use super::fault::{Asked, question, untyped};
use super::names;
use crate::outbound::address::{jid, lid, wire};
use serde_json::Value;
use warest_model::fault::Fault;
use warest_model::jid::Jid as Address;
use warest_model::people::{Business, OnWhatsapp, Profile};
use whatsapp_rust::wacore_binary::JidExt as _;
use whatsapp_rust::{BlockingError, Client, ContactError, Jid, PresenceError};

pub(super) async fn on_whatsapp(client: &Client, numbers: &[Address]) -> Result<Vec<OnWhatsapp>, Fault> {
    let asked = numbers.iter().map(jid).collect::<Result<Vec<_>, _>>()?;
    let answers = client.contacts().is_on_whatsapp(&asked).await.map_err(contact)?;
    let mut found = Vec::with_capacity(numbers.len());
    for (number, asked) in numbers.iter().zip(&asked) {
        let same = |jid: &Jid| jid.is_same_user_as(asked);
        let answer = answers
            .iter()
            .find(|one| same(&one.jid) || one.pn_jid.as_ref().is_some_and(same) || one.lid.as_ref().is_some_and(same));
        let (mut jid, mut lid) = (number.clone(), None);
        if let Some(answer) = answer {
            let other = if answer.jid.is_lid() { answer.pn_jid.as_ref() } else { answer.lid.as_ref() };
            if let Some(person) = names::person(client, &answer.jid, other).await {
                (jid, lid) = (person.jid, person.lid);
            }
        }
        let exists = answer.is_some_and(|answer| answer.is_registered);
        let business = answer.is_some_and(|answer| answer.is_business);
        found.push(OnWhatsapp { jid, exists, lid: lid.filter(|_| exists), business });
    }
    Ok(found)
}

pub(super) async fn profile(client: &Client, of: &Address) -> Result<Profile, Fault> {
    let asked = jid(of)?;
    let mut answers = client.contacts().get_user_info(std::slice::from_ref(&asked)).await.map_err(contact)?;
    let key = answers.keys().find(|jid| jid.is_same_user_as(&asked)).or_else(|| answers.keys().next()).cloned();
    let Some(info) = key.and_then(|key| answers.remove(&key)) else {
        return Err(Fault::fail("user_not_found", "WhatsApp does not know this person"));
    };
    let person = names::person(client, &info.jid, info.lid.as_ref()).await;
    Ok(Profile {
        about: info.status.filter(|about| !about.is_empty()),
        picture_url: picture(client, of, false).await?,
        verified_name: info.verified_name.and_then(|verified| verified.name),
        devices: info.devices,
        lid: person.and_then(|person| person.lid),
    })
}

pub(super) async fn picture(client: &Client, of: &Address, preview: bool) -> Result<Option<String>, Fault> {
    match client.contacts().get_profile_picture(&jid(of)?, preview).await {
        Ok(found) => Ok(found.map(|picture| picture.url)),
        Err(error) => match contact(error) {
            // Their privacy: none for this account.
            fault if fault.code == "not_allowed" => Ok(None),
            fault => Err(fault),
        },
    }
}

pub(super) async fn business(client: &Client, of: &Address) -> Result<Option<Business>, Fault> {
    let found = match client.get_business_profile(&jid(of)?).await {
        Ok(found) => found,
        Err(error) => match question(&error, Asked::Person) {
            fault if fault.code == "user_not_found" => None,
            fault => return Err(fault),
        },
    };
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(found.map(|found| Business {
        hours: serde_json::to_value(&found.business_hours).unwrap_or(Value::Null),
        description: filled(found.description),
        address: found.address.and_then(filled),
        email: found.email.and_then(filled),
        websites: found.website,
        categories: found.categories.into_iter().map(|category| category.name).collect(),
    }))
}

pub(super) async fn blocked(client: &Client) -> Result<Vec<Address>, Fault> {
    let entries = client.blocking().get_blocklist().await.map_err(blocking)?;
    let mut found = Vec::with_capacity(entries.len());
    for entry in entries {
        found.extend(names::person(client, &entry.jid, None).await.map(|person| person.jid));
    }
    Ok(found)
}

pub(super) async fn block(client: &Client, whom: &Address, on: bool) -> Result<(), Fault> {
    let plain = jid(whom)?;
    if !(plain.is_pn() || plain.is_lid()) {
        return Err(Fault::fail("number_unusable", "only people can be blocked; leave a group instead"));
    }
    // Blocks name both addresses. Asking for the person makes both known.
    let known = matches!(client.get_lid_pn_entry(&plain).await, Ok(Some(_)));
    if !known {
        client.contacts().is_on_whatsapp(std::slice::from_ref(&plain)).await.map_err(contact)?;
    }
    let done = if on { client.blocking().block(&plain).await } else { client.blocking().unblock(&plain).await };
    done.map_err(blocking)
}

pub(super) async fn subscribe_presence(client: &Client, to: &Address) -> Result<(), Fault> {
    let wired = wire(client, to).await?;
    client.presence().subscribe(wired).await.map_err(|error: PresenceError| question(&error, Asked::Person))
}

pub(super) async fn other_name(client: &Client, of: &Address) -> Result<Option<Address>, Fault> {
    let plain = jid(of)?;
    let other = match client.get_lid_pn_entry(&plain).await {
        Ok(Some(known)) if plain.is_lid() => Some(Jid::pn(&*known.phone_number)),
        Ok(Some(known)) => Some(Jid::lid(&*known.lid)),
        Ok(None) => None,
        Err(error) => return Err(untyped(error, Asked::Own)),
    };
    if other.is_some() || !plain.is_pn() {
        return Ok(other.as_ref().and_then(names::chat));
    }
    // The server tells the LID of a number.
    client.contacts().is_on_whatsapp(std::slice::from_ref(&plain)).await.map_err(contact)?;
    let wired = lid(client, of).await?;
    Ok(Some(wired).filter(Jid::is_lid).as_ref().and_then(names::chat))
}

fn contact(error: ContactError) -> Fault {
    match &error {
        ContactError::InvalidJid(_) => Fault::fail("number_unusable", "only phone numbers and LIDs can be asked about"),
        _ => question(&error, Asked::Person),
    }
}

fn blocking(error: BlockingError) -> Fault {
    match error {
        BlockingError::InvalidJid(_) => {
            Fault::fail("user_not_found", "WhatsApp does not know this person by both addresses")
        }
        BlockingError::Internal(error) => untyped(error, Asked::Person),
        error => question(&error, Asked::Person),
    }
}
