//! The rows that all credentials are kept in: found by kind and key, sealed.

use super::SessionKeys;
use crate::error::StoreError;
use crate::sqlite::SqliteStore;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use wacore::store::error::{Result, StoreError as WaError};

/// What a row holds. The numbers are stored: never change or reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Identity = 1,
    Session = 2,
    /// `num` is 1 once uploaded.
    PreKey = 3,
    SignedPreKey = 4,
    SenderKey = 5,
    SyncKey = 6,
    LatestSyncKey = 7,
    SyncVersion = 8,
    MutationMac = 9,
    /// Key is group and device, `tag` the device, `num` whether it has the key.
    SenderKeyDevice = 10,
    /// Key is the LID, `tag` the phone number, `num` when it was updated.
    LidMapping = 11,
    BaseKey = 12,
    DeviceList = 13,
    GroupMetadata = 14,
    /// `num` is the token's time, `due` the sender's; no value while there is no token.
    TcToken = 15,
    /// `due` is when it was stored.
    SentMessage = 16,
    /// `due` is when it was stored.
    PendingInbound = 17,
    /// `due` is when it expires, none for never; `num` the message's time.
    MsgSecret = 18,
    Device = 19,
}

/// One row to write; the value is sealed already.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub kind: Kind,
    pub key: Vec<u8>,
    pub tag: Option<Vec<u8>>,
    pub due: Option<i64>,
    pub num: Option<i64>,
    pub value: Option<Vec<u8>>,
}

impl SessionKeys {
    /// A row whose value is sealed for its place.
    pub(super) fn sealed(&self, kind: Kind, key: impl Into<Vec<u8>>, value: &[u8]) -> Result<Row> {
        let key = key.into();
        let value = self.cipher.seal(&place(kind, &key), value).map_err(ours)?;
        Ok(Row { value: Some(value), ..bare(kind, key) })
    }

    /// Opens the value of a row.
    pub(super) fn open(&self, kind: Kind, key: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        self.cipher.open(&place(kind, key), sealed).map_err(ours)
    }

