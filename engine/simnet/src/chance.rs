//! Randomness and time of one network. Randomness comes from one seedable source, so that a run
//! can be repeated; every user forks its own generator and never holds the lock while using it.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::{Mutex, PoisonError};

/// The network's source of randomness.
pub(crate) struct Chance(Mutex<StdRng>);

impl Chance {
    /// A source that starts from `seed`, or from the operating system's randomness.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self(Mutex::new(match seed {
            Some(seed) => StdRng::seed_from_u64(seed),
            None => rand::make_rng::<StdRng>(),
        }))
    }

    /// An independent generator.
    pub(crate) fn fork(&self) -> StdRng {
        StdRng::from_seed(self.bytes())
    }

    /// `N` random bytes.
    pub(crate) fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0u8; N];
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut out);
        out
    }

    /// A random number.
    pub(crate) fn u32(&self) -> u32 {
        u32::from_be_bytes(self.bytes())
    }

    /// A message id as phones make them: 32 upper-case hex digits.
    pub(crate) fn message_id(&self) -> String {
        hex::encode_upper(self.bytes::<16>())
    }

    /// A short id for a stanza of the server's own.
    pub(crate) fn stanza_id(&self) -> String {
        hex::encode(self.bytes::<6>())
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// Milliseconds since 1970.
pub(crate) fn now_millis() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}
