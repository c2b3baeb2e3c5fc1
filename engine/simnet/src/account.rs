//! An account: one phone number, its stable fake LID and its devices (0 is the phone itself, the
//! others are linked companions). Locks here are short: nothing is awaited under them.

use crate::person::Person;
use crate::phone::Phone;
use crate::server::presence::Presence;
use crate::server::queue::Queue;
use crate::server::socket::Connection;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use wacore_binary::Jid;
use wacore_libsignal::protocol::{IdentityKey, PreKeyBundle, PublicKey};

/// The most one-time prekeys kept per device.
const PREKEY_LIMIT: usize = 2_000;
/// The most other accounts remembered as having talked with one.
const PEER_LIMIT: usize = 4_096;

/// Locks a mutex whose sections cannot leave it half-written.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The public half of a device's Signal keys, as its owner uploaded it.
#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct KeyBundle {
    pub(crate) registration_id: u32,
    pub(crate) signed_id: u32,
    #[serde(with = "crate::state::bytes")]
    pub(crate) signed_public: Vec<u8>,
    #[serde(with = "crate::state::bytes")]
    pub(crate) signed_signature: Vec<u8>,
    pub(crate) prekeys: VecDeque<(u32, crate::state::Bytes)>,
}

/// One device of an account.
pub(crate) struct Device {
    pub(crate) phone: Arc<str>,
    pub(crate) lid: Arc<str>,
    pub(crate) id: u16,
    pub(crate) key_index: u32,
    /// Public identity key, 32 bytes.
    pub(crate) identity: [u8; 32],
    /// Public Noise key, 32 bytes; unused for the phone.
    pub(crate) noise: [u8; 32],
    /// `ADVSignedDeviceIdentity` signed by both sides; empty for the phone.
    pub(crate) signed_identity: Vec<u8>,
    pub(crate) keys: Mutex<KeyBundle>,
    pub(crate) queue: Queue,
    pub(crate) connection: Mutex<Option<Arc<Connection>>>,
    /// Set once "few prekeys left" was said; cleared by an upload.
    pub(crate) low_announced: AtomicBool,
    /// Set once the phone has shared its app-state keys with this companion.
    pub(crate) welcomed: AtomicBool,
}

impl Device {
    pub(crate) fn pn_jid(&self) -> Jid {
        Jid::pn_device(&*self.phone, self.id)
    }

    pub(crate) fn lid_jid(&self) -> Jid {
        Jid::lid_device(&*self.lid, self.id)
    }

    /// Takes one prekey and returns what a sender needs to open a session. `None` while the
    /// device has uploaded nothing.
    pub(crate) fn take_bundle(&self) -> Option<Bundle> {
        let mut keys = lock(&self.keys);
        if keys.signed_public.is_empty() {
            return None;
        }
        let prekey = keys.prekeys.pop_front();
        Some(Bundle {
            registration_id: keys.registration_id,
            identity: self.identity,
            signed_id: keys.signed_id,
            signed_public: keys.signed_public.clone(),
            signed_signature: keys.signed_signature.clone(),
            prekey: prekey.map(|(id, key)| (id, key.0)),
            left: keys.prekeys.len(),
        })
    }

    /// Adds one-time prekeys, newest last; ids already there are replaced.
    pub(crate) fn add_prekeys(&self, fresh: impl IntoIterator<Item = (u32, Vec<u8>)>) {
        let mut keys = lock(&self.keys);
        let known: HashSet<u32> = keys.prekeys.iter().map(|(id, _)| *id).collect();
        for (id, key) in fresh {
            if known.contains(&id) {
                keys.prekeys.retain(|(other, _)| *other != id);
            }
            if keys.prekeys.len() >= PREKEY_LIMIT {
                keys.prekeys.pop_front();
            }
            keys.prekeys.push_back((id, crate::state::Bytes(key)));
        }
        self.low_announced.store(false, Ordering::Relaxed);
    }

    /// The live connection, if any.
    pub(crate) fn connection(&self) -> Option<Arc<Connection>> {
        lock(&self.connection).clone()
    }
}

/// What opens a Signal session with a device.
pub(crate) struct Bundle {
    pub(crate) registration_id: u32,
    pub(crate) identity: [u8; 32],
    pub(crate) signed_id: u32,
    pub(crate) signed_public: Vec<u8>,
    pub(crate) signed_signature: Vec<u8>,
    pub(crate) prekey: Option<(u32, Vec<u8>)>,
    /// One-time prekeys left after this one was taken.
    pub(crate) left: usize,
}

