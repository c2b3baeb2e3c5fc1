//! `warest doctor`: whether the store and its surroundings are sound, and what to
//! do about what is not.
//!
//! Looks beside a running engine or without one, and writes nothing without
//! `--fix`. Exit code: 0 sound, 1 something was found, 2 it could not (wholly)
//! look.

mod files;
mod report;
mod surroundings;

use crate::config::Settings;
use anyhow::Context;
use clap::Args;
use files::Files;
use report::Report;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use surroundings::Surroundings;
use warest_model::clock::{Clock, Millis, SystemClock};
use warest_react::flow::{FlowEngine, FlowLimits};
use warest_store::inspect::{Finding, Inspector, Options, Outcome};
use warest_store::secret::{Cipher, MasterKey};

/// How far the newest event may be ahead of the clock.
const CLOCK_SLACK_MS: Millis = 5_000;

/// Flags of `doctor`.
#[derive(Args)]
pub struct DoctorArgs {
    /// Where state is kept.
    #[arg(long, env = "WAREST_DATA_DIR", default_value = "data")]
    data_dir: PathBuf,
    /// Repair what can be repaired safely, and say so.
    #[arg(long)]
    fix: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Longest time of one check, in seconds.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Disk space that should be free, in MiB.
    #[arg(long, default_value_t = 512)]
    free_mib: u64,
}

/// Looks, says what was found, and answers the exit code.
pub async fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    crate::logging::init("error");
    let mut report = Report::begin(args.json, args.fix);
    match look(&args, &mut report).await {
        Ok(()) => Ok(report.end()),
        Err(error) => {
            report.could_not_look(&format!("{error:#}"));
            Ok(ExitCode::from(report::COULD_NOT_LOOK))
        }
    }
}

async fn look(args: &DoctorArgs, report: &mut Report) -> anyhow::Result<()> {
    let settings = Settings::from_env(args.data_dir.clone(), String::new(), 0)?;
    let database = settings.database();
    let options = Options { each: Duration::from_secs(args.seconds), repair: args.fix };
    let mut store = Inspector::open(&database, &options)
        .await
        .with_context(|| format!("{} cannot be looked at", database.display()))?;
    let key_file = settings.master_key.is_none().then(|| settings.data_dir.join("master.key"));
    let around = Surroundings { data_dir: &settings.data_dir, database: &database, key_file: key_file.as_deref() };
    report.add("free_space", around.free_space(args.free_mib << 20));
    report.add("log_size", around.log_size());
    report.add("permissions", around.permissions(args.fix));

    let now_ms = SystemClock.now_ms();
    let newest = store.newest_event_ms().await;
    report.add("clock", newest.map_or_else(|error| Outcome::Unknown(error.to_string()), |at| clock(at, now_ms)));
    let key = match master_key(settings.master_key.as_deref(), key_file.as_deref()) {
        Ok(key) => Some(Cipher::new(&key)),
        Err(error) => {
            let remedy = "restore the file master.key from your backup, or give the key as WAREST_MASTER_KEY";
            report.add("master_key", Outcome::Found(Finding::new(format!("there is no master key: {error}"), remedy)));
            None
        }
    };
    for name in Inspector::checks() {
        let outcome = match (&key, Inspector::needs_key(name)) {
            (None, true) => continue,
            (key, _) => store.check(name, key.as_ref(), now_ms).await,
        };
        report.add(name, outcome);
    }
    let files = Files {
        store: &mut store,
        folder: &settings.storage.path,
        key: key.as_ref(),
        each: options.each,
        repair: args.fix,
    };
    for (name, outcome) in files.check(now_ms).await {
        report.add(name, outcome);
    }
    report.add("flows", store.scripts().await.map_or_else(|error| Outcome::Unknown(error.to_string()), flows));
    Ok(store.close().await?)
}

fn master_key(given: Option<&str>, file: Option<&Path>) -> anyhow::Result<MasterKey> {
    match (given, file) {
        (Some(hex), _) => MasterKey::from_hex(hex).context("WAREST_MASTER_KEY"),
        (None, file) => Ok(MasterKey::load(file.unwrap_or(Path::new("master.key")))?),
    }
}

/// Times are compared with the clock; one that runs behind delays what is due.
fn clock(newest_event_ms: Option<Millis>, now_ms: Millis) -> Outcome {
    match newest_event_ms {
        Some(newest) if newest > now_ms + CLOCK_SLACK_MS => Outcome::Found(Finding::new(
            format!("the clock is {} s behind the newest event", (newest - now_ms) / 1_000),
            "set the clock right; what was scheduled meanwhile happens late",
        )),
        _ => Outcome::Sound,
    }
}

/// Every flow in use compiles with this version.
fn flows(scripts: Vec<(String, String)>) -> Outcome {
    let engine = match FlowEngine::new(FlowLimits::default()) {
        Ok(engine) => engine,
        Err(error) => return Outcome::Unknown(error.to_string()),
    };
    let broken = scripts.into_iter().filter_map(|(id, script)| {
        let error = engine.compile(&script).err()?;
        Some(format!("{id}: {error}"))
    });
    let remedy = "correct the script (PUT /api/v1/flows/{id}); until then, each of its events ends in a failed run";
    let finding = Finding::about("flows that do not compile", remedy, broken.collect());
    finding.map_or(Outcome::Sound, Outcome::Found)
}
