//! The server's word on each message that was written to the socket.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// What the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It took the message.
    Taken,
    /// It refused it, with this code.
    Refused(String),
}

/// The messages of one session that wait for the server's word.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    waiting: Mutex<HashMap<String, (u64, oneshot::Sender<Verdict>)>>,
    tickets: AtomicU64,
}

impl Acks {
    /// Starts to wait for the word on `message_id`.
    pub(crate) fn expect(self: &Arc<Self>, message_id: &str) -> Ticket {
        let (sender, verdict) = oneshot::channel();
        let number = self.tickets.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(message_id.to_owned(), (number, sender));
        Ticket { acks: Arc::clone(self), message_id: message_id.to_owned(), number, verdict: Some(verdict) }
    }

    /// The server has spoken.
    pub(crate) fn resolve(&self, message_id: &str, error: Option<&str>) {
        if let Some((_, sender)) = self.lock().remove(message_id) {
            let verdict = error.map_or(Verdict::Taken, |code| Verdict::Refused(code.to_owned()));
            // The sender may have given up a moment ago.
            let _ = sender.send(verdict);
        }
    }

    /// The connection is over: nobody hears the server's word any more.
    pub(crate) fn abandon(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (u64, oneshot::Sender<Verdict>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One message's place among those that wait; given back when dropped.
pub(crate) struct Ticket {
    acks: Arc<Acks>,
    message_id: String,
    number: u64,
    verdict: Option<oneshot::Receiver<Verdict>>,
}

impl Ticket {
    /// The server's word, or `None` if the connection ended without it.
    pub(crate) async fn verdict(mut self) -> Option<Verdict> {
        self.verdict.take()?.await.ok()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut waiting = self.acks.lock();
        if waiting.get(&self.message_id).is_some_and(|(number, _)| *number == self.number) {
            waiting.remove(&self.message_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_message_hears_its_own_verdict() {
        let acks = Arc::new(Acks::default());
        let (one, two, three) = (acks.expect("1"), acks.expect("2"), acks.expect("3"));
        acks.resolve("2", Some("463"));
        acks.resolve("1", None);
        acks.resolve("9", None);
        acks.abandon();
        assert_eq!(one.verdict().await, Some(Verdict::Taken));
        assert_eq!(two.verdict().await, Some(Verdict::Refused("463".into())));
        assert_eq!(three.verdict().await, None);
    }

    #[tokio::test]
    async fn a_dropped_ticket_leaves_nothing_and_spares_its_successor() {
        let acks = Arc::new(Acks::default());
        let first = acks.expect("1");
        let second = acks.expect("1");
        drop(first);
        acks.resolve("1", None);
        assert_eq!(second.verdict().await, Some(Verdict::Taken));
        drop(acks.expect("2"));
        assert!(acks.lock().is_empty());
    }
}
