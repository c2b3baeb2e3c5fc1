//! What other devices of the account change: chats, messages, contacts, labels.
//!
//! WhatsApp keeps these as a shared state. Its changes are events; what a full
//! sync brings was changed long ago, so it goes into the history alone. What this
//! session changes itself does not come back.

use super::message::key::key;
use super::news::Out;
use super::who::{Names, Who, name};
use serde_json::{Map, Value, json};
use warest_model::clock::Millis;
use warest_model::event::{EventKind, Observation};
use warest_model::history::{Change, ChatPatch, Contact, Label};
use whatsapp_rust::Jid;
use whatsapp_rust::types::events::Event;
use whatsapp_rust::waproto::whatsapp::sync_action_value::SyncActionMessageRange;

/// Silent for ever.
const FOREVER: Millis = Millis::MAX;

/// What is seen of a change; nothing if it is none of these.
pub(crate) async fn observe(names: &dyn Names, event: &Event) -> Vec<Out> {
    match event {
        Event::ArchiveUpdate(update) => {
            let on = update.action.archived.unwrap_or(false);
            let patch = ChatPatch { archived: Some(on), ..ChatPatch::default() };
            let seen = Changed::of(names, &update.jid, update.timestamp.timestamp_millis()).await;
            out(seen.map(|seen| seen.chat("archive", json!(on), patch)), update.from_full_sync)
        }
        Event::PinUpdate(update) => {
            let on = update.action.pinned.unwrap_or(false);
            let at_ms = update.timestamp.timestamp_millis();
            let patch = ChatPatch { pinned_ms: Some(on.then_some(at_ms)), ..ChatPatch::default() };
            let seen = Changed::of(names, &update.jid, at_ms).await;
            out(seen.map(|seen| seen.chat("pin", json!(on), patch)), update.from_full_sync)
        }
        Event::MuteUpdate(update) => {
            let on = update.action.muted.unwrap_or(false);
            let until = update.action.mute_end_timestamp.filter(|ms| *ms > 0);
            let patch =
                ChatPatch { muted_until_ms: Some(on.then(|| until.unwrap_or(FOREVER))), ..ChatPatch::default() };
            let seen = Changed::of(names, &update.jid, update.timestamp.timestamp_millis()).await;
            let seen = seen.map(|seen| seen.chat("mute", json!(on), patch));
            out(seen.map(|seen| with(seen, "until", json!(until.filter(|_| on)))), update.from_full_sync)
        }
        Event::MarkChatAsReadUpdate(update) => {
            let read = update.action.read.unwrap_or(false);
            let patch = ChatPatch { marked_unread: Some(!read), ..ChatPatch::default() };
            let at_ms = update.timestamp.timestamp_millis();
            let seen = Changed::of(names, &update.jid, at_ms).await.map(|seen| {
                let mut seen = seen.chat("read", json!(read), patch);
                if let (true, Some(chat)) = (read, seen.chat.clone()) {
                    seen.changes.push(Change::Read { chat, at_ms });
                }
                seen
            });
            out(seen, update.from_full_sync)
        }
        Event::DeleteChatUpdate(update) => {
            let seen = Changed::of(names, &update.jid, update.timestamp.timestamp_millis()).await;
            let seen = seen.map(|seen| {
                let change = Change::ChatDeleted { chat: seen.who.address.clone() };
                seen.observation("delete", json!(true), vec![change])
            });
            out(seen, update.from_full_sync)
        }
        Event::ClearChatUpdate(update) => {
            let at_ms = update.timestamp.timestamp_millis();
            let up_to_ms = up_to(update.action.message_range.as_option()).unwrap_or(at_ms);
            let starred_too = update.delete_starred;
            let seen = Changed::of(names, &update.jid, at_ms).await.map(|seen| {
                let change = Change::Cleared { chat: seen.who.address.clone(), up_to_ms, starred_too };
                let seen = seen.observation("clear", json!(true), vec![change]);
                with(with(seen, "upTo", json!(up_to_ms)), "starredToo", json!(starred_too))
            });
            out(seen, update.from_full_sync)
        }
        Event::StarUpdate(update) => {
            let on = update.action.starred.unwrap_or(false);
            let named = (update.message_id.as_str(), update.from_me, update.participant_jid.as_ref());
            let at_ms = update.timestamp.timestamp_millis();
            let seen = of_message(names, &update.chat_jid, named, at_ms, |seen, key| {
                let shown = json!(key);
                with(seen.observation("star", json!(on), vec![Change::Starred { key, on }]), "key", shown)
            });
            out(seen.await, update.from_full_sync)
        }
        Event::DeleteMessageForMeUpdate(update) => {
            let named = (update.message_id.as_str(), update.from_me, update.participant_jid.as_ref());
            let at_ms = update.timestamp.timestamp_millis();
            let seen = of_message(names, &update.chat_jid, named, at_ms, |seen, key| {
                let shown = json!(key);
                with(seen.observation("delete_message", json!(true), vec![Change::Deleted { key }]), "key", shown)
            });
            out(seen.await, update.from_full_sync)
        }
        Event::ContactUpdate(update) => {
            let action = &update.action;
            let alt = action.lid_jid.as_deref().or(action.pn_jid.as_deref()).and_then(|text| text.parse().ok());
            let Some(who) = name(names, &update.jid, alt.as_ref()).await else { return Vec::new() };
            let contact = Contact {
                jid: Some(who.address.clone()).filter(|address| address.server() == "s.whatsapp.net"),
                lid: who.lid.clone(),
                name: action.full_name.clone(),
                first_name: action.first_name.clone(),
                ..Contact::default()
            };
            let mut data = of_contact(&who, "saved", update.timestamp.timestamp_millis());
            data.insert("name".to_owned(), json!(contact.name));
            data.insert("firstName".to_owned(), json!(contact.first_name));
            let changes = vec![Change::Contact(Box::new(contact))];
            out(Some(Observation { changes, ..contact_event(&who, data) }), update.from_full_sync)
        }
        Event::UserStatusMuteUpdate(update) => {
            let Some(who) = name(names, &update.jid, None).await else { return Vec::new() };
            let mut data = of_contact(&who, "status_mute", update.timestamp.timestamp_millis());
            data.insert("muted".to_owned(), json!(update.muted));
            out(Some(contact_event(&who, data)), update.from_full_sync)
        }
        Event::LabelEditUpdate(update) => {
            let (id, action) = (&update.label_id, &update.action);
            let deleted = action.deleted.unwrap_or(false);
            let label = Label {
                id: id.clone(),
                name: action.name.clone().unwrap_or_default(),
                color: action.color.unwrap_or(0),
            };
            let shown = json!({ "id": id, "name": label.name, "color": label.color, "deleted": deleted });
            let change = if deleted { Change::LabelDeleted { id: id.clone() } } else { Change::Label(label) };
            let data = json!({
                "label": shown, "timestamp": update.timestamp.timestamp_millis(), "tags": ["device"],
            });
            let seen = Observation { changes: vec![change], ..Observation::new(EventKind::LabelUpdate, None, data) };
            out(Some(seen), update.from_full_sync)
        }
        Event::LabelAssociationUpdate(update) => {
            let Some(who) = name(names, &update.chat_jid, None).await else { return Vec::new() };
            let on = update.action.labeled.unwrap_or(false);
            let chat = who.address.clone();
            let data = json!({
                "association": { "labelId": update.label_id, "chatId": chat, "labeled": on },
                "chatId": chat, "timestamp": update.timestamp.timestamp_millis(), "tags": ["device"],
            });
            let change = Change::Labelled { label: update.label_id.clone(), chat: chat.clone(), message: None, on };
            let seen =
                Observation { changes: vec![change], ..Observation::new(EventKind::LabelUpdate, Some(chat), data) };
            out(Some(seen), update.from_full_sync)
        }
        _ => Vec::new(),
    }
}

