//! A phone's keys for groups: its own sender key in each group, those of others, and which devices
//! have been given its own. A device that is no longer in the group makes the phone start a new
//! key, which everybody who is left is given.

use super::store::Sealed;
use crate::account::Device;
use crate::state::Bytes;
use async_trait::async_trait;
use rand::rngs::StdRng;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use wacore_libsignal::protocol::error::Result;
use wacore_libsignal::protocol::{
    SenderKeyDistributionMessage, SenderKeyRecord, SenderKeyStore, create_sender_key_distribution_message,
    group_decrypt, group_encrypt, process_sender_key_distribution_message,
};
use wacore_libsignal::store::sender_key_name::SenderKeyName;

/// Sender keys of one phone at most; the group whose keys are dropped asks again.
const KEYS: usize = 50_000;

/// Sender keys by group and sender.
#[derive(Default)]
struct Records(HashMap<SenderKeyName, SenderKeyRecord>);

/// Everything a phone needs to write to and read in groups.
#[derive(Default)]
pub(crate) struct GroupKeys {
    records: Records,
    /// Who was given the phone's own key, by group.
    given: BTreeMap<String, BTreeSet<(String, u16)>>,
}

/// The saved form of [`GroupKeys`].
#[derive(Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct SavedGroupKeys {
    records: Vec<(String, String, Bytes)>,
    given: BTreeMap<String, BTreeSet<(String, u16)>>,
}

fn name(group: &str, device: &Device) -> SenderKeyName {
    SenderKeyName::from_parts(group, &format!("{}.{}", device.phone, device.id))
}

fn key(device: &Device) -> (String, u16) {
    (device.phone.to_string(), device.id)
}

impl GroupKeys {
    /// The devices that still need the phone's key in a group. When one that has it is no longer
    /// among them, the key is dropped and all need the next one.
    pub(crate) fn due(&mut self, own: &Device, group: &str, devices: &[Arc<Device>]) -> Vec<Arc<Device>> {
        let present: BTreeSet<(String, u16)> = devices.iter().map(|device| key(device)).collect();
        let given = self.given.entry(group.to_owned()).or_default();
        if !given.is_subset(&present) {
            given.clear();
            self.records.0.remove(&name(group, own));
        }
        devices.iter().filter(|device| !given.contains(&key(device))).cloned().collect()
    }

    /// Notes that a device was given the phone's key.
    pub(crate) fn gave(&mut self, group: &str, device: &Device) {
        self.given.entry(group.to_owned()).or_default().insert(key(device));
    }

    /// Notes that a device has lost it.
    pub(crate) fn forget(&mut self, group: &str, device: &Device) {
        if let Some(given) = self.given.get_mut(group) {
            given.remove(&key(device));
        }
    }

    /// The phone's key in a group, to give away; made when there is none.
    pub(crate) async fn own(&mut self, own: &Device, group: &str, rng: &mut StdRng) -> Result<Vec<u8>> {
        let message = create_sender_key_distribution_message(&name(group, own), &mut self.records, rng).await?;
        Ok(message.serialized().to_vec())
    }

    /// Takes the key that a device of somebody else gave.
    pub(crate) async fn take(&mut self, from: &Device, group: &str, bytes: &[u8]) -> Result<()> {
        let message = SenderKeyDistributionMessage::try_from(bytes)?;
        process_sender_key_distribution_message(&name(group, from), &message, &mut self.records).await
    }

    /// Encrypts for everybody who was given the key.
    pub(crate) async fn seal(&mut self, own: &Device, group: &str, padded: &[u8], rng: &mut StdRng) -> Result<Sealed> {
        let message = group_encrypt(&mut self.records, &name(group, own), padded, rng).await?;
        Ok(Sealed { kind: "skmsg", bytes: message.serialized().to_vec() })
    }

    /// Decrypts what a device wrote to a group.
    pub(crate) async fn open(&mut self, from: &Device, group: &str, bytes: &[u8]) -> Result<Vec<u8>> {
        group_decrypt(bytes, &mut self.records, &name(group, from)).await
    }

    /// The saved form.
    pub(crate) fn save(&self) -> Result<SavedGroupKeys> {
        let mut records = Vec::with_capacity(self.records.0.len());
        for (name, record) in &self.records.0 {
            records.push((name.group_id().to_owned(), name.sender_id().to_owned(), Bytes(record.serialize()?)));
        }
        Ok(SavedGroupKeys { records, given: self.given.clone() })
    }

    /// The keys of an earlier run.
    pub(crate) fn load(saved: SavedGroupKeys) -> Result<Self> {
        let mut records = Records::default();
        for (group, sender, bytes) in saved.records {
            let mut record = SenderKeyRecord::deserialize(&bytes.0)?;
            record.waive_counter_lease()?;
            records.0.insert(SenderKeyName::from_parts(&group, &sender), record);
        }
        Ok(Self { records, given: saved.given })
    }
}

#[async_trait]
impl SenderKeyStore for Records {
    async fn store_sender_key(&mut self, name: &SenderKeyName, mut record: SenderKeyRecord) -> Result<()> {
        // Keys are saved whole, so no iteration ever needs to be reserved ahead.
        record.waive_counter_lease()?;
        if self.0.len() >= KEYS
            && !self.0.contains_key(name)
            && let Some(other) = self.0.keys().next().cloned()
        {
            self.0.remove(&other);
        }
        self.0.insert(name.clone(), record);
        Ok(())
    }

    async fn load_sender_key(&self, name: &SenderKeyName) -> Result<Option<SenderKeyRecord>> {
        Ok(self.0.get(name).cloned())
    }
}
