//! The server's side of the Noise handshakes and its certificate chain.
//!
//! Reads the client's hello (and finish), writes the server hello, ends with the two transport
//! ciphers, the client's static key and its `ClientPayload`. XX is what a first connection uses;
//! IK what a client that has cached our key uses; a client whose cached key is stale is answered
//! with XXfallback. The chain is root → intermediate → leaf under simnet's own root, and the
//! intermediate's `issuerSerial` is 0 and present on the wire, since some clients insist.

use crate::chance::{Chance, now};
use wacore_binary::consts::{NOISE_PATTERN_IK, NOISE_PATTERN_XX, NOISE_PATTERN_XXFALLBACK, WA_CONN_HEADER};
use wacore_libsignal::protocol::{KeyPair, PrivateKey};
use wacore_noise::{HandshakeError, NoiseCipher, NoiseHandshake};
use waproto::buffa::{Message as _, MessageField};
use waproto::whatsapp::{self as wa, cert_chain, handshake_message as hs};

const YEAR: u64 = 365 * 24 * 3600;

/// Why a handshake was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoiseError {
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error("malformed handshake message: {0}")]
    Malformed(&'static str),
    #[error("key material: {0}")]
    Key(String),
}

/// The private keys behind the certificate chain, and the chain.
pub(crate) struct Authority {
    root: KeyPair,
    intermediate: KeyPair,
    leaf: KeyPair,
    chain: Vec<u8>,
}

impl Authority {
    /// A new root with its chain.
    pub(crate) fn generate(chance: &Chance) -> Result<Self, NoiseError> {
        let mut rng = chance.fork();
        Self::build(KeyPair::generate(&mut rng), KeyPair::generate(&mut rng), KeyPair::generate(&mut rng), chance)
    }

    /// The chain of an earlier run: root, intermediate and leaf private keys.
    pub(crate) fn restore(keys: &[[u8; 32]; 3], chance: &Chance) -> Result<Self, NoiseError> {
        let [root, intermediate, leaf] = keys;
        Self::build(key_pair(root)?, key_pair(intermediate)?, key_pair(leaf)?, chance)
    }

    fn build(root: KeyPair, intermediate: KeyPair, leaf: KeyPair, chance: &Chance) -> Result<Self, NoiseError> {
        let certify = |issuer: &KeyPair, serial, issuer_serial, subject: &KeyPair| {
            let details = cert_chain::noise_certificate::Details {
                serial: Some(serial),
                issuer_serial: Some(issuer_serial),
                key: Some(subject.public_key.public_key_bytes().to_vec()),
                not_before: Some(now() - YEAR),
                not_after: Some(now() + 10 * YEAR),
            }
            .encode_to_vec();
            let signature = issuer
                .private_key
                .calculate_signature(&details, &mut chance.fork())
                .map_err(|e| NoiseError::Key(e.to_string()))?;
            Ok::<_, NoiseError>(cert_chain::NoiseCertificate {
                details: Some(details),
                signature: Some(signature.to_vec()),
            })
        };
        let chain = wa::CertChain {
            leaf: MessageField::some(certify(&intermediate, 2, 1, &leaf)?),
            intermediate: MessageField::some(certify(&root, 1, 0, &intermediate)?),
        }
        .encode_to_vec();
        Ok(Self { root, intermediate, leaf, chain })
    }

    /// The root's public key: what a client is told to trust.
    pub(crate) fn root_public(&self) -> &[u8] {
        self.root.public_key.public_key_bytes()
    }

    /// The private keys, for the state file.
    pub(crate) fn private_keys(&self) -> [[u8; 32]; 3] {
        [&self.root, &self.intermediate, &self.leaf].map(|pair| *pair.private_key.serialize())
    }
}

/// A key pair from its private half.
pub(crate) fn key_pair(private: &[u8]) -> Result<KeyPair, NoiseError> {
    let private = PrivateKey::deserialize(private).map_err(|e| NoiseError::Key(e.to_string()))?;
    let public = private.public_key().map_err(|e| NoiseError::Key(e.to_string()))?;
    Ok(KeyPair::new(public, private))
}

/// A client that has proved its static key.
pub(crate) struct Established {
    /// Encrypts what the server sends.
    pub(crate) seal: NoiseCipher,
    /// Decrypts what the client sends.
    pub(crate) open: NoiseCipher,
    /// The client's static public key.
    pub(crate) client_static: [u8; 32],
    /// Who it says it is.
    pub(crate) payload: Box<wa::ClientPayload>,
}

/// What to do after the client's hello.
pub(crate) enum Step {
    /// Send this and wait for the client's finish.
    Reply(Vec<u8>, Box<AwaitFinish>),
    /// Send this; the handshake is complete.
    Done(Vec<u8>, Established),
}

/// An XX handshake that waits for the client's finish.
pub(crate) struct AwaitFinish {
    noise: NoiseHandshake,
    ephemeral: KeyPair,
}

