//! Counters, so that gaps and surprises are seen: what went through, and every IQ that simnet does
//! not know, by namespace and tag.

use crate::account::lock;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Distinct names counted at most; unknown IQs beyond go to `other`.
const NAMES: usize = 512;

/// The network's counters.
#[derive(Default)]
pub(crate) struct Stats {
    named: Mutex<BTreeMap<&'static str, u64>>,
    unknown_iqs: Mutex<BTreeMap<String, u64>>,
}

impl Stats {
    /// Adds one to a counter.
    pub(crate) fn count(&self, name: &'static str) {
        *lock(&self.named).entry(name).or_default() += 1;
    }

    /// Counts an IQ that got an empty answer.
    pub(crate) fn unknown_iq(&self, xmlns: &str, tag: &str) {
        let mut unknown = lock(&self.unknown_iqs);
        let mut key = format!("{xmlns}/{tag}");
        key.truncate(key.floor_char_boundary(120));
        if unknown.len() >= NAMES && !unknown.contains_key(&key) {
            key = "other".into();
        }
        *unknown.entry(key).or_default() += 1;
    }

    /// All counters, and the unknown IQs.
    pub(crate) fn read(&self) -> (BTreeMap<&'static str, u64>, BTreeMap<String, u64>) {
        (lock(&self.named).clone(), lock(&self.unknown_iqs).clone())
    }
}
