//! What recipients' devices say of messages that this account sent.
//!
//! The protocol library acknowledges receipts by itself, before they are
//! recorded: a crash, or an engine that does not keep up, may cost the time of a
//! delivery, never a message. What the account's own devices say tells what was
//! read there ([`own_read`]).

use super::news::News;
use super::who::{Me, Names, name};
use crate::Intake;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::mpsc;
use warest_model::clock::Millis;
use warest_model::id::SessionId;
use warest_model::job::{Receipt, ReceiptKind};
use whatsapp_rust::types::events;
use whatsapp_rust::types::presence::ReceiptType;
use whatsapp_rust::wacore_binary::{JidExt as _, NodeRef};
use whatsapp_rust::{Client, Jid};

/// Receipts that may wait to be recorded, per session.
pub(crate) const WAITING: usize = 4_096;
/// Most that are recorded in one go.
const BATCH: usize = 256;
/// How long receipts are gathered: a conversation has one or two for each
/// message, and each batch is a transaction.
const GATHER: Duration = Duration::from_millis(100);
/// Wait before a batch is recorded again that could not be.
const AGAIN: Duration = Duration::from_millis(500);

/// One message of which a device says something.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Heard {
    id: String,
    kind: ReceiptKind,
    at_ms: Millis,
    chat: Jid,
    by: Jid,
    /// The other name of who said it, if the stanza gave it.
    alt: Option<Jid>,
}

/// What a receipt says, for each message it names; of statuses, see [`of_status`].
pub(crate) fn observe(receipt: &events::Receipt) -> Vec<Heard> {
    if receipt.source.chat.is_status_broadcast() {
        return Vec::new();
    }
    let kind = match receipt.r#type {
        ReceiptType::Delivered | ReceiptType::Inactive => ReceiptKind::Delivered,
        ReceiptType::Read => ReceiptKind::Read,
        ReceiptType::Played => ReceiptKind::Played,
        _ => return Vec::new(),
    };
    let at_ms = receipt.timestamp.timestamp_millis();
    let source = &receipt.source;
    let heard = |id: &String| Heard {
        id: id.clone(),
        kind,
        at_ms,
        chat: source.chat.clone(),
        by: source.sender.clone(),
        alt: source.sender_alt.clone(),
    };
    receipt.message_ids.iter().map(heard).collect()
}

