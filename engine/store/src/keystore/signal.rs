//! Signal: identities, sessions, one-time, signed and sender keys.

use super::SessionKeys;
use super::rows::{Kind, Row, database, ours};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use wacore::store::error::{Result, StoreError as WaError};
use wacore::store::traits::SignalStore;

#[async_trait]
impl SignalStore for SessionKeys {
    async fn put_identity(&self, address: &str, key: [u8; 32]) -> Result<()> {
        self.put(vec![self.sealed(Kind::Identity, address, &key)?]).await
    }

    async fn put_identities_batch(&self, identities: &[(Arc<str>, [u8; 32])]) -> Result<()> {
        let rows = identities.iter().map(|(address, key)| self.sealed(Kind::Identity, &**address, key));
        self.put(rows.collect::<Result<_>>()?).await
    }

    async fn load_identity(&self, address: &str) -> Result<Option<[u8; 32]>> {
        let Some(key) = self.get(Kind::Identity, address.as_bytes()).await? else { return Ok(None) };
        let key = key
            .try_into()
            .map_err(|key: Vec<u8>| WaError::Validation(format!("an identity key has {} bytes, not 32", key.len())))?;
        Ok(Some(key))
    }

    async fn delete_identity(&self, address: &str) -> Result<()> {
        self.remove(Kind::Identity, vec![address.into()]).await
    }

    async fn get_session(&self, address: &str) -> Result<Option<Bytes>> {
        Ok(self.get(Kind::Session, address.as_bytes()).await?.map(Bytes::from))
    }

    async fn put_session(&self, address: &str, session: &[u8]) -> Result<()> {
        self.put_ratchets(vec![self.sealed(Kind::Session, address, session)?]).await
    }

    async fn put_sessions_batch(&self, sessions: &[(Arc<str>, Bytes)]) -> Result<()> {
        let rows = sessions.iter().map(|(address, session)| self.sealed(Kind::Session, &**address, session));
        self.put_ratchets(rows.collect::<Result<_>>()?).await
    }

    async fn delete_session(&self, address: &str) -> Result<()> {
        self.remove(Kind::Session, vec![address.into()]).await
    }

    async fn has_session(&self, address: &str) -> Result<bool> {
        self.has(Kind::Session, address.as_bytes()).await
    }

