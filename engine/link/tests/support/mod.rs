//! A simnet, a link and an intake that remembers, for the tests of this crate.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used)]

use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use warest_link::{Intake, KeyStores, LinkConfig, LinkManager, LinkStatus, Links, Unread};
use warest_model::clock::SystemClock;
use warest_model::event::{EventKind, Observation};
use warest_model::fault::Fault;
use warest_model::history::Change;
use warest_model::id::SessionId;
use warest_model::jid::Jid;
use warest_model::job::{Receipt, ReceiptKind};
use warest_model::plan::Effect;
use warest_model::session::SessionState;
use warest_simnet::{Simnet, SimnetConfig, SimnetHandle};
use whatsapp_rust::store::traits::Backend;
use whatsapp_rust::wacore::store::in_memory::InMemoryBackend;

/// The longest that anything here may take.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// What an intake was told, with a switch to make it fail.
pub struct Memory {
    pub seen: watch::Sender<Vec<Observation>>,
    pub changes: watch::Sender<Vec<Change>>,
    pub receipts: watch::Sender<Vec<Receipt>>,
    pub me: Mutex<Option<String>>,
    /// Recordings of messages that fail before one succeeds.
    pub failures: AtomicUsize,
}

#[async_trait]
impl Intake for Memory {
    async fn record(&self, _: &SessionId, observations: Vec<Observation>) -> Result<(), Fault> {
        let messages = observations.iter().any(|one| one.kind != EventKind::SessionStatus);
        let fails = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if messages && fails.is_ok() {
            return Err(Fault::retry("store_down", "no"));
        }
        self.seen.send_modify(|seen| {
            for one in observations {
                let known = one.dedup.is_some() && seen.iter().any(|other| other.dedup == one.dedup);
                if !known {
                    seen.push(one);
                }
            }
        });
        Ok(())
    }

    async fn history(&self, _: &SessionId, changes: Vec<Change>) -> Result<(), Fault> {
        self.changes.send_modify(|seen| seen.extend(changes));
        Ok(())
    }

    async fn message(&self, _: &SessionId, chat: &Jid, id: &str) -> Result<Option<Vec<u8>>, Fault> {
        let seen = self.seen.borrow();
        let changes = self.changes.borrow();
        let mut all = seen.iter().flat_map(|one| &one.changes).chain(changes.iter());
        Ok(all.find_map(|change| match change {
            Change::Message { message, .. } if message.key.remote_jid == *chat && message.key.id == id => {
                Some(message.body.clone())
            }
            _ => None,
        }))
    }

    async fn receipts(&self, _: &SessionId, receipts: Vec<Receipt>) -> Result<(), Fault> {
        self.receipts.send_modify(|heard| heard.extend(receipts));
        Ok(())
    }

    async fn paired(&self, _: &SessionId, me: Option<&str>) -> Result<(), Fault> {
        *self.me.lock().unwrap() = me.map(str::to_owned);
        Ok(())
    }
}

impl Memory {
    /// Waits until something recorded fits.
    pub async fn until(&self, what: &str, fits: impl Fn(&Observation) -> bool) -> Observation {
        let mut seen = self.seen.subscribe();
        let found = tokio::time::timeout(DEADLINE, seen.wait_for(|seen| seen.iter().any(&fits))).await;
        let Ok(Ok(seen)) = found else {
            panic!("{what} was not recorded; this was: {:#?}", self.seen.borrow());
        };
        seen.iter().find(|one| fits(one)).unwrap().clone()
    }

    /// Waits until the states that were recorded end with these.
    pub async fn until_states(&self, last: &[&str]) {
        let mut seen = self.seen.subscribe();
        let found = tokio::time::timeout(DEADLINE, async {
            while !self.states().iter().map(String::as_str).collect::<Vec<_>>().ends_with(last) {
                seen.changed().await.unwrap();
            }
        })
        .await;
        assert!(found.is_ok(), "{last:?} did not come; states were {:?}", self.states());
    }

