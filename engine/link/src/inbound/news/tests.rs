//! What becomes of news, up to the intake.

#![allow(clippy::unwrap_used)]
use super::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use warest_model::clock::SystemClock;
use warest_model::jid::Jid as Address;
use warest_model::job::Receipt;
use whatsapp_rust::chrono::DateTime;
use whatsapp_rust::types::events::{
    ArchiveUpdate, DecryptFailMode, InboundMessage, MessageBatch, SelfPushNameUpdated, UnavailableType,
};
use whatsapp_rust::types::message::MessageSource;
use whatsapp_rust::waproto::whatsapp as wa;

const ANI: &str = "62811111@s.whatsapp.net";

/// Writes down what it is told, after some failures.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    failures: AtomicUsize,
}

impl Log {
    fn write(&self, line: String) -> Result<(), Fault> {
        if self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(Fault::retry("store_down", "no"));
        }
        self.lines.lock().unwrap().push(line);
        Ok(())
    }
}

#[async_trait]
impl Intake for Log {
    async fn record(&self, _: &SessionId, seen: Vec<Observation>) -> Result<(), Fault> {
        let shown = |one: &Observation| format!("{} {}", one.kind, one.data["change"].as_str().unwrap_or_default());
        self.write(seen.iter().map(shown).collect::<Vec<_>>().join(", "))
    }

    async fn history(&self, _: &SessionId, changes: Vec<Change>) -> Result<(), Fault> {
        self.write(format!("{} changes", changes.len()))
    }

    async fn message(&self, _: &SessionId, _: &Address, _: &str) -> Result<Option<Vec<u8>>, Fault> {
        Ok(None)
    }

    async fn receipts(&self, _: &SessionId, _: Vec<Receipt>) -> Result<(), Fault> {
        Ok(())
    }

    async fn paired(&self, _: &SessionId, _: Option<&str>) -> Result<(), Fault> {
        Ok(())
    }
}

fn archived(full: bool) -> News {
    let update = ArchiveUpdate::builder()
        .jid(ANI.parse().unwrap())
        .timestamp(DateTime::from_timestamp(1, 0).unwrap())
        .action(Box::new(wa::sync_action_value::ArchiveChatAction { archived: Some(true), ..Default::default() }))
        .from_full_sync(full)
        .build();
    News::Event(Arc::new(Event::ArchiveUpdate(update)))
}

fn info() -> Arc<MessageInfo> {
    let source = MessageSource {
        chat: "120363@newsletter".parse().unwrap(),
        sender: "120363@newsletter".parse().unwrap(),
        ..Default::default()
    };
    Arc::new(MessageInfo { id: "P".into(), source, ..Default::default() })
}

/// Records `news` to the end and shows what was written.
async fn written(news: Vec<News>, failures: usize) -> Vec<String> {
    let log = Arc::new(Log { failures: AtomicUsize::new(failures), ..Log::default() });
    let (tell, heard) = mpsc::channel(WAITING);
    for one in news {
        tell.try_send(one).unwrap();
    }
    drop(tell);
    let recorder = Recorder {
        session: "shop".parse().unwrap(),
        intake: log.clone(),
        client: Weak::new(),
        order: Arc::default(),
        clock: Arc::new(SystemClock),
    };
    record(recorder, heard).await;
    let lines = log.lines.lock().unwrap();
    lines.clone()
}

#[tokio::test]
async fn news_is_recorded_in_order_and_history_in_large_pieces() {
    let mut news = vec![archived(false), archived(false)];
    news.extend((0..3).map(|_| archived(true)));
    news.push(News::Read { chat: ANI.parse().unwrap(), ids: vec!["M".into()], at_ms: 1 });
    assert_eq!(written(news, 0).await, ["chat_update archive, chat_update archive", "3 changes", "chat_update read"]);
}

#[tokio::test]
async fn a_store_that_fails_is_tried_again() {
    assert_eq!(written(vec![archived(false)], 2).await, ["chat_update archive"]);
}

#[tokio::test]
async fn messages_that_pass_no_gate_are_recorded_too() {
    let message = wa::Message { conversation: Some("post".into()), ..Default::default() };
    let message = InboundMessage::builder().message(Arc::new(message)).info(info()).build();
    let batch = MessageBatch::builder()
        .messages(Arc::from([message]))
        .origin(whatsapp_rust::types::events::BatchOrigin::Live)
        .build();
    assert_eq!(written(vec![News::Event(Arc::new(Event::Messages(batch)))], 0).await, ["message_received "]);
}

#[tokio::test]
async fn what_this_device_may_not_show_is_told_of() {
    let message = UndecryptableMessage::builder()
        .info(info())
        .is_unavailable(true)
        .unavailable_type(UnavailableType::ViewOnce)
        .decrypt_fail_mode(DecryptFailMode::Show)
        .build();
    let seen = unavailable(&super::super::who::testing::book(), &message).await.unwrap();
    assert_eq!(
        (&seen.data["contentType"], &seen.data["message"]["unavailable"]),
        (&json!("unavailable"), &json!("view_once"))
    );
}

#[tokio::test]
async fn changed_credentials_are_told_of() {
    let name = SelfPushNameUpdated::builder().from_server(true).old_name("a".into()).new_name("b".into()).build();
    let news = vec![News::Event(Arc::new(Event::SelfPushNameUpdated(name))), News::Devices];
    assert_eq!(written(news, 0).await, ["creds_update "]);
}
