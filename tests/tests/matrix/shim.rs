//! Faults of the machine under one engine: a full disk, a sync that fails, a
//! clock that is set. `tests/shim/faults.c` does them; a mapped file of 24 bytes
//! says when.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// `ENOSPC`: no space left on the device.
pub const FULL: i32 = 28;
/// `EIO`: the device failed.
pub const BROKEN: i32 = 5;

/// The switches of one engine's faults.
pub struct Shim {
    control: File,
    path: PathBuf,
    library: PathBuf,
}

impl Shim {
    /// Compiles the library into `folder`, with everything switched off.
    pub fn build(folder: &Path) -> Self {
        let (library, path) = (folder.join("faults.so"), folder.join("faults.control"));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/shim/faults.c");
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl");
        assert!(cc.status().unwrap().success(), "cc could not build {source}");
        let control = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
        control.set_len(24).unwrap();
        Self { control, path, library }
    }

    /// What an engine that is to have these faults is started with.
    pub fn env(&self) -> Vec<(String, String)> {
        vec![
            ("LD_PRELOAD".into(), self.library.display().to_string()),
            ("WAREST_FAULTS".into(), self.path.display().to_string()),
        ]
    }

    /// Writes to the database fail with `error`; 0 ends that.
    pub fn fail_writes(&self, error: i32) {
        self.control.write_all_at(&error.to_ne_bytes(), 0).unwrap();
    }

    /// Syncs of the database fail with `error`; 0 ends that.
    pub fn fail_syncs(&self, error: i32) {
        self.control.write_all_at(&error.to_ne_bytes(), 4).unwrap();
    }

    /// Sets the clock to the true time plus `seconds`.
    pub fn set_clock(&self, seconds: i64) {
        self.control.write_all_at(&(seconds * 1_000).to_ne_bytes(), 8).unwrap();
    }

    /// How many calls failed so far.
    pub fn struck(&self) -> u64 {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, 16).unwrap();
        u64::from_ne_bytes(bytes)
    }

    /// Waits until a fault has struck that was not counted in `before`.
    pub async fn strikes(&self, before: u64) {
        let begun = std::time::Instant::now();
        while self.struck() == before {
            assert!(begun.elapsed() < Duration::from_secs(30), "the fault never struck");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
