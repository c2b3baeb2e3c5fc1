//! `warest restore`: puts a backup into a data folder that no engine works on.
//!
//! Nothing of the folder is touched before the copy is checked: that it is whole,
//! that this program knows its schema, that the master key opens it. What was
//! there is kept aside under a name with the time, never deleted. Files of messages
//! that are beside the backup are brought to their place; those that are there stay.

use super::backup::{private_file, rename_synced, sync_and_hash, with_suffix};
use super::files;
use crate::config::Settings;
use crate::lock::FolderLock;
use anyhow::{Context, bail};
use clap::Args;
use std::path::{Path, PathBuf};
use warest_model::clock::{Clock, SystemClock};
use warest_store::secret::{Cipher, MasterKey};
use warest_store::sqlite::SqliteStore;
use warest_store::sqlite::recovery::{check_key, inspect};

/// What SQLite keeps beside a database.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Flags of `restore`.
#[derive(Args)]
pub struct RestoreArgs {
    /// The backup.
    file: PathBuf,
    /// The data folder to restore to.
    #[arg(long, env = "WAREST_DATA_DIR", default_value = "data")]
    data_dir: PathBuf,
    /// Replaces a database that is there; it is kept aside.
    #[arg(long)]
    force: bool,
    /// Forgets the WhatsApp credentials: every session is paired anew. Needed if
    /// any of them went on after the backup was made.
    #[arg(long)]
    unpair: bool,
    /// Holds back what was still to be done when the backup was made, since it may
    /// have been done after: sends and runs end as failed, deliveries as dead.
    #[arg(long)]
    hold: bool,
    /// Refuses the backup unless it has this SHA-256.
    #[arg(long)]
    sha256: Option<String>,
}

/// Restores and says what it did.
pub async fn run(args: RestoreArgs) -> anyhow::Result<()> {
    crate::logging::init("warn");
    let settings = Settings::from_env(args.data_dir.clone(), String::new(), 0)?;
    let database = settings.database();
    let _lock = FolderLock::take(&settings.data_dir, &database)?;
    if database.exists() && !args.force {
        bail!("{} exists; --force keeps it aside and puts the backup in its place", database.display());
    }
    let cipher = Cipher::new(&master_key(&settings)?);
    let restoring = restoring(&database);
    let done = prepare(&args, &restoring, &cipher).await;
    if done.is_err() {
        // The folder is as it was; a part of a copy is of no use to it.
        for name in BESIDE.map(|suffix| with_suffix(&restoring, suffix)).into_iter().chain([restoring.clone()]) {
            let _ = std::fs::remove_file(name);
        }
    }
    done?;
    let beside = files::beside(&args.file);
    if beside.is_dir() {
        let copied = files::copy(beside, settings.storage.path.clone()).await?;
        say!("{:>10} files of messages were restored to {}", copied.files, settings.storage.path.display());
    }
    if let Some(aside) = keep_aside(&database)? {
        say!("The database that was there is now {}", aside.display());
    }
    rename_synced(&restoring, &database)?;
    say!("Restored {} to {}", args.file.display(), database.display());
    if !args.unpair {
        say!(
            "The sessions keep their WhatsApp credentials as of the backup. If any of them was connected after it,\n\
             those are out of date: restore again with --unpair, and pair anew."
        );
    }
    if !args.hold {
        say!("What was still to be done at the backup is done at the next start; --hold holds it back.");
    }
    Ok(())
}

/// The name of a database while it is being restored.
pub fn restoring(database: &Path) -> PathBuf {
    with_suffix(database, ".restoring")
}

/// The key that the backup must open with. None is made: a new one opens nothing.
fn master_key(settings: &Settings) -> anyhow::Result<MasterKey> {
    if let Some(hex) = &settings.master_key {
        return MasterKey::from_hex(hex).context("WAREST_MASTER_KEY");
    }
    let path = settings.data_dir.join("master.key");
    if !path.exists() {
        bail!(
            "a backup opens with the master key of its engine only; copy that key to {} or set WAREST_MASTER_KEY",
            path.display()
        );
    }
    Ok(MasterKey::load_or_create(&path)?)
}

/// Copies the backup beside its place, checks the copy and brings it up to date.
async fn prepare(args: &RestoreArgs, restoring: &Path, cipher: &Cipher) -> anyhow::Result<()> {
    let (from, to) = (args.file.clone(), restoring.to_owned());
    let copied = tokio::task::spawn_blocking(move || {
        private_file(&to)?;
        let mut target = std::fs::OpenOptions::new().write(true).open(&to)?;
        std::io::copy(&mut std::fs::File::open(&from)?, &mut target)?;
        sync_and_hash(&to)
    });
    let (sha256, _) = copied.await?.with_context(|| format!("copying {}", args.file.display()))?;
    if let Some(expected) = args.sha256.as_ref().filter(|expected| !expected.eq_ignore_ascii_case(&sha256)) {
        bail!("{} has the SHA-256 {sha256}, not {expected}; it is not that backup", args.file.display());
    }
    let refused = || format!("{} cannot be restored", args.file.display());
    let contents = inspect(restoring).await.with_context(refused)?;
    check_key(restoring, cipher).await.with_context(refused)?;
    for (name, rows) in &contents.counts {
        say!("{rows:>10} {name}");
    }
    let store = SqliteStore::open(restoring, cipher.clone()).await.with_context(refused)?;
    if args.unpair {
        say!("{:>10} sessions were unpaired; create or start them to pair anew", store.unpair_all().await?);
    }
    if args.hold {
        let held = store.hold_all(SystemClock.now_ms()).await?;
        say!(
            "Held back: {} sends, {} runs, {} events for flows and plugins, {} deliveries",
            held.jobs,
            held.runs,
            held.dispatches,
            held.deliveries
        );
    }
    store.close().await?;
    Ok(())
}

/// Moves a database with its log out of the way. A log must not stay: SQLite
/// would read it into whatever database has that name next.
fn keep_aside(database: &Path) -> anyhow::Result<Option<PathBuf>> {
    let aside = with_suffix(database, &format!(".before-{}", SystemClock.now_ms()));
    let mut moved = false;
    for suffix in [""].into_iter().chain(BESIDE) {
        let there = with_suffix(database, suffix);
        if there.exists() {
            rename_synced(&there, &with_suffix(&aside, suffix))?;
            moved = true;
        }
    }
    Ok(moved.then_some(aside))
}
