//! What is changed on the account's own devices: chats, stars, messages that go
//! for this account only. It travels as patches of the account's state; done is
//! what the server has accepted. Two devices that change the same at once are
//! put in order by the library, which builds its patch anew on the other's.

use super::address::{Chat, jid, wire};
use super::fault;
use warest_model::clock::Millis;
use warest_model::content::{ChatChange, Mute};
use warest_model::fault::Fault;
use warest_model::jid::Jid as Address;
use warest_model::plan::MessageKey;
use whatsapp_rust::{Client, SyncActionMessageRange, message_key, message_range};

/// A star on a message, or off it.
pub(super) async fn star(client: &Client, key: &MessageKey, on: bool) -> Result<(), Fault> {
    let (chat, author) = place(client, key).await?;
    let actions = client.chat_actions();
    let done = if on {
        actions.star_message(&chat, author.as_ref(), &key.id, key.from_me).await
    } else {
        actions.unstar_message(&chat, author.as_ref(), &key.id, key.from_me).await
    };
    done.map_err(fault::of_state)
}

/// A message goes from the account's devices.
pub(super) async fn delete(client: &Client, key: &MessageKey, with_media: bool) -> Result<(), Fault> {
    let (chat, author) = place(client, key).await?;
    client
        .chat_actions()
        .delete_message_for_me(&chat, author.as_ref(), &key.id, key.from_me, with_media, None)
        .await
        .map_err(fault::of_state)
}

/// Something about a chat. `last` is its last message, by which other devices
/// tell what the change was meant for.
pub(super) async fn change(
    client: &Client,
    chat: &Address,
    change: ChatChange,
    last: Option<(&MessageKey, Millis)>,
    now_ms: Millis,
) -> Result<(), Fault> {
    let wired = wire(client, chat).await?;
    let range = match last {
        Some((key, ts_ms)) => Some(range(client, &wired, key, ts_ms).await?),
        None => None,
    };
    let actions = client.chat_actions();
    let done = match change {
        ChatChange::Archive(true) => actions.archive_chat(&wired, range).await,
        ChatChange::Archive(false) => actions.unarchive_chat(&wired, range).await,
        ChatChange::Pin(true) => actions.pin_chat(&wired).await,
        ChatChange::Pin(false) => actions.unpin_chat(&wired).await,
        ChatChange::Mute(None) => actions.unmute_chat(&wired).await,
        ChatChange::Mute(Some(Mute::Always)) => actions.mute_chat(&wired).await,
        ChatChange::Mute(Some(Mute::For(ms))) => {
            let until = now_ms.saturating_add(Millis::try_from(ms).unwrap_or(Millis::MAX));
            actions.mute_chat_until(&wired, until).await
        }
        ChatChange::Read(read) => actions.mark_chat_as_read(&wired, read, range).await,
        ChatChange::Clear => actions.clear_chat(&wired, false, false, range).await,
        ChatChange::Delete => actions.delete_chat(&wired, true, range).await,
    };
    done.map_err(fault::of_state)
}

/// The chat of a message, and its author where the chat has several.
async fn place(client: &Client, key: &MessageKey) -> Result<(whatsapp_rust::Jid, Option<whatsapp_rust::Jid>), Fault> {
    if !key.remote_jid.is_group() {
        return Ok((wire(client, &key.remote_jid).await?, None));
    }
    let chat = Chat::of(client, &key.remote_jid).await?;
    let author = if key.from_me { None } else { chat.participant(key).await? };
    if author.is_none() && !key.from_me {
        return Err(Fault::fail(
            "participant_missing",
            "a message of a group is named with its author; give `participant` in its key",
        ));
    }
    Ok((jid(&key.remote_jid)?, author))
}

async fn range(
    client: &Client,
    chat: &whatsapp_rust::Jid,
    key: &MessageKey,
    ts_ms: Millis,
) -> Result<SyncActionMessageRange, Fault> {
    let author = match &key.participant {
        Some(author) if key.remote_jid.is_group() && !key.from_me => Some(wire(client, author).await?),
        _ => None,
    };
    // The range counts in seconds.
    let seconds = ts_ms / 1_000;
    let key = message_key(&key.id, chat, key.from_me, author.as_ref());
    Ok(message_range(seconds, None, vec![(key, seconds)]))
}
