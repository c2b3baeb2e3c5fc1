//! Runs: plans become journaled steps, steps become send jobs, and the ends of
//! jobs move their runs on.
//!
//! Reads runs and journals, writes progress; never sends. What happens next is
//! decided by [`advance`](advance::advance); this module only feeds it and
//! saves what it says. Two tasks that move the same run on at once are told
//! apart by the run's version: the later one reads again.

pub mod advance;
mod waits;

use crate::wakeups::Wakeups;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use waits::Waits;
use warest_model::clock::{Millis, SharedClock};
use warest_model::fault::Fault;
use warest_model::id::{JobId, RunId, SessionId};
use warest_model::jid::Jid;
use warest_model::job::{JobState, SendJob};
use warest_model::plan::{Effect, Path, Plan};
use warest_model::run::{Run, RunCause, RunState, Step, StepState};
use warest_store::{JobEnd, NewRun, Progress, RunRecord, Store, StoreError};

/// How often a save is tried anew when its run moved on meanwhile.
const STALE_RETRIES: usize = 32;
/// Waiting runs looked at, and woken, at once.
const WAKE_BATCH: u32 = 256;
/// Pause after a full batch, so that a pile of them, such as a long stop leaves,
/// does not fire at once.
const WAKE_PAUSE: Duration = Duration::from_millis(100);
/// Longest sleep between looks at the due runs: a clock may be set.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// A run of `plan`, with its first steps and jobs.
pub fn new_run(session: &SessionId, chat: Option<&Jid>, cause: RunCause, plan: Plan, now_ms: Millis) -> NewRun {
    run_named(RunId::new(now_ms), session, chat, cause, plan, now_ms)
}

/// The same under an id that was made before.
pub fn run_named(
    id: RunId,
    session: &SessionId,
    chat: Option<&Jid>,
    cause: RunCause,
    plan: Plan,
    now_ms: Millis,
) -> NewRun {
    let next = advance::advance(id.as_str(), &plan, &[], now_ms);
    let jobs = next.effects.iter().map(|(path, effect)| job(session, &id, path, effect, now_ms)).collect();
    let (steps, state, wake_ms) = (next.writes, next.state, next.wake_ms);
    let run = Run {
        id,
        session: session.clone(),
        chat: chat.cloned(),
        cause,
        plan,
        state,
        fault: None,
        created_ms: now_ms,
        ended_ms: (state != RunState::Active).then_some(now_ms),
    };
    NewRun { run, steps, jobs, wake_ms }
}

/// The record of a reactor that failed: a run with a fault and nothing to do.
pub fn failed_run(session: &SessionId, chat: Option<&Jid>, cause: RunCause, fault: Fault, now_ms: Millis) -> NewRun {
    let run = Run {
        id: RunId::new(now_ms),
        session: session.clone(),
        chat: chat.cloned(),
        cause,
        plan: Plan::default(),
        state: RunState::Failed,
        fault: Some(fault),
        created_ms: now_ms,
        ended_ms: Some(now_ms),
    };
    NewRun { run, steps: Vec::new(), jobs: Vec::new(), wake_ms: None }
}

fn job(session: &SessionId, run: &RunId, path: &Path, effect: &Effect, now_ms: Millis) -> SendJob {
    SendJob::of_step(JobId::new(now_ms), session.clone(), effect.clone(), run, path, now_ms)
}

/// What has to happen to a run after a change of its journal. Waits until
/// `reached_ms` are over, whatever the clock says now.
fn progress(record: &RunRecord, change: Option<&Step>, now_ms: Millis, reached_ms: Millis) -> Progress {
    let mut journal = record.steps.clone();
    for due in journal.iter_mut().filter_map(|step| step.due_ms.as_mut()).filter(|due| **due <= reached_ms) {
        *due = now_ms.min(*due);
    }
    if let Some(change) = change {
        match journal.iter_mut().find(|step| step.path == change.path) {
            Some(step) => *step = change.clone(),
            None => journal.push(change.clone()),
        }
    }
    let run = &record.run;
    let next = advance::advance(run.id.as_str(), &run.plan, &journal, now_ms);
    let jobs = next.effects.iter().map(|(path, effect)| job(&run.session, &run.id, path, effect, now_ms)).collect();
    let mut steps = next.writes;
    if let Some(change) = change.filter(|change| steps.iter().all(|step| step.path != change.path)) {
        steps.insert(0, change.clone());
    }
    Progress {
        run: run.id.clone(),
        version: record.version,
        steps,
        jobs,
        state: next.state,
        wake_ms: next.wake_ms,
        ended_ms: (next.state != RunState::Active).then_some(now_ms),
    }
}

