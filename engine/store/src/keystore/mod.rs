//! WhatsApp credentials: the [`Backend`](wacore::store::traits::Backend) of one
//! session, on the store's own file and writer.
//!
//! Every value is sealed under a key derived for this key store and bound to its
//! place; the names it is found by (addresses, message ids) are not secret. Every
//! method that changes something is one transaction, batches included, and is on
//! the disk when it returns: WhatsApp's ratchets must not step back. The one
//! exception are the texts of messages that are not recorded yet: they are on
//! the disk no later than the ratchets that used their keys up (`plaintexts`).
//!
//! A key store that was forgotten (logout, removed session) stays forgotten:
//! what still holds it gets an error instead of bringing its rows back, also
//! when the session's name is in use again.

mod app_sync;
mod device;
mod plaintexts;
mod protocol;
mod rows;
mod signal;

pub(crate) use rows::kv_place;

use crate::Result;
use crate::secret::Cipher;
use crate::sqlite::SqliteStore;
use std::fmt;
use std::sync::Arc;
use warest_model::id::SessionId;

/// The credentials of one session.
pub struct SessionKeys {
    store: SqliteStore,
    session: SessionId,
    no: i64,
    cipher: Cipher,
    plaintexts: Arc<plaintexts::Plaintexts>,
    unread: Unread,
}

/// Hears of a message whose text is lost: chat, sender and id.
pub type Unread = Arc<dyn Fn(&str, &str, &str) + Send + Sync>;

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKeys").field("no", &self.no).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// The key store of a session; an empty one if it has none yet. `unread`
    /// hears of messages whose text a crash has taken.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn keystore(&self, session: &SessionId, unread: Unread) -> Result<Arc<SessionKeys>> {
        const FIND: &str = "SELECT no FROM wa_stores WHERE session = ?";
        let found: Option<i64> = sqlx::query_scalar(FIND).bind(session.as_str()).fetch_optional(self.readers()).await?;
        let no = match found {
            Some(no) => no,
            None => {
                let session = session.clone();
                self.write(move |db| {
                    Box::pin(async move {
                        sqlx::query("INSERT OR IGNORE INTO wa_stores (session) VALUES (?)")
                            .bind(session.as_str())
                            .execute(&mut *db)
                            .await?;
                        Ok(sqlx::query_scalar(FIND).bind(session.as_str()).fetch_one(db).await?)
                    })
                })
                .await?
            }
        };
        let cipher = self.cipher().derive(format!("wa_kv/{no}").as_bytes())?;
        let (store, session, plaintexts) = (self.clone(), session.clone(), Arc::default());
        Ok(Arc::new(SessionKeys { store, session, no, cipher, plaintexts, unread }))
    }

    /// Removes the credentials of a session; it has to be paired again.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn forget_keys(&self, session: &SessionId) -> Result<()> {
        let session = session.clone();
        self.write(move |db| {
            Box::pin(async move {
                // The rows go with it.
                sqlx::query("DELETE FROM wa_stores WHERE session = ?").bind(session.as_str()).execute(db).await?;
                Ok(())
            })
        })
        .await
    }
}
