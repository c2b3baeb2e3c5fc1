//! `warest backup`: a copy of the database, made beside a running engine, and of the
//! files that it lists.
//!
//! The copy is of one moment, whole on the disk and checked before it has its
//! name. The files come after it, so that all that it lists are there but those that
//! went meanwhile. Progress and notices go to standard error; the manifest, JSON, to
//! standard output.

use super::files;
use crate::config::Settings;
use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;
use warest_model::clock::{Clock, SystemClock};
use warest_store::sqlite::recovery::{copy, inspect, size_of};

/// Time between two words about the progress.
const TELL: Duration = Duration::from_secs(2);

/// Flags of `backup`.
#[derive(Args)]
pub struct BackupArgs {
    /// The file to write; it must not exist yet.
    file: PathBuf,
    /// Leaves out the files of messages; else they are in a folder beside it.
    #[arg(long)]
    no_files: bool,
    /// The data folder of the engine.
    #[arg(long, env = "WAREST_DATA_DIR", default_value = "data")]
    data_dir: PathBuf,
}

/// Writes the copy and prints its manifest.
pub async fn run(args: BackupArgs) -> anyhow::Result<()> {
    crate::logging::init("warn");
    let settings = Settings::from_env(args.data_dir, String::new(), 0)?;
    let (database, file) = (settings.database(), args.file);
    if !database.is_file() {
        bail!("there is no database {}; name the engine's folder with --data-dir", database.display());
    }
    if file.exists() {
        bail!("{} exists already; give the backup a name of its own", file.display());
    }
    let with_files = (!args.no_files && settings.storage.path.is_dir()).then(|| files::beside(&file));
    if let Some(folder) = with_files.as_ref().filter(|folder| folder.exists()) {
        bail!("{} exists already; give the backup a name of its own", folder.display());
    }
    let taken_ms = SystemClock.now_ms();
    let part = with_suffix(&file, ".part");
    let finished = write(&database, &part).await;
    if finished.is_err() {
        // What was written is of no use; the reason for the failure is what counts.
        let _ = std::fs::remove_file(&part);
    }
    let (contents, sha256, bytes) = finished?;
    rename_synced(&part, &file)?;
    let files = match with_files {
        None => None,
        Some(folder) => {
            let copied = files::copy(settings.storage.path.clone(), folder.clone()).await?;
            Some(json!({ "folder": folder, "files": copied.files, "bytes": copied.bytes, "linked": copied.linked }))
        }
    };
    let manifest = json!({
        "file": file,
        "bytes": bytes,
        "sha256": sha256,
        "takenAt": taken_ms,
        "version": env!("CARGO_PKG_VERSION"),
        "schema": contents.schema,
        "counts": contents.counts,
        "files": files,
    });
    say!("{manifest:#}");
    match settings.master_key {
        Some(_) => eprintln!("The master key is not in the backup: keep WAREST_MASTER_KEY apart from it."),
        None => eprintln!(
            "The master key is not in the backup: keep a copy of {} apart from it.",
            settings.data_dir.join("master.key").display()
        ),
    }
    Ok(())
}

async fn write(
    database: &Path,
    part: &Path,
) -> anyhow::Result<(warest_store::sqlite::recovery::Contents, String, u64)> {
    private_file(part).with_context(|| format!("making {}", part.display()))?;
    let of = size_of(database).await.with_context(|| format!("reading {}", database.display()))?;
    let mut tell = tokio::time::interval(TELL);
    tell.tick().await;
    let copying = copy(database, part);
    tokio::pin!(copying);
    loop {
        tokio::select! {
            copied = &mut copying => break copied.with_context(|| format!("copying to {}", part.display()))?,
            _ = tell.tick() => {
                let done = std::fs::metadata(part).map_or(0, |part| part.len());
                eprintln!("copied {} of about {} MiB", done >> 20, of >> 20);
            }
        }
    }
    let contents = inspect(part).await?;
    let path = part.to_owned();
    let (sha256, bytes) = tokio::task::spawn_blocking(move || sync_and_hash(&path))
        .await?
        .with_context(|| format!("writing {}", part.display()))?;
    Ok((contents, sha256, bytes))
}

/// Makes an empty file that only this user can read.
pub fn private_file(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

/// Brings a file to the disk; its SHA-256 and size.
pub fn sync_and_hash(path: &Path) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    file.sync_all()?;
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((hex::encode(hash.finalize()), bytes));
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
}

/// Gives a synced file its name, durably.
pub fn rename_synced(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::rename(from, to).with_context(|| format!("renaming {} to {}", from.display(), to.display()))?;
    let folder = match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(|| format!("syncing {}", folder.display()))
}

/// A path with something added to its name.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
