//! Whether what is to be done can go on: open jobs belong to a run, active runs
//! have a next step, and records can be read.

use super::{Failed, Finding, Inspector, Looked};
use crate::codec::{decode_event, decode_job};
use futures::TryStreamExt;
use sqlx::sqlite::SqliteConnection;
use std::collections::HashSet;

pub(super) const JOBS: &str = "jobs";
pub(super) const RUNS: &str = "runs";
pub(super) const EVENTS: &str = "events";

/// Newest events whose records are read.
const RECORDS: i64 = 1_000;

/// Open jobs can be read, and their run is there.
pub(super) async fn jobs(inspector: &mut Inspector) -> Looked {
    let (mut unreadable, mut without) = (Vec::new(), Vec::new());
    for OpenJob { id, readable, run } in open_jobs(inspector).await? {
        if !readable {
            unreadable.push(id);
        } else if let Some(run) = run {
            let there = sqlx::query("SELECT 1 FROM runs WHERE id = ?").bind(&run);
            // Read after the job: a job that has ended meanwhile does not count.
            if there.fetch_optional(&mut inspector.db).await?.is_none() && still_open(inspector, &id).await? {
                without.push(format!("{id} ({run})"));
            }
        }
    }
    if let Some(finding) = Finding::about(
        "messages in a queue that cannot be read; they hold up their chat",
        "they were written by another version, or damaged: start the version that wrote them, or restore a backup",
        unreadable,
    ) {
        return Ok(Some(finding));
    }
    let remedy = "nothing: they are sent all the same. Their run's journal is lost; restore a backup to have it";
    Ok(Finding::about("messages in a queue whose run is missing", remedy, without))
}

/// Active runs wait for a time or for a job.
pub(super) async fn runs(inspector: &mut Inspector) -> Looked {
    const STUCK: &str = "SELECT id FROM runs WHERE state = 'active' AND wake_ms IS NULL";
    // The runs first: a job that is queued later belongs to one that goes on.
    let mut stuck: Vec<String> = sqlx::query_scalar(STUCK).fetch_all(&mut inspector.db).await?;
    if stuck.is_empty() {
        return Ok(None);
    }
    let waited_for: HashSet<String> = open_jobs(inspector).await?.into_iter().filter_map(|job| job.run).collect();
    stuck.retain(|run| !waited_for.contains(run));
    // Those that have gone on in between were not stuck.
    let mut still = Vec::new();
    for run in stuck {
        let again = sqlx::query("SELECT 1 FROM runs WHERE id = ? AND state = 'active' AND wake_ms IS NULL");
        if again.bind(&run).fetch_optional(&mut inspector.db).await?.is_some() {
            still.push(run);
        }
    }
    let waked = match inspector.repair {
        false => None,
        true => {
            let mut waked = 0;
            for run in &still {
                let wake = "UPDATE runs SET wake_ms = 0 WHERE id = ? AND state = 'active' AND wake_ms IS NULL";
                waked += sqlx::query(wake).bind(run).execute(&mut inspector.db).await?.rows_affected();
            }
            Some(waked)
        }
    };
    let finding = Finding::about(
        "active runs without a next step: no message of theirs is queued and no time is set",
        "with --fix, they are woken, and the engine looks at them again; see GET /api/v1/runs/{id}",
        still,
    );
    Ok(finding.map(|finding| Finding { repaired: waked, ..finding }))
}

/// The newest events can be read.
pub(super) async fn events(db: &mut SqliteConnection) -> Looked {
    let rows: Vec<(String, Vec<u8>)> =
        sqlx::query_as("SELECT id, record FROM events ORDER BY seq DESC LIMIT ?").bind(RECORDS).fetch_all(db).await?;
    let unreadable = rows.into_iter().filter(|(_, record)| decode_event(record).is_err()).map(|(id, _)| id).collect();
    let remedy =
        "they were written by another version, or damaged: start the version that wrote them, or restore a backup";
    Ok(Finding::about("events that cannot be read", remedy, unreadable))
}

/// A job that has not ended.
struct OpenJob {
    id: String,
    readable: bool,
    /// The run that waits for it.
    run: Option<String>,
}

async fn open_jobs(inspector: &mut Inspector) -> Result<Vec<OpenJob>, Failed> {
    let mut found = Vec::new();
    let mut rows = sqlx::query_as::<_, (String, Vec<u8>)>("SELECT id, record FROM jobs WHERE ended_ms IS NULL")
        .fetch(&mut inspector.db);
    while let Some((id, record)) = rows.try_next().await? {
        let job = decode_job(&record);
        let readable = job.is_ok();
        let run = job.ok().and_then(|job| job.step).map(|(run, _)| run.to_string());
        found.push(OpenJob { id, readable, run });
    }
    Ok(found)
}

async fn still_open(inspector: &mut Inspector, job: &str) -> Result<bool, Failed> {
    let open = sqlx::query("SELECT 1 FROM jobs WHERE id = ? AND ended_ms IS NULL").bind(job);
    Ok(open.fetch_optional(&mut inspector.db).await?.is_some())
}
