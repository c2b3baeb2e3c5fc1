//! What a person writes at a phone, as the protobuf that the apps send: every kind of message, with
//! what it quotes, whom it mentions and how long it lives. Composing knows nothing of recipients'
//! devices; it ends with a message for a chat.

mod change;
mod context;
mod file;
mod poll;

pub(crate) use change::React;
pub(crate) use context::Options;

use context::Keyed;
use file::File;

use crate::account::Account;
use crate::error::SimnetError;
use crate::network::Network;
use serde::Deserialize;
use std::sync::Arc;
use waproto::buffa::MessageField;
use waproto::whatsapp::message::{self, buttons_response_message as buttons, list_response_message as list};
use waproto::whatsapp::{self as wa};

/// The longest text.
const TEXT: usize = 65_536;
/// Contacts in one message.
const CONTACTS: usize = 100;

/// One message, by its kind.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Content {
    Text(String),
    Image(File),
    Video(File),
    Gif(File),
    Ptv(File),
    Audio(File),
    Ptt(File),
    Document(File),
    Sticker(File),
    Contact(Contact),
    Contacts(Contacts),
    Location(Location),
    LiveLocation(LiveLocation),
    Poll(poll::Poll),
    Vote(poll::Vote),
    ButtonReply(ButtonReply),
    ListReply(ListReply),
    Forward(Of),
    Edit(change::Edit),
    Revoke(Of),
    React(React),
    Pin(change::Pin),
    Unpin(Of),
    Disappearing(u32),
}

/// Another message.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Of {
    pub(crate) id: String,
}

/// A contact card.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contact {
    name: String,
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    vcard: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contacts {
    #[serde(default)]
    name: Option<String>,
    contacts: Vec<Contact>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Location {
    latitude: f64,
    longitude: f64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    url: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LiveLocation {
    latitude: f64,
    longitude: f64,
    #[serde(default)]
    accuracy: Option<u32>,
    #[serde(default)]
    speed: Option<f32>,
    #[serde(default)]
    sequence: Option<i64>,
    #[serde(default)]
    caption: Option<String>,
}

/// The answer to a message with buttons.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ButtonReply {
    /// The button's id.
    id: String,
    /// What stands on it.
    text: String,
}

/// The answer to a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListReply {
    /// The row's id.
    id: String,
    title: String,
    #[serde(default)]
    description: Option<String>,
}

/// Where a message is written and by whom.
pub(crate) struct Desk<'a> {
    pub(crate) net: &'a Arc<Network>,
    pub(crate) account: &'a Arc<Account>,
    /// The chat: a number, or the JID of what is no single person.
    pub(crate) chat: &'a str,
}

/// Makes the message of a content.
pub(crate) async fn compose(desk: &Desk<'_>, content: Content, options: Options) -> Result<wa::Message, SimnetError> {
    let caption = options.caption.clone();
    if caption.is_some()
        && !matches!(
            content,
            Content::Image(_) | Content::Video(_) | Content::Gif(_) | Content::Ptv(_) | Content::Document(_)
        )
    {
        return Err(invalid("only image, video, gif and document take a caption"));
    }
    let plain = match content {
        Content::Text(text) => text_message(text)?,
        Content::Image(file) => file.image(desk, caption).await?,
        Content::Video(file) => file.video(desk, caption, false).await?,
        Content::Gif(file) => file.video(desk, caption, true).await?,
        Content::Ptv(file) => file.round_video(desk, caption).await?,
        Content::Audio(file) => file.audio(desk, false).await?,
        Content::Ptt(file) => file.audio(desk, true).await?,
        Content::Document(file) => file.document(desk, caption).await?,
        Content::Sticker(file) => file.sticker(desk).await?,
        Content::Contact(contact) => {
            wa::Message { contact_message: MessageField::some(contact.card()?), ..Default::default() }
        }
        Content::Contacts(contacts) => contacts.message()?,
        Content::Location(at) => at.message()?,
        Content::LiveLocation(at) => at.message()?,
        Content::Poll(poll) => poll.message(desk)?,
        Content::Vote(vote) => return vote.message(desk),
        Content::ButtonReply(reply) => reply.message(),
        Content::ListReply(reply) => reply.message(),
        Content::Forward(of) => change::forward(desk, &of)?,
        Content::Edit(edit) => return edit.message(desk),
        Content::Revoke(of) => return change::revoke(desk, &of),
        Content::React(react) => return react.message(desk),
        Content::Pin(pin) => return pin.message(desk),
        Content::Unpin(of) => return change::unpin(desk, &of),
        Content::Disappearing(seconds) => return Ok(change::disappearing(seconds)),
    };
    options.apply(desk, plain)
}

pub(crate) fn invalid(what: &str) -> SimnetError {
    SimnetError::Invalid(what.to_owned())
}

