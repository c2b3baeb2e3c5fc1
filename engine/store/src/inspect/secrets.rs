//! Whether what is sealed opens with the master key.

use super::{Failed, Finding, Inspector, Looked};
use crate::keystore::kv_place;
use crate::secret::Cipher;
use crate::sqlite::{CANARY, old_target_place, target_place};
use futures::TryStreamExt;
use sqlx::sqlite::SqliteConnection;
use std::time::Instant;

pub(super) const KEY: &str = "master_key";
pub(super) const SECRETS: &str = "secrets";

/// Opens what only the right key opens.
pub(super) async fn key(db: &mut SqliteConnection, cipher: &Cipher) -> Looked {
    let sealed: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT value FROM meta WHERE key = 'canary'").fetch_optional(db).await?;
    let opens = sealed.is_some_and(|sealed| cipher.open(CANARY, &sealed).is_ok());
    Ok((!opens).then(|| {
        Finding::new(
            "the master key is not the one that this store was written with",
            "give the right one as WAREST_MASTER_KEY, or restore the file master.key from your backup",
        )
    }))
}

/// Opens every secret.
pub(super) async fn secrets(inspector: &mut Inspector, cipher: &Cipher) -> Looked {
    let mut closed = Vec::new();
    let targets: Vec<(String, Vec<u8>, Option<Vec<u8>>)> =
        sqlx::query_as("SELECT id, secret, old_secret FROM targets ORDER BY no").fetch_all(&mut inspector.db).await?;
    for (id, secret, old) in targets {
        let opens = id.parse().is_ok_and(|id| {
            cipher.open(&target_place(&id), &secret).is_ok()
                && old.is_none_or(|old| cipher.open(&old_target_place(&id), &old).is_ok())
        });
        if !opens {
            closed.push(format!("webhook target {id}"));
        }
    }
    let stores: Vec<(i64, String)> =
        sqlx::query_as("SELECT no, session FROM wa_stores ORDER BY no").fetch_all(&mut inspector.db).await?;
    let until = inspector.until();
    for (no, session) in stores {
        let keys = cipher.derive(format!("wa_kv/{no}").as_bytes())?;
        let mut rows = sqlx::query_as::<_, (u8, Vec<u8>, Vec<u8>)>(
            "SELECT kind, key, value FROM wa_kv WHERE store = ? AND value IS NOT NULL",
        )
        .bind(no)
        .fetch(&mut inspector.db);
        while let Some((kind, key, sealed)) = rows.try_next().await? {
            if Instant::now() >= until {
                return Err(Failed::Interrupted);
            }
            if keys.open(&kv_place(kind, &key), &sealed).is_err() {
                closed.push(format!("credentials of session {session}"));
                break;
            }
        }
    }
    let remedy = "set the webhook again (POST /api/v1/session/{id}/config); log the session out and pair it again";
    Ok(Finding::about("secrets that do not open: they were damaged or moved", remedy, closed))
}
