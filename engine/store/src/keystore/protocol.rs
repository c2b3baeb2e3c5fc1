//! What WhatsApp Web remembers beside Signal: who has which sender key, LID and
//! phone numbers, device lists, privacy tokens, sent and pending messages.

use super::SessionKeys;
use super::rows::{Kind, Row, bare, count, database, from_json, lead, ours, parts, row_of, text, to_json};
use async_trait::async_trait;
use wacore::store::error::{Result, StoreError as WaError};
use wacore::store::traits::{
    DeviceListRecord, LidPnMappingEntry, PendingInboundKey, PendingInboundRow, ProtocolStore, TcTokenEntry,
};
use wacore::time::now_secs;
use warest_model::event::message_dedup;

#[async_trait]
impl ProtocolStore for SessionKeys {
    async fn get_sender_key_devices(&self, group_jid: &str) -> Result<Vec<(String, bool)>> {
        let rows = self.prefixed(Kind::SenderKeyDevice, &lead(group_jid)).await?;
        rows.into_iter().map(|row| Ok((text(row.tag.unwrap_or_default())?, row.num == Some(1)))).collect()
    }

    async fn set_sender_key_status(&self, group_jid: &str, entries: &[(&str, bool)]) -> Result<()> {
        let rows = entries
            .iter()
            .map(|(device, has_key)| Row {
                tag: Some((*device).into()),
                num: Some(i64::from(*has_key)),
                ..bare(Kind::SenderKeyDevice, parts(&[group_jid, device]))
            })
            .collect();
        self.put(rows).await
    }

    async fn clear_sender_key_devices(&self, group_jid: &str) -> Result<()> {
        self.remove_prefixed(Kind::SenderKeyDevice, lead(group_jid)).await
    }

    async fn delete_sender_key_device_rows(&self, device_jids: &[&str]) -> Result<()> {
        let no = self.no();
        let devices: Vec<Vec<u8>> = device_jids.iter().map(|device| device.as_bytes().to_vec()).collect();
        if devices.is_empty() {
            return Ok(());
        }
        let deleting = self.store().write(move |db| {
            Box::pin(async move {
                for device in devices {
                    sqlx::query("DELETE FROM wa_kv WHERE store = ? AND kind = ? AND tag = ?")
                        .bind(no)
                        .bind(Kind::SenderKeyDevice as u8)
                        .bind(device)
                        .execute(&mut *db)
                        .await?;
                }
                Ok(())
            })
        });
        deleting.await.map_err(ours)
    }

    async fn clear_all_sender_key_devices(&self) -> Result<()> {
        self.remove_prefixed(Kind::SenderKeyDevice, Vec::new()).await
    }

    async fn get_lid_mapping(&self, lid: &str) -> Result<Option<LidPnMappingEntry>> {
        self.get(Kind::LidMapping, lid.as_bytes()).await?.as_deref().map(from_json).transpose()
    }

    async fn get_pn_mapping(&self, phone: &str) -> Result<Option<LidPnMappingEntry>> {
        let row = sqlx::query(
            "SELECT key, tag, due, num, value FROM wa_kv WHERE store = ? AND kind = ? AND tag = ?
             ORDER BY num DESC LIMIT 1",
        )
        .bind(self.no())
        .bind(Kind::LidMapping as u8)
        .bind(phone.as_bytes())
        .fetch_optional(self.store().readers())
        .await
        .map_err(database)?;
        row.map(|row| self.json_of(&row_of(Kind::LidMapping, &row)?)).transpose()
    }

    async fn put_lid_mapping(&self, entry: &LidPnMappingEntry) -> Result<()> {
        self.put_lid_mappings(std::slice::from_ref(entry)).await
    }

    async fn put_lid_mappings(&self, entries: &[LidPnMappingEntry]) -> Result<()> {
        let rows = entries.iter().map(|entry| {
            Ok(Row {
                tag: Some(entry.phone_number.as_bytes().into()),
                num: Some(entry.updated_at),
                ..self.sealed(Kind::LidMapping, entry.lid.as_bytes(), &to_json(entry)?)?
            })
        });
        self.put(rows.collect::<Result<_>>()?).await
    }

    async fn get_all_lid_mappings(&self) -> Result<Vec<LidPnMappingEntry>> {
        self.list(Kind::LidMapping).await?.iter().map(|row| self.json_of(row)).collect()
    }

    async fn save_base_key(&self, address: &str, message_id: &str, base_key: &[u8]) -> Result<()> {
        self.put(vec![self.sealed(Kind::BaseKey, parts(&[address, message_id]), base_key)?]).await
    }

