//! The state file: the whole network written as JSON, to a temporary file that is then renamed over
//! the old one, soon after a change and at shutdown; read at start. Writing happens in a task of
//! its own and, when the file has grown large, takes at most about a tenth of the time.

use crate::account::{Account, Device, KeyBundle, lock};
use crate::app_state::Collections;
use crate::chance::Chance;
use crate::error::SimnetError;
use crate::network::Network;
use crate::person::Person;
use crate::phone::history::{Pasts, SavedPasts};
use crate::phone::inbox::{Inbox, SavedInbox};
use crate::phone::store::{Keys, OwnIdentity, SavedKeys};
use crate::phone::{self, Phone};
use crate::server::group::state::Group;
use crate::server::newsletter::Newsletter;
use crate::server::noise::{self, Authority};
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use wacore_binary::OwnedNodeRef;
use wacore_libsignal::protocol::{IdentityKey, IdentityKeyPair};

const VERSION: u32 = 1;
/// How long changes are collected before they are written.
const DEBOUNCE: Duration = Duration::from_millis(250);

/// Bytes that are base64 in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        bytes::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bytes::deserialize(deserializer).map(Self)
    }
}

/// `Vec<u8>` fields as base64.
pub(crate) mod bytes {
    use super::{Deserialize, Deserializer, STANDARD, Serializer};
    use base64::Engine as _;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

#[derive(Serialize, Deserialize)]
struct SavedNetwork {
    version: u32,
    /// Private keys of root, intermediate and leaf.
    authority: [Bytes; 3],
    accounts: Vec<SavedAccount>,
    #[serde(default)]
    groups: Vec<Group>,
    #[serde(default)]
    newsletters: Vec<Newsletter>,
}

#[derive(Serialize, Deserialize)]
struct SavedAccount {
    phone: String,
    lid: String,
    name: String,
    identity: Bytes,
    registration_id: u32,
    raw_id: u32,
    next_device: u32,
    peers: Vec<String>,
    keys: SavedKeys,
    inbox: SavedInbox,
    devices: Vec<SavedDevice>,
    collections: Collections,
    #[serde(default)]
    pasts: SavedPasts,
    #[serde(default)]
    person: Person,
}

#[derive(Serialize, Deserialize)]
struct SavedDevice {
    id: u16,
    key_index: u32,
    identity: Bytes,
    noise: Bytes,
    signed_identity: Bytes,
    keys: KeyBundle,
    queue: Vec<Bytes>,
    welcomed: bool,
}

/// The network in a state file, or a new one when there is no file.
pub(crate) async fn open(path: &Path, chance: Chance) -> Result<Arc<Network>, SimnetError> {
    let bytes = match tokio::fs::read(path).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let authority = Authority::generate(&chance).map_err(|e| bad(path, e))?;
            return Ok(Network::new(chance, authority));
        }
        Err(error) => return Err(bad(path, error)),
    };
    let saved: SavedNetwork = serde_json::from_slice(&bytes).map_err(|e| bad(path, e))?;
    if saved.version != VERSION {
        return Err(bad(path, format!("version {} is not {VERSION}", saved.version)));
    }
    restore(saved, chance).map_err(|reason| bad(path, reason))
}

fn bad(path: &Path, reason: impl ToString) -> SimnetError {
    SimnetError::State { path: path.to_owned(), reason: reason.to_string() }
}

fn restore(saved: SavedNetwork, chance: Chance) -> Result<Arc<Network>, String> {
    let mut keys = [[0; 32]; 3];
    for (key, bytes) in keys.iter_mut().zip(&saved.authority) {
        *key = array(bytes)?;
    }
    let authority = Authority::restore(&keys, &chance).map_err(|e| e.to_string())?;
    let net = Network::new(chance, authority);
    for account in saved.accounts {
        restore_account(&net, account)?;
    }
    for newsletter in saved.newsletters {
        net.newsletters.insert(newsletter);
    }
    for group in saved.groups {
        net.groups.insert(group).map_err(|refusal| refusal.to_string())?;
    }
    Ok(net)
}

fn restore_account(net: &Arc<Network>, saved: SavedAccount) -> Result<(), String> {
    let pair = noise::key_pair(&saved.identity.0).map_err(|e| e.to_string())?;
    let identity = OwnIdentity {
        pair: IdentityKeyPair::new(IdentityKey::new(pair.public_key), pair.private_key),
        registration_id: saved.registration_id,
    };
    let keys = Keys::load(identity.clone(), saved.keys, &net.chance).map_err(|e| e.to_string())?;
    let (primary, commands) = Phone::from_parts(identity, keys, Inbox::load(saved.inbox), Pasts::load(saved.pasts));
    let account = Arc::new(Account::new(
        saved.phone.into(),
        saved.lid.into(),
        saved.name,
        primary,
        saved.raw_id,
        saved.next_device,
    ));
    *lock(&account.collections) = saved.collections;
    *lock(&account.person) = saved.person;
    for peer in saved.peers {
        account.met(&peer.into());
    }
    for device in saved.devices {
        account.insert_device(Arc::new(restore_device(&account, device)?));
    }
    net.enter(account, commands).map_err(|e| e.to_string())
}