/// What a receipt of one of the account's own devices says was read in a group.
pub(crate) fn own_read(receipt: &events::Receipt) -> Option<News> {
    let reads = [ReceiptType::Read, ReceiptType::ReadSelf, ReceiptType::Played, ReceiptType::PlayedSelf];
    let chat = &receipt.source.chat;
    // In a chat of two it is the stanza that names it.
    let is_chat = *chat != receipt.source.sender && reads.contains(&receipt.r#type);
    is_chat.then(|| News::Read {
        chat: chat.clone(),
        ids: receipt.message_ids.clone(),
        at_ms: receipt.timestamp.timestamp_millis(),
    })
}

/// What a stanza of one of the account's own devices says was read in a chat of two.
pub(crate) fn own_read_of(me: &Me, stanza: &NodeRef<'_>, now_ms: Millis) -> Option<News> {
    let mut attributes = stanza.attrs();
    if &*stanza.tag != "receipt" || !me.is(&attributes.optional_jid("from")?) {
        return None;
    }
    let is_read =
        matches!(attributes.optional_string("type").as_deref(), Some("read" | "read-self" | "played" | "played-self"));
    let chat = attributes.optional_jid("recipient").filter(|_| is_read)?;
    Some(News::Read { chat, ids: ids(stanza), at_ms: moment(stanza, now_ms) })
}

/// What a stanza says of statuses. The library does not say by whom.
pub(crate) fn of_status(stanza: &NodeRef<'_>, now_ms: Millis) -> Vec<Heard> {
    let mut attributes = stanza.attrs();
    let chat = attributes.optional_jid("from").filter(|chat| chat.is_status_broadcast());
    let kind = match attributes.optional_string("type").as_deref() {
        None | Some("delivery" | "inactive") => ReceiptKind::Delivered,
        Some("read") => ReceiptKind::Read,
        Some("played") => ReceiptKind::Played,
        Some(_) => return Vec::new(),
    };
    let (Some(chat), Some(by)) = (chat, attributes.optional_jid("participant")) else { return Vec::new() };
    let (alt, at_ms) = (attributes.optional_jid("participant_pn"), moment(stanza, now_ms));
    let heard = |id| Heard { id, kind, at_ms, chat: chat.clone(), by: by.clone(), alt: alt.clone() };
    ids(stanza).into_iter().map(heard).collect()
}

/// The messages that a receipt names.
fn ids(stanza: &NodeRef<'_>) -> Vec<String> {
    let listed = stanza.get_optional_child("list").and_then(|list| list.children());
    let listed = listed.into_iter().flatten().filter_map(|item| item.attrs().optional_string("id"));
    let own = stanza.attrs().optional_string("id");
    own.into_iter().chain(listed).map(|id| id.into_owned()).collect()
}

fn moment(stanza: &NodeRef<'_>, now_ms: Millis) -> Millis {
    let seconds = stanza.attrs().optional_u64("t").and_then(|seconds| i64::try_from(seconds).ok());
    seconds.map_or(now_ms, |seconds| seconds.saturating_mul(1_000))
}

/// Records the receipts of one session until its client is gone.
pub(crate) async fn record(
    session: SessionId,
    intake: Arc<dyn Intake>,
    client: Weak<Client>,
    mut heard: mpsc::Receiver<Heard>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while heard.recv_many(&mut batch, BATCH).await > 0 {
        tokio::time::sleep(GATHER).await;
        while batch.len() < BATCH
            && let Ok(more) = heard.try_recv()
        {
            batch.push(more);
        }
        let mut receipts = Vec::with_capacity(batch.len());
        {
            let client = client.upgrade();
            for one in batch.drain(..) {
                receipts.push(named(client.as_deref().map(|client| client as &dyn Names), one).await);
            }
        }
        if intake.receipts(&session, receipts.clone()).await.is_err() {
            tokio::time::sleep(AGAIN).await;
            let count = receipts.len();
            if let Err(fault) = intake.receipts(&session, receipts).await {
                tracing::warn!(%session, %fault, receipts = count, "receipts were not recorded");
            }
        }
    }
}

/// The receipt, with its people named.
async fn named(names: Option<&dyn Names>, heard: Heard) -> Receipt {
    let mut receipt = Receipt::new(heard.id, heard.kind, heard.at_ms);
    let Some(names) = names else { return receipt };
    let alt = heard.alt.as_ref().filter(|_| heard.chat.to_non_ad() == heard.by.to_non_ad());
    receipt.chat = name(names, &heard.chat, alt).await.map(|who| who.address);
    if let Some(by) = name(names, &heard.by, heard.alt.as_ref()).await {
        receipt.by_lid = by.lid;
        receipt.by = Some(by.address);
    }
    receipt
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::who::testing::book;
    use super::*;
    use whatsapp_rust::NodeBuilder;
    use whatsapp_rust::types::message::MessageSource;

    const ANI: &str = "62811111@s.whatsapp.net";
    const GROUP: &str = "120363@g.us";
    const AT: i64 = 1_732_364_392_000;

    fn receipt(kind: ReceiptType, chat: &str, sender: &str) -> events::Receipt {
        let source =
            MessageSource { chat: chat.parse().unwrap(), sender: sender.parse().unwrap(), ..Default::default() };
        let timestamp = whatsapp_rust::chrono::DateTime::from_timestamp_millis(AT).unwrap();
        let ids = vec!["A".into(), "B".into()];
        events::Receipt::builder()
            .source(source)
            .message_ids(ids)
            .timestamp(timestamp)
            .r#type(kind)
            .offline(false)
            .build()
    }

    #[tokio::test]
    async fn a_receipt_speaks_for_every_message_it_names_and_says_whose_it_is() {
        let heard = observe(&receipt(ReceiptType::Read, GROUP, "10000100:4@lid"));
        assert_eq!(heard.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["A", "B"]);
        let read = named(Some(&book()), heard[0].clone()).await;
        let said = Receipt {
            chat: Some(GROUP.parse::<Jid>().ok().as_ref().and_then(super::super::who::address).unwrap()),
            by: super::super::who::address(&ANI.parse().unwrap()),
            by_lid: super::super::who::address(&"10000100@lid".parse().unwrap()),
            ..Receipt::new("A", ReceiptKind::Read, AT)
        };
        assert_eq!(read, said);
        let direct = observe(&receipt(ReceiptType::Delivered, "10000100@lid", "10000100:4@lid"));
        assert_eq!(named(Some(&book()), direct[0].clone()).await.chat.unwrap().as_str(), ANI);
    }

    #[test]
    fn what_is_between_devices_is_no_word_of_a_recipient() {
        for kind in [ReceiptType::Sender, ReceiptType::ReadSelf, ReceiptType::Retry, ReceiptType::ServerError] {
            assert_eq!(observe(&receipt(kind, ANI, ANI)), []);
        }
    }

    #[test]
    fn who_saw_a_status_is_known() {
        let stanza = |kind: Option<&str>| {
            let stanza = NodeBuilder::new("receipt")
                .attr("from", "status@broadcast".parse::<Jid>().unwrap())
                .attr("participant", ANI.parse::<Jid>().unwrap())
                .attr("id", "A");
            match kind {
                Some(kind) => stanza.attr("type", kind).build(),
                None => stanza.build(),
            }
        };
        let heard = |kind| of_status(&stanza(kind).as_node_ref(), AT);
        let [seen] = heard(Some("read")).try_into().unwrap();
        assert_eq!((seen.id.as_str(), seen.kind, seen.at_ms), ("A", ReceiptKind::Read, AT));
        assert_eq!((seen.by.to_string().as_str(), seen.chat.to_string().as_str()), (ANI, "status@broadcast"));
        assert_eq!(heard(None)[0].kind, ReceiptKind::Delivered);
        assert_eq!(heard(Some("retry")), []);
        assert_eq!(observe(&receipt(ReceiptType::Read, "status@broadcast", "status@broadcast")), []);
    }

    #[test]
    fn what_the_account_read_elsewhere_is_known() {
        let me = book().me();
        let Some(News::Read { chat, ids, at_ms: AT }) =
            own_read(&receipt(ReceiptType::Read, GROUP, "62899999:2@s.whatsapp.net"))
        else {
            panic!("a group names itself");
        };
        assert_eq!((chat.to_string().as_str(), ids.len()), (GROUP, 2));
        assert!(own_read(&receipt(ReceiptType::Delivered, GROUP, "62899999:2@s.whatsapp.net")).is_none());

        let item = NodeBuilder::new("item").attr("id", "B").build();
        let stanza = |from: &str, kind: &str| {
            NodeBuilder::new("receipt")
                .attr("from", from.parse::<Jid>().unwrap())
                .attr("recipient", ANI.parse::<Jid>().unwrap())
                .attr("id", "A")
                .attr("type", kind)
                .attr("t", 1_732_364_392_u64)
                .children([NodeBuilder::new("list").children([item.clone()]).build()])
                .build()
        };
        let own = stanza("62899999:2@s.whatsapp.net", "read-self");
        let Some(News::Read { chat, ids, at_ms: AT }) = own_read_of(&me, &own.as_node_ref(), 0) else { panic!() };
        assert_eq!((chat.to_string().as_str(), ids), (ANI, vec!["A".to_owned(), "B".to_owned()]));
        assert!(own_read_of(&me, &stanza(ANI, "read").as_node_ref(), 0).is_none());
        assert!(own_read_of(&me, &stanza("62899999:2@s.whatsapp.net", "sender").as_node_ref(), 0).is_none());
    }
}
