//! A store looked at from outside: whether what must hold in it holds.
//!
//! Reads the database file beside a running engine or without one, and never
//! writes but for a repair that was asked for. Each check is bounded in time: one
//! that is not through by then says so. A repair is one statement with the
//! condition of its check in it, so that it cannot hit what became right
//! meanwhile.

mod files;
mod integrity;
mod plugins;
mod rows;
mod secrets;
mod work;

use crate::Result;
use crate::error::StoreError;
use crate::secret::Cipher;
use crate::sqlite::MIGRATIONS;
pub use files::StoredFile;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use warest_model::clock::Millis;

/// Things that a finding names.
const NAMED: usize = 5;
/// Things that a check counts; beyond that there are "more".
const COUNTED: usize = 1_000;
/// Instructions of the database between two looks at the clock.
const OPERATIONS: i32 = 20_000;

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub what: String,
    /// How many things it is wrong with; 0 if it is about the whole.
    pub count: usize,
    /// Whether there are more than were counted.
    pub more: bool,
    /// Some of them.
    pub examples: Vec<String>,
    /// What to do.
    pub remedy: String,
    /// How many things were repaired; none if there was no repair.
    pub repaired: Option<u64>,
}

impl Finding {
    /// A finding about the whole.
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), count: 0, more: false, examples: Vec::new(), remedy: remedy.into(), repaired: None }
    }

    /// A finding about these things; none if there are none.
    pub fn about(what: &str, remedy: &str, things: Vec<String>) -> Option<Self> {
        let (count, more) = (things.len().min(COUNTED), things.len() > COUNTED);
        let examples: Vec<_> = things.into_iter().take(NAMED).collect();
        (count > 0).then(|| Self { count, more, examples, ..Self::new(what, remedy) })
    }
}

/// How a check went.
#[derive(Debug)]
pub enum Outcome {
    /// It holds.
    Sound,
    /// It does not.
    Found(Finding),
    /// It was not done, or not through in time.
    Unknown(String),
}

/// How to look.
#[derive(Debug, Clone)]
pub struct Options {
    /// Longest time of one check.
    pub each: Duration,
    /// Whether what can be repaired safely is.
    pub repair: bool,
}

/// A store looked at from outside.
pub struct Inspector {
    db: SqliteConnection,
    repair: bool,
    each: Duration,
    /// When the check that is under way has to be through.
    until: Arc<Mutex<Instant>>,
}

impl Inspector {
    /// Opens the database file: for reading only, unless there may be repairs.
    ///
    /// # Errors
    /// If there is no such file, it is no store, or its schema is another one.
    pub async fn open(path: &Path, options: &Options) -> Result<Self> {
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .read_only(!options.repair)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true)
            .disable_statement_logging();
        let mut db = connect.connect().await?;
        check_schema(&mut db).await?;
        let until = Arc::new(Mutex::new(Instant::now()));
        let clock = until.clone();
        db.lock_handle().await?.set_progress_handler(OPERATIONS, move || {
            Instant::now() < *clock.lock().unwrap_or_else(PoisonError::into_inner)
        });
        Ok(Self { db, repair: options.repair, each: options.each, until })
    }

    /// Whether a check needs the master key.
    pub fn needs_key(name: &str) -> bool {
        name == secrets::KEY || name == secrets::SECRETS
    }

    /// The checks, by name, in their order.
    pub fn checks() -> impl Iterator<Item = &'static str> {
        let rows = rows::CHECKS.iter().map(|check| check.name);
        std::iter::once(integrity::NAME).chain(rows).chain([
            work::JOBS,
            work::RUNS,
            work::EVENTS,
            plugins::NAME,
            secrets::KEY,
            secrets::SECRETS,
        ])
    }

    /// Does the check of this name; `cipher` is the master key's.
    pub async fn check(&mut self, name: &str, cipher: Option<&Cipher>, now_ms: Millis) -> Outcome {
        match self.look(name, cipher, now_ms).await {
            Ok(None) => Outcome::Sound,
            Ok(Some(finding)) => Outcome::Found(finding),
            Err(Failed::Interrupted) => Outcome::Unknown("it was not through in time".to_owned()),
            Err(Failed::Store(error)) => Outcome::Unknown(error.to_string()),
        }
    }

    async fn look(&mut self, name: &str, cipher: Option<&Cipher>, now_ms: Millis) -> Looked {
        self.allow(self.each);
        let key = || cipher.ok_or(StoreError::WrongKey);
        match name {
            integrity::NAME => integrity::check(&mut self.db).await,
            work::JOBS => work::jobs(self).await,
            work::RUNS => work::runs(self).await,
            work::EVENTS => work::events(&mut self.db).await,
            plugins::NAME => plugins::check(&mut self.db).await,
            secrets::KEY => secrets::key(&mut self.db, key()?).await,
            secrets::SECRETS => secrets::secrets(self, key()?).await,
            other => rows::check(self, other, now_ms).await,
        }
    }

    /// The scripts of the flows that are in use, with the flow's id.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn scripts(&mut self) -> Result<Vec<(String, String)>> {
        self.allow(self.each);
        Ok(sqlx::query_as("SELECT id, script FROM flows WHERE enabled ORDER BY no").fetch_all(&mut self.db).await?)
    }

    /// When the newest event was recorded.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn newest_event_ms(&mut self) -> Result<Option<Millis>> {
        self.allow(self.each);
        let newest = sqlx::query_scalar("SELECT ts_ms FROM events ORDER BY seq DESC LIMIT 1");
        Ok(newest.fetch_optional(&mut self.db).await?)
    }

    /// Closes the file.
    ///
    /// # Errors
    /// If it does not close cleanly.
    pub async fn close(self) -> Result<()> {
        Ok(self.db.close().await?)
    }

    /// Begins a stretch of time.
    fn allow(&self, time: Duration) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + time;
    }

    /// When the stretch of time ends.
    fn until(&self) -> Instant {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a check has no outcome.
enum Failed {
    Interrupted,
    Store(StoreError),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        /// SQLITE_INTERRUPT.
        const INTERRUPTED: &str = "9";
        match &error {
            sqlx::Error::Database(database) if database.code().as_deref() == Some(INTERRUPTED) => Self::Interrupted,
            _ => Self::Store(error.into()),
        }
    }
}

type Looked = std::result::Result<Option<Finding>, Failed>;

/// Refuses a store whose schema is not the one that the checks are about.
async fn check_schema(db: &mut SqliteConnection) -> Result<()> {
    let other = |why: String| StoreError::Database(why);
    let there: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version")
            .fetch_all(&mut *db)
            .await
            .map_err(|error| other(format!("this is no store of warest: {error}")))?;
    let mut known: HashMap<i64, &[u8]> = MIGRATIONS.iter().map(|step| (step.version, step.checksum.as_ref())).collect();
    for (version, checksum) in &there {
        if known.remove(version).is_none_or(|known| known != checksum.as_slice()) {
            return Err(other(format!("the schema has a step {version} of another version; look with that one")));
        }
    }
    if known.is_empty() {
        return Ok(());
    }
    Err(other("the schema is that of an earlier version; start the engine once, which brings it up to date".into()))
}
