//! What surrounds the store: the disk, the files, who may read them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use warest_store::inspect::{Finding, Outcome};

/// Largest log beside the database that is no sign of trouble. SQLite writes it
/// back every few megabytes.
const LOG_BYTES: u64 = 256 << 20;
/// Access of the group and of others.
const NOT_OWNER: u32 = 0o077;
/// Access of others.
const OTHERS: u32 = 0o007;

/// The files of an installation.
pub struct Surroundings<'a> {
    pub data_dir: &'a Path,
    pub database: &'a Path,
    /// The master key's file, if the key comes from one.
    pub key_file: Option<&'a Path>,
}

impl Surroundings<'_> {
    /// The disk has room.
    pub fn free_space(&self, wanted: u64) -> Outcome {
        let folder = self.database.parent().filter(|folder| !folder.as_os_str().is_empty());
        match rustix::fs::statvfs(folder.unwrap_or(Path::new("."))) {
            Ok(disk) if disk.f_bavail.saturating_mul(disk.f_frsize) >= wanted => Outcome::Sound,
            Ok(disk) => Outcome::Found(Finding::new(
                format!("{} MiB of the disk are free", disk.f_bavail.saturating_mul(disk.f_frsize) >> 20),
                "make room: when the disk is full, nothing is received or sent until it has some",
            )),
            Err(error) => unknown("the free space of the disk", &error),
        }
    }

    /// The log beside the database is written back.
    pub fn log_size(&self) -> Outcome {
        let mut log = self.database.as_os_str().to_owned();
        log.push("-wal");
        match fs::metadata(&log) {
            Ok(file) if file.len() > LOG_BYTES => Outcome::Found(Finding::new(
                format!("the database's log ({}) has {} MiB", PathBuf::from(&log).display(), file.len() >> 20),
                "something reads the database for a long time and keeps it from being written back: end other \
                 programs that have it open, then restart the engine",
            )),
            Ok(_) => Outcome::Sound,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Outcome::Sound,
            Err(error) => unknown("the database's log", &error),
        }
    }

    /// Only their owner reads the secrets, and nobody else of this machine the
    /// messages.
    pub fn permissions(&self, repair: bool) -> Outcome {
        let (mut open, mut repaired) = (Vec::new(), 0);
        let key = self.key_file.map(|key| (key, NOT_OWNER));
        let folder = fs::metadata(self.data_dir).map(|folder| folder.mode());
        // Files in a folder that others cannot enter are closed to them.
        let entered = folder.is_ok_and(|mode| mode & OTHERS != 0);
        let inside = self.database.starts_with(self.data_dir);
        let database = (entered || !inside).then_some((self.database, OTHERS));
        for (path, closed_to) in key.into_iter().chain(database) {
            let mode = match fs::metadata(path) {
                Ok(file) => file.mode() & 0o777,
                // That there is no key is said elsewhere.
                Err(_) => continue,
            };
            if mode & closed_to == 0 {
                continue;
            }
            open.push(format!("{} ({mode:03o})", path.display()));
            let closed = fs::Permissions::from_mode(mode & !closed_to);
            if repair && fs::set_permissions(path, closed).is_ok() {
                repaired += 1;
            }
        }
        let what = "files that other users of this machine can read: they hold keys and messages";
        let remedy = "chmod 600 the key and o-rwx the database, or chmod 700 the data folder; --fix does the former";
        match Finding::about(what, remedy, open) {
            Some(finding) => Outcome::Found(Finding { repaired: repair.then_some(repaired), ..finding }),
            None => Outcome::Sound,
        }
    }
}

fn unknown(what: &str, error: &dyn std::fmt::Display) -> Outcome {
    Outcome::Unknown(format!("{what} cannot be looked at: {error}"))
}
