//! A double of the network edge: every session is open unless told otherwise,
//! and what is sent is kept.

use crate::account::FakeAccount;
use async_trait::async_trait;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use tokio::sync::watch;
use warest_link::{Account, LinkStatus, Links, Outgoing, Qr, Remote, Sent};
use warest_model::fault::Fault;
use warest_model::id::SessionId;
use warest_model::jid::Jid;
use warest_model::plan::Effect;
use warest_model::session::SessionState;

/// The code that a session shows which is to be paired.
pub const QR: &str = "2@qr-code-text";

#[derive(Default)]
pub struct FakeLinks {
    sessions: Mutex<HashMap<SessionId, watch::Sender<LinkStatus>>>,
    /// What was sent, in order.
    pub sent: Mutex<Vec<(SessionId, Effect, String)>>,
    /// The account behind every open session.
    pub account: Arc<FakeAccount>,
    /// What the next sends answer.
    pub refuse: Mutex<Option<Fault>>,
}

pub fn open() -> LinkStatus {
    LinkStatus {
        state: SessionState::Open,
        qr: None,
        pairing_code: None,
        me: Some("628999000111@s.whatsapp.net".to_owned()),
    }
}

pub fn waiting_for_scan(expires_ms: i64) -> LinkStatus {
    LinkStatus {
        state: SessionState::Qr,
        qr: Some(Qr { text: QR.to_owned(), expires_ms }),
        pairing_code: None,
        me: None,
    }
}

impl FakeLinks {
    /// Puts a session's connection into a status.
    pub fn put(&self, session: &str, status: LinkStatus) {
        let mut sessions = self.sessions.lock().unwrap();
        let id: SessionId = session.parse().unwrap();
        match sessions.get(&id) {
            Some(told) => {
                told.send_replace(status);
            }
            None => {
                sessions.insert(id, watch::channel(status).0);
            }
        }
    }
}

#[async_trait]
impl Links for FakeLinks {
    async fn start(&self, session: &SessionId) -> Result<(), Fault> {
        let far = warest_model::clock::Clock::now_ms(&warest_model::clock::SystemClock) + 20_000;
        let mut sessions = self.sessions.lock().unwrap();
        sessions.entry(session.clone()).or_insert_with(|| watch::channel(waiting_for_scan(far)).0);
        Ok(())
    }

    async fn stop(&self, session: &SessionId) {
        self.sessions.lock().unwrap().remove(session);
    }

    async fn reconnect(&self, session: &SessionId) -> Result<(), Fault> {
        self.start(session).await
    }

    async fn logout(&self, session: &SessionId) -> Result<(), Fault> {
        self.stop(session).await;
        Ok(())
    }

    fn status(&self, session: &SessionId) -> Option<watch::Receiver<LinkStatus>> {
        self.sessions.lock().unwrap().get(session).map(watch::Sender::subscribe)
    }

    async fn send(&self, session: &SessionId, outgoing: Outgoing<'_>) -> Result<Sent, Fault> {
        if let Some(fault) = self.refuse.lock().unwrap().clone() {
            return Err(fault);
        }
        self.sent.lock().unwrap().push((session.clone(), outgoing.effect.clone(), outgoing.message_id.to_owned()));
        Ok(Sent::default())
    }

    fn account(&self, session: &SessionId) -> Result<Arc<dyn Account>, Fault> {
        match self.sessions.lock().unwrap().get(session) {
            Some(told) if told.borrow().state == SessionState::Open => Ok(self.account.clone()),
            _ => Err(Fault::retry("not_connected", "nobody is here")),
        }
    }

    async fn download(&self, _: &SessionId, _: Remote<'_>, _: &Path) -> Result<(), Fault> {
        Err(Fault::retry("not_connected", "nobody is here"))
    }

    async fn pair_code(&self, session: &SessionId, _: &Jid) -> Result<String, Fault> {
        match self.sessions.lock().unwrap().get(session) {
            Some(told) if told.borrow().state == SessionState::Qr => Ok("ABCD1234".to_owned()),
            _ => Err(Fault::retry("not_connected", "nobody is here")),
        }
    }

    async fn shutdown(&self) {}
}
