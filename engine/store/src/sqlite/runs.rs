//! Runs and their journals.

use super::{SqliteStore, all, or_exists};
use crate::Result;
use crate::codec::{corrupt, decode_fault, decode_run, decode_step, encode_fault, encode_run, encode_step, parse};
use crate::error::StoreError;
use crate::query::{Page, RunFilter};
use crate::traits::{NewRun, Progress, RunRecord, Runs};
use async_trait::async_trait;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row};
use warest_model::clock::Millis;
use warest_model::id::RunId;
use warest_model::run::{Run, RunState, Step};

#[async_trait]
impl Runs for SqliteStore {
    async fn start_run(&self, run: NewRun) -> Result<()> {
        self.write(move |db| {
            Box::pin(
                async move { if insert(db, run).await? { Ok(()) } else { Err(StoreError::Exists { what: "run" }) } },
            )
        })
        .await
    }

    async fn run(&self, id: &RunId) -> Result<Option<RunRecord>> {
        // One statement, so that the journal fits the version. A run sorts
        // before its steps, whose positions start at 1.
        let rows = sqlx::query(
            "SELECT 0 AS seq, state, version, ended_ms, fault, record FROM runs WHERE id = ?1
             UNION ALL
             SELECT seq, NULL, NULL, NULL, NULL, record FROM steps WHERE run = ?1
             ORDER BY seq",
        )
        .bind(id.as_str())
        .fetch_all(self.readers())
        .await?;
        let Some((run, steps)) = rows.split_first() else { return Ok(None) };
        Ok(Some(RunRecord {
            run: run_of(run)?,
            steps: steps.iter().map(|row| decode_step(row.try_get("record")?)).collect::<Result<_>>()?,
            version: run.try_get("version")?,
        }))
    }

    async fn runs(&self, filter: &RunFilter, page: &Page) -> Result<Vec<Run>> {
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT state, ended_ms, fault, record FROM runs WHERE 1 = 1");
        if let Some(owner) = &filter.owner {
            sql.push(" AND session_no IN (SELECT no FROM sessions WHERE owner = ").push_bind(owner.as_str()).push(")");
        }
        if let Some(session) = &filter.session {
            sql.push(" AND session = ").push_bind(session.as_str());
        }
        if let Some(state) = filter.state {
            sql.push(" AND state = ").push_bind(state.as_str());
        }
        if let Some(event) = &filter.event {
            sql.push(" AND event = ").push_bind(event);
        }
        if let Some(before) = &page.before {
            sql.push(" AND seq < (SELECT seq FROM runs WHERE id = ").push_bind(before).push(")");
        }
        sql.push(" ORDER BY seq DESC LIMIT ").push_bind(page.limit.clamp(1, 500));
        all(sql.build().fetch_all(self.readers()).await?, run_of)
    }

    async fn save_progress(&self, progress: Progress) -> Result<()> {
        self.write(move |db| Box::pin(async move { save(db, progress).await })).await
    }

    async fn waiting_runs(&self, limit: u32) -> Result<Vec<(RunId, Millis)>> {
        let rows: Vec<(String, Millis)> = sqlx::query_as(
            "SELECT id, wake_ms FROM runs WHERE state = 'active' AND wake_ms IS NOT NULL ORDER BY wake_ms, seq LIMIT ?",
        )
        .bind(limit)
        .fetch_all(self.readers())
        .await?;
        rows.iter().map(|(id, wake_ms)| Ok((parse("run", id)?, *wake_ms))).collect()
    }

    async fn next_wake(&self) -> Result<Option<Millis>> {
        Ok(sqlx::query_scalar("SELECT min(wake_ms) FROM runs WHERE state = 'active' AND wake_ms IS NOT NULL")
            .fetch_one(self.readers())
            .await?)
    }
}

/// Saves a run with its first steps and jobs; false, and nothing written, if
/// the same cause has a run already.
pub(super) async fn insert(db: &mut SqliteConnection, new: NewRun) -> Result<bool> {
    let NewRun { run, steps, jobs, wake_ms } = new;
    let inserted = sqlx::query(
        "INSERT INTO runs
             (id, session, session_no, by_reactor, event, state, version, wake_ms, ended_ms, fault, record)
         VALUES (?1, ?2, (SELECT no FROM sessions WHERE id = ?2), ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9)
         ON CONFLICT (event, by_reactor) WHERE event IS NOT NULL DO NOTHING",
    )
    .bind(run.id.as_str())
    .bind(run.session.as_str())
    .bind(&run.cause.by)
    .bind(run.cause.event.as_ref().map(|event| event.as_str()))
    .bind(run.state.as_str())
    .bind(wake_ms)
    .bind(run.ended_ms)
    .bind(run.fault.as_ref().map(encode_fault))
    .bind(encode_run(&run))
    .execute(&mut *db)
    .await
    .map_err(or_exists("run"))?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    write_steps(db, &run.id, &steps).await?;
    for job in jobs {
        super::queue::insert(db, job).await?;
    }
    Ok(true)
}

/// Saves progress; `Stale` if the run has another version.
pub(super) async fn save(db: &mut SqliteConnection, progress: Progress) -> Result<()> {
    let saved = sqlx::query(
        "UPDATE runs SET state = ?, version = version + 1, wake_ms = ?, ended_ms = ? WHERE id = ? AND version = ?",
    )
    .bind(progress.state.as_str())
    .bind(progress.wake_ms)
    .bind(progress.ended_ms)
    .bind(progress.run.as_str())
    .bind(progress.version)
    .execute(&mut *db)
    .await?;
    if saved.rows_affected() == 0 {
        let there: Option<i64> = sqlx::query_scalar("SELECT version FROM runs WHERE id = ?")
            .bind(progress.run.as_str())
            .fetch_optional(&mut *db)
            .await?;
        return Err(match there {
            Some(_) => StoreError::Stale { what: "run" },
            None => StoreError::NotFound { what: "run" },
        });
    }
    write_steps(db, &progress.run, &progress.steps).await?;
    for job in progress.jobs {
        super::queue::insert(db, job).await?;
    }
    Ok(())
}

/// Writes journal lines; a line that is there already keeps its place.
async fn write_steps(db: &mut SqliteConnection, run: &RunId, steps: &[Step]) -> Result<()> {
    for step in steps {
        sqlx::query(
            "INSERT INTO steps (run, path, record) VALUES (?, ?, ?)
             ON CONFLICT (run, path) DO UPDATE SET record = excluded.record",
        )
        .bind(run.as_str())
        .bind(step.path.as_str())
        .bind(encode_step(step))
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

fn run_of(row: &SqliteRow) -> Result<Run> {
    let state = match row.try_get("state")? {
        "active" => RunState::Active,
        "done" => RunState::Done,
        "failed" => RunState::Failed,
        other => return Err(corrupt("run", format!("its state is {other:?}"))),
    };
    let fault: Option<&[u8]> = row.try_get("fault")?;
    Ok(Run {
        state,
        ended_ms: row.try_get("ended_ms")?,
        fault: fault.map(decode_fault).transpose()?,
        ..decode_run(row.try_get("record")?)?
    })
}
