//! Send jobs and bulks.

use super::fault_json;
use serde_json::{Map, Value, json};
use warest_model::job::{JobState, SendJob};
use warest_store::BulkRecord;

/// A send job.
pub fn job_json(job: &SendJob) -> Value {
    let is_message = job.effect.is_message();
    json!({
        "id": job.id,
        "sessionId": job.session,
        "chat": job.chat,
        "action": job.effect.name(),
        "state": job.state,
        "status": status(job),
        "attempts": job.attempts,
        "messageId": is_message.then_some(&job.message_id),
        "runId": job.step.as_ref().map(|(run, _)| run),
        "step": job.step.as_ref().map(|(_, path)| path),
        "bulkId": job.bulk,
        "dueAt": job.due_ms,
        "error": job.fault.as_ref().map(fault_json),
        "createdAt": job.created_ms,
        "sentAt": job.ended_ms.filter(|_| job.state == JobState::Sent),
        "deliveredAt": job.receipts.delivered_ms,
        "readAt": job.receipts.read_ms,
        "playedAt": job.receipts.played_ms,
        "endedAt": job.ended_ms,
    })
}

/// How far a message has come: its state, or what receipts say beyond it.
fn status(job: &SendJob) -> &'static str {
    let receipts = &job.receipts;
    match job.state {
        JobState::Sent if receipts.played_ms.is_some() => "played",
        JobState::Sent if receipts.read_ms.is_some() => "read",
        JobState::Sent if receipts.delivered_ms.is_some() => "delivered",
        other => other.as_str(),
    }
}

/// A bulk and how it stands.
pub fn bulk_json(record: &BulkRecord) -> Value {
    let (bulk, total) = (&record.bulk, u64::from(record.bulk.total));
    let jobs = |state: JobState| record.states.iter().find(|(one, _)| *one == state).map_or(0, |(_, jobs)| *jobs);
    let counts: Map<String, Value> =
        JobState::ALL.iter().map(|state| (state.as_str().to_owned(), jobs(*state).into())).collect();
    let ended: u64 = JobState::ALL.iter().filter(|state| state.is_end()).map(|state| jobs(*state)).sum();
    json!({
        "id": bulk.id,
        "sessionId": bulk.session,
        "total": total,
        "counts": counts,
        "delivered": record.delivered,
        "read": record.read,
        "percent": {
            "sent": percent(jobs(JobState::Sent), total),
            "failed": percent(jobs(JobState::Failed), total),
            "ended": percent(ended, total),
        },
        "done": ended >= total,
        "createdAt": bulk.created_ms,
        "cancelledAt": bulk.cancelled_ms,
    })
}

/// With one digit after the point; 100 only if it is all.
fn percent(part: u64, total: u64) -> f64 {
    (part * 1_000).checked_div(total).map_or(100.0, |tenths| tenths as f64 / 10.0)
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn a_percentage_is_full_only_when_all_is_done() {
        assert_eq!((percent(0, 3), percent(1, 3), percent(9_999, 10_000), percent(3, 3)), (0.0, 33.3, 99.9, 100.0));
    }
}
