//! Jobs and bulks from REST: stored, taken back, scheduled anew, put back in
//! line.

use super::Engine;
use super::actions::{check_effect, schedule};
use crate::directory::SessionEntry;
use crate::error::EngineError;
use warest_model::birth::Births;
use warest_model::clock::Millis;
use warest_model::id::{BulkId, JobId, SessionId};
use warest_model::job::{Bulk, JobState, SendJob};
use warest_model::plan::Effect;
use warest_store::StoreError;

/// One message of a bulk.
#[derive(Debug, Clone)]
pub struct BulkItem {
    /// What is sent.
    pub effect: Effect,
    /// Not before this moment.
    pub at_ms: Option<Millis>,
}

impl Engine {
    /// Stores a bulk with all its jobs. A repeat of the request (the same
    /// `births`) finds the bulk that is there.
    pub async fn send_bulk(
        &self,
        entry: &SessionEntry,
        births: &Births,
        items: Vec<BulkItem>,
    ) -> Result<Bulk, EngineError> {
        let id: BulkId = births.next();
        if let Some(there) = self.store.bulk(&id).await? {
            births.keep();
            return Ok(there.bulk);
        }
        let total = items.len() as u64;
        self.check_room(entry, total).await?;
        let now = self.clock.now_ms();
        let mut jobs = Vec::with_capacity(items.len());
        for item in items {
            check_effect(&item.effect)?;
            let mut job = SendJob::new(births.next(), entry.session.id.clone(), item.effect, now);
            job.bulk = Some(id.clone());
            schedule(&mut job, item.at_ms, now, JobState::Waiting);
            jobs.push(job);
        }
        let total = u32::try_from(total).unwrap_or(u32::MAX);
        let bulk = Bulk { id, session: entry.session.id.clone(), total, created_ms: now, cancelled_ms: None };
        match self.store.add_bulk(&bulk, jobs).await {
            Ok(()) | Err(StoreError::Exists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        births.keep();
        self.sender.start(&bulk.session);
        self.sender.stored();
        Ok(bulk)
    }

    /// Takes back what is left of a bulk; how many jobs that were.
    pub async fn cancel_bulk(&self, id: &BulkId) -> Result<u64, EngineError> {
        self.sender.cancel_bulk(id).await
    }

    /// Takes back a job that is not under way.
    pub async fn cancel_job(&self, id: &JobId) -> Result<SendJob, EngineError> {
        self.sender.cancel(id).await
    }

    /// Has a job wait until `at_ms`, or take its place in line if that has
    /// passed.
    pub async fn reschedule_job(&self, id: &JobId, at_ms: Millis) -> Result<SendJob, EngineError> {
        self.sender.reschedule(id, at_ms.max(self.clock.now_ms())).await
    }

    /// Puts a wedged job back in line.
    pub async fn unwedge_job(&self, job: &SendJob) -> Result<(), EngineError> {
        self.sender.unwedge(job).await
    }

    /// Puts every wedged job of a session back in line; how many there were.
    pub async fn unwedge_session(&self, session: &SessionId) -> Result<u64, EngineError> {
        self.sender.unwedge_all(session).await
    }
}
