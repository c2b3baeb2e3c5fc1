//! How sinks stand.

use super::Engine;
use crate::error::EngineError;
use crate::sink::SinkStatus;

impl Engine {
    /// Every sink there is.
    pub async fn sinks(&self) -> Result<Vec<SinkStatus>, EngineError> {
        let mut all = Vec::with_capacity(self.sinks.len());
        for feed in &self.sinks {
            all.push(feed.status().await?);
        }
        Ok(all)
    }
}
