//! `GET /jobs/{id}`: how a send stands.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::Path;
use crate::state::ApiState;
use crate::view::job_json;
use axum::extract::State;
use warest_model::id::JobId;

/// One job.
pub async fn one(caller: Caller, State(state): State<ApiState>, Path(id): Path<JobId>) -> ApiResult {
    let unknown = || ApiError::new(codes::JOB_NOT_FOUND, "the job was not found");
    let job = state.engine.store().job(&id).await?.ok_or_else(unknown)?;
    caller.check_record(&state, &job.session, job.created_ms, "the job")?;
    Ok(Reply::new(codes::SUCCESS, "Job fetched").result(job_json(&job)))
}
