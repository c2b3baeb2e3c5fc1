//! A phone's Signal keys and sessions in memory, behind libsignal's store traits. Remote devices
//! are addressed by number and device, so that a session is the same whether a stanza named its
//! sender by number or by LID.

use super::sender_keys::{GroupKeys, SavedGroupKeys};
use crate::account::KeyBundle;
use crate::chance::{Chance, now_millis};
use async_trait::async_trait;
use rand::rngs::StdRng;
use std::collections::HashMap;
use wacore_libsignal::protocol::error::Result;
use wacore_libsignal::protocol::{
    CiphertextMessage, CiphertextMessageType, Direction, GenericSignedPreKey, IdentityChange, IdentityKey,
    IdentityKeyPair, IdentityKeyStore, KeyPair, PreKeyBundle, PreKeyId, PreKeyRecord, PreKeySignalMessage, PreKeyStore,
    PrivateKey, ProtocolAddress, SessionRecord, SessionStore, SignalMessage, SignalProtocolError, SignedPreKeyId,
    SignedPreKeyRecord, SignedPreKeyStore, Timestamp, UsePQRatchet, message_decrypt, message_encrypt,
    process_prekey_bundle,
};

/// One-time prekeys a phone makes at a time.
const PREKEY_BATCH: u32 = 16;
/// Below this many the phone makes more.
pub(crate) const PREKEYS_LOW: usize = 6;

/// The phone's identity, which also signs its companions.
#[derive(Clone)]
pub(crate) struct OwnIdentity {
    pub(crate) pair: IdentityKeyPair,
    pub(crate) registration_id: u32,
}

impl OwnIdentity {
    /// The public key, 32 bytes.
    pub(crate) fn public(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.pair.public_key().public_key_bytes());
        out
    }

    pub(crate) fn private(&self) -> &PrivateKey {
        self.pair.private_key()
    }
}

#[derive(Default)]
struct Sessions(HashMap<ProtocolAddress, SessionRecord>);

struct Identities {
    own: OwnIdentity,
    known: HashMap<ProtocolAddress, IdentityKey>,
}

#[derive(Default)]
struct PreKeys {
    records: HashMap<u32, PreKeyRecord>,
    next: u32,
}

struct SignedPreKeys(SignedPreKeyRecord);

/// Everything a phone encrypts and decrypts with.
pub(crate) struct Keys {
    sessions: Sessions,
    identities: Identities,
    prekeys: PreKeys,
    signed: SignedPreKeys,
    pub(super) groups: GroupKeys,
    rng: StdRng,
}

/// An encrypted payload: its wire type (`pkmsg` or `msg`) and bytes.
pub(crate) struct Sealed {
    pub(crate) kind: &'static str,
    pub(crate) bytes: Vec<u8>,
}

/// The saved form of [`Keys`], without the identity.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct SavedKeys {
    sessions: Vec<(String, u32, crate::state::Bytes)>,
    identities: Vec<(String, u32, crate::state::Bytes)>,
    prekeys: Vec<crate::state::Bytes>,
    next_prekey: u32,
    signed: crate::state::Bytes,
    #[serde(default)]
    groups: SavedGroupKeys,
}

impl Keys {
    /// New keys: identity, signed prekey, first one-time prekeys.
    pub(crate) fn generate(chance: &Chance) -> Result<(OwnIdentity, Self, KeyBundle)> {
        let mut rng = chance.fork();
        let pair = IdentityKeyPair::generate(&mut rng);
        let own = OwnIdentity { pair, registration_id: chance.u32() & 0x3fff | 1 };
        let signed_pair = KeyPair::generate(&mut rng);
        let signature = own.private().calculate_signature(&signed_pair.public_key.serialize(), &mut rng)?;
        let signed = SignedPreKeyRecord::new(
            SignedPreKeyId::from(1),
            Timestamp::from_epoch_millis(now_millis()),
            &signed_pair,
            &signature,
        );
        let mut keys = Self {
            sessions: Sessions::default(),
            identities: Identities { own: own.clone(), known: HashMap::new() },
            prekeys: PreKeys { records: HashMap::new(), next: 1 },
            signed: SignedPreKeys(signed),
            groups: GroupKeys::default(),
            rng,
        };
        let prekeys = keys.replenish(chance);
        let bundle = KeyBundle {
            registration_id: own.registration_id,
            signed_id: 1,
            signed_public: signed_pair.public_key.public_key_bytes().to_vec(),
            signed_signature: signature.to_vec(),
            prekeys: prekeys.into_iter().map(|(id, key)| (id, crate::state::Bytes(key))).collect(),
        };
        Ok((own, keys, bundle))
    }

