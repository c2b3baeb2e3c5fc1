//! Messages that were decrypted and are not in the event log yet.
//!
//! To decrypt a message uses its key up: the ratchet has moved on, and the same
//! stanza, delivered again, cannot be read a second time. So a ratchet that is
//! saved alone, before its message is recorded, loses the message with the next
//! crash. The law here: no ratchet is committed without the texts that it used
//! up. They wait in memory and go into the transaction of the next ratchet;
//! most are recorded before that, and never written. A crash loses ratchet and
//! text together, and the redelivered stanza is decrypted anew.
//!
//! Between decryption and this place a thread may be held up for a moment, and
//! a ratchet that is saved in it goes alone. The stanza's redelivery shows that
//! (`get_pending_inbound` finds nothing), and the sender is asked once more.

use super::rows::Row;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most texts that wait, and their bytes; beyond, a text is written at once.
const MOST: usize = 4_096;
const MOST_BYTES: usize = 16 << 20;
/// Most rows that are known to be in the database, and most messages that are
/// known to be done with; to forget one costs a row too many, or a question.
const MOST_STORED: usize = 4_096;
const MOST_SETTLED: usize = 512;

/// The texts of one key store.
#[derive(Debug, Default)]
pub(super) struct Plaintexts {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<Vec<u8>, Waiting>,
    bytes: usize,
    /// Keys of rows that the database has.
    stored: HashSet<Vec<u8>>,
    /// Keys of messages that are done with, recorded or not worth it.
    settled: HashSet<Vec<u8>>,
    batches: u64,
}

#[derive(Debug)]
struct Waiting {
    row: Row,
    /// The transaction that is writing it.
    batch: Option<u64>,
}

impl Plaintexts {
    /// Keeps a text until it is recorded; gives it back if there is no room.
    pub(super) fn add(&self, row: Row) -> Result<(), Row> {
        let mut state = self.lock();
        if state.stored.contains(&row.key) || state.waiting.contains_key(&row.key) {
            // A message has one text.
            return Ok(());
        }
        let size = size(&row);
        if state.waiting.len() >= MOST || state.bytes + size > MOST_BYTES {
            return Err(row);
        }
        state.bytes += size;
        state.waiting.insert(row.key.clone(), Waiting { row, batch: None });
        Ok(())
    }

    /// The sealed text of a message that waits here.
    pub(super) fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.lock().waiting.get(key).and_then(|waiting| waiting.row.value.clone())
    }

    /// Takes note that the database has a row.
    pub(super) fn found(&self, key: Vec<u8>) {
        remember(&mut self.lock().stored, MOST_STORED, key);
    }

    /// Whether a message was removed lately.
    pub(super) fn is_settled(&self, key: &[u8]) -> bool {
        self.lock().settled.contains(key)
    }

    /// Forgets messages that were recorded; answers whose rows the database may
    /// have.
    pub(super) fn remove(&self, keys: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let mut state = self.lock();
        let mut stored = Vec::new();
        for key in keys {
            let was_stored = state.stored.remove(&key);
            let waiting = state.waiting.remove(&key);
            if let Some(waiting) = &waiting {
                state.bytes -= size(&waiting.row);
            }
            if was_stored || waiting.is_none_or(|waiting| waiting.batch.is_some()) {
                stored.push(key.clone());
            }
            remember(&mut state.settled, MOST_SETTLED, key);
        }
        stored
    }

    /// A new transaction that writes texts.
    pub(super) fn begin(&self) -> u64 {
        let mut state = self.lock();
        state.batches += 1;
        state.batches
    }

    /// The texts to write in it: all that no other transaction is writing.
    pub(super) fn take(&self, batch: u64) -> Vec<Row> {
        let mut state = self.lock();
        let waiting = state.waiting.values_mut().filter(|waiting| waiting.batch.is_none());
        waiting
            .map(|waiting| {
                waiting.batch = Some(batch);
                waiting.row.clone()
            })
            .collect()
    }

    /// A transaction is over: what it wrote is stored, or waits on.
    pub(super) fn end(&self, batch: u64, committed: bool) {
        let mut state = self.lock();
        if !committed {
            for waiting in state.waiting.values_mut().filter(|waiting| waiting.batch == Some(batch)) {
                waiting.batch = None;
            }
            return;
        }
        let written: Vec<_> = state.waiting.extract_if(|_, waiting| waiting.batch == Some(batch)).collect();
        for (key, waiting) in written {
            state.bytes -= size(&waiting.row);
            remember(&mut state.stored, MOST_STORED, key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remember(keys: &mut HashSet<Vec<u8>>, most: usize, key: Vec<u8>) {
    if keys.len() >= most {
        keys.clear();
    }
    keys.insert(key);
}

fn size(row: &Row) -> usize {
    row.key.len() + row.value.as_ref().map_or(0, Vec::len)
}
