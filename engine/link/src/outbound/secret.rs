//! Secrets of single messages, made from one that only this device knows, so
//! that every attempt of a message has the same: also after a crash, with
//! nothing to be stored.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use whatsapp_rust::Client;

/// The device's own secret: its identity's private key, which never leaves it.
pub(super) struct Own([u8; 32]);

impl Own {
    /// The secret of a client's device.
    pub(super) fn of(client: &Client) -> Self {
        Self(*client.persistence_manager().get_device_snapshot().identity_key.private_key.serialize())
    }

    /// The secret under which others encrypt what they say about a message.
    pub(super) fn message(&self, message_id: &str) -> [u8; 32] {
        self.derive(&[b"warest message secret", message_id.as_bytes()])
    }

    /// The key of a file of a message. Another content has another key.
    pub(super) fn file(&self, message_id: &str, index: usize, kind: &str, sha256: &[u8]) -> [u8; 32] {
        let index = index.to_string();
        self.derive(&[b"warest media key", message_id.as_bytes(), index.as_bytes(), kind.as_bytes(), sha256])
    }

    fn derive(&self, parts: &[&[u8]]) -> [u8; 32] {
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { unreachable!() };
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_and_file_has_its_own_secret_on_every_attempt() {
        let own = Own([7; 32]);
        assert_eq!(own.message("A"), own.message("A"));
        assert_ne!(own.message("A"), own.message("B"));
        assert_ne!(own.message("A"), Own([8; 32]).message("A"));
        assert_ne!(own.file("A", 1, "image", b"x"), own.file("A", 11, "mage", b"x"));
        assert_ne!(own.file("A", 0, "image", b"x"), own.file("A", 0, "image", b"y"));
    }
}
