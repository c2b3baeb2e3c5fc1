//! Changes from outside: a person cancels a job, schedules it anew, or puts a
//! wedged one back in line.

use super::Sender;
use super::claims::Claim;
use crate::error::EngineError;
use warest_model::clock::Millis;
use warest_model::fault::{CANCELLED, Fault};
use warest_model::id::{BulkId, JobId, SessionId};
use warest_model::job::{JobState, SendJob};
use warest_store::{JobEnd, JobFilter, Page, StoreError};

/// Wedged jobs put back in line by one transaction.
const UNWEDGE: u32 = 500;
/// Jobs of a bulk looked at together.
const PAGE: u32 = 500;

fn cancelled() -> Fault {
    Fault::fail(CANCELLED, "the message was cancelled before it was sent")
}

impl Sender {
    /// Takes back a job that is not under way; the step that waits for it fails.
    pub async fn cancel(&self, id: &JobId) -> Result<SendJob, EngineError> {
        let (_claim, job) = self.in_hand(id).await?;
        if job.state.is_end() {
            return Err(EngineError::State(format!("the job is {} already", job.state.as_str())));
        }
        let end = JobEnd::new(&job.id, JobState::Cancelled, job.attempts, Some(cancelled()), self.clock.now_ms());
        self.runner.job_ended(&job, end.clone()).await.map_err(ended_meanwhile)?;
        self.changed(&job);
        let (state, fault, ended_ms) = (end.state, end.fault.clone(), Some(end.ended_ms));
        self.tell(end);
        Ok(SendJob { state, fault, ended_ms, ..job })
    }

    /// Has a job take its place in line at another time.
    pub async fn reschedule(&self, id: &JobId, due_ms: Millis) -> Result<SendJob, EngineError> {
        let (_claim, job) = self.in_hand(id).await?;
        if !matches!(job.state, JobState::Scheduled | JobState::Waiting | JobState::Queued) {
            let state = job.state.as_str();
            return Err(EngineError::State(format!("the job is {state}; only one that waits to be sent has a time")));
        }
        self.store.reschedule_job(id, due_ms).await.map_err(ended_meanwhile)?;
        self.changed(&job);
        Ok(SendJob { state: JobState::Scheduled, due_ms, ..job })
    }

    /// Puts a wedged job back in line, untried.
    pub async fn unwedge(&self, job: &SendJob) -> Result<(), EngineError> {
        let now = self.clock.now_ms();
        if self.store.unwedge(&job.session, Some(&job.id), now, 1).await? == 0 {
            return Err(EngineError::State("the job is not wedged".to_owned()));
        }
        self.changed(job);
        Ok(())
    }

    /// Puts every wedged job of a session back in line. How many there were.
    pub async fn unwedge_all(&self, session: &SessionId) -> Result<u64, EngineError> {
        // What wedges again meanwhile is left for another call.
        let most = self.store.queue_len(session).await?;
        let mut all = 0;
        while all < most {
            let some = self.store.unwedge(session, None, self.clock.now_ms(), UNWEDGE).await?;
            all += some;
            self.wakeups.session(session);
            self.timer.notify_one();
            if some < u64::from(UNWEDGE) {
                break;
            }
        }
        Ok(all)
    }

    /// Takes back what is left of a bulk. What is under way goes out.
    pub async fn cancel_bulk(&self, id: &BulkId) -> Result<u64, EngineError> {
        let mut all = self.store.cancel_bulk(id, &cancelled(), self.clock.now_ms()).await?;
        let filter = JobFilter { bulk: Some(id.clone()), state: Some(JobState::Queued), ..JobFilter::default() };
        let in_line = self.store.jobs(&filter, &Page { before: None, limit: PAGE }).await?;
        for job in in_line {
            match self.cancel(&job.id).await {
                Ok(_) => all += 1,
                Err(EngineError::State(_) | EngineError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// Takes a job in hand and reads how it stands.
    async fn in_hand(&self, id: &JobId) -> Result<(Claim<'_>, SendJob), EngineError> {
        let under_way = || EngineError::State("the job is under way; see how it ends".to_owned());
        let claim = self.claims.take(id).ok_or_else(under_way)?;
        let job = self.store.job(id).await?.ok_or(EngineError::NotFound("the job"))?;
        self.claims.disturb(&job.session);
        Ok((claim, job))
    }

    /// Wakes whoever waited for a job that was changed.
    fn changed(&self, job: &SendJob) {
        self.wakeups.session(&job.session);
        self.wakeups.nudge_session(&job.session, job.lane(), job.seq);
        self.timer.notify_one();
    }
}

fn ended_meanwhile(error: StoreError) -> EngineError {
    match error {
        StoreError::NotFound { .. } => EngineError::State("the job has ended".to_owned()),
        other => other.into(),
    }
}
