//! A reactor's state for one chat while it decides: reads see its own writes,
//! and the writes leave with the plan.

use std::collections::BTreeMap;
use warest_model::fault::Fault;
use warest_model::limits::STATE_BYTES;
use warest_model::plan::StateWrite;

/// Longest key, in bytes.
const KEY_BYTES: usize = 128;

/// State as it would be after the writes so far.
#[derive(Debug)]
pub(crate) struct State {
    entries: BTreeMap<String, String>,
    /// Keys written, and whether they were there before.
    written: BTreeMap<String, bool>,
    bytes: usize,
}

impl State {
    pub(crate) fn new(entries: BTreeMap<String, String>) -> Self {
        let bytes = entries.iter().map(|(key, value)| key.len() + value.len()).sum();
        Self { entries, written: BTreeMap::new(), bytes }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(String::as_str)
    }

    /// Writes a value, or removes the key.
    ///
    /// # Errors
    /// `state_key_invalid` and `state_too_large`; nothing is written then.
    pub(crate) fn write(&mut self, key: &str, value: Option<String>) -> Result<(), Fault> {
        if key.is_empty() || key.len() > KEY_BYTES || key.contains('\0') {
            return Err(Fault::fail("state_key_invalid", format!("a state key has 1 to {KEY_BYTES} bytes")));
        }
        let old = self.entries.get(key).map(|old| key.len() + old.len());
        let new = value.as_ref().map_or(0, |value| key.len() + value.len());
        let bytes = self.bytes - old.unwrap_or(0) + new;
        if new > 0 && bytes > STATE_BYTES {
            return Err(Fault::fail(
                "state_too_large",
                format!("the state of a chat may have at most {STATE_BYTES} bytes; remove what is no longer needed"),
            ));
        }
        // A key that neither was there nor is now needs no write, and keeps a
        // guest from growing the list of writes by removing what never was.
        if old.is_none() && value.is_none() && !self.written.contains_key(key) {
            return Ok(());
        }
        self.bytes = bytes;
        self.written.entry(key.to_owned()).or_insert(old.is_some());
        match value {
            Some(value) => drop(self.entries.insert(key.to_owned(), value)),
            None => {
                self.entries.remove(key);
                if self.written.get(key) == Some(&false) {
                    self.written.remove(key);
                }
            }
        }
        Ok(())
    }

    /// The writes, one per key.
    pub(crate) fn into_writes(mut self) -> Vec<StateWrite> {
        self.written.into_keys().map(|key| StateWrite { value: self.entries.remove(&key), key }).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_see_writes_and_only_what_changed_is_written() {
        let mut state = State::new(BTreeMap::from([("a".into(), "1".into()), ("b".into(), "2".into())]));
        state.write("a", None).unwrap();
        state.write("c", Some("3".into())).unwrap();
        state.write("d", Some("4".into())).unwrap();
        state.write("d", None).unwrap();
        state.write("never", None).unwrap();
        assert_eq!((state.get("a"), state.get("b"), state.get("c")), (None, Some("2"), Some("3")));
        assert_eq!(
            state.into_writes(),
            [StateWrite { key: "a".into(), value: None }, StateWrite { key: "c".into(), value: Some("3".into()) }]
        );
    }

    #[test]
    fn state_past_its_bound_is_refused_and_can_shrink_again() {
        let mut state = State::new(BTreeMap::from([("a".into(), "x".repeat(STATE_BYTES))]));
        assert_eq!(state.write("b", Some("y".into())).unwrap_err().code, "state_too_large");
        state.write("a", None).unwrap();
        state.write("b", Some("y".into())).unwrap();
        assert_eq!(state.write("", Some("y".into())).unwrap_err().code, "state_key_invalid");
    }
}
