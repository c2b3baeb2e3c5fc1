//! App state as the server keeps it: per account a few collections of encrypted records. A patch for
//! the next version is appended and its records filed; one for an older version conflicts. Who is
//! far behind gets a snapshot. The server reads none of it: it has records, the MACs that came with
//! the last patch, and counts versions.
//!
//! Bounded in collections, records and patches; patches past the limit are forgotten, since the
//! records say the same.

use crate::account::Account;
use crate::chance::now;
use crate::network::Network;
use crate::server::node;
use crate::state::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use wacore_binary::builder::NodeBuilder;
use waproto::buffa::{Message as _, MessageField};
use waproto::whatsapp::syncd_mutation::SyncdOperation;
use waproto::whatsapp::{self as wa};

/// The collections there are.
pub(crate) const NAMES: [&str; 5] =
    ["critical_block", "critical_unblock_low", "regular_high", "regular_low", "regular"];
/// Patches kept per collection.
const PATCHES: usize = 1_000;
/// Records of one collection.
const RECORDS: usize = 50_000;
/// Mutations in one patch.
const MUTATIONS: usize = 5_000;

/// An account's collections by name.
#[derive(Default, Clone, Serialize, Deserialize)]
pub(crate) struct Collections(BTreeMap<String, Collection>);

/// One collection.
#[derive(Default, Clone, Serialize, Deserialize)]
pub(crate) struct Collection {
    version: u64,
    /// By index MAC, in hex.
    records: BTreeMap<String, Bytes>,
    /// Of the last patch: its MAC over all records, and the key that made it.
    mac: Bytes,
    key_id: Bytes,
    /// The last ones, oldest first; the newest has `version`.
    patches: VecDeque<Bytes>,
}

/// Why a patch was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It was made for another version.
    Conflict,
    /// It is no patch, or past a limit.
    Malformed,
}

/// What brings a device up to date.
pub(crate) enum Update {
    /// Patches in order, and whether there are more.
    Patches(Vec<Bytes>, bool),
    /// The patches are forgotten: take the records.
    Snapshot,
}

impl Collections {
    /// A collection; `None` for a name that is none.
    pub(crate) fn get(&mut self, name: &str) -> Option<&mut Collection> {
        NAMES.contains(&name).then(|| self.0.entry(name.to_owned()).or_default())
    }
}

impl Collection {
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The version that the oldest patch builds on.
    fn oldest(&self) -> u64 {
        self.version - self.patches.len() as u64
    }

    /// How many patches are kept.
    pub(crate) fn kept(&self) -> usize {
        self.patches.len()
    }

    /// Appends a patch that was made for version `base`; returns the new version.
    pub(crate) fn commit(&mut self, base: u64, patch: &[u8]) -> Result<u64, Refused> {
        if base != self.version {
            return Err(Refused::Conflict);
        }
        let mut patch = waproto::codec::syncd_patch_decode(patch).map_err(|_| Refused::Malformed)?;
        if patch.mutations.len() > MUTATIONS || self.records.len() + patch.mutations.len() > RECORDS {
            return Err(Refused::Malformed);
        }
        for mutation in &patch.mutations {
            let record = mutation.record.as_option().ok_or(Refused::Malformed)?;
            let index = record.index.as_option().and_then(|index| index.blob.as_deref()).ok_or(Refused::Malformed)?;
            if mutation.operation.is_some_and(|operation| operation == SyncdOperation::REMOVE) {
                self.records.remove(&hex::encode(index));
            } else {
                self.records.insert(hex::encode(index), Bytes(record.encode_to_vec()));
            }
        }
        self.version += 1;
        self.mac = Bytes(patch.snapshot_mac.clone().unwrap_or_default());
        self.key_id = Bytes(patch.key_id.as_option().and_then(|key| key.id.clone()).unwrap_or_default());
        // The server numbers the patches.
        patch.version = MessageField::some(wa::SyncdVersion { version: Some(self.version) });
        self.patches.push_back(Bytes(patch.encode_to_vec()));
        if self.patches.len() > PATCHES {
            self.patches.pop_front();
        }
        Ok(self.version)
    }

