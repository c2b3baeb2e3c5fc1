//! The account itself.

use super::fault::{Asked, group, question, untyped};
use super::groups::timer;
use crate::outbound::address::{jid, wire};
use crate::outbound::fault::{of_send, of_state};
use warest_model::fault::Fault;
use warest_model::jid::Jid as Address;
use warest_model::people::Privacy;
use whatsapp_rust::privacy_settings::{PrivacyCategory, PrivacyValue};
use whatsapp_rust::{Client, ProfileError};

pub(super) async fn set_picture(
    client: &Client,
    of: Option<&Address>,
    jpeg: Option<Vec<u8>>,
) -> Result<Option<String>, Fault> {
    let of = of.map(jid).transpose()?;
    let set = match (of, jpeg) {
        (Some(id), Some(jpeg)) => {
            client.groups().set_profile_picture(id, jpeg).await.map_err(|error| group(error, Asked::Manage))
        }
        (Some(id), None) => {
            client.groups().remove_profile_picture(id).await.map_err(|error| group(error, Asked::Manage))
        }
        (None, Some(jpeg)) => client.profile().set_profile_picture(jpeg).await.map_err(profile),
        (None, None) => client.profile().remove_profile_picture().await.map_err(profile),
    };
    match set {
        Ok(set) => Ok(Some(set.id).filter(|id| !id.is_empty())),
        Err(fault) if fault.code == "refused" => Err(Fault::fail(
            "picture_refused",
            "WhatsApp does not take this picture; give a square JPEG of at least 192 pixels",
        )),
        Err(fault) => Err(fault),
    }
}

pub(super) async fn set_about(client: &Client, about: &str) -> Result<(), Fault> {
    client.profile().set_status_text(about).await.map_err(profile)
}

pub(super) async fn set_push_name(client: &Client, name: &str) -> Result<(), Fault> {
    if name.trim().is_empty() {
        return Err(Fault::fail("name_missing", "an account has a name; give one"));
    }
    client.profile().set_push_name(name).await.map_err(profile)
}

pub(super) fn push_name(client: &Client) -> String {
    client.push_name()
}

pub(super) async fn privacy(client: &Client) -> Result<Vec<Privacy>, Fault> {
    let settings = client.fetch_privacy_settings().await.map_err(|error| question(&error, Asked::Own))?;
    Ok(settings
        .settings
        .iter()
        .map(|setting| Privacy {
            category: setting.category.as_str().to_owned(),
            value: setting.value.as_str().to_owned(),
        })
        .collect())
}

pub(super) async fn set_privacy(client: &Client, privacy: &Privacy) -> Result<(), Fault> {
    let category = PrivacyCategory::from(privacy.category.as_str());
    let value = PrivacyValue::from(privacy.value.as_str());
    let known = !matches!(category, PrivacyCategory::Other(_)) && !matches!(value, PrivacyValue::Other(_));
    if !(known && category.is_valid_value(&value)) {
        return Err(Fault::fail("privacy_invalid", format!("`{}` cannot be `{}`", privacy.category, privacy.value)));
    }
    client.set_privacy_setting(category, value).await.map_err(|error| question(&error, Asked::Own))?;
    Ok(())
}

pub(super) async fn set_default_ephemeral(client: &Client, seconds: u32) -> Result<(), Fault> {
    client.set_default_disappearing_mode(timer(seconds)?).await.map_err(|error| question(&error, Asked::Own))
}

pub(super) async fn set_ephemeral(client: &Client, chat: &Address, seconds: u32) -> Result<(), Fault> {
    let seconds = timer(seconds)?;
    if chat.is_group() {
        let set = client.groups().set_ephemeral(jid(chat)?, seconds).await;
        return set.map_err(|error| group(error, Asked::Manage));
    }
    let plain = jid(chat)?;
    if !(plain.is_pn() || plain.is_lid()) {
        return Err(Fault::fail("number_unusable", "messages disappear in chats with people and in groups"));
    }
    client.flush_pending_signal_state().await.map_err(crate::outbound::fault::of_keys)?;
    client.set_chat_disappearing_timer(plain, seconds).await.map(|_| ()).map_err(of_send)
}

pub(super) async fn devices(client: &Client) -> Result<Vec<u16>, Fault> {
    let me = client.pn().ok_or_else(crate::outbound::fault::logged_out)?.to_non_ad();
    let mut answers = client
        .contacts()
        .get_user_info(std::slice::from_ref(&me))
        .await
        .map_err(|error| question(&error, Asked::Own))?;
    let mut devices = answers.drain().next().map(|(_, info)| info.devices).unwrap_or_default();
    devices.sort_unstable();
    Ok(devices)
}

pub(super) fn device(client: &Client) -> Result<u16, Fault> {
    client.pn().map(|me| me.device).ok_or_else(crate::outbound::fault::logged_out)
}

pub(super) async fn reject_call(client: &Client, call_id: &str, from: &Address) -> Result<(), Fault> {
    if call_id.is_empty() {
        return Err(Fault::fail("call_unknown", "a call has an id; give that of the event"));
    }
    let caller = wire(client, from).await?;
    client.voip().reject_call(call_id, &caller, &caller).await.map_err(|error| question(&error, Asked::Person))
}

pub(super) async fn save_contact(
    client: &Client,
    whom: &Address,
    full_name: &str,
    first_name: Option<&str>,
) -> Result<(), Fault> {
    let plain = jid(whom)?;
    if !plain.is_pn() {
        return Err(Fault::fail("number_unusable", "a contact is saved by its phone number; give that"));
    }
    let name = Some(full_name.to_owned());
    let done = client.chat_actions().save_contact(&plain, name, first_name.map(str::to_owned), true).await;
    done.map_err(of_state)
}

fn profile(error: ProfileError) -> Fault {
    match error {
        ProfileError::Internal(error) => untyped(error, Asked::Own),
        error => question(&error, Asked::Own),
    }
}
