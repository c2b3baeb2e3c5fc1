//! What a person changes at a phone that is app state: the index and the value of each, with the
//! collection and version that the apps use.

use super::view::jid_of;
use crate::chance::now_millis;
use crate::error::SimnetError;
use crate::network::Network;
use serde::{Deserialize, Serialize};
use wacore::appstate::schemas::{self, Schema};
use waproto::buffa::MessageField;
use waproto::whatsapp::sync_action_value::{
    ArchiveChatAction, ClearChatAction, ContactAction, DeleteChatAction, LabelAssociationAction, LabelEditAction,
    MarkChatAsReadAction, MuteAction, PinAction, PushNameSetting, StarAction, SyncActionMessageRange,
};
use waproto::whatsapp::{self as wa};

/// One change.
pub(crate) struct Action {
    pub(super) collection: &'static str,
    pub(super) index: Vec<String>,
    pub(super) value: wa::SyncActionValue,
    pub(super) version: i32,
    pub(super) remove: bool,
}

/// Changes to a chat; what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ChatChange {
    /// Into the archive, or out of it.
    pub archive: Option<bool>,
    /// To the top, or off it.
    pub pin: Option<bool>,
    /// Until when it is quiet, milliseconds since 1970; -1 for ever, 0 not at all.
    pub mute: Option<i64>,
    /// Read, or marked as unread.
    pub read: Option<bool>,
    /// Takes all messages out of it.
    pub clear: bool,
    /// Takes the chat away.
    pub delete: bool,
    /// Puts a label on it, or takes it off.
    pub label: Option<LabelChange>,
}

/// A label put on something, or taken off it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelChange {
    /// The label's id.
    pub id: String,
    /// Put on, or taken off.
    pub on: bool,
}

fn set(schema: &Schema, rest: &[&str], fill: impl FnOnce(&mut wa::SyncActionValue)) -> Action {
    let mut value =
        wa::SyncActionValue { timestamp: Some(i64::try_from(now_millis()).unwrap_or(i64::MAX)), ..Default::default() };
    fill(&mut value);
    let index = std::iter::once(schema.name).chain(rest.iter().copied()).map(str::to_owned).collect();
    Action {
        collection: match schema.collection {
            schemas::Collection::Regular => "regular",
            schemas::Collection::RegularLow => "regular_low",
            schemas::Collection::RegularHigh => "regular_high",
            schemas::Collection::CriticalBlock => "critical_block",
            schemas::Collection::CriticalUnblockLow => "critical_unblock_low",
        },
        index,
        value,
        version: i32::try_from(schema.version).unwrap_or(i32::MAX),
        remove: false,
    }
}

fn range() -> MessageField<SyncActionMessageRange> {
    let seconds = i64::try_from(crate::chance::now()).unwrap_or(i64::MAX);
    MessageField::some(SyncActionMessageRange { last_message_timestamp: Some(seconds), ..Default::default() })
}

impl Action {
    /// The changes to a chat.
    pub(crate) fn chat(net: &Network, chat: &str, change: ChatChange) -> Result<Vec<Self>, SimnetError> {
        let jid = &*jid_of(net, chat)?;
        let ChatChange { archive, pin, mute, read, clear, delete, label } = change;
        let mut actions = Vec::new();
        if let Some(archived) = archive {
            actions.push(set(&schemas::ARCHIVE, &[jid], |value| {
                value.archive_chat_action =
                    MessageField::some(ArchiveChatAction { archived: Some(archived), message_range: range() });
            }));
        }
        if let Some(pinned) = pin {
            actions.push(set(&schemas::PIN, &[jid], |value| {
                value.pin_action = MessageField::some(PinAction { pinned: Some(pinned) });
            }));
        }
        if let Some(until) = mute {
            actions.push(set(&schemas::MUTE, &[jid], |value| {
                value.mute_action = MessageField::some(MuteAction {
                    muted: Some(until != 0),
                    mute_end_timestamp: (until != 0).then_some(until),
                    ..Default::default()
                });
            }));
        }
        if let Some(read) = read {
            actions.push(set(&schemas::MARK_CHAT_AS_READ, &[jid], |value| {
                value.mark_chat_as_read_action =
                    MessageField::some(MarkChatAsReadAction { read: Some(read), message_range: range() });
            }));
        }
        if clear {
            actions.push(set(&schemas::CLEAR_CHAT, &[jid, "1", "0"], |value| {
                value.clear_chat_action = MessageField::some(ClearChatAction { message_range: range() });
            }));
        }
        if delete {
            actions.push(set(&schemas::DELETE_CHAT, &[jid, "1"], |value| {
                value.delete_chat_action = MessageField::some(DeleteChatAction { message_range: range() });
            }));
        }
        if let Some(LabelChange { id, on }) = label {
            actions.push(set(&schemas::LABEL_JID, &[&id, jid], |value| {
                value.label_association_action =
                    MessageField::some(LabelAssociationAction { labeled: Some(on), ..Default::default() });
            }));
        }
        if actions.is_empty() {
            return Err(SimnetError::Invalid(
                "give at least one of archive, pin, mute, read, clear, delete, label".into(),
            ));
        }
        Ok(actions)
    }

    /// A star put on a message, or taken off. `participant` is who wrote it, in a group.
    pub(crate) fn star(
        net: &Network,
        chat: &str,
        id: &str,
        from_me: bool,
        participant: Option<&str>,
        on: bool,
    ) -> Result<Self, SimnetError> {
        let jid = jid_of(net, chat)?;
        let own = if from_me { "1" } else { "0" };
        Ok(set(&schemas::STAR, &[&jid, id, own, participant.unwrap_or("0")], |value| {
            value.star_action = MessageField::some(StarAction { starred: Some(on) });
        }))
    }

    /// A label made, changed or deleted.
    pub(crate) fn label(id: &str, name: &str, color: i32, deleted: bool) -> Self {
        set(&schemas::LABEL_EDIT, &[id], |value| {
            value.label_edit_action = MessageField::some(LabelEditAction {
                name: Some(name.to_owned()),
                color: Some(color),
                deleted: Some(deleted),
                ..Default::default()
            });
        })
    }

    /// A contact in the address book; without a name, it is taken out.
    pub(crate) fn contact(net: &Network, phone: &str, name: Option<&str>) -> Self {
        let jid = format!("{phone}@s.whatsapp.net");
        let mut action = set(&schemas::CONTACT, &[&jid], |value| {
            let name = name.unwrap_or_default();
            value.contact_action = MessageField::some(ContactAction {
                full_name: Some(name.to_owned()),
                first_name: name.split(' ').next().map(str::to_owned),
                lid_jid: net.account(phone).map(|account| account.lid_jid().to_string()),
                save_on_primary_addressbook: Some(true),
                ..Default::default()
            });
        });
        action.remove = name.is_none();
        action
    }

    /// The name that others see.
    pub(crate) fn push_name(name: &str) -> Self {
        set(&schemas::SETTING_PUSH_NAME, &[], |value| {
            value.push_name_setting = MessageField::some(PushNameSetting { name: Some(name.to_owned()) });
        })
    }
}
