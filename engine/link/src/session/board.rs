//! The status board of a session: what anybody may watch, and the
//! `session_status` event for every change.

use super::Session;
use crate::{LinkStatus, PairingCode, Qr};
use serde_json::json;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use warest_model::clock::Millis;
use warest_model::event::{EventKind, Observation};
use warest_model::fault::Fault;
use warest_model::session::SessionState;

/// Waits between attempts to record a change.
const PAUSES: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(2)];
/// For one attempt; the connection must not wait for the store for ever.
const DEADLINE: Duration = Duration::from_secs(10);

/// What a person needs to pair.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// The code to scan.
    pub(super) qr: Option<Qr>,
    /// The code to type.
    pub(super) code: Option<PairingCode>,
}

pub(super) struct Board {
    status: watch::Sender<LinkStatus>,
    /// Why the state is what it is, as last recorded.
    reason: Mutex<Option<String>>,
}

impl Board {
    pub(super) fn new() -> Self {
        let status = LinkStatus { state: SessionState::Connecting, qr: None, pairing_code: None, me: None };
        Self { status: watch::Sender::new(status), reason: Mutex::default() }
    }

    pub(super) fn watch(&self) -> watch::Receiver<LinkStatus> {
        self.status.subscribe()
    }

    pub(super) fn state(&self) -> SessionState {
        self.status.borrow().state
    }

    pub(super) fn set_me(&self, me: Option<String>) {
        self.status.send_modify(|status| status.me = me);
    }

    /// Takes note of the reason; whether it is another than before.
    fn reason_changed(&self, reason: Option<&str>) -> bool {
        let mut last = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = last.as_deref() != reason;
        *last = reason.map(str::to_owned);
        changed
    }

    /// Shows a state without an event: the supervisor ends.
    pub(super) fn rest(&self) {
        self.status.send_modify(|status| {
            status.state = SessionState::Connecting;
            status.qr = None;
            status.pairing_code = None;
        });
    }
}

impl Session {
    /// Shows a new state and records the change. A state that is shown already
    /// is no change, unless it has a new code to scan or to type, another reason,
    /// or is the first.
    pub(super) async fn announce(&self, state: SessionState, shown: Shown, reason: Option<&str>, first: bool) {
        let changed = self.board.status.send_if_modified(|status| {
            let changed = status.state != state || status.qr != shown.qr || status.pairing_code != shown.code;
            status.state = state;
            status.qr.clone_from(&shown.qr);
            status.pairing_code.clone_from(&shown.code);
            changed
        });
        if !self.board.reason_changed(reason) && !changed && !first {
            return;
        }
        tracing::info!(session = %self.id, state = state.as_str(), reason, "session status");
        let observation = self.observation(state, &shown, reason);
        let mut pauses = PAUSES.into_iter();
        loop {
            let recorded = self.shared.intake.record(&self.id, vec![observation.clone()]);
            let fault = match tokio::time::timeout(DEADLINE, recorded).await {
                Ok(Ok(())) => return,
                Ok(Err(fault)) => fault,
                Err(_) => Fault::unknown("intake_timeout", "the change was not recorded in time"),
            };
            let Some(pause) = pauses.next() else {
                tracing::error!(session = %self.id, state = state.as_str(), %fault, "a session status was not recorded");
                return;
            };
            tokio::time::sleep(pause).await;
        }
    }

    fn observation(&self, state: SessionState, shown: &Shown, reason: Option<&str>) -> Observation {
        let name = state.as_str();
        let seconds = |until_ms: Millis| (until_ms - self.shared.clock.now_ms()).max(0) / 1_000;
        let mut data = json!({ "state": name, "status": name, "tags": ["session", name] });
        if let Some(qr) = &shown.qr {
            data["qr"] = json!(qr.text);
            data["qrDuration"] = json!(seconds(qr.expires_ms));
        }
        if let Some(code) = &shown.code {
            data["pairingCode"] = json!(code.text);
            data["pairingCodeDuration"] = json!(seconds(code.expires_ms));
        }
        if let Some(me) = &self.board.status.borrow().me {
            data["me"] = json!(me);
        }
        if let Some(reason) = reason {
            data["reason"] = json!(reason);
        }
        Observation::new(EventKind::SessionStatus, None, data)
    }
}
