//! A soak: one engine, all faults in turn, memory watched. Runs only when asked
//! for: `WAREST_TEST_SOAK_MINUTES=30`.

use crate::receiver::{Manner, Receiver};
use crate::setting;
use crate::shim::{BROKEN, FULL, Shim};
use crate::stage::Stage;
use crate::wire::Wire;
use serde_json::json;
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

fn median(mut values: Vec<f64>) -> f64 {
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
        _ => {
            stage.receiver.behave(if rand::random() { Manner::Half } else { Manner::Resets });
            tokio::time::sleep(short).await;
            stage.receiver.behave(Manner::Well);
        }
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
    let mut samples = Vec::new();
    let mut turn = 0;
    while begun.elapsed() < lasts {
        // Counted every minute or so, so that a failure is near its cause.
        let writing = stage.writing(Duration::from_millis(500));
        for _ in 0..9 {
            strike(&stage, &shim, &wire, turn).await;
            turn += 1;
            tokio::time::sleep(Duration::from_secs(4)).await;
            samples.push((begun.elapsed(), resident(stage.engine.pid())));
        }
        writing.end().await;
        stage.no_faults().await;
        stage.settles(&format!("{turn} faults, {:.0} kB", samples[samples.len() - 1].1)).await;
    }

    let quarter = |from: f64, to: f64| {
        let (from, to) = (lasts.mul_f64(from), lasts.mul_f64(to));
        median(samples.iter().filter(|(at, _)| (from..=to).contains(at)).map(|(_, kb)| *kb).collect())
    };
    let (second, last) = (quarter(0.25, 0.5), quarter(0.75, 2.0));
    eprintln!("resident: {second:.0} kB in the second quarter, {last:.0} kB in the last; {turn} faults");
    assert!(last <= second * GROWTH + SLACK_KB, "memory grows: {second:.0} kB, then {last:.0} kB");
}
