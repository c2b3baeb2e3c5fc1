//! Webhook signatures: the contract's `X-WAREST-Signature` and the Standard
//! Webhooks headers beside it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Sha224, Sha256, Sha384, Sha512};

/// Which SHA-2 the contract's signature uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum SignatureLength {
    /// SHA-224.
    Sha224,
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl SignatureLength {
    /// From the number of bits.
    pub fn from_bits(bits: u32) -> Option<Self> {
        Some(match bits {
            224 => Self::Sha224,
            256 => Self::Sha256,
            384 => Self::Sha384,
            512 => Self::Sha512,
            _ => return None,
        })
    }

    /// The value of `X-WAREST-Signature-Alg`.
    pub fn algorithm(self) -> &'static str {
        match self {
            Self::Sha224 => "HMAC-SHA224",
            Self::Sha256 => "HMAC-SHA256",
            Self::Sha384 => "HMAC-SHA384",
            Self::Sha512 => "HMAC-SHA512",
        }
    }
}

/// The value of `X-WAREST-Signature`: the HMAC of the raw body, keyed with
/// secret + username.
pub fn contract_signature(length: SignatureLength, secret: &str, username: &str, body: &[u8]) -> String {
    let key = [secret.as_bytes(), username.as_bytes()].concat();
    let mac = match length {
        SignatureLength::Sha224 => mac::<Hmac<Sha224>>(&key, &[body]),
        SignatureLength::Sha256 => mac::<Hmac<Sha256>>(&key, &[body]),
        SignatureLength::Sha384 => mac::<Hmac<Sha384>>(&key, &[body]),
        SignatureLength::Sha512 => mac::<Hmac<Sha512>>(&key, &[body]),
    };
    format!("{}={}", length.algorithm(), hex::encode(mac))
}

/// The value of `webhook-signature`: a signature for each of the secrets, with
/// spaces between.
pub fn standard_signatures(secrets: &[&str], id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let all: Vec<String> = secrets.iter().map(|secret| standard_signature(secret, id, timestamp_s, body)).collect();
    all.join(" ")
}

/// HMAC-SHA-256 over `id.timestamp.body`. The key is the secret itself, or what
/// its `whsec_` form encodes.
fn standard_signature(secret: &str, id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let key = secret
        .strip_prefix("whsec_")
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .unwrap_or_else(|| secret.as_bytes().to_vec());
    let timestamp = timestamp_s.to_string();
    let mac = mac::<Hmac<Sha256>>(&key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]);
    format!("v1,{}", STANDARD.encode(mac))
}

fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // HMAC takes keys of any length; the error type exists for other MACs.
    #[allow(clippy::expect_used)]
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Computed with Python's hmac module.
    #[test]
    fn signatures_are_those_that_other_languages_compute() {
        assert_eq!(
            contract_signature(SignatureLength::Sha256, "secret", "admin", b"{}"),
            "HMAC-SHA256=f96778ca4d602e369016c6bef92c6ff5a66451dfd41790481d3433f2238d5940"
        );
        assert_eq!(
            contract_signature(SignatureLength::Sha512, "secret", "admin", b"{}"),
            "HMAC-SHA512=854d086089f572622a8e4815bdedcbcf497c3b7da9d2ff91f8f847248c62bbea3b1f70b0baa435f9e96642e1df3821ff0b1a6eb61300c39ac92acbb9e407d440"
        );
        assert_eq!(
            standard_signature("whsec_c2VjcmV0", "evt_1", 1_700_000_000, b"{}"),
            "v1,gcuLUJYfD9JQ2UlZMDEyUnqjiYF/KVJjsn3HLULsCj4="
        );
        let both = standard_signatures(&["another", "whsec_c2VjcmV0"], "evt_1", 1_700_000_000, b"{}");
        let (first, second) = both.split_once(' ').unwrap_or_default();
        assert_eq!(second, "v1,gcuLUJYfD9JQ2UlZMDEyUnqjiYF/KVJjsn3HLULsCj4=");
        assert!(first.starts_with("v1,") && first != second);
    }
}
