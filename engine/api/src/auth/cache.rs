//! The keys that were found lately, so that a busy client is not looked up on
//! every call. A key that was replaced works until its entry is too old; a key
//! that was not found is never kept.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use warest_model::clock::Millis;
use warest_model::user::User;

/// Most keys kept.
const KEYS: usize = 1_024;

/// The keys that were found lately.
pub struct KeyCache {
    ttl_ms: Millis,
    found: Mutex<HashMap<[u8; 32], (User, Millis)>>,
}

impl KeyCache {
    /// A cache that keeps a key for `ttl`.
    pub fn new(ttl: Duration) -> Self {
        Self { ttl_ms: ttl.as_millis() as Millis, found: Mutex::default() }
    }

    /// The user whose key has this hash, if it was found lately.
    pub fn get(&self, hash: &[u8; 32], now_ms: Millis) -> Option<User> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.get(hash).filter(|(_, at)| self.fresh(*at, now_ms)).map(|(user, _)| user.clone())
    }

    /// Keeps a key that was found.
    pub fn put(&self, hash: [u8; 32], user: User, now_ms: Millis) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() >= KEYS {
            found.retain(|_, (_, at)| self.fresh(*at, now_ms));
        }
        if found.len() >= KEYS {
            found.clear();
        }
        found.insert(hash, (user, now_ms));
    }

    fn fresh(&self, at: Millis, now_ms: Millis) -> bool {
        (0..self.ttl_ms).contains(&(now_ms - at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warest_model::id::UserId;

    #[test]
    fn a_key_is_kept_for_a_while_and_the_cache_stays_small() {
        let user = User { id: UserId::new(0), username: "u".to_owned(), is_admin: false, created_ms: 0 };
        let cache = KeyCache::new(Duration::from_millis(100));
        cache.put([7; 32], user.clone(), 1_000);
        assert_eq!(cache.get(&[7; 32], 1_099), Some(user.clone()));
        assert_eq!(cache.get(&[7; 32], 1_100), None);
        assert_eq!(cache.get(&[8; 32], 1_000), None);
        for n in 0..5_000_u32 {
            let mut hash = [0; 32];
            hash[..4].copy_from_slice(&n.to_be_bytes());
            cache.put(hash, user.clone(), 1_000);
        }
        assert!(cache.found.lock().is_ok_and(|found| found.len() <= KEYS));
    }
}
