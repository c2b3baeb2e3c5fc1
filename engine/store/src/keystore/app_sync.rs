//! App state: sync keys, collection versions and mutation MACs.

use super::SessionKeys;
use super::rows::{Kind, from_json, lead, to_json};
use async_trait::async_trait;
use std::collections::HashMap;
use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::store::error::Result;
use wacore::store::traits::{AppStateSyncKey, AppSyncStore};

#[async_trait]
impl AppSyncStore for SessionKeys {
    async fn get_sync_key(&self, key_id: &[u8]) -> Result<Option<AppStateSyncKey>> {
        self.get(Kind::SyncKey, key_id).await?.as_deref().map(from_json).transpose()
    }

    async fn set_sync_key(&self, key_id: &[u8], key: AppStateSyncKey) -> Result<()> {
        self.put(vec![
            self.sealed(Kind::SyncKey, key_id, &to_json(&key)?)?,
            self.sealed(Kind::LatestSyncKey, [], key_id)?,
        ])
        .await
    }

    async fn get_version(&self, name: &str) -> Result<HashState> {
        match self.get(Kind::SyncVersion, name.as_bytes()).await? {
            Some(state) => from_json(&state),
            None => Ok(HashState::default()),
        }
    }

    async fn set_version(&self, name: &str, state: HashState) -> Result<()> {
        self.put(vec![self.sealed(Kind::SyncVersion, name, &to_json(&state)?)?]).await
    }

    async fn put_mutation_macs(&self, name: &str, _version: u64, mutations: &[AppStateMutationMAC]) -> Result<()> {
        let rows = mutations
            .iter()
            .map(|mutation| self.sealed(Kind::MutationMac, mac_key(name, &mutation.index_mac), &mutation.value_mac));
        self.put(rows.collect::<Result<_>>()?).await
    }

    async fn get_mutation_mac(&self, name: &str, index_mac: &[u8]) -> Result<Option<Vec<u8>>> {
        self.get(Kind::MutationMac, &mac_key(name, index_mac)).await
    }

    async fn get_mutation_macs(&self, name: &str, index_macs: &[[u8; 32]]) -> Result<HashMap<[u8; 32], Vec<u8>>> {
        let keys: Vec<_> = index_macs.iter().map(|index_mac| mac_key(name, index_mac)).collect();
        let found = self.get_many(Kind::MutationMac, &keys).await?;
        Ok(found.into_iter().map(|(index, value_mac)| (index_macs[index], value_mac)).collect())
    }

    async fn delete_mutation_macs(&self, name: &str, index_macs: &[Vec<u8>]) -> Result<()> {
        let keys = index_macs.iter().map(|index_mac| mac_key(name, index_mac)).collect();
        self.remove(Kind::MutationMac, keys).await
    }

    async fn clear_mutation_macs(&self, name: &str) -> Result<()> {
        self.remove_prefixed(Kind::MutationMac, lead(name)).await
    }

    async fn get_latest_sync_key_id(&self) -> Result<Option<Vec<u8>>> {
        self.get(Kind::LatestSyncKey, &[]).await
    }
}

fn mac_key(name: &str, index_mac: &[u8]) -> Vec<u8> {
    let mut key = lead(name);
    key.extend_from_slice(index_mac);
    key
}
