//! The account itself (its device record), and message secrets.

use super::SessionKeys;
use super::rows::{Kind, Row, from_json, ours, parts, to_json};
use async_trait::async_trait;
use std::sync::Arc;
use wacore::store::Device;
use wacore::store::device::DEVICE_PROPS;
use wacore::store::error::Result;
use wacore::store::traits::{DeviceStore, MsgSecretEntry, MsgSecretStore};

/// One key store holds one device.
const DEVICE_KEY: &[u8] = b"device";
const DEVICE_ID: i32 = 1;

#[async_trait]
impl DeviceStore for SessionKeys {
    async fn save(&self, device: &Device) -> Result<()> {
        self.put(vec![self.sealed(Kind::Device, DEVICE_KEY, &to_json(device)?)?]).await
    }

    async fn load(&self) -> Result<Option<Device>> {
        let Some(record) = self.get(Kind::Device, DEVICE_KEY).await? else { return Ok(None) };
        let mut device: Device = from_json(&record)?;
        // Not part of the record: what the client says it is comes from the
        // code that runs, not from the code that paired.
        device.device_props = Arc::new(DEVICE_PROPS.clone());
        Ok(Some(device))
    }

    async fn exists(&self) -> Result<bool> {
        self.has(Kind::Device, DEVICE_KEY).await
    }

    async fn create(&self) -> Result<i32> {
        let (no, row) = (self.no(), self.sealed(Kind::Device, DEVICE_KEY, &to_json(&Device::new())?)?);
        let creating = self.store().write(move |db| {
            Box::pin(async move {
                // A device that is there already stays: its keys are paired.
                sqlx::query(
                    "INSERT INTO wa_kv (store, kind, key, value) VALUES (?, ?, ?, ?)
                     ON CONFLICT (store, kind, key) DO NOTHING",
                )
                .bind(no)
                .bind(row.kind as u8)
                .bind(row.key)
                .bind(row.value)
                .execute(db)
                .await?;
                Ok(())
            })
        });
        creating.await.map_err(ours)?;
        Ok(DEVICE_ID)
    }
}

#[async_trait]
impl MsgSecretStore for SessionKeys {
    async fn put_msg_secrets(&self, entries: Vec<MsgSecretEntry>) -> Result<usize> {
        let stored = entries.len();
        if stored == 0 {
            return Ok(0);
        }
        let rows = entries
            .iter()
            .map(|entry| {
                let key = parts(&[&entry.chat, &entry.sender, &entry.msg_id]);
                Ok(Row {
                    due: Some(entry.expires_at).filter(|due| *due != 0),
                    num: Some(entry.message_ts),
                    ..self.sealed(Kind::MsgSecret, key, &entry.secret)?
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let no = self.no();
        let putting = self.store().write(move |db| {
            Box::pin(async move {
                for row in rows {
                    // The later deadline wins, none (never) over all.
                    sqlx::query(
                        "INSERT INTO wa_kv (store, kind, key, due, num, value) VALUES (?, ?, ?, ?, ?, ?)
                         ON CONFLICT (store, kind, key) DO UPDATE SET
                             value = excluded.value,
                             due = max(wa_kv.due, excluded.due),
                             num = max(wa_kv.num, excluded.num)",
                    )
                    .bind(no)
                    .bind(row.kind as u8)
                    .bind(row.key)
                    .bind(row.due)
                    .bind(row.num)
                    .bind(row.value)
                    .execute(&mut *db)
                    .await?;
                }
                Ok(())
            })
        });
        putting.await.map_err(ours)?;
        Ok(stored)
    }

    async fn get_msg_secret(&self, chat: &str, sender: &str, msg_id: &str) -> Result<Option<Vec<u8>>> {
        self.get(Kind::MsgSecret, &parts(&[chat, sender, msg_id])).await
    }

    async fn get_msg_secret_with_ts(&self, chat: &str, sender: &str, msg_id: &str) -> Result<Option<(Vec<u8>, i64)>> {
        self.get_with_num(Kind::MsgSecret, &parts(&[chat, sender, msg_id])).await
    }

    async fn delete_expired_msg_secrets(&self, cutoff_timestamp: i64) -> Result<u32> {
        // At the deadline counts as expired here.
        self.remove_due(Kind::MsgSecret, cutoff_timestamp.saturating_add(1)).await
    }
}
