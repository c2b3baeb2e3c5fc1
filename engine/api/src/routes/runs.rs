//! `GET /runs` and `GET /runs/{id}`: what reactors and clients had done, step by
//! step.

use super::events::id_of;
use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{PageQuery, Paged, Path, Query, parse_optional};
use crate::state::ApiState;
use crate::view::{plan_json, run_json, step_json};
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use warest_model::id::{EventId, RunId, SessionId};
use warest_model::run::RunState;
use warest_store::RunFilter;

/// Which runs.
#[derive(Debug, Deserialize)]
pub struct Which {
    #[serde(alias = "sessionId")]
    session: Option<String>,
    state: Option<RunState>,
    event: Option<String>,
}

/// A page of runs, newest first.
pub async fn list(
    caller: Caller,
    State(state): State<ApiState>,
    Query(which): Query<Which>,
    Query(page): Query<PageQuery>,
) -> ApiResult {
    let page = page.page::<RunId>()?;
    let session: Option<SessionId> = parse_optional("session", which.session.as_deref())?;
    if let Some(session) = &session {
        caller.session(&state, session)?;
    }
    let event: Option<EventId> = parse_optional("event", which.event.as_deref())?;
    let event = event.map(|id| id.to_string());
    let filter = RunFilter { owner: caller.scope(), session, state: which.state, event };
    let runs = state.engine.store().runs(&filter, &page).await?;
    let rows: Vec<Value> = runs.iter().map(run_json).collect();
    Ok(Reply::new(codes::SUCCESS, "Runs fetched").page(rows, &page, id_of))
}

/// One run, with its plan and journal.
pub async fn one(caller: Caller, State(state): State<ApiState>, Path(id): Path<RunId>) -> ApiResult {
    let record = state.engine.store().run(&id).await?.ok_or_else(|| ApiError::not_found("the run"))?;
    let run = &record.run;
    caller.check_record(&state, &run.session, run.created_ms, "the run")?;
    let mut result = run_json(run);
    result["plan"] = json!({ "actions": plan_json(&run.plan.nodes), "pauseMs": run.plan.pause_ms });
    result["steps"] = record.steps.iter().map(step_json).collect();
    Ok(Reply::new(codes::SUCCESS, "Run fetched").result(result))
}
