//! Keys of the cache.

use sha2::{Digest, Sha256};
use std::fmt;

/// Longest key, in bytes: what every driver takes, with room for a namespace.
const BYTES: usize = 160;

/// The name of an entry: what kind of entry, and whose. It has at most 160
/// bytes, none of them a space or a control character.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// The key of `parts` among the entries of kind `space` (a short word).
    pub fn new(space: &'static str, parts: &[&str]) -> Self {
        let plain = |part: &&str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._@-".contains(&b));
        let length: usize = parts.iter().map(|part| part.len() + 1).sum();
        if length + space.len() <= BYTES && parts.iter().all(plain) {
            return Self(format!("{space}:{}", parts.join(":")));
        }
        let mut hash = Sha256::new();
        for part in parts {
            // With its length, so that no two lists of parts read alike.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self(format!("{space}:#{}", hex::encode(hash.finalize())))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_short_clean_and_never_alike() {
        assert_eq!(Key::new("rate", &["usr_1"]).as_str(), "rate:usr_1");
        let odd = [vec!["a b"], vec!["a:b"], vec!["a", "b"], vec!["ab"], vec!["a\n"], vec!["é"], vec!["a:", "b"]];
        let keys: Vec<_> = odd.iter().map(|parts| Key::new("x", parts)).collect();
        for (at, key) in keys.iter().enumerate() {
            assert!(key.as_str().bytes().all(|b| b.is_ascii_graphic()), "{key}");
            assert!(!keys[..at].contains(key), "{key}");
        }
        assert!(Key::new("x", &[&"y".repeat(10_000)]).as_str().len() <= BYTES);
    }
}