/// Moves runs on.
#[derive(Clone)]
pub struct Runner {
    store: Arc<dyn Store>,
    clock: SharedClock,
    wakeups: Arc<Wakeups>,
    timer: Arc<Notify>,
}

impl Runner {
    /// A runner over `store`.
    pub fn new(store: Arc<dyn Store>, clock: SharedClock, wakeups: Arc<Wakeups>) -> Self {
        Self { store, clock, wakeups, timer: Arc::new(Notify::new()) }
    }

    /// Says that a run was saved by another stage: wakes what it needs.
    pub fn started(&self, run: &NewRun) {
        if !run.jobs.is_empty() {
            self.wakeups.session(&run.run.session);
        }
        if run.wake_ms.is_some() {
            self.timer.notify_one();
        }
    }

    /// Ends a job and moves its run on, in one transaction.
    pub async fn job_ended(&self, job: &SendJob, end: JobEnd) -> Result<(), StoreError> {
        let Some((run_id, path)) = &job.step else {
            return self.store.finish_job(end, None).await;
        };
        for _ in 0..STALE_RETRIES {
            let progress = match self.store.run(run_id).await? {
                // The run's session was removed meanwhile: only the job is left.
                None => None,
                Some(record) => {
                    let step = ended_step(&record, path, job, &end);
                    Some(progress(&record, Some(&step), end.ended_ms, end.ended_ms))
                }
            };
            let effects = progress.as_ref().map(|p| (p.jobs.is_empty(), p.wake_ms));
            match self.store.finish_job(end.clone(), progress).await {
                Err(StoreError::Stale { .. }) => continue,
                Err(error) => return Err(error),
                Ok(()) => {
                    if let Some((no_jobs, wake)) = effects {
                        self.moved_on(&job.session, !no_jobs, wake);
                    }
                    return Ok(());
                }
            }
        }
        Err(StoreError::Stale { what: "run" })
    }

    fn moved_on(&self, session: &SessionId, jobs: bool, wake: Option<Millis>) {
        if jobs {
            self.wakeups.session(session);
        }
        if wake.is_some() {
            self.timer.notify_one();
        }
    }

    /// Wakes runs whose waits are over, until stopped.
    pub async fn keep_time(self, stop: CancellationToken) {
        let mut waits = Waits::default();
        loop {
            let woken = tokio::select! {
                () = stop.cancelled() => return,
                woken = self.wake_due(&mut waits) => woken,
            };
            let pause = woken.unwrap_or_else(|error| {
                tracing::warn!(%error, "due runs could not be woken; trying again");
                Duration::from_millis(500)
            });
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.timer.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Wakes what is due and says how long nothing will be.
    async fn wake_due(&self, waits: &mut Waits) -> Result<Duration, StoreError> {
        loop {
            let waiting = self.store.waiting_runs(WAKE_BATCH).await?;
            let (over, pause) = waits.look(waiting, self.clock.as_ref());
            if over.is_empty() {
                return Ok(pause.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP));
            }
            futures::future::try_join_all(over.iter().map(|(run, due)| self.wake_run(run, *due))).await?;
            if over.len() >= WAKE_BATCH as usize {
                tokio::time::sleep(WAKE_PAUSE).await;
            }
        }
    }

    async fn wake_run(&self, run: &RunId, due_ms: Millis) -> Result<(), StoreError> {
        for _ in 0..STALE_RETRIES {
            let Some(record) = self.store.run(run).await? else { return Ok(()) };
            let progress = progress(&record, None, self.clock.now_ms(), due_ms);
            let (jobs, wake) = (!progress.jobs.is_empty(), progress.wake_ms);
            match self.store.save_progress(progress).await {
                Err(StoreError::Stale { .. }) => continue,
                Err(error) => return Err(error),
                Ok(()) => {
                    self.moved_on(&record.run.session, jobs, wake);
                    return Ok(());
                }
            }
        }
        Err(StoreError::Stale { what: "run" })
    }
}

fn ended_step(record: &RunRecord, path: &Path, job: &SendJob, end: &JobEnd) -> Step {
    let earlier = record.steps.iter().find(|step| step.path == *path);
    Step {
        path: path.clone(),
        action: job.effect.name().to_owned(),
        state: if end.state == JobState::Sent { StepState::Done } else { StepState::Failed },
        // A step that a `retry` repeats is a new job each time.
        attempts: earlier.map_or(0, |step| step.attempts) + end.attempts,
        message_id: job.effect.is_message().then(|| job.message_id.clone()),
        due_ms: None,
        fault: end.fault.clone(),
        started_ms: earlier.map_or(job.created_ms, |step| step.started_ms),
        ended_ms: Some(end.ended_ms),
    }
}
