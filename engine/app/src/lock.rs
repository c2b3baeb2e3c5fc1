//! One engine per data folder: two would send the same jobs and step on each
//! other's WhatsApp keys.
//!
//! The lock is the operating system's, on the file `engine.lock`, so it ends
//! with its process however that ends; the file itself stays, and being there
//! means nothing. A database that is kept elsewhere is locked beside itself, too.

use anyhow::{Context, bail};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Longest process id that is read back from a lock file.
const PID_BYTES: u64 = 32;

/// The right to work on a data folder, until dropped.
#[derive(Debug)]
pub struct FolderLock {
    _files: Vec<File>,
}

impl FolderLock {
    /// Takes the lock of a data folder, and that of its database.
    ///
    /// # Errors
    /// If another process holds it; the message names the folder and the process.
    pub fn take(data_dir: &Path, database: &Path) -> anyhow::Result<Self> {
        // It holds keys and messages: nobody else of this machine has to enter.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data_dir)
            .with_context(|| format!("making the data folder {}", data_dir.display()))?;
        let mut files = vec![hold(&data_dir.join("engine.lock"), data_dir)?];
        if database.parent() != Some(data_dir) {
            let mut beside = database.as_os_str().to_owned();
            beside.push(".lock");
            files.push(hold(&PathBuf::from(beside), database)?);
        }
        Ok(Self { _files: files })
    }
}

/// Locks `path`, which stands for `what`.
fn hold(path: &Path, what: &Path) -> anyhow::Result<File> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let mut file = open.with_context(|| format!("opening the lock file {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => bail!(
            "{} is in use by another warest{}; stop that one first, or give this one another folder (--data-dir)",
            what.display(),
            holder(&mut file),
        ),
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("locking {}", path.display()));
        }
    }
    // For people, and for the message above; the lock does not depend on it.
    let told = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    told.with_context(|| format!("writing {}", path.display()))?;
    Ok(file)
}

/// The process that a lock file names, as a part of a sentence.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(PID_BYTES).read_to_string(&mut text).map(|_| text.trim().parse::<u32>()) {
        Ok(Ok(pid)) => format!(" (process {pid})"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_is_held_once_and_free_again_after() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("warest.sqlite");
        let first = FolderLock::take(folder.path(), &database).unwrap();
        let refused = FolderLock::take(folder.path(), &database).unwrap_err().to_string();
        assert!(refused.contains(&folder.path().display().to_string()), "{refused}");
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        drop(first);
        FolderLock::take(folder.path(), &database).unwrap();
    }

    #[test]
    fn two_folders_do_not_share_a_database() {
        let (one, two, elsewhere) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let database = elsewhere.path().join("shared.sqlite");
        let _first = FolderLock::take(one.path(), &database).unwrap();
        let refused = FolderLock::take(two.path(), &database).unwrap_err().to_string();
        assert!(refused.contains("shared.sqlite"), "{refused}");
    }
}
