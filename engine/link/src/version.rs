//! Which version of WhatsApp Web the link says it is.
//!
//! WhatsApp turns away clients that are too old, so the current version is
//! asked for once a day, for all sessions together. If that fails, the one in
//! hand is used: a missing answer delays nobody.

use crate::address;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use whatsapp_rust::http::HttpClient;
use whatsapp_rust::version::fetch_latest_app_version;

/// Version numbers.
pub(crate) type Version = (u32, u32, u32);

const FRESH: Duration = Duration::from_secs(24 * 3_600);
/// A failed question is not repeated before this.
const AGAIN: Duration = Duration::from_secs(300);
const DEADLINE: Duration = Duration::from_secs(8);

/// The version, shared by all sessions.
#[derive(Default)]
pub(crate) struct Versions {
    known: Mutex<Option<Known>>,
}

struct Known {
    version: Option<Version>,
    until: Instant,
}

impl Versions {
    /// The version to use, or `fallback` if none could be learnt.
    pub(crate) async fn current(&self, http: &Arc<dyn HttpClient>, fallback: Version) -> Version {
        if address::SANDBOX {
            return fallback;
        }
        // Held while asking, on purpose: the first session asks for all.
        let mut known = self.known.lock().await;
        match &*known {
            Some(one) if Instant::now() < one.until => one.version.unwrap_or(fallback),
            before => {
                let before = before.as_ref().and_then(|one| one.version);
                let asked = tokio::time::timeout(DEADLINE, fetch_latest_app_version(http)).await;
                let (version, for_how_long) = match asked {
                    Ok(Ok(version)) => (Some(version), FRESH),
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "WhatsApp's current version is not known; the last one is used");
                        (before, AGAIN)
                    }
                    Err(_) => {
                        tracing::warn!("WhatsApp's current version is not known in time; the last one is used");
                        (before, AGAIN)
                    }
                };
                *known = Some(Known { version, until: Instant::now() + for_how_long });
                version.unwrap_or(fallback)
            }
        }
    }

    /// Forgets the version: WhatsApp found it too old.
    pub(crate) async fn outdated(&self) {
        *self.known.lock().await = None;
    }
}