    /// More one-time prekeys; returns the public halves.
    pub(crate) fn replenish(&mut self, chance: &Chance) -> Vec<(u32, Vec<u8>)> {
        let mut rng = chance.fork();
        (0..PREKEY_BATCH)
            .map(|_| {
                let id = self.prekeys.next;
                self.prekeys.next = if id >= 0xff_fffe { 1 } else { id + 1 };
                let pair = KeyPair::generate(&mut rng);
                self.prekeys.records.insert(id, PreKeyRecord::new(id.into(), &pair));
                (id, pair.public_key.public_key_bytes().to_vec())
            })
            .collect()
    }

    /// The current signed prekey: id, public key and signature.
    pub(crate) fn signed_prekey(&self) -> Result<(u32, Vec<u8>, Vec<u8>)> {
        let record = &self.signed.0;
        Ok((record.id()?.into(), record.public_key()?.public_key_bytes().to_vec(), record.signature()?))
    }

    pub(crate) fn has_session(&self, address: &ProtocolAddress) -> bool {
        self.sessions.0.contains_key(address)
    }

    pub(crate) fn forget_session(&mut self, address: &ProtocolAddress) {
        self.sessions.0.remove(address);
    }

    /// Opens a session from a prekey bundle.
    pub(crate) async fn open_session(&mut self, address: &ProtocolAddress, bundle: &PreKeyBundle) -> Result<()> {
        process_prekey_bundle(
            address,
            &mut self.sessions,
            &mut self.identities,
            bundle,
            &mut self.rng,
            UsePQRatchet::No,
        )
        .await
        .map(drop)
    }

    /// Encrypts an already padded plaintext.
    pub(crate) async fn seal(&mut self, address: &ProtocolAddress, padded: &[u8]) -> Result<Sealed> {
        let message = message_encrypt(padded, address, &mut self.sessions, &mut self.identities).await?;
        let kind = match message.message_type() {
            CiphertextMessageType::PreKey => "pkmsg",
            _ => "msg",
        };
        Ok(Sealed { kind, bytes: message.serialize().to_vec() })
    }

    /// Decrypts to the padded plaintext.
    pub(crate) async fn open(&mut self, address: &ProtocolAddress, kind: &str, bytes: &[u8]) -> Result<Vec<u8>> {
        let message = match kind {
            "pkmsg" => CiphertextMessage::PreKeySignalMessage(PreKeySignalMessage::try_from(bytes)?),
            "msg" => CiphertextMessage::SignalMessage(SignalMessage::try_from(bytes)?),
            other => {
                return Err(SignalProtocolError::InvalidArgument(format!("enc type {other}")));
            }
        };
        let result = message_decrypt(
            &message,
            address,
            &mut self.sessions,
            &mut self.identities,
            &mut self.prekeys,
            &self.signed,
            &mut self.rng,
            UsePQRatchet::No,
        )
        .await?;
        if let Some(used) = result.consumed_prekey_id {
            self.prekeys.records.remove(&u32::from(used));
        }
        Ok(result.plaintext)
    }

    /// The saved form.
    pub(crate) fn save(&self) -> Result<SavedKeys> {
        let mut sessions = Vec::with_capacity(self.sessions.0.len());
        for (address, record) in &self.sessions.0 {
            let bytes = record.serialize()?;
            sessions.push((address.name().to_owned(), u32::from(address.device_id()), crate::state::Bytes(bytes)));
        }
        let identities = self
            .identities
            .known
            .iter()
            .map(|(address, key)| {
                let bytes = crate::state::Bytes(key.serialize().to_vec());
                (address.name().to_owned(), u32::from(address.device_id()), bytes)
            })
            .collect();
        let mut prekeys = Vec::with_capacity(self.prekeys.records.len());
        for record in self.prekeys.records.values() {
            prekeys.push(crate::state::Bytes(record.serialize()?));
        }
        Ok(SavedKeys {
            sessions,
            identities,
            prekeys,
            next_prekey: self.prekeys.next,
            signed: crate::state::Bytes(self.signed.0.serialize()?),
            groups: self.groups.save()?,
        })
    }

