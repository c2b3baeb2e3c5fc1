//! The URLs of stored files: signed, and good for a while. They are made when
//! somebody is shown a message, so that what is stored never expires.

use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use warest_model::clock::Millis;
use warest_model::id::MediaId;
use warest_store::media::MediaShelf;

/// Makes URLs. Cheap to clone.
#[derive(Clone)]
pub struct Urls {
    shelf: Arc<dyn MediaShelf>,
    base: Arc<str>,
    life_ms: Millis,
}

impl Urls {
    /// URLs below `base`, the address by which clients reach the engine (empty:
    /// URLs are paths), good for `life`.
    pub fn new(shelf: Arc<dyn MediaShelf>, base: &str, life: Duration) -> Self {
        let life_ms = Millis::try_from(life.as_millis()).unwrap_or(Millis::MAX / 2);
        Self { shelf, base: base.trim_end_matches('/').into(), life_ms }
    }

    /// The URL of a file.
    pub fn of(&self, id: &MediaId, now_ms: Millis) -> String {
        let expires_ms = now_ms + self.life_ms;
        let signature = self.shelf.sign(id, expires_ms);
        format!("{}/storage/private/{id}?expires={expires_ms}&signature={signature}", self.base)
    }

    /// Adds its URL to the file of an event's payload.
    pub fn add(&self, data: &mut Value, now_ms: Millis) {
        let Some(media) = data.get_mut("media").filter(|media| media.is_object()) else { return };
        let id = media.get("id").and_then(Value::as_str).and_then(|id| id.parse::<MediaId>().ok());
        if let Some(id) = id {
            media["url"] = Value::from(self.of(&id, now_ms));
        }
    }
}

impl std::fmt::Debug for Urls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Urls").field("base", &self.base).finish_non_exhaustive()
    }
}