    /// What comes after `version`, at most `limit` patches.
    pub(crate) fn since(&self, version: u64, limit: usize) -> Update {
        if version < self.oldest() {
            return Update::Snapshot;
        }
        let skip = usize::try_from(version - self.oldest()).unwrap_or(usize::MAX);
        let page: Vec<Bytes> = self.patches.iter().skip(skip).take(limit).cloned().collect();
        let more = self.patches.len() > skip.saturating_add(page.len());
        Update::Patches(page, more)
    }

    /// All records, with the MAC that the last patch gave them.
    pub(crate) fn snapshot(&self) -> wa::SyncdSnapshot {
        wa::SyncdSnapshot {
            version: MessageField::some(wa::SyncdVersion { version: Some(self.version) }),
            records: self
                .records
                .values()
                .filter_map(|record| wa::SyncdRecord::decode_from_slice(&record.0).ok())
                .collect(),
            mac: Some(self.mac.0.clone()),
            key_id: MessageField::some(wa::KeyId { id: Some(self.key_id.0.clone()) }),
        }
    }
}

/// Tells the account's devices, other than `except`, that collections have changed.
pub(crate) fn announce(net: &Network, account: &Account, except: u16, changed: &[(String, u64)]) {
    for device in account.devices() {
        if device.id == except {
            continue;
        }
        let children = changed.iter().map(|(name, version)| {
            NodeBuilder::new("collection").attr("name", name.clone()).attr("version", *version).build()
        });
        device.queue.push(
            NodeBuilder::new("notification")
                .attr("from", node::SERVER)
                .attr("id", net.chance.stanza_id())
                .attr("type", "server_sync")
                .attr("t", now())
                .children(children)
                .build(),
        );
    }
    net.touch();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Collections, PATCHES, Refused, Update};
    use waproto::buffa::{Message as _, MessageField};
    use waproto::whatsapp::syncd_mutation::SyncdOperation;
    use waproto::whatsapp::{self as wa};

    fn patch(index: u8, operation: SyncdOperation) -> Vec<u8> {
        let record = wa::SyncdRecord {
            index: MessageField::some(wa::SyncdIndex { blob: Some(vec![index]) }),
            ..Default::default()
        };
        let mutation = wa::SyncdMutation { operation: Some(operation.into()), record: MessageField::some(record) };
        wa::SyncdPatch { mutations: vec![mutation], snapshot_mac: Some(vec![index; 32]), ..Default::default() }
            .encode_to_vec()
    }

    #[test]
    fn only_a_patch_for_the_current_version_is_taken() {
        let mut collections = Collections::default();
        let collection = collections.get("regular").unwrap();
        assert_eq!(collection.commit(0, &patch(1, SyncdOperation::SET)), Ok(1));
        assert_eq!(collection.commit(0, &patch(2, SyncdOperation::SET)), Err(Refused::Conflict));
        assert_eq!(collection.commit(1, b"\xff\xff"), Err(Refused::Malformed));
        assert_eq!(collection.commit(1, &patch(1, SyncdOperation::REMOVE)), Ok(2));
        assert!(collection.snapshot().records.is_empty());
        assert!(collections.get("no such collection").is_none());
    }

    #[test]
    fn who_is_too_far_behind_gets_the_records() {
        let mut collections = Collections::default();
        let collection = collections.get("regular").unwrap();
        for version in 0..=PATCHES as u64 {
            collection.commit(version, &patch(u8::try_from(version % 200).unwrap(), SyncdOperation::SET)).unwrap();
        }
        assert!(matches!(collection.since(0, 10), Update::Snapshot));
        assert!(matches!(collection.since(1, 10), Update::Patches(page, true) if page.len() == 10));
        let all = PATCHES as u64 + 1;
        assert!(matches!(collection.since(all, 10), Update::Patches(page, false) if page.is_empty()));
        assert!(matches!(collection.since(all + 5, 10), Update::Patches(page, false) if page.is_empty()));
        assert_eq!(collection.snapshot().records.len(), 200);
    }
}
