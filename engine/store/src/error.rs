//! What can go wrong when asking the store.

/// A failure of the store. Callers match the variant; the text is for people.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something with that name exists already.
    #[error("{what} exists already")]
    Exists {
        /// What exists.
        what: &'static str,
    },
    /// There is no such thing (any more).
    #[error("{what} was not found")]
    NotFound {
        /// What is missing.
        what: &'static str,
    },
    /// The row changed since it was read; read again and decide anew.
    #[error("{what} was changed by somebody else meanwhile")]
    Stale {
        /// What changed.
        what: &'static str,
    },
    /// A stored record cannot be read.
    #[error("a stored {what} cannot be read: {why}")]
    Corrupt {
        /// Which kind of record.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A stored secret does not open with the master key in use.
    #[error("a stored secret does not open with this master key; start with the key that this data was written with")]
    WrongKey,
    /// The database refused or failed.
    #[error("the database failed: {0}")]
    Database(String),
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}
