//! The files of messages, copied as a folder: for a backup, and from one.
//!
//! A file never changes once it has its name, so that a second name for it (a hard
//! link) is as good as a copy; where that is not possible, it is copied.

use anyhow::Context;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files that are there now and were not before.
    pub files: u64,
    /// Of these, in bytes.
    pub bytes: u64,
    /// Of these, those that are second names.
    pub linked: u64,
}

/// The folder beside a backup that has its files.
pub fn beside(backup: &Path) -> PathBuf {
    super::backup::with_suffix(backup, ".files")
}

/// Brings every finished file of a folder into another one; what is there already
/// stays. What goes meanwhile is left out.
pub async fn copy(from: PathBuf, to: PathBuf) -> anyhow::Result<Copied> {
    let copied = tokio::task::spawn_blocking(move || {
        let mut copied = Copied::default();
        copy_folder(&from, &to, &mut copied)
            .with_context(|| format!("copying files from {} to {}", from.display(), to.display()))?;
        anyhow::Ok(copied)
    });
    copied.await?
}

fn copy_folder(from: &Path, to: &Path, copied: &mut Copied) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    make_private(to)?;
    for entry in entries {
        let entry = entry?;
        let (name, there) = (entry.file_name(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_folder(&entry.path(), &there, copied)?;
        } else if kind.is_file() && !name.to_string_lossy().contains('#') && !there.exists() {
            copy_file(&entry.path(), &there, copied)?;
        }
    }
    File::open(to)?.sync_all()
}

fn copy_file(from: &Path, to: &Path, copied: &mut Copied) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => copied.linked += 1,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // Another disk, or a file system without links.
        Err(_) => {
            let part = super::backup::with_suffix(to, "#0");
            match fs::copy(from, &part) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                bytes => bytes?,
            };
            File::open(&part)?.sync_all()?;
            fs::rename(&part, to)?;
        }
    }
    copied.files += 1;
    copied.bytes += fs::metadata(to)?.len();
    Ok(())
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut make = fs::DirBuilder::new();
    make.recursive(true);
    std::os::unix::fs::DirBuilderExt::mode(&mut make, 0o700);
    make.create(folder)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn finished_files_are_brought_over_once() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        assert_eq!(copy(from.clone(), to.clone()).await.unwrap(), Copied::default(), "there may be none");
        fs::create_dir_all(from.join("a/b")).unwrap();
        for (name, bytes) in [("a/b/one", "12345"), ("two", "678"), ("a/b/begun#1", "half")] {
            fs::write(from.join(name), bytes).unwrap();
        }
        let copied = copy(from.clone(), to.clone()).await.unwrap();
        assert_eq!((copied.files, copied.bytes), (2, 8));
        assert_eq!(fs::read_to_string(to.join("a/b/one")).unwrap(), "12345");
        assert!(!to.join("a/b/begun#1").exists());
        fs::write(from.join("three"), "9").unwrap();
        assert_eq!(copy(from, to).await.unwrap().files, 1);
    }
}
