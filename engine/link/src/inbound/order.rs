//! The order of what a session receives.
//!
//! WhatsApp delivers the messages of a chat in order, and the log has to have
//! them so. Two things could break that, and both are met by leaving what comes
//! later unacknowledged, until a new connection brings it again:
//!
//! - a message could not be recorded. Until the session has connected anew,
//!   nothing else is recorded;
//! - a message could not be read (after a crash the keys may be a step behind),
//!   so that its sender was asked to send it once more. Until it comes, nothing
//!   else of this sender is recorded, for at most [`PATIENCE`].

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use whatsapp_rust::types::message::MessageInfo;

/// How long the others of its sender wait for a message that is sent once more.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection that has to be renewed stays for other messages that
/// were asked for: renewing it cuts their requests off.
const GRACE: Duration = Duration::from_secs(1);
/// Most senders, and messages of one, that are waited for.
const SENDERS: usize = 1_024;
const MESSAGES: usize = 256;
/// Most messages that are remembered as waited for in vain.
const IN_VAIN: usize = 1_024;

/// What has to come before other messages may be recorded.
#[derive(Debug)]
pub(crate) struct Order {
    patience: Duration,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Everything has to be delivered again.
    again: bool,
    /// When it has to be, as somebody waits for that.
    renew: Option<Instant>,
    missing: HashMap<String, Missing>,
    /// Waited for in vain: nobody waits for them again.
    in_vain: HashSet<String>,
}

/// The messages of one sender that come once more.
#[derive(Debug)]
struct Missing {
    ids: Vec<String>,
    until: Instant,
    /// Whether others had to wait for them.
    held: bool,
}

impl Default for Order {
    fn default() -> Self {
        Self::with_patience(PATIENCE)
    }
}

impl Order {
    fn with_patience(patience: Duration) -> Self {
        Self { patience, state: Mutex::default(), changed: Notify::new() }
    }

    /// A message was not recorded.
    pub(super) fn lost(&self) {
        self.lock().again = true;
        self.changed.notify_one();
    }

    /// A message could not be read, and was asked for.
    pub(crate) fn unreadable(&self, info: &MessageInfo) {
        let mut state = self.lock();
        let key = key(info);
        let is_full = state.missing.len() >= SENDERS && !state.missing.contains_key(&key);
        if is_full || state.in_vain.contains(&info.id) {
            return;
        }
        let until = Instant::now() + self.patience;
        let missing = state.missing.entry(key).or_insert(Missing { ids: Vec::new(), until, held: false });
        if missing.ids.len() < MESSAGES && !missing.ids.contains(&info.id) {
            missing.ids.push(info.id.clone());
            self.changed.notify_one();
        }
    }

    /// Whether a message that was read may be recorded now.
    pub(super) fn admits(&self, info: &MessageInfo) -> bool {
        let mut state = self.lock();
        if state.again {
            return false;
        }
        let Some(missing) = state.missing.get_mut(&key(info)) else { return true };
        let over = missing.until <= Instant::now() && !missing.held;
        if over || missing.ids.first() == Some(&info.id) {
            return true;
        }
        missing.held = true;
        false
    }

    /// A message was recorded.
    pub(super) fn recorded(&self, info: &MessageInfo) {
        let mut state = self.lock();
        let key = key(info);
        let Some(missing) = state.missing.get_mut(&key) else { return };
        missing.ids.retain(|id| *id != info.id);
        if missing.held {
            // What had to wait is delivered again by a new connection; the rest
            // of its sender waits with it.
            state.renew.get_or_insert(Instant::now() + GRACE);
        } else if missing.ids.is_empty() {
            state.missing.remove(&key);
        }
        if state.renew.is_some() && state.missing.values().all(|missing| missing.ids.is_empty()) {
            state.again = true;
        }
        self.changed.notify_one();
    }

    /// Waits until everything has to be delivered again.
    pub(crate) async fn disturbed(&self) {
        loop {
            let changed = self.changed.notified();
            let next = {
                let mut state = self.lock();
                let now = Instant::now();
                let over: Vec<_> = state.missing.extract_if(|_, missing| missing.until <= now).collect();
                for (_, missing) in over {
                    state.again |= missing.held;
                    if state.in_vain.len() >= IN_VAIN {
                        state.in_vain.clear();
                    }
                    state.in_vain.extend(missing.ids);
                }
                state.again |= state.renew.is_some_and(|renew| renew <= now);
                if state.again {
                    return;
                }
                state.missing.values().map(|missing| missing.until).chain(state.renew).min()
            };
            match next {
                Some(next) => drop(tokio::time::timeout_at(next, changed).await),
                None => changed.await,
            }
        }
    }

    /// A new connection delivers everything again.
    pub(crate) fn restored(&self) {
        let mut state = self.lock();
        (state.again, state.renew) = (false, None);
        state.missing.retain(|_, missing| !missing.ids.is_empty());
        state.missing.values_mut().for_each(|missing| missing.held = false);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(info: &MessageInfo) -> String {
    format!("{} {}", info.source.chat, info.source.sender.user)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(chat: &str, id: &str) -> MessageInfo {
        let mut info = MessageInfo { id: id.into(), ..Default::default() };
        info.source.chat = chat.parse().unwrap_or_default();
        info.source.sender = info.source.chat.clone();
        info
    }

    const A: &str = "1@s.whatsapp.net";
    const B: &str = "2@s.whatsapp.net";

    async fn is_disturbed(order: &Order) -> bool {
        tokio::time::timeout(Duration::from_millis(1), order.disturbed()).await.is_ok()
    }

    #[tokio::test]
    async fn after_a_message_that_was_not_recorded_nothing_is_until_all_comes_again() {
        let order = Order::default();
        assert!(order.admits(&info(A, "1")) && !is_disturbed(&order).await);
        order.lost();
        assert!(!order.admits(&info(A, "2")) && !order.admits(&info(B, "1")));
        assert!(is_disturbed(&order).await);
        order.restored();
        assert!(order.admits(&info(A, "1")) && !is_disturbed(&order).await);
    }

    #[tokio::test]
    async fn messages_wait_for_one_of_their_sender_that_comes_once_more() {
        let order = Order::default();
        order.unreadable(&info(A, "1"));
        order.unreadable(&info(A, "2"));
        assert!(order.admits(&info(B, "9")), "others do not wait");
        assert!(!order.admits(&info(A, "3")));
        assert!(!order.admits(&info(A, "2")), "asked for in their order, recorded in their order");
        assert!(order.admits(&info(A, "1")));
        order.recorded(&info(A, "1"));
        assert!(!order.admits(&info(A, "4")) && order.admits(&info(B, "9")));
        assert!(!is_disturbed(&order).await, "the other that was asked for may come first");
        tokio::time::timeout(GRACE * 10, order.disturbed()).await.unwrap_or_else(|_| panic!("nothing comes again"));
        order.restored();
        assert!(order.admits(&info(A, "2")) && !order.admits(&info(A, "3")));
        order.recorded(&info(A, "2"));
        order.restored();
        assert!(order.admits(&info(A, "3")));
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let order = Order::with_patience(Duration::from_millis(20));
        order.unreadable(&info(A, "1"));
        assert!(!order.admits(&info(A, "2")));
        tokio::time::timeout(PATIENCE, order.disturbed()).await.unwrap_or_else(|_| panic!("it waits for ever"));
        order.restored();
        order.unreadable(&info(A, "1"));
        assert!(order.admits(&info(A, "2")), "nor twice for the same");
    }
}