    async fn has_signal_state_for_user(&self, user: &str) -> Result<bool> {
        // Addresses are `user@server` or `user:device@server`; `A` and `;` are
        // the characters after `@` and `:`.
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM wa_kv WHERE store = ?1 AND kind = ?2 AND key >= ?4 AND key < ?5)
                 OR EXISTS (SELECT 1 FROM wa_kv WHERE store = ?1 AND kind = ?2 AND key >= ?6 AND key < ?7)
                 OR EXISTS (SELECT 1 FROM wa_kv WHERE store = ?1 AND kind = ?3 AND key >= ?4 AND key < ?5)
                 OR EXISTS (SELECT 1 FROM wa_kv WHERE store = ?1 AND kind = ?3 AND key >= ?6 AND key < ?7)",
        )
        .bind(self.no())
        .bind(Kind::Session as u8)
        .bind(Kind::Identity as u8)
        .bind(format!("{user}@").into_bytes())
        .bind(format!("{user}A").into_bytes())
        .bind(format!("{user}:").into_bytes())
        .bind(format!("{user};").into_bytes())
        .fetch_one(self.store().readers())
        .await
        .map_err(database)
    }

    async fn store_prekey(&self, id: u32, record: &[u8], uploaded: bool) -> Result<()> {
        self.put(vec![self.prekey(id, record, uploaded)?]).await
    }

    async fn store_prekeys_batch(&self, keys: &[(u32, Bytes)], uploaded: bool) -> Result<()> {
        let rows = keys.iter().map(|(id, record)| self.prekey(*id, record, uploaded));
        self.put(rows.collect::<Result<_>>()?).await
    }

    async fn load_prekey(&self, id: u32) -> Result<Option<Bytes>> {
        Ok(self.get(Kind::PreKey, &id.to_be_bytes()).await?.map(Bytes::from))
    }

    async fn load_prekeys_batch(&self, ids: &[u32]) -> Result<Vec<(u32, Bytes)>> {
        let keys: Vec<[u8; 4]> = ids.iter().map(|id| id.to_be_bytes()).collect();
        let found = self.get_many(Kind::PreKey, &keys).await?;
        Ok(found.into_iter().map(|(index, record)| (ids[index], Bytes::from(record))).collect())
    }

    async fn mark_prekeys_uploaded(&self, ids: &[u32]) -> Result<()> {
        let (no, ids) = (self.no(), ids.to_vec());
        let marking = self.store().write(move |db| {
            Box::pin(async move {
                for id in ids {
                    // Only keys that are still there: a used one must not come back.
                    sqlx::query("UPDATE wa_kv SET num = 1 WHERE store = ? AND kind = ? AND key = ?")
                        .bind(no)
                        .bind(Kind::PreKey as u8)
                        .bind(id.to_be_bytes().as_slice())
                        .execute(&mut *db)
                        .await?;
                }
                Ok(())
            })
        });
        marking.await.map_err(ours)
    }

    async fn remove_prekey(&self, id: u32) -> Result<()> {
        self.remove(Kind::PreKey, vec![id.to_be_bytes().into()]).await
    }

    async fn get_max_prekey_id(&self) -> Result<u32> {
        let key: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT key FROM wa_kv WHERE store = ? AND kind = ? ORDER BY key DESC LIMIT 1")
                .bind(self.no())
                .bind(Kind::PreKey as u8)
                .fetch_optional(self.store().readers())
                .await
                .map_err(database)?;
        key.map_or(Ok(0), |key| key_id(&key))
    }

    async fn store_signed_prekey(&self, id: u32, record: &[u8]) -> Result<()> {
        self.put(vec![self.sealed(Kind::SignedPreKey, id.to_be_bytes(), record)?]).await
    }

    async fn load_signed_prekey(&self, id: u32) -> Result<Option<Vec<u8>>> {
        self.get(Kind::SignedPreKey, &id.to_be_bytes()).await
    }

    async fn load_all_signed_prekeys(&self) -> Result<Vec<(u32, Vec<u8>)>> {
        let rows = self.list(Kind::SignedPreKey).await?;
        rows.into_iter()
            .map(|row| {
                let record = self.open(row.kind, &row.key, row.value.as_deref().unwrap_or_default())?;
                Ok((key_id(&row.key)?, record))
            })
            .collect()
    }

    async fn remove_signed_prekey(&self, id: u32) -> Result<()> {
        self.remove(Kind::SignedPreKey, vec![id.to_be_bytes().into()]).await
    }

    async fn put_sender_key(&self, address: &str, record: &[u8]) -> Result<()> {
        self.put_ratchets(vec![self.sealed(Kind::SenderKey, address, record)?]).await
    }

    async fn put_sender_keys_batch(&self, sender_keys: &[(Arc<str>, Bytes)]) -> Result<()> {
        let rows = sender_keys.iter().map(|(address, record)| self.sealed(Kind::SenderKey, &**address, record));
        self.put_ratchets(rows.collect::<Result<_>>()?).await
    }

    async fn get_sender_key(&self, address: &str) -> Result<Option<Vec<u8>>> {
        self.get(Kind::SenderKey, address.as_bytes()).await
    }

    async fn delete_sender_key(&self, address: &str) -> Result<()> {
        self.remove(Kind::SenderKey, vec![address.into()]).await
    }
}

impl SessionKeys {
    fn prekey(&self, id: u32, record: &[u8], uploaded: bool) -> Result<Row> {
        let row = self.sealed(Kind::PreKey, id.to_be_bytes(), record)?;
        Ok(Row { num: Some(i64::from(uploaded)), ..row })
    }
}

fn key_id(key: &[u8]) -> Result<u32> {
    let key = key.try_into().map_err(|_| WaError::Validation("a stored key id has not 4 bytes".to_owned()))?;
    Ok(u32::from_be_bytes(key))
}
