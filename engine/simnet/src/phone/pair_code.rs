//! What a phone does with a code that was entered: it proves to the companion that it knows it, and
//! takes from the companion's answer the secret that admits it.

use super::pair::Scanned;
use super::store::OwnIdentity;
use crate::error::SimnetError;
use rand::rngs::StdRng;
use wacore::crypto::hkdf_sha256_into;
use wacore::pair_code::PairCodeUtils;
use wacore_libsignal::crypto::aes_256_gcm_decrypt;
use wacore_libsignal::protocol::{KeyPair, PublicKey};

const BUNDLE_KEY: &[u8] = b"link_code_pairing_key_bundle_encryption_key";

/// A code as it was meant: upper case, without what people put between.
pub(crate) fn code_of(entered: &str) -> Result<String, SimnetError> {
    let code: String =
        entered.chars().filter(|c| *c != '-' && !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).collect();
    if PairCodeUtils::validate_code(&code) {
        return Ok(code);
    }
    Err(SimnetError::Invalid("not a pairing code: it has eight characters, such as ABCD-EFGH".into()))
}

/// A code that was entered, and the phone's half of the exchange.
pub(crate) struct Entered {
    wrapped: [u8; 80],
    ephemeral: KeyPair,
    companion: PublicKey,
}

impl Entered {
    /// Derives keys from the code: takes a tenth of a second on purpose.
    pub(crate) fn new(code: String, companion: &[u8], mut rng: StdRng) -> Result<Self, SimnetError> {
        let companion = PairCodeUtils::decrypt_primary_ephemeral_pub(companion, &code)
            .map_err(|e| SimnetError::Pairing(e.to_string()))?;
        let companion = PublicKey::from_djb_public_key_bytes(&companion).map_err(|_| wrong())?;
        let ephemeral = KeyPair::generate(&mut rng);
        let mut public = [0; 32];
        public.copy_from_slice(ephemeral.public_key.public_key_bytes());
        Ok(Self { wrapped: PairCodeUtils::encrypt_ephemeral_pub(&public, &code), ephemeral, companion })
    }

    /// The phone's ephemeral key, for who knows the code.
    pub(crate) fn wrapped(&self) -> Vec<u8> {
        self.wrapped.to_vec()
    }

    /// Opens the companion's answer, which only works when both had the same code.
    pub(crate) fn open(
        &self,
        own: &OwnIdentity,
        bundle: &[u8],
        identity: [u8; 32],
        noise: [u8; 32],
    ) -> Result<Scanned, SimnetError> {
        let (salt, rest) = bundle.split_at_checked(32).ok_or_else(wrong)?;
        let (iv, sealed) = rest.split_at_checked(12).ok_or_else(wrong)?;
        let iv: &[u8; 12] = iv.try_into().map_err(|_| wrong())?;
        let shared = self.ephemeral.private_key.calculate_agreement(&self.companion).map_err(|_| wrong())?;
        let mut key = [0; 32];
        hkdf_sha256_into(&shared, Some(salt), BUNDLE_KEY, &mut key).map_err(|_| wrong())?;
        let mut plain = Vec::new();
        aes_256_gcm_decrypt(&key, iv, b"", sealed, &mut plain).map_err(|_| wrong())?;
        let fields = plain.split_at_checked(32).and_then(|(theirs, rest)| Some((theirs, rest.split_at_checked(32)?)));
        let Some((theirs, (ours, random))) = fields else { return Err(wrong()) };
        if theirs != identity || ours != own.public() {
            return Err(SimnetError::Pairing("the companion's answer names other identities".into()));
        }
        let companion = PublicKey::from_djb_public_key_bytes(&identity).map_err(|_| wrong())?;
        let agreed = own.private().calculate_agreement(&companion).map_err(|_| wrong())?;
        let mut secret = vec![0; 32];
        hkdf_sha256_into(&[&shared[..], &agreed[..], random].concat(), None, b"adv_secret", &mut secret)
            .map_err(|_| wrong())?;
        Ok(Scanned::of_code(noise, identity, secret))
    }
}

fn wrong() -> SimnetError {
    SimnetError::Pairing("the code is wrong: enter the one that the session shows now".into())
}