    async fn has_same_base_key(&self, address: &str, message_id: &str, current_base_key: &[u8]) -> Result<bool> {
        let saved = self.get(Kind::BaseKey, &parts(&[address, message_id])).await?;
        Ok(saved.as_deref() == Some(current_base_key))
    }

    async fn delete_base_key(&self, address: &str, message_id: &str) -> Result<()> {
        self.remove(Kind::BaseKey, vec![parts(&[address, message_id])]).await
    }

    async fn update_device_list(&self, record: DeviceListRecord) -> Result<()> {
        self.update_device_lists(vec![record]).await
    }

    async fn update_device_lists(&self, records: Vec<DeviceListRecord>) -> Result<()> {
        let rows =
            records.iter().map(|record| self.sealed(Kind::DeviceList, record.user.as_bytes(), &to_json(record)?));
        self.put(rows.collect::<Result<_>>()?).await
    }

    async fn get_devices(&self, user: &str) -> Result<Option<DeviceListRecord>> {
        self.get(Kind::DeviceList, user.as_bytes()).await?.as_deref().map(from_json).transpose()
    }

    async fn delete_devices(&self, user: &str) -> Result<()> {
        self.remove(Kind::DeviceList, vec![user.into()]).await
    }

    async fn get_group_metadata(&self, group_jid: &str) -> Result<Option<Vec<u8>>> {
        self.get(Kind::GroupMetadata, group_jid.as_bytes()).await
    }

    async fn put_group_metadata(&self, group_jid: &str, blob: &[u8]) -> Result<()> {
        self.put(vec![self.sealed(Kind::GroupMetadata, group_jid, blob)?]).await
    }

    async fn delete_group_metadata(&self, group_jid: &str) -> Result<()> {
        self.remove(Kind::GroupMetadata, vec![group_jid.into()]).await
    }

    async fn get_tc_token(&self, jid: &str) -> Result<Option<TcTokenEntry>> {
        let row = sqlx::query("SELECT key, tag, due, num, value FROM wa_kv WHERE store = ? AND kind = ? AND key = ?")
            .bind(self.no())
            .bind(Kind::TcToken as u8)
            .bind(jid.as_bytes())
            .fetch_optional(self.store().readers())
            .await
            .map_err(database)?;
        let Some(row) = row else { return Ok(None) };
        let row = row_of(Kind::TcToken, &row)?;
        let token = match &row.value {
            Some(sealed) => self.open(row.kind, &row.key, sealed)?,
            None => Vec::new(),
        };
        Ok(Some(TcTokenEntry { token, token_timestamp: row.num.unwrap_or(0), sender_timestamp: row.due }))
    }

    async fn put_tc_token(&self, jid: &str, entry: &TcTokenEntry) -> Result<()> {
        let row = self.token(jid, &entry.token, entry.token_timestamp)?;
        self.put(vec![Row { due: entry.sender_timestamp, ..row }]).await
    }

    async fn delete_tc_token(&self, jid: &str) -> Result<()> {
        self.remove(Kind::TcToken, vec![jid.into()]).await
    }

    async fn get_all_tc_token_jids(&self) -> Result<Vec<String>> {
        self.list(Kind::TcToken).await?.into_iter().map(|row| text(row.key)).collect()
    }

    async fn delete_expired_tc_tokens(&self, token_cutoff: i64, sender_cutoff: i64) -> Result<u32> {
        let no = self.no();
        let deleting = self.store().write(move |db| {
            Box::pin(async move {
                let done = sqlx::query(
                    "DELETE FROM wa_kv WHERE store = ? AND kind = ?
                         AND (value IS NULL OR num < ?) AND (due IS NULL OR due < ?)",
                )
                .bind(no)
                .bind(Kind::TcToken as u8)
                .bind(token_cutoff)
                .bind(sender_cutoff)
                .execute(db)
                .await?;
                Ok(count(done.rows_affected()))
            })
        });
        deleting.await.map_err(ours)
    }

    async fn touch_tc_token_sender_timestamp(&self, jid: &str, sender_timestamp: i64) -> Result<()> {
        let row = Row { due: Some(sender_timestamp), ..self.token(jid, &[], sender_timestamp)? };
        self.merge_token(
            row,
            "INSERT INTO wa_kv (store, kind, key, due, num, value) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (store, kind, key) DO UPDATE SET
                 due = max(coalesce(wa_kv.due, excluded.due), excluded.due)",
        )
        .await
    }

    async fn store_received_tc_token(&self, jid: &str, token: &[u8], token_timestamp: i64) -> Result<()> {
        let row = self.token(jid, token, token_timestamp)?;
        // A token is replaced by one as new or newer; the sender's time stays.
        self.merge_token(
            row,
            "INSERT INTO wa_kv (store, kind, key, due, num, value) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (store, kind, key) DO UPDATE SET value = excluded.value, num = excluded.num
                 WHERE wa_kv.value IS NULL OR excluded.num >= wa_kv.num",
        )
        .await
    }