    /// The value of one row.
    pub(super) async fn get(&self, kind: Kind, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.get_with_num(kind, key).await?.map(|(value, _)| value))
    }

    /// The value of one row, and its number (0 if it has none).
    pub(super) async fn get_with_num(&self, kind: Kind, key: &[u8]) -> Result<Option<(Vec<u8>, i64)>> {
        let row: Option<(Vec<u8>, Option<i64>)> = sqlx::query_as(
            "SELECT value, num FROM wa_kv WHERE store = ? AND kind = ? AND key = ? AND value IS NOT NULL",
        )
        .bind(self.no)
        .bind(kind as u8)
        .bind(key)
        .fetch_optional(self.store.readers())
        .await
        .map_err(database)?;
        row.map(|(sealed, num)| Ok((self.open(kind, key, &sealed)?, num.unwrap_or(0)))).transpose()
    }

    /// The values of several rows; those that are not there are left out.
    pub(super) async fn get_many<K: AsRef<[u8]>>(&self, kind: Kind, keys: &[K]) -> Result<Vec<(usize, Vec<u8>)>> {
        let mut db = self.store.readers().acquire().await.map_err(database)?;
        let mut found = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            let key = key.as_ref();
            let sealed: Option<Vec<u8>> = sqlx::query_scalar(
                "SELECT value FROM wa_kv WHERE store = ? AND kind = ? AND key = ? AND value IS NOT NULL",
            )
            .bind(self.no)
            .bind(kind as u8)
            .bind(key)
            .fetch_optional(&mut *db)
            .await
            .map_err(database)?;
            if let Some(sealed) = sealed {
                found.push((index, self.open(kind, key, &sealed)?));
            }
        }
        Ok(found)
    }

    /// Whether a row is there.
    pub(super) async fn has(&self, kind: Kind, key: &[u8]) -> Result<bool> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM wa_kv WHERE store = ? AND kind = ? AND key = ?)")
            .bind(self.no)
            .bind(kind as u8)
            .bind(key)
            .fetch_one(self.store.readers())
            .await
            .map_err(database)
    }

    /// Every row of a kind, in the order of the keys.
    pub(super) async fn list(&self, kind: Kind) -> Result<Vec<Row>> {
        self.range(kind, &[], None).await
    }

    /// The rows of a kind whose key starts with `prefix`.
    pub(super) async fn prefixed(&self, kind: Kind, prefix: &[u8]) -> Result<Vec<Row>> {
        self.range(kind, prefix, after(prefix)).await
    }

    async fn range(&self, kind: Kind, from: &[u8], to: Option<Vec<u8>>) -> Result<Vec<Row>> {
        let rows = sqlx::query(
            "SELECT key, tag, due, num, value FROM wa_kv
             WHERE store = ?1 AND kind = ?2 AND key >= ?3 AND (?4 IS NULL OR key < ?4) ORDER BY key",
        )
        .bind(self.no)
        .bind(kind as u8)
        .bind(from)
        .bind(to)
        .fetch_all(self.store.readers())
        .await
        .map_err(database)?;
        rows.iter().map(|row| row_of(kind, row)).collect()
    }

    /// Writes rows, in one transaction.
    pub(super) async fn put(&self, mut rows: Vec<Row>) -> Result<()> {
        let no = self.no;
        if rows.len() <= 1 {
            let Some(row) = rows.pop() else { return Ok(()) };
            return self.store.write_one(move |db| Box::pin(put(db, no, row))).await.map_err(ours);
        }
        self.store
            .write(move |db| {
                Box::pin(async move {
                    for row in rows {
                        put(db, no, row).await?;
                    }
                    Ok(())
                })
            })
            .await
            .map_err(ours)
    }

    /// Writes ratchets, and with them the texts of the messages whose keys they
    /// have used up, in one transaction.
    pub(super) async fn put_ratchets(&self, rows: Vec<Row>) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let (no, texts, batch) = (self.no, self.plaintexts.clone(), self.plaintexts.begin());
        let writing = self.store.write(move |db| {
            Box::pin(async move {
                for row in rows {
                    put(db, no, row).await?;
                }
                // Last, as a message that these ratchets have decrypted may be
                // on its way into the texts still.
                for row in texts.take(batch) {
                    put(db, no, row).await?;
                }
                Ok(())
            })
        });
        let written = writing.await;
        self.plaintexts.end(batch, written.is_ok());
        written.map_err(ours)
    }

    /// Removes rows, in one transaction.
    pub(super) async fn remove(&self, kind: Kind, mut keys: Vec<Vec<u8>>) -> Result<()> {
        let no = self.no;
        if keys.len() <= 1 {
            let Some(key) = keys.pop() else { return Ok(()) };
            return self.store.write_one(move |db| Box::pin(remove(db, no, kind, key))).await.map_err(ours);
        }
        self.store
            .write(move |db| {
                Box::pin(async move {
                    for key in keys {
                        remove(db, no, kind, key).await?;
                    }
                    Ok(())
                })
            })
            .await
            .map_err(ours)
    }

    /// Removes every row of a kind whose key starts with `prefix`.
    pub(super) async fn remove_prefixed(&self, kind: Kind, prefix: Vec<u8>) -> Result<()> {
        let (no, to) = (self.no, after(&prefix));
        self.store
            .write(move |db| {
                Box::pin(async move {
                    sqlx::query(
                        "DELETE FROM wa_kv
                         WHERE store = ?1 AND kind = ?2 AND key >= ?3 AND (?4 IS NULL OR key < ?4)",
                    )
                    .bind(no)
                    .bind(kind as u8)
                    .bind(prefix)
                    .bind(to)
                    .execute(db)
                    .await?;
                    Ok(())
                })
            })
            .await
            .map_err(ours)
    }

    /// Removes the rows of a kind that are due before `cutoff`; how many.
    pub(super) async fn remove_due(&self, kind: Kind, cutoff: i64) -> Result<u32> {
        let no = self.no;
        self.store
            .write(move |db| {
                Box::pin(async move {
                    let done = sqlx::query("DELETE FROM wa_kv WHERE store = ? AND kind = ? AND due < ?")
                        .bind(no)
                        .bind(kind as u8)
                        .bind(cutoff)
                        .execute(db)
                        .await?;
                    Ok(count(done.rows_affected()))
                })
            })
            .await
            .map_err(ours)
    }

    /// The number of this key store, for statements of its own.
    pub(super) fn no(&self) -> i64 {
        self.no
    }

    /// The texts of messages that are not recorded yet.
    pub(super) fn plaintexts(&self) -> &super::plaintexts::Plaintexts {
        &self.plaintexts
    }

    /// The store beneath.
    pub(super) fn store(&self) -> &SqliteStore {
        &self.store
    }
}

