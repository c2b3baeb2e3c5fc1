//! Copies of a database that is in use, and what a restored one is put through.
//!
//! [`copy`] opens the file for reading only, beside whoever works on it, and has
//! SQLite write a compact copy of one moment. It rests as long as it works, so
//! that a running engine keeps at least half of the disk. A copy is sealed as the
//! original is: without its master key it does not open.

use super::{MIGRATIONS, SqliteStore, all, number, open_canary};
use crate::Result;
use crate::codec::{decode_event, encode_fault};
use crate::error::StoreError;
use crate::secret::Cipher;
use crate::traits::NewRun;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Row};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use warest_model::clock::Millis;
use warest_model::fault::Fault;
use warest_model::id::RunId;
use warest_model::plan::Plan;
use warest_model::run::{Run, RunCause, RunState};

/// Steps of SQLite's machine between two looks at the time.
const STEPS: i32 = 20_000;
/// Work between two rests.
const WORK: Duration = Duration::from_millis(10);
/// How long a locked database is waited for.
const BUSY: Duration = Duration::from_secs(10);
/// Dispatches that are held at once.
const HOLD_BATCH: i64 = 500;

/// What is counted in a copy, since which schema, and how.
const COUNTS: [(&str, i64, &str); 12] = [
    ("users", 1, "SELECT count(*) AS many FROM users"),
    ("sessions", 1, "SELECT count(*) AS many FROM sessions"),
    ("flows", 1, "SELECT count(*) AS many FROM flows"),
    ("plugins", 1, "SELECT count(*) AS many FROM plugins"),
    ("chats", 8, "SELECT count(*) AS many FROM chats"),
    ("messages", 8, "SELECT coalesce(sum(messages), 0) AS many FROM chats"),
    ("storedFiles", 8, "SELECT count(*) AS many FROM media WHERE state = 'stored'"),
    ("events", 1, "SELECT count(*) AS many FROM events"),
    ("runs", 1, "SELECT count(*) AS many FROM runs"),
    ("activeRuns", 1, "SELECT count(*) AS many FROM runs WHERE state = 'active'"),
    ("queuedJobs", 1, "SELECT count(*) AS many FROM jobs WHERE state = 'queued'"),
    ("pendingDeliveries", 1, "SELECT count(*) AS many FROM deliveries WHERE state = 'pending'"),
];

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The number of its newest migration.
    pub schema: i64,
    /// Rows by name.
    pub counts: BTreeMap<&'static str, u64>,
}

/// What was held back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Sends that had not left.
    pub jobs: u64,
    /// Deliveries that had not arrived.
    pub deliveries: u64,
    /// Runs that had something left to do.
    pub runs: u64,
    /// Events that a flow or plugin had not seen.
    pub dispatches: u64,
}

/// Writes a compact copy of the database `from`, as it is at this moment, to the
/// empty or missing file `to`. The copy is not synced to the disk yet.
///
/// # Errors
/// If either file cannot be used; `to` may then hold a part.
pub async fn copy(from: &Path, to: &Path) -> Result<()> {
    let to = to.to_str().ok_or_else(|| StoreError::Database("the name of the copy is not UTF-8".to_owned()))?;
    let mut db = reading(from).await?;
    let mut begun = Instant::now();
    db.lock_handle().await?.set_progress_handler(STEPS, move || {
        let worked = begun.elapsed();
        if worked >= WORK {
            // This is SQLite's own thread.
            std::thread::sleep(worked);
            begun = Instant::now();
        }
        true
    });
    sqlx::query("VACUUM INTO ?").bind(to).execute(&mut db).await?;
    Ok(db.close().await?)
}

/// How many bytes a copy of `from` is going to have, about.
///
/// # Errors
/// If the file cannot be read.
pub async fn size_of(from: &Path) -> Result<u64> {
    let mut db = reading(from).await?;
    let mut pragma = async |sql: &'static str| -> Result<u64> {
        let value: i64 = sqlx::query_scalar(sql).fetch_one(&mut db).await?;
        Ok(value.max(0).unsigned_abs())
    };
    let used = pragma("PRAGMA page_count").await?.saturating_sub(pragma("PRAGMA freelist_count").await?);
    Ok(used.saturating_mul(pragma("PRAGMA page_size").await?))
}

/// Checks a copy that nobody works on, and says what it holds.
///
/// # Errors
/// [`StoreError::Corrupt`] if it is damaged, is no database of this program, or
/// is one of a newer version of it.
pub async fn inspect(path: &Path) -> Result<Contents> {
    let damaged = |why: String| StoreError::Corrupt { what: "backup", why };
    let mut db = reading(path).await.map_err(|error| damaged(error.to_string()))?;
    let check: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(&mut db)
        .await
        .map_err(|error| damaged(error.to_string()))?;
    if check != "ok" {
        return Err(damaged(check));
    }
    let schema: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(&mut db)
        .await
        .map_err(|_| damaged("it is no database of WAREST".to_owned()))?;
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    if schema > known {
        return Err(damaged(format!(
            "its schema is {schema} and this program knows {known}; use the version of WAREST that wrote it"
        )));
    }
    let mut counts = BTreeMap::new();
    for (name, _, sql) in COUNTS.into_iter().filter(|(_, since, _)| *since <= schema) {
        counts.insert(name, number(&sqlx::query(sql).fetch_one(&mut db).await?, "count", "many")?);
    }
    db.close().await?;
    Ok(Contents { schema, counts })
}

