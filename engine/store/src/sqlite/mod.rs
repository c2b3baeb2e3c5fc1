//! The store on SQLite: one file in WAL mode, synced on every commit.
//!
//! One task owns the only writing connection and commits in groups (`writer`);
//! reads go to a small pool of connections that cannot write. A method that
//! changes something returns once the change is on the disk.

mod bulks;
mod command_books;
mod events;
mod guards;
mod history;
mod idempotency;
mod jobs;
mod log;
mod media;
mod outbox;
mod queue;
mod reactors;
pub mod recovery;
mod registry;
mod retention;
mod retention_media;
mod runs;
mod sinks;
mod targets;
mod writer;

use crate::Result;
use crate::error::StoreError;
use crate::secret::Cipher;
use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
pub(crate) use targets::{old_place as old_target_place, place as target_place};
use tokio::sync::mpsc;
use writer::Writer;

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// The place of what is sealed only to know the master key by.
pub(crate) const CANARY: &[u8] = b"meta/canary";

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The database file; made if missing.
    pub path: PathBuf,
    /// Connections that read.
    pub readers: u32,
    /// Most changes that share one commit.
    pub batch: usize,
    /// Most changes that wait for the writer; who comes later waits outside.
    pub waiting: usize,
    /// How long a locked database is waited for.
    pub busy_timeout: Duration,
}

impl SqliteOptions {
    /// The defaults, for a file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), readers: 4, batch: 256, waiting: 1_024, busy_timeout: Duration::from_secs(5) }
    }
}

/// The store on SQLite. Cheap to clone.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    writer: Writer,
    readers: SqlitePool,
    cipher: Cipher,
    path: PathBuf,
    /// Tells the task that tidies up that there may be something to do.
    untidy: mpsc::Sender<()>,
}

impl SqliteStore {
    /// Opens the store in a file, with the default options.
    ///
    /// # Errors
    /// [`StoreError::WrongKey`] if the file was written under another master key.
    pub async fn open(path: impl AsRef<Path>, cipher: Cipher) -> Result<Self> {
        Self::open_with(SqliteOptions::new(path.as_ref()), cipher).await
    }

    /// Opens the store: makes the file if missing, brings its schema up to date
    /// and checks the master key.
    ///
    /// # Errors
    /// [`StoreError::WrongKey`] if the file was written under another master key.
    pub async fn open_with(options: SqliteOptions, cipher: Cipher) -> Result<Self> {
        let connect = SqliteConnectOptions::new()
            .filename(&options.path)
            .busy_timeout(options.busy_timeout)
            .foreign_keys(true)
            .statement_cache_capacity(256)
            .disable_statement_logging();
        let writing = connect
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", "4000")
            .pragma("journal_size_limit", "67108864");
        make_private(&options.path)?;
        let mut connection = writing.connect().await?;
        MIGRATIONS
            .run_direct(None, &mut connection, false)
            .await
            .map_err(|error| StoreError::Database(format!("the schema cannot be brought up to date: {error}")))?;
        check_key(&mut connection, &cipher).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(options.readers.max(1))
            // A file needs no ping, which would double the cost of a small read.
            .test_before_acquire(false)
            .connect_with(connect.pragma("query_only", "ON"))
            .await?;
        let writer = Writer::start(connection, options.batch.max(1), options.waiting.max(1));
        let (untidy, to_tidy) = mpsc::channel(1);
        let store = Self { inner: Arc::new(Inner { writer, readers, cipher, path: options.path, untidy }) };
        tokio::spawn(history::tidy(Arc::downgrade(&store.inner), to_tidy));
        // What a stop or a crash left.
        store.tidy_if(true);
        Ok(store)
    }

    /// Finishes what was asked before, writes the log back into the file and
    /// closes it. Whatever is asked later is refused as [`StoreError::Closed`].
    ///
    /// # Errors
    /// If the log cannot be written back; nothing is lost then.
    pub async fn close(&self) -> Result<()> {
        self.inner.readers.close().await;
        self.inner.writer.close().await
    }

    /// Has `work` done by the writer, in a transaction of its own.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.inner.writer.write(false, work).await
    }

    /// Has `work` done by the writer, where `work` is one changing statement and
    /// fails only if that statement did.
    pub(crate) async fn write_one<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.inner.writer.write(true, work).await
    }

    /// The connections that read.
    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.inner.readers
    }

    /// The database file.
    pub(crate) fn path(&self) -> &Path {
        &self.inner.path
    }

    /// What secrets are sealed with.
    pub(crate) fn cipher(&self) -> &Cipher {
        &self.inner.cipher
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

/// Makes the file, if it is missing, readable by its owner alone: it holds
/// messages. SQLite gives the files beside it the same mode.
fn make_private(path: &Path) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::Database(format!("{} cannot be made: {error}", path.display()))),
    }
}

/// Refuses a master key that does not open what the right one sealed.
async fn check_key(connection: &mut SqliteConnection, cipher: &Cipher) -> Result<()> {
    if !open_canary(connection, cipher).await? {
        sqlx::query("INSERT INTO meta (key, value) VALUES ('canary', ?)")
            .bind(cipher.seal(CANARY, b"warest")?)
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Opens what the first start sealed; false if there has been none.
async fn open_canary(connection: &mut SqliteConnection, cipher: &Cipher) -> Result<bool> {
    let sealed: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT value FROM meta WHERE key = 'canary'").fetch_optional(connection).await?;
    match sealed {
        Some(sealed) => cipher.open(CANARY, &sealed).map(|_| true),
        None => Ok(false),
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => Self::Closed,
            other => Self::Database(other.to_string()),
        }
    }
}

/// Turns "that name is taken" into [`StoreError::Exists`].
fn or_exists(what: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |error| match &error {
        sqlx::Error::Database(database) if database.is_unique_violation() => StoreError::Exists { what },
        _ => error.into(),
    }
}

/// Refuses a change that met no row.
fn or_not_found(what: &'static str, rows: u64) -> Result<()> {
    if rows == 0 { Err(StoreError::NotFound { what }) } else { Ok(()) }
}

/// Reads rows with `read`.
fn all<T>(rows: Vec<SqliteRow>, read: impl Fn(&SqliteRow) -> Result<T>) -> Result<Vec<T>> {
    rows.iter().map(read).collect()
}

/// A text column of `row`.
fn text<'r>(row: &'r SqliteRow, column: &str) -> Result<&'r str> {
    Ok(row.try_get(column)?)
}

/// A number column of `row` in the type the noun has.
fn number<T: TryFrom<i64>>(row: &SqliteRow, what: &'static str, column: &str) -> Result<T> {
    let value: i64 = row.try_get(column)?;
    T::try_from(value).map_err(|_| crate::codec::corrupt(what, format!("{column} is out of range")))
}

/// A chat as columns keep it: empty for none.
fn chat_text(chat: Option<&warest_model::jid::Jid>) -> &str {
    chat.map_or("", warest_model::jid::Jid::as_str)
}
