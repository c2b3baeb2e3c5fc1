//! `/jobs`: what is to be sent and what was, job by job: listed, taken back,
//! scheduled anew, put back in line.

use super::events::id_of;
use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Json, Moment, PageQuery, Paged, Path, Query, parse_optional, parse_required, required};
use crate::state::ApiState;
use crate::view::job_json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use warest_model::id::{BulkId, JobId, SessionId};
use warest_model::job::{JobState, SendJob};
use warest_store::JobFilter;

/// Which jobs.
#[derive(Debug, Deserialize)]
pub struct Which {
    #[serde(alias = "sessionId")]
    session: Option<String>,
    state: Option<JobState>,
    chat: Option<String>,
    #[serde(alias = "bulkId")]
    bulk: Option<String>,
}

/// A page of jobs, newest first.
pub async fn list(
    caller: Caller,
    State(state): State<ApiState>,
    Query(which): Query<Which>,
    Query(page): Query<PageQuery>,
) -> ApiResult {
    let page = page.page::<JobId>()?;
    let session: Option<SessionId> = parse_optional("session", which.session.as_deref())?;
    if let Some(session) = &session {
        caller.session(&state, session)?;
    }
    let bulk: Option<BulkId> = parse_optional("bulk", which.bulk.as_deref())?;
    let chat = which.chat.filter(|chat| !chat.is_empty());
    let chat = chat.map(|chat| state.engine.recipient(&chat).map(|jid| jid.to_string())).transpose()?;
    let filter = JobFilter { owner: caller.scope(), session, state: which.state, chat, bulk };
    let jobs = state.engine.store().jobs(&filter, &page).await?;
    let rows: Vec<Value> = jobs.iter().map(job_json).collect();
    Ok(Reply::new(codes::SUCCESS, "Jobs fetched").page(rows, &page, id_of))
}

/// One job.
pub async fn one(caller: Caller, State(state): State<ApiState>, Path(id): Path<JobId>) -> ApiResult {
    let job = own(&caller, &state, &id).await?;
    Ok(Reply::new(codes::SUCCESS, "Job fetched").result(job_json(&job)))
}

/// Takes back a job that is not under way.
pub async fn cancel(caller: Caller, State(state): State<ApiState>, Path(id): Path<JobId>) -> ApiResult {
    own(&caller, &state, &id).await?;
    let job = state.engine.cancel_job(&id).await?;
    Ok(Reply::new(codes::JOB_CANCELLED, "Job cancelled").result(job_json(&job)))
}

/// A job's time.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Time {
    schedule_at: Option<Moment>,
}

/// Has a job wait until another time.
pub async fn reschedule(
    caller: Caller,
    State(state): State<ApiState>,
    Path(id): Path<JobId>,
    Json(time): Json<Time>,
) -> ApiResult {
    own(&caller, &state, &id).await?;
    let at_ms = required("scheduleAt", time.schedule_at)?.within_a_year("scheduleAt", state.now_ms())?;
    let job = state.engine.reschedule_job(&id, at_ms).await?;
    Ok(Reply::new(codes::JOB_SCHEDULED, "Job scheduled").result(job_json(&job)))
}

/// Puts a wedged job back in line.
pub async fn unwedge(caller: Caller, State(state): State<ApiState>, Path(id): Path<JobId>) -> ApiResult {
    let job = own(&caller, &state, &id).await?;
    state.engine.unwedge_job(&job).await?;
    Ok(Reply::new(codes::QUEUED, "Job queued").result(json!({ "unwedged": 1 })))
}

/// Whose wedged jobs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Whose {
    session_id: Option<String>,
}

/// Puts every wedged job of a session back in line.
pub async fn unwedge_all(caller: Caller, State(state): State<ApiState>, Json(whose): Json<Whose>) -> ApiResult {
    let id = parse_required("sessionId", whose.session_id.as_deref())?;
    let entry = caller.session(&state, &id)?;
    let unwedged = state.engine.unwedge_session(&entry.session.id).await?;
    let code = if unwedged == 0 { codes::NOOP } else { codes::QUEUED };
    Ok(Reply::new(code, "Wedged jobs queued").result(json!({ "unwedged": unwedged })))
}

/// A job, if it is the caller's.
async fn own(caller: &Caller, state: &ApiState, id: &JobId) -> Result<SendJob, ApiError> {
    let unknown = || ApiError::new(codes::JOB_NOT_FOUND, "the job was not found");
    let job = state.engine.store().job(id).await?.ok_or_else(unknown)?;
    caller.check_record(state, &job.session, job.created_ms, "the job")?;
    Ok(job)
}
