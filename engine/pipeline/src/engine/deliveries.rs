//! Deliveries that are owed again.
//!
//! A replayed delivery carries the same event under the same id; its attempts go
//! on counting. Actions in the answer are not run a second time, since a run is
//! keyed by target and event.

use super::Engine;
use crate::crash::crash_point;
use crate::error::EngineError;
use warest_model::delivery::{Delivery, DeliveryState};
use warest_store::{ReplayRange, Replayed, StoreError};

/// Most deliveries that one request replays.
pub const REPLAYED_AT_ONCE: u32 = 1_000;

impl Engine {
    /// Owes a delivered or dead delivery again; answers how it stands then.
    pub async fn replay_delivery(&self, delivery: &Delivery) -> Result<Delivery, EngineError> {
        let refused = |why: &str| Err(EngineError::State(why.to_owned()));
        if delivery.state == DeliveryState::Pending {
            return refused("this delivery is still pending; it is attempted by itself");
        }
        match self.directory.target(&delivery.session, &delivery.target) {
            None => return refused("the target of this delivery was removed, so there is nowhere to send it"),
            Some(target) if target.url.is_empty() => {
                return refused("the target of this delivery has no URL; give it one first");
            }
            Some(_) => {}
        }
        if self.store.event(delivery.event.as_str()).await?.is_none() {
            return refused("the event of this delivery is not kept any more");
        }
        crash_point!("replay.before_commit");
        match self.store.replay_delivery(&delivery.id, self.clock.now_ms()).await {
            Err(StoreError::NotFound { .. }) => return refused("this delivery was just changed; look at it again"),
            other => other?,
        }
        crash_point!("replay.committed");
        self.deliverer.wake(&delivery.target);
        let replayed = self.store.delivery(&delivery.id).await?;
        replayed.ok_or(EngineError::NotFound("the delivery"))
    }

    /// Owes the deliveries of a range again, oldest first, at most
    /// [`REPLAYED_AT_ONCE`] of them.
    pub async fn replay_deliveries(&self, range: &ReplayRange) -> Result<Replayed, EngineError> {
        if range.state == DeliveryState::Pending {
            return Err(EngineError::Invalid("`state` takes dead or delivered".to_owned()));
        }
        if range.from_ms >= range.to_ms {
            return Err(EngineError::Invalid("`from` must be before `to`".to_owned()));
        }
        crash_point!("replay.before_commit");
        let replayed = self.store.replay_deliveries(range, REPLAYED_AT_ONCE, self.clock.now_ms()).await?;
        crash_point!("replay.committed");
        for target in &replayed.targets {
            self.deliverer.wake(target);
        }
        Ok(replayed)
    }
}
