//! What every endpoint holds.

use crate::auth::KeyCache;
use crate::config::ApiConfig;
use crate::idempotency::Running;
use crate::stream::Seats;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use warest_model::clock::Millis;
use warest_model::id::SessionId;
use warest_pipeline::Engine;

/// What every endpoint holds. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    /// The engine.
    pub engine: Arc<Engine>,
    /// How the API works.
    pub config: Arc<ApiConfig>,
    pub(crate) keys: Arc<KeyCache>,
    pub(crate) seats: Seats,
    pub(crate) running: Running,
    /// The number that the newest label of a session was given here.
    pub(crate) labels: Arc<Mutex<HashMap<SessionId, u64>>>,
    pub(crate) started_ms: Millis,
}

impl ApiState {
    /// The state of an API that works `engine`.
    pub fn new(engine: Arc<Engine>, config: ApiConfig) -> Self {
        let started_ms = engine.clock().now_ms();
        let keys = Arc::new(KeyCache::new(config.key_ttl));
        let seats = Seats::new(&config.streams);
        let (running, labels) = (Running::default(), Arc::default());
        Self { engine, config: Arc::new(config), keys, seats, running, labels, started_ms }
    }

    /// Waits until every stream has ended; they do so when the engine stops.
    pub async fn streams_ended(&self) {
        self.seats.emptied().await;
    }

    /// The present moment.
    pub(crate) fn now_ms(&self) -> Millis {
        self.engine.clock().now_ms()
    }
}