/// Answers a client's hello.
pub(crate) fn answer_hello(authority: &Authority, chance: &Chance, frame: &[u8]) -> Result<Step, NoiseError> {
    let hello = decode(frame)?.client_hello.into_option().ok_or(NoiseError::Malformed("no client hello"))?;
    let client_ephemeral = key32(hello.ephemeral.as_deref()).ok_or(NoiseError::Malformed("client ephemeral"))?;
    let server_ephemeral = KeyPair::generate(&mut chance.fork());
    match (hello.r#static.as_deref(), hello.payload.as_deref()) {
        (Some(client_static), Some(payload)) => {
            match answer_ik(authority, &server_ephemeral, &client_ephemeral, client_static, payload) {
                Ok((reply, established)) => Ok(Step::Done(reply, established)),
                Err(error) => {
                    tracing::debug!(%error, "client's cached server key is stale; falling back to XX");
                    answer_xx(authority, server_ephemeral, &client_ephemeral, NOISE_PATTERN_XXFALLBACK)
                }
            }
        }
        _ => answer_xx(authority, server_ephemeral, &client_ephemeral, NOISE_PATTERN_XX),
    }
}

fn answer_xx(
    authority: &Authority,
    ephemeral: KeyPair,
    client_ephemeral: &[u8; 32],
    pattern: &str,
) -> Result<Step, NoiseError> {
    let mut noise = NoiseHandshake::new(pattern, &WA_CONN_HEADER)?;
    noise.authenticate(client_ephemeral);
    noise.authenticate(ephemeral.public_key.public_key_bytes());
    noise.mix_shared_secret(ephemeral.private_key.serialize(), client_ephemeral)?;
    let r#static = noise.encrypt(authority.leaf.public_key.public_key_bytes())?;
    noise.mix_shared_secret(authority.leaf.private_key.serialize(), client_ephemeral)?;
    let payload = noise.encrypt(&authority.chain)?;
    let reply = server_hello(&ephemeral, Some(r#static), payload);
    Ok(Step::Reply(reply, Box::new(AwaitFinish { noise, ephemeral })))
}

fn answer_ik(
    authority: &Authority,
    ephemeral: &KeyPair,
    client_ephemeral: &[u8; 32],
    client_static: &[u8],
    payload: &[u8],
) -> Result<(Vec<u8>, Established), NoiseError> {
    let leaf = authority.leaf.private_key.serialize();
    let mut noise = NoiseHandshake::new(NOISE_PATTERN_IK, &WA_CONN_HEADER)?;
    noise.authenticate(authority.leaf.public_key.public_key_bytes());
    noise.authenticate(client_ephemeral);
    noise.mix_shared_secret(leaf, client_ephemeral)?;
    let client_static = key32(Some(&noise.decrypt(client_static)?)).ok_or(NoiseError::Malformed("client static"))?;
    noise.mix_shared_secret(leaf, &client_static)?;
    let payload = client_payload(&noise.decrypt(payload)?)?;
    noise.authenticate(ephemeral.public_key.public_key_bytes());
    noise.mix_shared_secret(ephemeral.private_key.serialize(), client_ephemeral)?;
    noise.mix_shared_secret(ephemeral.private_key.serialize(), &client_static)?;
    let chain = noise.encrypt(&authority.chain)?;
    let reply = server_hello(ephemeral, None, chain);
    let (open, seal) = noise.finish()?;
    Ok((reply, Established { seal, open, client_static, payload }))
}

impl AwaitFinish {
    /// Reads the client's finish.
    pub(crate) fn finish(mut self, frame: &[u8]) -> Result<Established, NoiseError> {
        let finish = decode(frame)?.client_finish.into_option().ok_or(NoiseError::Malformed("no client finish"))?;
        let (Some(encrypted_static), Some(payload)) = (finish.r#static, finish.payload) else {
            return Err(NoiseError::Malformed("incomplete client finish"));
        };
        let client_static =
            key32(Some(&self.noise.decrypt(&encrypted_static)?)).ok_or(NoiseError::Malformed("client static"))?;
        self.noise.mix_shared_secret(self.ephemeral.private_key.serialize(), &client_static)?;
        let payload = client_payload(&self.noise.decrypt(&payload)?)?;
        let (open, seal) = self.noise.finish()?;
        Ok(Established { seal, open, client_static, payload })
    }
}

fn server_hello(ephemeral: &KeyPair, r#static: Option<Vec<u8>>, payload: Vec<u8>) -> Vec<u8> {
    wa::HandshakeMessage {
        server_hello: MessageField::some(hs::ServerHello {
            ephemeral: Some(ephemeral.public_key.public_key_bytes().to_vec()),
            r#static,
            payload: Some(payload),
            ..Default::default()
        }),
        ..Default::default()
    }
    .encode_to_vec()
}

fn decode(frame: &[u8]) -> Result<wa::HandshakeMessage, NoiseError> {
    waproto::codec::handshake_message_decode(frame).map_err(|_| NoiseError::Malformed("not a handshake message"))
}

fn client_payload(bytes: &[u8]) -> Result<Box<wa::ClientPayload>, NoiseError> {
    wa::ClientPayload::decode_from_slice(bytes).map(Box::new).map_err(|_| NoiseError::Malformed("client payload"))
}

fn key32(bytes: Option<&[u8]>) -> Option<[u8; 32]> {
    bytes?.try_into().ok()
}