    /// The states that were recorded, in order.
    pub fn states(&self) -> Vec<String> {
        self.seen
            .borrow()
            .iter()
            .filter(|one| one.kind == EventKind::SessionStatus)
            .map(|one| one.data["state"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The texts that were recorded, in order.
    pub fn texts(&self) -> Vec<String> {
        self.seen
            .borrow()
            .iter()
            .filter(|one| one.kind == EventKind::MessageReceived)
            .map(|one| one.data["text"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Key stores in memory.
#[derive(Default)]
pub struct Keys(Mutex<HashMap<SessionId, Arc<dyn Backend>>>);

impl Keys {
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

#[async_trait]
impl KeyStores for Keys {
    async fn open(&self, session: &SessionId, _unread: Unread) -> Result<Arc<dyn Backend>, Fault> {
        let mut stores = self.0.lock().unwrap();
        Ok(Arc::clone(stores.entry(session.clone()).or_insert_with(|| Arc::new(InMemoryBackend::new()))))
    }

    async fn forget(&self, session: &SessionId) -> Result<(), Fault> {
        self.0.lock().unwrap().remove(session);
        Ok(())
    }
}

/// A network, a link and its surroundings.
pub struct World {
    pub net: SimnetHandle,
    config: LinkConfig,
    pub link: Arc<LinkManager>,
    pub intake: Arc<Memory>,
    pub keys: Arc<Keys>,
}

pub const BOT: &str = "628111000001";
pub const ANI: &str = "628222000002";

impl World {
    pub async fn new() -> Self {
        Self::with(|config| config).await
    }

    pub async fn with(change: impl FnOnce(LinkConfig) -> LinkConfig) -> Self {
        let filter = tracing_subscriber::EnvFilter::try_from_default_env();
        let _ = tracing_subscriber::fmt()
            .with_env_filter(filter.unwrap_or_else(|_| "warn".into()))
            .with_test_writer()
            .try_init();
        let listen = "127.0.0.1:0".parse().unwrap();
        let net = Simnet::start(SimnetConfig { listen, state: None }).await.unwrap();
        net.add_phone(BOT, "Bot").await.unwrap();
        net.add_phone(ANI, "Ani").await.unwrap();
        let config = change(LinkConfig {
            endpoint: net.chat_url(),
            push_name: Some("Bot".into()),
            backoff_base: Duration::from_millis(50),
            redelivery: Duration::from_millis(200),
            ..LinkConfig::default()
        });
        let intake = Arc::new(Memory {
            seen: watch::Sender::new(Vec::new()),
            changes: watch::Sender::new(Vec::new()),
            receipts: watch::Sender::new(Vec::new()),
            me: Mutex::new(None),
            failures: AtomicUsize::new(0),
        });
        let keys = Arc::new(Keys::default());
        let link = LinkManager::new(config.clone(), keys.clone(), intake.clone(), Arc::new(SystemClock)).unwrap();
        Self { net, config, link, intake, keys }
    }

    /// A second link over the same credentials, after the first was shut down.
    pub fn again(&self) -> Arc<LinkManager> {
        LinkManager::new(self.config.clone(), self.keys.clone(), self.intake.clone(), Arc::new(SystemClock)).unwrap()
    }

    /// Waits until a session is in a state.
    pub async fn until(&self, session: &SessionId, state: SessionState) -> LinkStatus {
        let mut status = self.link.status(session).expect("a started session");
        let found = tokio::time::timeout(DEADLINE, status.wait_for(|status| status.state == state)).await;
        match found {
            Ok(Ok(status)) => status.clone(),
            _ => panic!("{state:?} was not reached; states were {:?}", self.intake.states()),
        }
    }

    /// A session that the bot's phone has linked.
    pub async fn paired(&self) -> SessionId {
        let session: SessionId = "bot".parse().unwrap();
        self.link.start(&session).await.unwrap();
        let qr = self.until(&session, SessionState::Qr).await.qr.unwrap();
        self.net.link_qr(BOT, &qr.text).await.unwrap();
        self.until(&session, SessionState::Open).await;
        session
    }

    /// Waits until a receipt for a message was recorded.
    pub async fn heard(&self, message_id: &str, kind: ReceiptKind) {
        let mut receipts = self.intake.receipts.subscribe();
        let fits = |one: &Receipt| one.message_id == message_id && one.kind == kind;
        let found = tokio::time::timeout(DEADLINE, receipts.wait_for(|all| all.iter().any(fits))).await;
        assert!(found.is_ok(), "no {kind:?} of {message_id}; these came: {:?}", self.intake.receipts.borrow());
    }

    /// Waits until a phone shows a text, and says how often it came again.
    pub async fn shown(&self, phone: &str, text: &str) -> (String, u32) {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            let shown = self.net.messages(phone, 0, None).await.unwrap();
            if let Some(one) = shown.iter().find(|one| one.text == text && !one.from_me) {
                return (one.id.clone(), one.repeats);
            }
            assert!(tokio::time::Instant::now() < deadline, "{phone} does not show {text:?} but {shown:#?}");
            let last = shown.last().map_or(0, |one| one.seq);
            let _ = self.net.messages(phone, last, Some(Duration::from_millis(500))).await;
        }
    }
}

pub fn jid(phone: &str) -> Jid {
    Jid::parse(phone, "62").unwrap()
}

pub fn text(to: &str, text: &str) -> Effect {
    Effect::text(jid(to), text)
}