fn restore_device(account: &Account, saved: SavedDevice) -> Result<Device, String> {
    let mut device = phone::primary_device(account, saved.keys);
    device.id = saved.id;
    device.key_index = saved.key_index;
    device.identity = array(&saved.identity)?;
    device.noise = array(&saved.noise)?;
    device.signed_identity = saved.signed_identity.0;
    device.welcomed = AtomicBool::new(saved.welcomed);
    device.connection = Mutex::default();
    for bytes in saved.queue {
        let node = OwnedNodeRef::new(bytes.0.get(1..).unwrap_or_default().to_vec()).map_err(|e| e.to_string())?;
        device.queue.push(node.to_owned_node());
    }
    Ok(device)
}

fn array(bytes: &Bytes) -> Result<[u8; 32], String> {
    bytes.0.as_slice().try_into().map_err(|_| "a key is not 32 bytes long".to_owned())
}

async fn save_account(account: &Account) -> Result<SavedAccount, String> {
    // The phone's keys are held while its queue and inbox are read, so that they fit together.
    let keys = account.primary.keys.lock().await;
    let devices = account.devices().iter().map(|device| save_device(device)).collect();
    Ok(SavedAccount {
        phone: account.phone.to_string(),
        lid: account.lid.to_string(),
        name: account.name(),
        identity: Bytes(account.primary.identity.private().serialize().to_vec()),
        registration_id: account.primary.identity.registration_id,
        raw_id: account.raw_id,
        next_device: account.next_device.load(Ordering::Relaxed),
        peers: account.peers().iter().map(ToString::to_string).collect(),
        keys: keys.save().map_err(|e| e.to_string())?,
        inbox: account.primary.inbox.save(),
        devices,
        collections: lock(&account.collections).clone(),
        person: lock(&account.person).clone(),
        pasts: account.primary.pasts.save(),
    })
}

fn save_device(device: &Device) -> SavedDevice {
    let queue =
        device.queue.snapshot().iter().filter_map(|node| wacore_binary::marshal_auto(node).ok().map(Bytes)).collect();
    SavedDevice {
        id: device.id,
        key_index: device.key_index,
        identity: Bytes(device.identity.to_vec()),
        noise: Bytes(device.noise.to_vec()),
        signed_identity: Bytes(device.signed_identity.clone()),
        keys: lock(&device.keys).clone(),
        queue,
        welcomed: device.welcomed.load(Ordering::Acquire),
    }
}

/// Writes the network to its state file.
pub(crate) async fn save(net: &Network, path: &Path) -> Result<(), SimnetError> {
    let mut accounts = Vec::new();
    for account in net.accounts() {
        accounts.push(save_account(&account).await.map_err(|reason| bad(path, reason))?);
    }
    let saved = SavedNetwork {
        version: VERSION,
        authority: net.authority.private_keys().map(|key| Bytes(key.to_vec())),
        accounts,
        groups: net.groups.all(),
        newsletters: net.newsletters.all(),
    };
    let path = path.to_owned();
    let written = tokio::task::spawn_blocking(move || write(&path, &saved)).await;
    written.unwrap_or(Err(SimnetError::Stopping))
}

fn write(path: &Path, saved: &SavedNetwork) -> Result<(), SimnetError> {
    use std::io::Write as _;
    let temporary = path.with_extension("tmp");
    let bytes = serde_json::to_vec(saved).map_err(|e| bad(path, e))?;
    if let Some(directory) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory).map_err(|e| bad(path, e))?;
    }
    let mut file = std::fs::File::create(&temporary).map_err(|e| bad(path, e))?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(|e| bad(path, e))?;
    std::fs::rename(&temporary, path).map_err(|e| bad(path, e))
}

/// Keeps the state file up to date until the network stops.
pub(crate) async fn keep(net: Arc<Network>, path: std::path::PathBuf) {
    let mut pause = DEBOUNCE;
    loop {
        tokio::select! {
            () = net.stop.cancelled() => return,
            () = net.changed.notified() => {}
        }
        tokio::select! {
            () = net.stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let started = Instant::now();
        if let Err(error) = save(&net, &path).await {
            tracing::error!(%error, "state not saved");
        }
        pause = DEBOUNCE.max(started.elapsed() * 10);
    }
}