impl Desk<'_> {
    /// The chat's JID in messages.
    fn jid(&self) -> Result<String, SimnetError> {
        if self.chat.contains('@') {
            return Ok(self.chat.to_owned());
        }
        Ok(self.net.require(self.chat)?.lid_jid().to_string())
    }

    /// A message that this phone shows.
    fn shown(&self, id: &str) -> Result<crate::phone::inbox::ShownMessage, SimnetError> {
        let found = self.account.primary.inbox.find(id);
        found.ok_or_else(|| SimnetError::UnknownMessage { phone: self.account.phone.to_string(), id: id.to_owned() })
    }

    /// Names a message of this chat.
    fn key(&self, id: &str, from_me: bool, from: Option<&str>) -> Result<wa::MessageKey, SimnetError> {
        let single = !self.chat.contains('@');
        let participant = match from.filter(|_| !single) {
            Some(from) => Some(self.net.require(from)?.lid_jid().to_string()),
            None => None,
        };
        Ok(wa::MessageKey {
            remote_jid: Some(self.jid()?),
            from_me: Some(from_me),
            id: Some(id.to_owned()),
            participant,
        })
    }

    /// Names a message that this phone shows.
    fn key_of(&self, id: &str) -> Result<Keyed, SimnetError> {
        let shown = self.shown(id)?;
        Ok(Keyed { key: self.key(id, shown.from_me, Some(&shown.from))?, shown })
    }
}

fn text_message(text: String) -> Result<wa::Message, SimnetError> {
    if text.is_empty() || text.len() > TEXT {
        return Err(SimnetError::Invalid(format!("text must have 1 to {TEXT} bytes")));
    }
    Ok(wa::Message { conversation: Some(text), ..Default::default() })
}

impl Contact {
    fn card(self) -> Result<message::ContactMessage, SimnetError> {
        let vcard = match (self.vcard, self.phone) {
            (Some(vcard), None) => vcard,
            (None, Some(phone)) => format!(
                "BEGIN:VCARD\nVERSION:3.0\nN:;{0};;;\nFN:{0}\nTEL;type=CELL;waid={1}:+{1}\nEND:VCARD",
                self.name, phone
            ),
            _ => return Err(invalid("a contact has a name, and either phone or vcard")),
        };
        Ok(message::ContactMessage { display_name: Some(self.name), vcard: Some(vcard), ..Default::default() })
    }
}

impl Contacts {
    fn message(self) -> Result<wa::Message, SimnetError> {
        if self.contacts.is_empty() || self.contacts.len() > CONTACTS {
            return Err(SimnetError::Invalid(format!("contacts must be 1 to {CONTACTS}")));
        }
        let name = self.name.unwrap_or_else(|| format!("{} contacts", self.contacts.len()));
        let contacts = self.contacts.into_iter().map(Contact::card).collect::<Result<Vec<_>, _>>()?;
        Ok(wa::Message {
            contacts_array_message: MessageField::some(message::ContactsArrayMessage {
                display_name: Some(name),
                contacts,
                ..Default::default()
            }),
            ..Default::default()
        })
    }
}

fn coordinates(latitude: f64, longitude: f64) -> Result<(), SimnetError> {
    if latitude.abs() <= 90.0 && longitude.abs() <= 180.0 {
        return Ok(());
    }
    Err(invalid("latitude is -90 to 90, longitude -180 to 180"))
}

impl Location {
    fn message(self) -> Result<wa::Message, SimnetError> {
        coordinates(self.latitude, self.longitude)?;
        Ok(wa::Message {
            location_message: MessageField::some(message::LocationMessage {
                degrees_latitude: Some(self.latitude),
                degrees_longitude: Some(self.longitude),
                name: self.name,
                address: self.address,
                url: self.url,
                ..Default::default()
            }),
            ..Default::default()
        })
    }
}

impl LiveLocation {
    fn message(self) -> Result<wa::Message, SimnetError> {
        coordinates(self.latitude, self.longitude)?;
        Ok(wa::Message {
            live_location_message: MessageField::some(message::LiveLocationMessage {
                degrees_latitude: Some(self.latitude),
                degrees_longitude: Some(self.longitude),
                accuracy_in_meters: self.accuracy,
                speed_in_mps: self.speed,
                sequence_number: Some(self.sequence.unwrap_or(1)),
                caption: self.caption,
                ..Default::default()
            }),
            ..Default::default()
        })
    }
}

impl ButtonReply {
    fn message(self) -> wa::Message {
        wa::Message {
            buttons_response_message: MessageField::some(message::ButtonsResponseMessage {
                selected_button_id: Some(self.id),
                r#type: Some(buttons::Type::DISPLAY_TEXT),
                response: Some(buttons::Response::SelectedDisplayText(self.text)),
                ..Default::default()
            }),
            ..Default::default()
        }
    }
}

impl ListReply {
    fn message(self) -> wa::Message {
        wa::Message {
            list_response_message: MessageField::some(message::ListResponseMessage {
                title: Some(self.title),
                description: self.description,
                list_type: Some(list::ListType::SINGLE_SELECT),
                single_select_reply: MessageField::some(list::SingleSelectReply { selected_row_id: Some(self.id) }),
                ..Default::default()
            }),
            ..Default::default()
        }
    }
}
