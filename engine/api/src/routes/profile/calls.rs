//! `POST /call/reject`: refuses a call that rings.

use crate::error::{ApiError, ApiResult};
use crate::extract::{About, required};
use crate::faults::Question;
use serde::Deserialize;
use serde_json::json;

/// Longest id of a call, in bytes.
const ID_BYTES: usize = 128;

/// Which call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    call_id: Option<String>,
    from: Option<String>,
}

/// Refuses it.
pub async fn reject(mut about: About<Call>) -> ApiResult {
    let id = required("callId", about.fields.call_id.take().filter(|id| !id.is_empty()))?;
    if id.len() > ID_BYTES {
        return Err(ApiError::invalid(format!("`callId` takes {ID_BYTES} bytes")));
    }
    let from = required("from", about.fields.from.as_deref().filter(|from| !from.is_empty()))?;
    let from = about.person("from", from)?;
    about.account()?.reject_call(&id, &from).await.map_err(|fault| Question::Other.refusal(fault))?;
    Ok(about.done("Call rejected", json!({ "callId": id, "from": from, "status": "success" })))
}
