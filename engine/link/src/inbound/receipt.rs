//! What recipients' devices say of messages that this account sent.
//!
//! The protocol library acknowledges receipts by itself, before they are
//! recorded: a crash, or an engine that does not keep up, may cost the time of a
//! delivery, never a message. What the account's own devices say is not meant
//! here.

use crate::Intake;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use warest_model::id::SessionId;
use warest_model::job::{Receipt, ReceiptKind};
use whatsapp_rust::types::events;
use whatsapp_rust::types::presence::ReceiptType;

/// Receipts that may wait to be recorded, per session.
pub(crate) const WAITING: usize = 4_096;
/// Most that are recorded in one go.
const BATCH: usize = 256;
/// How long receipts are gathered: a conversation has one or two for each
/// message, and each batch is a transaction.
const GATHER: Duration = Duration::from_millis(100);
/// Wait before a batch is recorded again that could not be.
const AGAIN: Duration = Duration::from_millis(500);

/// What a receipt says, for each message it names.
pub(crate) fn observe(receipt: &events::Receipt) -> Vec<Receipt> {
    let kind = match receipt.r#type {
        ReceiptType::Delivered | ReceiptType::Inactive => ReceiptKind::Delivered,
        ReceiptType::Read => ReceiptKind::Read,
        ReceiptType::Played => ReceiptKind::Played,
        _ => return Vec::new(),
    };
    if receipt.source.is_from_me {
        return Vec::new();
    }
    let at_ms = receipt.timestamp.timestamp_millis();
    let ids = receipt.message_ids.iter();
    ids.map(|id| Receipt { message_id: id.to_string(), kind, at_ms }).collect()
}

/// Records the receipts of one session until its client is gone.
pub(crate) async fn record(session: SessionId, intake: Arc<dyn Intake>, mut heard: mpsc::Receiver<Receipt>) {
    let mut batch = Vec::with_capacity(BATCH);
    while heard.recv_many(&mut batch, BATCH).await > 0 {
        tokio::time::sleep(GATHER).await;
        while batch.len() < BATCH
            && let Ok(more) = heard.try_recv()
        {
            batch.push(more);
        }
        if intake.receipts(&session, batch.clone()).await.is_err() {
            tokio::time::sleep(AGAIN).await;
            if let Err(fault) = intake.receipts(&session, batch.clone()).await {
                tracing::warn!(%session, %fault, receipts = batch.len(), "receipts were not recorded");
            }
        }
        batch.clear();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use whatsapp_rust::types::message::MessageSource;

    fn receipt(kind: ReceiptType, is_from_me: bool) -> events::Receipt {
        let source = MessageSource {
            chat: "62811111@s.whatsapp.net".parse().unwrap(),
            sender: "62811111@s.whatsapp.net".parse().unwrap(),
            is_from_me,
            ..Default::default()
        };
        let timestamp = whatsapp_rust::chrono::DateTime::from_timestamp(1_732_364_392, 0).unwrap();
        let ids = vec!["A".into(), "B".into()];
        events::Receipt::builder()
            .source(source)
            .message_ids(ids)
            .timestamp(timestamp)
            .r#type(kind)
            .offline(false)
            .build()
    }

    #[test]
    fn a_receipt_speaks_for_every_message_it_names() {
        let read = |id: &str| Receipt { message_id: id.into(), kind: ReceiptKind::Read, at_ms: 1_732_364_392_000 };
        assert_eq!(observe(&receipt(ReceiptType::Read, false)), [read("A"), read("B")]);
    }

    #[test]
    fn what_the_accounts_own_devices_say_is_not_the_recipients_word() {
        assert_eq!(observe(&receipt(ReceiptType::Delivered, true)), []);
        for kind in [ReceiptType::Sender, ReceiptType::ReadSelf, ReceiptType::Retry, ReceiptType::ServerError] {
            assert_eq!(observe(&receipt(kind, false)), []);
        }
    }
}
