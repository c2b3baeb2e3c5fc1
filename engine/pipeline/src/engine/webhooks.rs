//! Webhook targets of a session, and the preflight that goes before them.

use super::Engine;
use crate::deliver::post::{Answer, Letter};
use crate::directory::SessionEntry;
use crate::error::EngineError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::json;
use warest_model::id::{EventId, TargetId};
use warest_model::reactor::Target;

/// Most targets of one session.
const TARGETS: usize = 16;
/// Longest URL, in bytes.
const URL_BYTES: usize = 2_048;
/// Longest secret, in bytes.
const SECRET_BYTES: usize = 512;

/// How a receiver answered a preflight.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreflightResult {
    /// The URL.
    pub target: String,
    /// Whether it answered with a success.
    pub ok: bool,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Time from request to answer, in milliseconds.
    pub round_trip_ms: u64,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Engine {
    /// The webhook targets of a session.
    pub fn targets(&self, entry: &SessionEntry) -> Vec<Target> {
        self.directory.targets(&entry.session.id)
    }

    /// Makes `urls` the targets of a session; none removes them all. A URL
    /// without a secret gets a new one. With `preflight`, nothing is saved
    /// unless every receiver answers.
    pub async fn set_webhooks(
        &self,
        entry: &SessionEntry,
        urls: &[String],
        secret: Option<String>,
        preflight: bool,
    ) -> Result<Vec<Target>, EngineError> {
        if urls.len() > TARGETS {
            return Err(EngineError::Invalid(format!("a session may have {TARGETS} webhook URLs")));
        }
        check_secret(secret.as_deref())?;
        // A URL that a 404 emptied stays empty, and keeps its secret.
        let live = || urls.iter().filter(|url| !url.is_empty());
        for url in live() {
            self.check_webhook_url(url)?;
        }
        let secret = secret.unwrap_or_else(new_secret);
        if preflight {
            for url in live() {
                let result = self.preflight(entry, url, &secret).await;
                if !result.ok {
                    let why = result.error.unwrap_or_else(|| format!("status {:?}", result.status));
                    return Err(EngineError::Preflight(format!("{url}: {why}")));
                }
            }
        }
        let before = self.targets(entry);
        let targets: Vec<Target> = urls
            .iter()
            .map(|url| Target {
                // A URL that stays keeps its id, and so what is owed to it.
                id: before
                    .iter()
                    .find(|target| target.url == *url)
                    .map_or_else(|| TargetId::new(self.clock.now_ms()), |target| target.id.clone()),
                session: entry.session.id.clone(),
                url: url.clone(),
                secret: secret.clone(),
                paused_until_ms: 0,
                failures: 0,
            })
            .collect();
        self.store.set_targets(&entry.session.id, &targets).await?;
        for gone in before.iter().filter(|old| targets.iter().all(|target| target.id != old.id)) {
            self.deliverer.wakeups.drop_target(&gone.id);
        }
        self.directory.reload_targets().await?;
        Ok(targets)
    }

    /// Gives the targets of a session another secret.
    pub async fn set_webhook_secret(&self, entry: &SessionEntry, secret: &str) -> Result<Vec<Target>, EngineError> {
        let urls: Vec<String> = self.targets(entry).into_iter().map(|target| target.url).collect();
        self.set_webhooks(entry, &urls, Some(secret.to_owned()), false).await
    }

    /// Asks a receiver whether it is there and accepts our signature.
    pub async fn preflight(&self, entry: &SessionEntry, url: &str, secret: &str) -> PreflightResult {
        let (info, now) = (entry.info(), self.clock.now_ms());
        let body = json!({"event": "preflight", "data": {"ping": true}, "ts": now, "session": info});
        let id = EventId::new(now);
        let letter = Letter {
            url,
            secret,
            event: "preflight",
            event_id: id.as_str(),
            session: &info,
            attempt: 1,
            preflight: true,
            body: &body,
            now_ms: now,
        };
        let (answer, took) = self.deliverer.poster.post(&letter, Some(self.config.preflight_timeout)).await;
        let (ok, status, error) = match answer {
            Answer::Accepted { status, .. } => (true, Some(status), None),
            Answer::Refused { status } | Answer::Gone { status } => {
                (false, Some(status), Some(format!("the receiver answered {status}")))
            }
            Answer::Later { status, error, .. } | Answer::Never { status, error } => (false, status, Some(error)),
        };
        PreflightResult { target: url.to_owned(), ok, status, round_trip_ms: took.as_millis() as u64, error }
    }

    /// Refuses a URL that could never be delivered to.
    pub fn check_webhook_url(&self, url: &str) -> Result<(), EngineError> {
        if url.len() > URL_BYTES {
            return Err(EngineError::Invalid(format!("a webhook URL may have {URL_BYTES} bytes")));
        }
        self.config.egress.check_url(url).map(|_| ()).map_err(|error| EngineError::Invalid(error.to_string()))
    }
}

fn check_secret(secret: Option<&str>) -> Result<(), EngineError> {
    match secret {
        Some(secret) if secret.is_empty() || secret.len() > SECRET_BYTES => {
            Err(EngineError::Invalid(format!("`webhookSecret` takes 1 to {SECRET_BYTES} bytes")))
        }
        _ => Ok(()),
    }
}

/// A new secret in the Standard Webhooks form.
fn new_secret() -> String {
    format!("whsec_{}", STANDARD.encode(rand::random::<[u8; 24]>()))
}
