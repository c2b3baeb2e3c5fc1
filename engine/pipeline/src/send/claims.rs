//! Who has a job in hand.
//!
//! A job is sent by its lane and may be changed from outside (cancelled,
//! scheduled anew). Both take a claim first, so that a job that is under way is
//! not taken back, and one that was taken back is not sent. Claims are of this
//! process, which is the only one that sends for its sessions; after a crash
//! the rows say how it stands.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use warest_model::id::{JobId, SessionId};

/// The jobs in hand.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    taken: Mutex<HashSet<JobId>>,
    /// Sessions of which a job in line was changed from outside: what memory
    /// holds of their jobs may be of the past.
    disturbed: Mutex<HashSet<SessionId>>,
}

/// A job in hand, until dropped.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    claims: &'a Claims,
    job: JobId,
}

impl Claims {
    /// Takes a job, unless somebody has it.
    pub(crate) fn take(&self, job: &JobId) -> Option<Claim<'_>> {
        let fresh = self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(job.clone());
        fresh.then(|| Claim { claims: self, job: job.clone() })
    }

    /// Notes that jobs of a session are about to be changed.
    pub(crate) fn disturb(&self, session: &SessionId) {
        self.disturbed.lock().unwrap_or_else(PoisonError::into_inner).insert(session.clone());
    }

    /// Whether a job is to be read again before it is sent.
    pub(crate) fn is_disturbed(&self, session: &SessionId) -> bool {
        self.disturbed.lock().unwrap_or_else(PoisonError::into_inner).contains(session)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.claims.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_in_one_hand_at_a_time() {
        let claims = Claims::default();
        let (one, two) = (JobId::new(1), JobId::new(2));
        let claim = claims.take(&one);
        assert!(claim.is_some() && claims.take(&one).is_none());
        assert!(claims.take(&two).is_some());
        drop(claim);
        assert!(claims.take(&one).is_some());
    }
}