/// Whether a copy opens with a master key.
///
/// # Errors
/// [`StoreError::WrongKey`] if it was written under another one.
pub async fn check_key(path: &Path, cipher: &Cipher) -> Result<()> {
    let mut db = reading(path).await?;
    let opened = open_canary(&mut db, cipher).await?;
    db.close().await?;
    match opened {
        true => Ok(()),
        false => Err(StoreError::Corrupt { what: "backup", why: "it names no master key".to_owned() }),
    }
}

async fn reading(path: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY);
    Ok(options.disable_statement_logging().connect().await?)
}

impl SqliteStore {
    /// Forgets the WhatsApp credentials of every session, and leaves them off;
    /// answers how many were paired.
    ///
    /// # Errors
    /// If the database fails; nothing is changed then.
    pub async fn unpair_all(&self) -> Result<u64> {
        self.write(|db| {
            Box::pin(async move {
                let forgotten = sqlx::query("DELETE FROM wa_stores").execute(&mut *db).await?.rows_affected();
                sqlx::query("UPDATE sessions SET me = NULL, enabled = 0").execute(db).await?;
                Ok(forgotten)
            })
        })
        .await
    }

    /// Ends everything that was still to be done, so that nothing of it happens by
    /// itself: a person sees in its rows what it was, and decides.
    ///
    /// # Errors
    /// If the database fails; nothing is changed then.
    pub async fn hold_all(&self, now_ms: Millis) -> Result<Held> {
        self.write(move |db| {
            Box::pin(async move {
                let fault = Fault::fail("held_by_restore", "held back by a restore; it may have happened before");
                let held = Held {
                    // First: each becomes a run of its own that is over.
                    dispatches: hold_dispatches(db, &fault, now_ms).await?,
                    runs: hold_rows(
                        db,
                        "UPDATE runs SET state = 'failed', version = version + 1, wake_ms = NULL, fault = ?1,
                                ended_ms = ?2
                         WHERE state = 'active'",
                        &fault,
                        now_ms,
                    )
                    .await?,
                    jobs: hold_rows(
                        db,
                        "UPDATE jobs SET state = 'failed', fault = ?1, ended_ms = ?2
                         WHERE state IN ('queued', 'scheduled', 'waiting')",
                        &fault,
                        now_ms,
                    )
                    .await?,
                    deliveries: sqlx::query(
                        "UPDATE deliveries SET state = 'dead', error = ?, ended_ms = ? WHERE state = 'pending'",
                    )
                    .bind(&fault.message)
                    .bind(now_ms)
                    .execute(&mut *db)
                    .await?
                    .rows_affected(),
                };
                Ok(held)
            })
        })
        .await
    }
}

async fn hold_rows(db: &mut SqliteConnection, sql: &'static str, fault: &Fault, now_ms: Millis) -> Result<u64> {
    Ok(sqlx::query(sql).bind(encode_fault(fault)).bind(now_ms).execute(db).await?.rows_affected())
}

/// Makes of every dispatch a run that failed before it began.
async fn hold_dispatches(db: &mut SqliteConnection, fault: &Fault, now_ms: Millis) -> Result<u64> {
    let mut held = 0;
    loop {
        let rows = sqlx::query(
            "SELECT d.seq, d.reactor, e.record FROM dispatches d JOIN events e ON e.id = d.event
             ORDER BY d.seq LIMIT ?",
        )
        .bind(HOLD_BATCH)
        .fetch_all(&mut *db)
        .await?;
        let Some(last) = rows.last() else { return Ok(held) };
        let last: i64 = last.try_get("seq")?;
        let runs = all(rows, |row| {
            let event = decode_event(row.try_get("record")?)?;
            Ok(Run {
                id: RunId::new(now_ms),
                session: event.session,
                chat: event.chat,
                cause: RunCause { by: row.try_get("reactor")?, event: Some(event.id) },
                plan: Plan::default(),
                state: RunState::Failed,
                fault: Some(fault.clone()),
                created_ms: now_ms,
                ended_ms: Some(now_ms),
            })
        })?;
        for run in runs {
            let new = NewRun { run, steps: Vec::new(), jobs: Vec::new(), wake_ms: None };
            // One that was decided already stays as it is.
            super::runs::insert(db, new).await?;
        }
        held +=
            sqlx::query("DELETE FROM dispatches WHERE seq <= ?").bind(last).execute(&mut *db).await?.rows_affected();
    }
}
