//! Where the identifiers of what one request makes come from.
//!
//! All of them carry the request's moment and are numbered, so that they sort in
//! the order they were made. Births that are derived from an idempotency key
//! are the same for every repeat of the request: the repeat meets the rows that
//! the first one made instead of making others.

use crate::clock::Millis;
use crate::id::Born;
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Bits of an identifier that number what one request makes.
const NUMBER_BITS: u32 = 24;

/// The identifiers of what one request makes.
#[derive(Debug)]
pub struct Births {
    at_ms: Millis,
    seed: u64,
    born: AtomicU32,
    kept: AtomicBool,
}

impl Births {
    /// For a request that is never repeated.
    pub fn new(at_ms: Millis) -> Self {
        Self::seeded(at_ms, rand::random())
    }

    /// For a request that began at `at_ms` and is known by `parts`.
    pub fn derived(at_ms: Millis, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"warest births\0");
        for part in parts {
            // With its length, so that no two lists of parts read alike.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let hash = hash.finalize();
        let mut seed = [0; 8];
        seed.copy_from_slice(&hash[..8]);
        Self::seeded(at_ms, u64::from_be_bytes(seed))
    }

    fn seeded(at_ms: Millis, seed: u64) -> Self {
        Self { at_ms, seed, born: AtomicU32::new(0), kept: AtomicBool::new(false) }
    }

    /// When the request began.
    pub fn at_ms(&self) -> Millis {
        self.at_ms
    }

    /// The next identifier.
    pub fn next<Id: Born>(&self) -> Id {
        let number = self.born.fetch_add(1, Ordering::Relaxed) & ((1 << NUMBER_BITS) - 1);
        let high = u128::from(self.seed) & ((1 << (80 - NUMBER_BITS)) - 1);
        Id::born(self.at_ms, high << NUMBER_BITS | u128::from(number))
    }

    /// Leaves out an identifier, so that those after it stay what they are.
    pub fn skip(&self) {
        self.born.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that something of the request is in the store.
    pub fn keep(&self) {
        self.kept.store(true, Ordering::Release);
    }

    /// Whether something of the request is in the store.
    pub fn kept(&self) -> bool {
        self.kept.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::JobId;

    #[test]
    fn a_repeat_makes_the_same_identifiers_in_order() {
        let births = || Births::derived(1_700_000_000_000, &[b"usr_1", b"key"]);
        let (first, second) = (births(), births());
        let ids: Vec<JobId> = (0..300).map(|_| first.next()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "they sort as they were made");
        assert_eq!(ids, (0..300).map(|_| second.next()).collect::<Vec<JobId>>());
    }

    #[test]
    fn other_requests_make_other_identifiers() {
        let first = |births: Births| births.next::<JobId>();
        let one = first(Births::derived(1, &[b"usr_1", b"key"]));
        assert_ne!(one, first(Births::derived(2, &[b"usr_1", b"key"])));
        assert_ne!(one, first(Births::derived(1, &[b"usr_1k", b"ey"])));
        assert_ne!(first(Births::new(1)), first(Births::new(1)));
    }
}
