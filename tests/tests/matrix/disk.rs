//! The store fails: a full disk, a sync that fails, a lock that somebody holds.

use crate::shim::{BROKEN, FULL, Shim};
use crate::stage::Stage;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

/// For how long each fault lasts: longer than a send's retries and than the
/// store waits for a lock.
const LASTS: Duration = Duration::from_secs(8);

async fn with_shim() -> (Stage, Shim, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let shim = Shim::build(folder.path());
    (Stage::new(10, shim.env()).await, shim, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing() {
    let (mut stage, shim, _folder) = with_shim().await;
    stage.customers.rounds(2).await;
    let writing = stage.writing(Duration::from_millis(300));
    shim.fail_writes(FULL);
    shim.strikes(0).await;
    tokio::time::sleep(LASTS).await;
    shim.fail_writes(0);
    writing.end().await;
    stage.settles("disk full").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_the_disk_is_full_loses_nothing() {
    let (mut stage, shim, _folder) = with_shim().await;
    for round in 0..5 {
        let writing = stage.writing(Duration::from_millis(200));
        let before = shim.struck();
        tokio::time::sleep(Duration::from_millis(700)).await;
        shim.fail_writes(FULL);
        shim.strikes(before).await;
        // Somewhere between the failures.
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..1_500))).await;
        stage.kill();
        shim.fail_writes(0);
        writing.end().await;
        stage.restart();
        stage.settles(&format!("killed while full, {round}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn short_fits_of_a_full_disk_lose_nothing() {
    let (mut stage, shim, _folder) = with_shim().await;
    let writing = stage.writing(Duration::from_millis(200));
    for _ in 0..15 {
        let before = shim.struck();
        shim.fail_writes(FULL);
        shim.strikes(before).await;
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..400))).await;
        shim.fail_writes(0);
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..600))).await;
    }
    writing.end().await;
    stage.settles("disk full in fits").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_syncs_lose_nothing() {
    let (mut stage, shim, _folder) = with_shim().await;
    stage.customers.rounds(2).await;
    let writing = stage.writing(Duration::from_millis(300));
    shim.fail_syncs(BROKEN);
    shim.strikes(0).await;
    tokio::time::sleep(LASTS).await;
    stage.kill();
    shim.fail_syncs(0);
    stage.restart();
    writing.end().await;
    stage.settles("syncs fail").await;
}

/// Holds the database's write lock from another process, as a backup tool might.
const LOCK: &str = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
db.execute('BEGIN IMMEDIATE')
print('locked', flush=True)
sys.stdin.read()
";

#[tokio::test(flavor = "multi_thread")]
async fn a_database_locked_by_another_process_loses_nothing() {
    let mut stage = Stage::new(10, Vec::new()).await;
    stage.customers.rounds(2).await;
    let writing = stage.writing(Duration::from_millis(300));
    let mut locker = Command::new("python3");
    locker.args(["-c", LOCK]).arg(stage.data().join("warest.sqlite"));
    let mut locker = locker.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(locker.stdout.take().unwrap()), &mut line).unwrap();
    assert_eq!(line, "locked\n");
    tokio::time::sleep(LASTS).await;
    let mut end = locker.stdin.take().unwrap();
    end.flush().unwrap();
    drop(end);
    locker.wait().unwrap();
    writing.end().await;
    stage.settles("database locked").await;
}