impl Bundle {
    /// The bundle as libsignal wants it.
    pub(crate) fn for_device(
        &self,
        device: u16,
    ) -> Result<PreKeyBundle, wacore_libsignal::protocol::SignalProtocolError> {
        let prekey = match &self.prekey {
            Some((id, key)) => Some(((*id).into(), PublicKey::from_djb_public_key_bytes(key)?)),
            None => None,
        };
        PreKeyBundle::new(
            self.registration_id,
            u32::from(device).into(),
            prekey,
            self.signed_id.into(),
            PublicKey::from_djb_public_key_bytes(&self.signed_public)?,
            self.signed_signature.clone(),
            IdentityKey::new(PublicKey::from_djb_public_key_bytes(&self.identity)?),
        )
    }
}

/// One account of the network.
pub(crate) struct Account {
    pub(crate) phone: Arc<str>,
    pub(crate) lid: Arc<str>,
    pub(crate) name: RwLock<String>,
    pub(crate) primary: Phone,
    pub(crate) raw_id: u32,
    devices: RwLock<BTreeMap<u16, Arc<Device>>>,
    pub(crate) next_device: AtomicU32,
    peers: Mutex<HashSet<Arc<str>>>,
    /// What the account says of itself and whom it lets see it.
    pub(crate) person: Mutex<Person>,
    pub(crate) presence: Presence,
    /// App state, as the server keeps it.
    pub(crate) collections: Mutex<crate::app_state::Collections>,
}

impl Account {
    pub(crate) fn new(
        phone: Arc<str>,
        lid: Arc<str>,
        name: String,
        primary: Phone,
        raw_id: u32,
        next_device: u32,
    ) -> Self {
        Self {
            phone,
            lid,
            name: RwLock::new(name),
            primary,
            raw_id,
            devices: RwLock::default(),
            next_device: AtomicU32::new(next_device),
            peers: Mutex::default(),
            person: Mutex::default(),
            presence: Presence::default(),
            collections: Mutex::default(),
        }
    }

    pub(crate) fn name(&self) -> String {
        self.name.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the name shown to others.
    pub(crate) fn rename(&self, name: &str) {
        *self.name.write().unwrap_or_else(PoisonError::into_inner) = name.to_owned();
    }

    pub(crate) fn pn_jid(&self) -> Jid {
        Jid::pn(&*self.phone)
    }

    pub(crate) fn lid_jid(&self) -> Jid {
        Jid::lid(&*self.lid)
    }

    pub(crate) fn device(&self, id: u16) -> Option<Arc<Device>> {
        self.devices.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// All devices, the phone first.
    pub(crate) fn devices(&self) -> Vec<Arc<Device>> {
        self.devices.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn insert_device(&self, device: Arc<Device>) {
        self.devices.write().unwrap_or_else(PoisonError::into_inner).insert(device.id, device);
    }

    pub(crate) fn remove_device(&self, id: u16) -> Option<Arc<Device>> {
        self.devices.write().unwrap_or_else(PoisonError::into_inner).remove(&id)
    }

    /// Notes that this account talks with another one.
    pub(crate) fn met(&self, other: &Arc<str>) {
        let mut peers = lock(&self.peers);
        if !peers.contains(other) && peers.len() < PEER_LIMIT {
            peers.insert(other.clone());
        }
    }

    /// Whether this account has talked with another one.
    pub(crate) fn has_met(&self, other: &str) -> bool {
        lock(&self.peers).contains(other)
    }

    pub(crate) fn peers(&self) -> Vec<Arc<str>> {
        lock(&self.peers).iter().cloned().collect()
    }
}

/// A number's stable fake LID: 15 digits derived from it. `salt` resolves collisions.
pub(crate) fn lid_for(phone: &str, salt: u32) -> String {
    let digest = Sha256::digest(format!("simnet lid {salt} {phone}").as_bytes());
    let mut first = [0u8; 8];
    first.copy_from_slice(&digest[..8]);
    (100_000_000_000_000 + u64::from_be_bytes(first) % 800_000_000_000_000).to_string()
}

/// Whether `phone` can be a number: 5 to 20 digits, no leading zero.
pub(crate) fn is_phone(phone: &str) -> bool {
    (5..=20).contains(&phone.len()) && phone.bytes().all(|b| b.is_ascii_digit()) && !phone.starts_with('0')
}
