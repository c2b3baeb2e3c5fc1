//! A soak: one engine, all faults in turn, memory watched. Runs only when asked
//! for: `WAREST_TEST_SOAK_MINUTES=30`.

use crate::receiver::{Manner, Receiver};
use crate::setting;
use crate::shim::{BROKEN, FULL, Shim};
use crate::stage::Stage;
use crate::wire::Wire;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the last quarter may have over the second: a share, and a constant.
const GROWTH: f64 = 1.15;
const SLACK_KB: f64 = 8_192.0;

/// Resident memory of a process, in kB.
fn resident(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Looks at a process's memory every second.
fn watch(pid: u32) -> Arc<Mutex<Vec<f64>>> {
    let samples = Arc::<Mutex<Vec<f64>>>::default();
    let all = samples.clone();
    tokio::spawn(async move {
        loop {
            all.lock().unwrap().push(resident(pid));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    samples
}

/// The median of a part of the samples.
fn median(samples: &[f64], part: std::ops::Range<f64>) -> f64 {
    let at = |part: f64| (samples.len() as f64 * part) as usize;
    let mut values = samples[at(part.start)..at(part.end)].to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// One fault, and its end.
async fn strike(stage: &Stage, shim: &Shim, wire: &Wire, turn: usize) {
    let short = Duration::from_millis(rand::random_range(200..2_000));
    match turn % 9 {
        0 => stage.fault(json!({"kind": "duplicate", "count": 20})).await,
        1 => stage.fault(json!({"kind": "delay", "count": 5, "ms": 200})).await,
        2 => stage.fault(json!({"kind": "disconnect", "count": 2})).await,
        3 => {
            shim.fail_writes(FULL);
            tokio::time::sleep(short).await;
            shim.fail_writes(0);
        }
        4 => {
            shim.fail_syncs(BROKEN);
            tokio::time::sleep(short).await;
            shim.fail_syncs(0);
        }
        5 => wire.break_all(),
        6 => {
            wire.cut(rand::random(), rand::random());
            tokio::time::sleep(short).await;
            wire.cut(false, false);
        }
        7 => {
            shim.set_clock(if rand::random() { 3_600 } else { -3_600 });
            tokio::time::sleep(short).await;
            shim.set_clock(0);
        }
        // So few that the target's circuit stays closed.
        _ => stage.receiver.behave_for(if rand::random() { Manner::Half } else { Manner::Resets }, 3),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soak_with_faults_loses_nothing_and_stays_flat() {
    let minutes = setting("WAREST_TEST_SOAK_MINUTES", 0);
    if minutes == 0 {
        eprintln!("skipped: WAREST_TEST_SOAK_MINUTES is not set");
        return;
    }
    let tools = tempfile::tempdir().unwrap();
    let shim = Shim::build(tools.path());
    let (network, folder) = Stage::ground();
    let wire = Wire::before(&network.url).await;
    let mut stage = Stage::over(network, folder, wire.url.clone(), 10, shim.env(), Receiver::start().await).await;

    let (begun, lasts) = (Instant::now(), Duration::from_secs(60 * minutes));
    // A network that was out of reach is dialled again after up to five minutes.
    stage.be_patient(Duration::from_secs(330));
    let samples = watch(stage.engine.pid());
    let mut turn = 0;
    while begun.elapsed() < lasts {
        // Counted every minute or so, so that a failure is near its cause.
        let writing = stage.writing(Duration::from_millis(500));
        for _ in 0..9 {
            strike(&stage, &shim, &wire, turn).await;
            turn += 1;
            tokio::time::sleep(Duration::from_secs(4)).await;
        }
        writing.end().await;
        stage.no_faults().await;
        stage.settles(&format!("{turn} faults, {:.0} kB", resident(stage.engine.pid()))).await;
    }

    let samples = samples.lock().unwrap();
    let (second, last) = (median(&samples, 0.25..0.5), median(&samples, 0.75..1.0));
    eprintln!("resident: {second:.0} kB in the second quarter, {last:.0} kB in the last; {turn} faults");
    assert!(last <= second * GROWTH + SLACK_KB, "memory grows: {second:.0} kB, then {last:.0} kB");
}
