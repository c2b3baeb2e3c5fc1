//! Status posts. They go to LIDs alone, so those of an audience that goes by
//! number are asked for first.

use super::address::jid;
use super::{Sender, fault, heard};
use crate::{Outgoing, Sent};
use warest_model::fault::Fault;
use warest_model::jid::Jid as Address;
use whatsapp_rust::waproto::codec::message_to_vec;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::{Jid, StatusSendOptions};

/// People who are asked about at once.
const ASKED: usize = 100;

/// Whether statuses are posted there.
pub(super) fn is(chat: &Address) -> bool {
    chat.as_str() == "status@broadcast"
}

/// A message as it stands in a status: a text has a background.
pub(super) fn shown(mut message: wa::Message) -> wa::Message {
    if let Some(text) = message.conversation.take() {
        message.extended_text_message =
            wa::message::ExtendedTextMessage { text: Some(text), ..Default::default() }.into();
    }
    if let Some(text) = message.extended_text_message.as_option_mut() {
        text.background_argb.get_or_insert(0xFF1E_6E4F);
        text.font.get_or_insert(wa::message::extended_text_message::FontType::SYSTEM);
    }
    message
}

impl Sender<'_> {
    /// Posts to the account's status, for those whom the caller names.
    pub(super) async fn post_status(&self, message: wa::Message, outgoing: Outgoing<'_>) -> Result<Sent, Fault> {
        let audience = self.audience(outgoing.audience).await?;
        if audience.is_empty() {
            return Err(Fault::fail(
                "audience_empty",
                "a status goes to the contacts of the account, and none of them is known to be on WhatsApp; save \
                 contacts on the phone first",
            ));
        }
        let body = message_to_vec(&message);
        self.client.flush_pending_signal_state().await.map_err(fault::of_keys)?;
        let ticket = self.acks.expect(outgoing.message_id);
        let message_id = Some(outgoing.message_id.to_owned());
        let options = StatusSendOptions { message_id, ..Default::default() };
        self.client.status().send_raw(message, &audience, options).await.map_err(fault::of_send)?;
        heard(ticket, body).await
    }

    /// Those of the people whose LID is known in the end.
    async fn audience(&self, people: &[Address]) -> Result<Vec<Jid>, Fault> {
        let people = people.iter().map(jid).collect::<Result<Vec<_>, _>>()?;
        let mut unknown = Vec::new();
        for one in people.iter().filter(|one| one.is_pn()) {
            if !self.is_known(one).await {
                unknown.push(one.clone());
            }
        }
        for some in unknown.chunks(ASKED) {
            // The library keeps what the server answers.
            self.client.contacts().is_on_whatsapp(some).await.map_err(|error| {
                Fault::retry("audience_unknown", format!("WhatsApp does not say who sees the status: {error}"))
            })?;
        }
        let mut audience = Vec::with_capacity(people.len());
        for one in people {
            if one.is_lid() || self.is_known(&one).await {
                audience.push(one);
            }
        }
        Ok(audience)
    }

    async fn is_known(&self, one: &Jid) -> bool {
        matches!(self.client.get_lid_pn_entry(one).await, Ok(Some(_)))
    }
}
