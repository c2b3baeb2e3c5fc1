//! Plugins: `GET|POST /plugins`, `DELETE /plugins/{name}`.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::ApiResult;
use crate::extract::{Path, Upload};
use crate::state::ApiState;
use crate::view::plugin_json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;

/// The plugins that the caller may see, by name.
pub async fn list(caller: Caller, State(state): State<ApiState>) -> ApiResult {
    let plugins = state.engine.store().plugins(caller.scope().as_ref()).await?;
    Ok(Reply::new(codes::SUCCESS, "Plugins fetched").results(plugins.iter().map(plugin_json).collect()))
}

/// Adds a plugin, or a new version of one; sessions use it once it is enabled
/// for them.
pub async fn upload(caller: Caller, State(state): State<ApiState>, Upload(file): Upload) -> ApiResult {
    let plugin = state.engine.upload_plugin(&caller.user, &file).await?;
    Ok(Reply::new(codes::SUCCESS, "Plugin uploaded").http(StatusCode::CREATED).result(plugin_json(&plugin)))
}

/// Removes a plugin from every session that uses it.
pub async fn delete(caller: Caller, State(state): State<ApiState>, Path(name): Path<String>) -> ApiResult {
    state.engine.delete_plugin(&caller.user, &name).await?;
    Ok(Reply::new(codes::SUCCESS, "Plugin deleted").result(json!({ "name": name })))
}