    async fn store_sent_message(&self, chat_jid: &str, message_id: &str, payload: &[u8]) -> Result<()> {
        let row = self.sealed(Kind::SentMessage, parts(&[chat_jid, message_id]), payload)?;
        self.put(vec![Row { due: Some(now_secs()), ..row }]).await
    }

    /// Leaves it there until it is old. The library puts back what it takes, but
    /// another device that could not read the message may ask in between.
    async fn take_sent_message(&self, chat_jid: &str, message_id: &str) -> Result<Option<Vec<u8>>> {
        self.get(Kind::SentMessage, &parts(&[chat_jid, message_id])).await
    }

    async fn delete_expired_sent_messages(&self, cutoff_timestamp: i64) -> Result<u32> {
        self.remove_due(Kind::SentMessage, cutoff_timestamp).await
    }

    async fn store_pending_inbound(&self, chat: &str, sender: &str, id: &str, message: &[u8]) -> Result<()> {
        self.store_pending_inbound_batch(&[PendingInboundRow { chat, sender, id, message }]).await
    }

    async fn get_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Result<Option<Vec<u8>>> {
        let key = parts(&[chat, sender, id]);
        if let Some(sealed) = self.plaintexts().get(&key) {
            return self.open(Kind::PendingInbound, &key, &sealed).map(Some);
        }
        let found = self.get(Kind::PendingInbound, &key).await?;
        if found.is_some() {
            self.plaintexts().found(key);
        } else if !self.plaintexts().is_settled(&key) && !self.is_recorded(chat, sender, id).await? {
            // The library asks for what it has decrypted before. To answer
            // "nothing" would have it acknowledged, and lost.
            (self.unread)(chat, sender, id);
            return Err(WaError::Validation("a crash took this message's text".to_owned()));
        }
        Ok(found)
    }

    async fn delete_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Result<()> {
        self.delete_pending_inbound_batch(&[PendingInboundKey { chat, sender, id }]).await
    }

    async fn delete_expired_pending_inbound(&self, cutoff_timestamp: i64) -> Result<u32> {
        self.remove_due(Kind::PendingInbound, cutoff_timestamp).await
    }

    async fn store_pending_inbound_batch(&self, rows: &[PendingInboundRow<'_>]) -> Result<()> {
        let now = now_secs();
        let mut no_room = Vec::new();
        for row in rows {
            let key = parts(&[row.chat, row.sender, row.id]);
            let row = Row { due: Some(now), ..self.sealed(Kind::PendingInbound, key, row.message)? };
            no_room.extend(self.plaintexts().add(row).err());
        }
        self.put(no_room).await
    }

    async fn delete_pending_inbound_batch(&self, keys: &[PendingInboundKey<'_>]) -> Result<()> {
        let keys = keys.iter().map(|key| parts(&[key.chat, key.sender, key.id])).collect();
        self.remove(Kind::PendingInbound, self.plaintexts().remove(keys)).await
    }
}

impl SessionKeys {
    /// Whether a message is in the event log.
    async fn is_recorded(&self, chat: &str, sender: &str, id: &str) -> Result<bool> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM event_dedup WHERE session = ? AND key = ?)")
            .bind(self.session.as_str())
            .bind(message_dedup(chat, sender, id))
            .fetch_one(self.store().readers())
            .await
            .map_err(database)
    }

    fn json_of<T: serde::de::DeserializeOwned>(&self, row: &Row) -> Result<T> {
        from_json(&self.open(row.kind, &row.key, row.value.as_deref().unwrap_or_default())?)
    }

    /// A token's row; a token that is not there yet has no value.
    fn token(&self, jid: &str, token: &[u8], timestamp: i64) -> Result<Row> {
        let row = if token.is_empty() { bare(Kind::TcToken, jid) } else { self.sealed(Kind::TcToken, jid, token)? };
        Ok(Row { num: Some(timestamp), ..row })
    }

    async fn merge_token(&self, row: Row, sql: &'static str) -> Result<()> {
        let no = self.no();
        let merging = self.store().write(move |db| {
            Box::pin(async move {
                sqlx::query(sql)
                    .bind(no)
                    .bind(row.kind as u8)
                    .bind(row.key)
                    .bind(row.due)
                    .bind(row.num)
                    .bind(row.value)
                    .execute(db)
                    .await?;
                Ok(())
            })
        });
        merging.await.map_err(ours)
    }
}
