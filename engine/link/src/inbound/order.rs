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
//!   that this sender wrote after it is recorded, for at most [`PATIENCE`].
//!
//! What was written after it is told by the order in which stanzas first came:
//! a message that was read before another could not be is often recorded later,
//! together with all that came while the session was away.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
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
/// Most messages whose arrival is remembered.
const ARRIVALS: usize = 4_096;

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
    arrivals: Arrivals,
    /// How often a message was asked for.
    asked: u64,
    missing: HashMap<String, Missing>,
    /// Waited for in vain: nobody waits for them again.
    in_vain: HashSet<String>,
}

/// When messages first came, as numbers that grow.
#[derive(Debug, Default)]
struct Arrivals {
    next: u64,
    numbers: HashMap<u64, u64>,
    oldest_first: VecDeque<u64>,
    /// Stands for a message by a hash that nobody outside can guess.
    hasher: RandomState,
}

impl Arrivals {
    /// A message came, for the first time or again.
    fn add(&mut self, chat: &str, sender: &str, id: &str) {
        // Senders choose ids: one says nothing about another's.
        let message = self.hasher.hash_one((chat, sender, id));
        if self.numbers.contains_key(&message) {
            return;
        }
        if self.oldest_first.len() >= ARRIVALS
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.numbers.remove(&oldest);
        }
        self.next += 1;
        self.oldest_first.push_back(message);
        self.numbers.insert(message, self.next);
    }

    /// The number of a message, unless that is forgotten.
    fn number(&self, info: &MessageInfo) -> Option<u64> {
        let source = &info.source;
        let message = self.hasher.hash_one((&*source.chat.user, &*source.sender.user, &*info.id));
        self.numbers.get(&message).copied()
    }
}

/// The messages of one sender that come once more.
#[derive(Debug)]
struct Missing {
    /// By when they first came, and then by when they were asked for.
    ids: BTreeMap<(u64, u64), String>,
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

    /// A message came, whatever becomes of it.
    pub(crate) fn arrived(&self, chat: &str, sender: &str, id: &str) {
        self.lock().arrivals.add(chat, sender, id);
    }

    /// A message could not be read, and was asked for.
    pub(crate) fn unreadable(&self, info: &MessageInfo) {
        let mut state = self.lock();
        let key = key(info);
        // One whose arrival is forgotten is the earliest: nobody passes it.
        let number = state.arrivals.number(info).unwrap_or(0);
        state.asked += 1;
        let place = (number, state.asked);
        let is_full = state.missing.len() >= SENDERS && !state.missing.contains_key(&key);
        if is_full || state.in_vain.contains(&info.id) {
            return;
        }
        let until = Instant::now() + self.patience;
        let missing = state.missing.entry(key).or_insert(Missing { ids: BTreeMap::new(), until, held: false });
        if missing.ids.len() < MESSAGES && missing.ids.values().all(|id| *id != info.id) {
            missing.ids.insert(place, info.id.clone());
            self.changed.notify_one();
        }
    }

    /// Whether a message that was read may be recorded now.
    pub(super) fn admits(&self, info: &MessageInfo) -> bool {
        let mut state = self.lock();
        if state.again {
            return false;
        }
        let number = state.arrivals.number(info);
        let Some(missing) = state.missing.get_mut(&key(info)) else { return true };
        let over = missing.until <= Instant::now() && !missing.held;
        let is_next = missing.ids.first_key_value().is_some_and(|((first, _), id)| {
            // It comes at last, or this one was there before it.
            *id == info.id || number.is_some_and(|number| number < *first)
        });
        if over || is_next {
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
        let waited = missing.ids.len();
        missing.ids.retain(|_, id| *id != info.id);
        if missing.ids.len() == waited {
            return;
        }
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
                    state.in_vain.extend(missing.ids.into_values());
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
    async fn a_message_that_came_before_one_that_comes_once_more_does_not_wait_for_it() {
        let order = Order::default();
        for id in ["1", "2", "3"] {
            order.arrived("1", "1", id);
        }
        order.unreadable(&info(A, "2"));
        assert!(!order.admits(&info(A, "3")) && order.admits(&info(A, "1")));
        order.recorded(&info(A, "1"));
        assert!(!is_disturbed(&order).await, "what waits is not what came before");
        assert!(order.admits(&info(A, "2")));
        // A new connection changes nothing about who was first.
        order.restored();
        order.arrived("1", "1", "1");
        assert!(order.admits(&info(A, "1")) && !order.admits(&info(A, "4")));
        // Nor does another sender who uses the same ids.
        order.unreadable(&info(B, "9"));
        assert!(!order.admits(&info(B, "1")));
    }

    #[test]
    fn arrivals_are_bounded_and_what_is_forgotten_passes_nobody() {
        let order = Order::default();
        let backlog = || (10..10 + ARRIVALS).for_each(|id| order.arrived("1", "1", &id.to_string()));
        order.arrived("1", "1", "1");
        order.arrived("1", "1", "2");
        order.unreadable(&info(A, "1"));
        backlog();
        assert_eq!(order.lock().arrivals.numbers.len(), ARRIVALS);
        assert!(!order.admits(&info(A, "2")), "it cannot show that it came before");
        assert!(order.admits(&info(A, "1")), "what is waited for is let in, however late it comes");
        // Asked for after its arrival was forgotten: it may have been the first.
        order.recorded(&info(A, "1"));
        order.restored();
        order.unreadable(&info(A, "2"));
        assert!(!order.admits(&info(A, "15")) && order.admits(&info(A, "2")));
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
