//! Addresses on the wire: by LID where the account or a group has moved to
//! LIDs, by phone number elsewhere.

use super::compose::context::Quote;
use super::fault;
use warest_model::fault::Fault;
use warest_model::jid::Jid as Address;
use warest_model::plan::MessageKey;
use whatsapp_rust::types::message::AddressingMode;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::{Client, Jid};

/// A chat that is written to.
pub(crate) struct Chat<'a> {
    client: &'a Client,
    /// Its address.
    pub(crate) jid: Jid,
    /// Whether its members go by LID.
    lids: bool,
}

impl<'a> Chat<'a> {
    /// Looks a chat up. What is to be known of a group is asked of the server
    /// if it is not known.
    pub(crate) async fn of(client: &'a Client, address: &Address) -> Result<Self, Fault> {
        let jid = jid(address)?;
        let lids = address.is_group()
            && client.groups().query_info(&jid).await.map_err(fault::of_group)?.addressing_mode == AddressingMode::Lid;
        Ok(Self { client, jid, lids })
    }

    /// This account, as the chat's members know it.
    pub(super) fn me(&self) -> Option<Jid> {
        let lid = if self.lids { self.client.lid() } else { None };
        lid.or_else(|| self.client.pn()).map(|me| me.to_non_ad())
    }

    /// Somebody, as the chat's members know them.
    async fn member(&self, address: &Address) -> Result<Jid, Fault> {
        let plain = jid(address)?;
        let fits = if self.lids { plain.is_lid() } else { !plain.is_lid() };
        if !fits && let Ok(Some(known)) = self.client.get_lid_pn_entry(&plain).await {
            return Ok(if self.lids { Jid::lid(&*known.lid) } else { Jid::pn(&*known.phone_number) });
        }
        Ok(plain)
    }

    /// The author that the key of a message names, where it has to.
    pub(crate) async fn participant(&self, key: &MessageKey) -> Result<Option<Jid>, Fault> {
        let several = key.remote_jid.is_group() || key.remote_jid.server() == "broadcast";
        match &key.participant {
            Some(author) if several => self.member(author).await.map(Some),
            None if several && key.from_me => Ok(self.me()),
            _ => Ok(None),
        }
    }

    /// The key of a message, as it is written in another one.
    pub(super) async fn key(&self, key: &MessageKey) -> Result<wa::MessageKey, Fault> {
        Ok(wa::MessageKey {
            remote_jid: Some(key.remote_jid.to_string()),
            from_me: Some(key.from_me),
            id: Some(key.id.clone()),
            participant: self.participant(key).await?.map(|author| author.to_string()),
        })
    }

    /// What a message of this chat says of the one that it answers.
    pub(super) async fn quote(&self, key: &MessageKey, original: Option<wa::Message>) -> Result<Quote, Fault> {
        let here = jid(&key.remote_jid)? == self.jid;
        let author = match &key.participant {
            Some(author) if here => Some(self.member(author).await?.to_string()),
            Some(author) => Some(author.to_string()),
            None if key.from_me => self.me().map(|me| me.to_string()),
            None if key.remote_jid.is_group() => None,
            None => Some(key.remote_jid.to_string()),
        };
        let chat = (!here).then(|| key.remote_jid.to_string());
        Ok(Quote { id: key.id.clone(), author, chat, message: original })
    }
}

/// The address that a bare stanza carries on the wire: the LID once the account
/// has moved to LIDs, as its messages do.
pub(crate) async fn wire(client: &Client, address: &Address) -> Result<Jid, Fault> {
    let plain = jid(address)?;
    if plain.is_pn()
        && client.is_lid_migrated().await
        && let Ok(Some(known)) = client.get_lid_pn_entry(&plain).await
    {
        return Ok(Jid::lid(&*known.lid));
    }
    Ok(plain)
}

/// Somebody by their LID, if it is known.
pub(crate) async fn lid(client: &Client, address: &Address) -> Result<Jid, Fault> {
    let plain = jid(address)?;
    match client.get_lid_pn_entry(&plain).await {
        Ok(Some(known)) if plain.is_pn() => Ok(Jid::lid(&*known.lid)),
        _ => Ok(plain),
    }
}

/// An address in the library's form.
pub(crate) fn jid(address: &Address) -> Result<Jid, Fault> {
    address
        .as_str()
        .parse()
        .map_err(|_| Fault::fail("recipient_invalid", format!("\"{address}\" is not an address that can be sent to")))
}
