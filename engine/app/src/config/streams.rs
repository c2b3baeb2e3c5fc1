//! The streams' variables.

use super::{millis, var};
use warest_api::StreamLimits;

/// How much streams may take.
pub fn limits() -> anyhow::Result<StreamLimits> {
    let defaults = StreamLimits::default();
    Ok(StreamLimits {
        per_user: var("WAREST_STREAM_PER_USER")?.unwrap_or(defaults.per_user),
        total: var("WAREST_STREAM_MAX")?.unwrap_or(defaults.total),
        keep_alive: millis("WAREST_STREAM_KEEP_ALIVE_MS")?.unwrap_or(defaults.keep_alive),
        write_timeout: millis("WAREST_STREAM_WRITE_TIMEOUT_MS")?.unwrap_or(defaults.write_timeout),
    })
}