/// A row without a value.
pub(super) fn bare(kind: Kind, key: impl Into<Vec<u8>>) -> Row {
    Row { kind, key: key.into(), tag: None, due: None, num: None, value: None }
}

/// Adds or replaces a row.
pub(super) async fn put(db: &mut SqliteConnection, no: i64, row: Row) -> crate::Result<()> {
    sqlx::query(
        "INSERT INTO wa_kv (store, kind, key, tag, due, num, value) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (store, kind, key) DO UPDATE SET
             tag = excluded.tag, due = excluded.due, num = excluded.num, value = excluded.value",
    )
    .bind(no)
    .bind(row.kind as u8)
    .bind(row.key)
    .bind(row.tag)
    .bind(row.due)
    .bind(row.num)
    .bind(row.value)
    .execute(db)
    .await?;
    Ok(())
}

async fn remove(db: &mut SqliteConnection, no: i64, kind: Kind, key: Vec<u8>) -> crate::Result<()> {
    sqlx::query("DELETE FROM wa_kv WHERE store = ? AND kind = ? AND key = ?")
        .bind(no)
        .bind(kind as u8)
        .bind(key)
        .execute(db)
        .await?;
    Ok(())
}

pub(super) fn row_of(kind: Kind, row: &SqliteRow) -> Result<Row> {
    let read = || -> sqlx::Result<Row> {
        Ok(Row {
            kind,
            key: row.try_get("key")?,
            tag: row.try_get("tag")?,
            due: row.try_get("due")?,
            num: row.try_get("num")?,
            value: row.try_get("value")?,
        })
    };
    read().map_err(database)
}

/// One key of several parts. All but the last carry their length, so that no
/// part can pose as the beginning of another.
pub(super) fn parts(parts: &[&str]) -> Vec<u8> {
    let mut key = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for (index, part) in parts.iter().enumerate() {
        if index + 1 < parts.len() {
            key.extend_from_slice(&lead(part));
        } else {
            key.extend_from_slice(part.as_bytes());
        }
    }
    key
}

/// A part with its length, as all but the last part of a key are written.
pub(super) fn lead(part: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(part.len() + 4);
    out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(part.as_bytes());
    out
}

/// The first key after all that start with `prefix`; none if there is no end.
fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}

fn place(kind: Kind, key: &[u8]) -> Vec<u8> {
    kv_place(kind as u8, key)
}

/// The place of a row by the number of its kind.
pub(crate) fn kv_place(kind: u8, key: &[u8]) -> Vec<u8> {
    let mut place = Vec::with_capacity(key.len() + 7);
    place.extend_from_slice(b"wa_kv/");
    place.push(kind);
    place.extend_from_slice(key);
    place
}

/// A count of rows as the key store's traits give it.
pub(super) fn count(rows: u64) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}

/// An error of ours as one of the library's.
pub(super) fn ours(error: StoreError) -> WaError {
    WaError::Database(Box::new(error))
}

/// An error of the database as one of the library's.
pub(super) fn database(error: sqlx::Error) -> WaError {
    ours(error.into())
}

/// Writes a value that is not per message as JSON.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| WaError::Serialization(Box::new(error)))
}

/// Reads what [`to_json`] wrote.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| WaError::Serialization(Box::new(error)))
}

/// A stored text key.
pub(super) fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| WaError::Serialization(Box::new(error)))
}
