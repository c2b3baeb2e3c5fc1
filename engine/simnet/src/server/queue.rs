//! What one device has been sent and has not acknowledged yet, in order.
//!
//! A stanza stays here until the device acks it, so a connection that dies loses nothing: the next
//! one starts from the front and sends the same bytes again, marked `offline`. Bounded: past the
//! limit the oldest stanza is dropped and counted. Pushing never waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use wacore_binary::Node;

/// The most stanzas kept for a device that does not ack them.
pub(crate) const LIMIT: usize = 20_000;

/// One stanza and its place in the queue.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) seq: u64,
    pub(crate) node: Arc<Node>,
}

struct Inner {
    entries: VecDeque<Entry>,
    last: u64,
    dropped: u64,
}

/// A device's unacknowledged stanzas.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    last: watch::Sender<u64>,
}

impl Default for Queue {
    fn default() -> Self {
        Self { inner: Mutex::new(Inner { entries: VecDeque::new(), last: 0, dropped: 0 }), last: watch::Sender::new(0) }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a stanza at the end.
    pub(crate) fn push(&self, node: Node) {
        let seq = {
            let mut inner = self.lock();
            if inner.entries.len() >= LIMIT {
                inner.entries.pop_front();
                inner.dropped += 1;
            }
            inner.last += 1;
            let seq = inner.last;
            inner.entries.push_back(Entry { seq, node: Arc::new(node) });
            seq
        };
        self.last.send_replace(seq);
    }

    /// The first stanza after `cursor`.
    pub(crate) fn after(&self, cursor: u64) -> Option<Entry> {
        let inner = self.lock();
        let at = inner.entries.partition_point(|entry| entry.seq <= cursor);
        inner.entries.get(at).cloned()
    }

    /// Tells of new stanzas.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// Number of waiting stanzas, and the last one's place.
    pub(crate) fn backlog(&self) -> (usize, u64) {
        let inner = self.lock();
        (inner.entries.len(), inner.last)
    }

    /// Forgets the first stanza with this tag and id; the sender decides when several match.
    /// Returns whether there was one.
    pub(crate) fn ack(&self, class: &str, id: &str, from_user: Option<&str>) -> bool {
        let mut inner = self.lock();
        let matches = |entry: &Entry| entry.node.tag == class && entry.node.attrs.get("id").is_some_and(|v| v == id);
        let from = |entry: &Entry| {
            let jid = entry.node.attrs.get("from").and_then(|v| v.to_jid());
            jid.is_some_and(|jid| Some(jid.user.as_str()) == from_user)
        };
        let exact = inner.entries.iter().position(|entry| matches(entry) && from(entry));
        match exact.or_else(|| inner.entries.iter().position(matches)) {
            Some(at) => inner.entries.remove(at).is_some(),
            None => false,
        }
    }

    /// Forgets the stanza at `seq`.
    pub(crate) fn remove(&self, seq: u64) {
        let mut inner = self.lock();
        let at = inner.entries.partition_point(|entry| entry.seq < seq);
        if inner.entries.get(at).is_some_and(|entry| entry.seq == seq) {
            inner.entries.remove(at);
        }
    }

    /// All stanzas, oldest first, for the state file.
    pub(crate) fn snapshot(&self) -> Vec<Arc<Node>> {
        self.lock().entries.iter().map(|entry| entry.node.clone()).collect()
    }

    /// How many stanzas were dropped because the queue was full.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }
}