    /// The keys of an earlier run.
    pub(crate) fn load(own: OwnIdentity, saved: SavedKeys, chance: &Chance) -> Result<Self> {
        let mut sessions = Sessions::default();
        for (name, device, bytes) in saved.sessions {
            let mut record = SessionRecord::deserialize(&bytes.0)?;
            record.waive_counter_lease();
            sessions.0.insert(ProtocolAddress::new(&name, device.into()), record);
        }
        let mut known = HashMap::new();
        for (name, device, bytes) in saved.identities {
            let key = IdentityKey::decode(&bytes.0)?;
            known.insert(ProtocolAddress::new(&name, device.into()), key);
        }
        let mut records = HashMap::new();
        for bytes in saved.prekeys {
            let record = PreKeyRecord::deserialize(&bytes.0)?;
            records.insert(record.id()?.into(), record);
        }
        Ok(Self {
            sessions,
            identities: Identities { own, known },
            prekeys: PreKeys { records, next: saved.next_prekey },
            signed: SignedPreKeys(SignedPreKeyRecord::deserialize(&saved.signed.0)?),
            groups: GroupKeys::load(saved.groups)?,
            rng: chance.fork(),
        })
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn load_session(&self, address: &ProtocolAddress) -> Result<Option<SessionRecord>> {
        Ok(self.0.get(address).cloned())
    }

    async fn has_session(&self, address: &ProtocolAddress) -> Result<bool> {
        Ok(self.0.contains_key(address))
    }

    async fn store_session(&mut self, address: &ProtocolAddress, mut record: SessionRecord) -> Result<()> {
        // Sessions are saved whole, so no counter ever needs to be reserved ahead.
        record.waive_counter_lease();
        self.0.insert(address.clone(), record);
        Ok(())
    }
}

#[async_trait]
impl IdentityKeyStore for Identities {
    async fn get_identity_key_pair(&self) -> Result<IdentityKeyPair> {
        Ok(self.own.pair.clone())
    }

    async fn get_local_registration_id(&self) -> Result<u32> {
        Ok(self.own.registration_id)
    }

    async fn save_identity(&mut self, address: &ProtocolAddress, identity: &IdentityKey) -> Result<IdentityChange> {
        Ok(match self.known.insert(address.clone(), *identity) {
            Some(old) if old != *identity => IdentityChange::ReplacedExisting,
            _ => IdentityChange::NewOrUnchanged,
        })
    }

    async fn is_trusted_identity(
        &self,
        _address: &ProtocolAddress,
        _identity: &IdentityKey,
        _direction: Direction,
    ) -> Result<bool> {
        Ok(true)
    }

    async fn get_identity(&self, address: &ProtocolAddress) -> Result<Option<IdentityKey>> {
        Ok(self.known.get(address).copied())
    }
}

#[async_trait]
impl PreKeyStore for PreKeys {
    async fn get_pre_key(&self, id: PreKeyId) -> Result<PreKeyRecord> {
        self.records.get(&u32::from(id)).cloned().ok_or(SignalProtocolError::InvalidPreKeyId)
    }

    async fn save_pre_key(&mut self, id: PreKeyId, record: &PreKeyRecord) -> Result<()> {
        self.records.insert(id.into(), record.clone());
        Ok(())
    }

    async fn remove_pre_key(&mut self, id: PreKeyId) -> Result<()> {
        self.records.remove(&u32::from(id));
        Ok(())
    }
}

#[async_trait]
impl SignedPreKeyStore for SignedPreKeys {
    async fn get_signed_pre_key(&self, id: SignedPreKeyId) -> Result<SignedPreKeyRecord> {
        if self.0.id()? == id { Ok(self.0.clone()) } else { Err(SignalProtocolError::InvalidSignedPreKeyId) }
    }

    async fn save_signed_pre_key(&mut self, _id: SignedPreKeyId, record: &SignedPreKeyRecord) -> Result<()> {
        self.0 = record.clone();
        Ok(())
    }
}