/// Messages that were read on another device.
pub(crate) async fn read(names: &dyn Names, chat: &Jid, ids: &[String], at_ms: Millis) -> Option<Observation> {
    let seen = Changed::of(names, chat, at_ms).await?;
    let change = Change::Read { chat: seen.who.address.clone(), at_ms };
    Some(with(seen.observation("read", json!(true), vec![change]), "ids", json!(ids)))
}

/// The payload of a change of a contact.
pub(super) fn of_contact(who: &Who, change: &str, at_ms: Millis) -> Map<String, Value> {
    let mut data = Map::from_iter([
        ("change".to_owned(), json!(change)),
        ("jid".to_owned(), json!(who.address)),
        ("timestamp".to_owned(), json!(at_ms)),
        ("tags".to_owned(), json!(["device"])),
    ]);
    if let Some(lid) = &who.lid {
        data.insert("lid".to_owned(), json!(lid));
    }
    data
}

pub(super) fn contact_event(who: &Who, data: Map<String, Value>) -> Observation {
    Observation::new(EventKind::ContactUpdate, Some(who.address.clone()), Value::Object(data))
}

/// A chat of which something changed.
struct Changed {
    who: Who,
    at_ms: Millis,
}

impl Changed {
    async fn of(names: &dyn Names, chat: &Jid, at_ms: Millis) -> Option<Self> {
        Some(Self { who: name(names, chat, None).await?, at_ms })
    }

    fn observation(self, change: &str, value: Value, changes: Vec<Change>) -> Observation {
        let mut data = json!({
            "change": change, "chatId": self.who.address, "value": value, "timestamp": self.at_ms, "tags": ["device"],
        });
        if let Some(lid) = &self.who.lid {
            data["lid"] = json!(lid);
        }
        Observation { changes, ..Observation::new(EventKind::ChatUpdate, Some(self.who.address), data) }
    }

    fn chat(self, change: &str, value: Value, patch: ChatPatch) -> Observation {
        let patched = Change::Chat { chat: self.who.address.clone(), patch, at_ms: self.at_ms };
        self.observation(change, value, vec![patched])
    }
}

/// A change of one message, named by id, whether it is the account's own, and who
/// wrote it in a group.
async fn of_message(
    names: &dyn Names,
    chat: &Jid,
    (id, from_me, participant): (&str, bool, Option<&Jid>),
    at_ms: Millis,
    seen: impl FnOnce(Changed, warest_model::plan::MessageKey) -> Observation,
) -> Option<Observation> {
    let chat = Changed::of(names, chat, at_ms).await?;
    let author = match participant {
        Some(author) => name(names, author, None).await,
        None => None,
    };
    let key = key(&chat.who.address, id, from_me, author.as_ref().map(|who| &who.address));
    Some(seen(chat, key))
}

fn up_to(range: Option<&SyncActionMessageRange>) -> Option<Millis> {
    range?.last_message_timestamp.filter(|seconds| *seconds > 0).map(|seconds| seconds.saturating_mul(1_000))
}

fn with(mut seen: Observation, name: &str, value: Value) -> Observation {
    seen.data[name] = value;
    seen
}

/// An event, or only what it changes.
fn out(seen: Option<Observation>, from_full_sync: bool) -> Vec<Out> {
    match (seen, from_full_sync) {
        (Some(seen), false) => vec![Out::Event(seen)],
        (Some(seen), true) => seen.changes.into_iter().map(Out::History).collect(),
        (None, _) => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
