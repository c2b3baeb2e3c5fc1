//! The webhook targets of a session as the contract sets them, and the preflight that goes before them.

use super::Engine;
use crate::deliver::post::Letter;
use crate::directory::SessionEntry;
use crate::error::EngineError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::json;
use warest_model::id::{EventId, TargetId};
use warest_model::target::{Target, TargetHealth, TargetOptions};

/// Most targets of one session.
pub(super) const TARGETS: usize = 16;
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
    /// The webhook targets that a session has of its own.
    pub fn targets(&self, entry: &SessionEntry) -> Vec<Target> {
        let mut targets = self.all_targets(entry);
        targets.retain(|target| !target.is_default);
        targets
    }

    /// The webhook targets of a session, with the default one if it has that.
    pub fn all_targets(&self, entry: &SessionEntry) -> Vec<Target> {
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
            return Err(EngineError::Invalid(format!("a session may have at most {TARGETS} webhook URLs")));
        }
        check_secret(secret.as_deref())?;
        let secret = secret.unwrap_or_else(new_secret);
        // A URL that a 404 emptied stays empty, and keeps its secret.
        for url in urls.iter().filter(|url| !url.is_empty()) {
            self.check_new_url(entry, url, &secret, preflight).await?;
        }
        let _changing = self.changing_targets.lock().await;
        let before = self.all_targets(entry);
        let mut own: Vec<&Target> = before.iter().filter(|target| !target.is_default).collect();
        let mut targets: Vec<Target> = Vec::with_capacity(urls.len());
        for url in urls {
            // A URL that stays keeps its id, and so what is owed to it, and its options.
            let there = own.iter().position(|target| target.url == *url).map(|at| own.remove(at));
            let (id, options) = match there {
                Some(target) => (target.id.clone(), target.options.clone()),
                None => (TargetId::new(self.clock.now_ms()), TargetOptions::default()),
            };
            targets.push(Target {
                id,
                session: entry.session.id.clone(),
                url: url.clone(),
                secret: secret.clone(),
                old_secret: None,
                is_default: false,
                options,
                health: TargetHealth::default(),
            });
        }
        self.store.set_targets(&entry.session.id, &targets, self.clock.now_ms()).await?;
        self.directory.reload_targets().await?;
        for old in &before {
            match targets.iter().any(|target| target.id == old.id) {
                true => self.deliverer.restart(&old.id, true),
                false => self.deliverer.wakeups.drop_target(&old.id),
            }
        }
        self.ensure_default_target(&entry.session.id).await?;
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
            secrets: &[secret],
            event: "preflight",
            event_id: id.as_str(),
            session: &info,
            attempt: 1,
            preflight: true,
            body: &body,
            now_ms: now,
        };
        let posted = self.deliverer.poster.post(&letter, Some(self.config.preflight_timeout)).await;
        let error = posted.answer.error();
        PreflightResult {
            target: url.to_owned(),
            ok: error.is_none(),
            status: posted.answer.status(),
            round_trip_ms: posted.took.as_millis() as u64,
            error,
        }
    }

    /// Refuses a URL that could never be delivered to.
    pub fn check_webhook_url(&self, url: &str) -> Result<(), EngineError> {
        if url.len() > URL_BYTES {
            return Err(EngineError::Invalid(format!("a webhook URL may have at most {URL_BYTES} bytes")));
        }
        self.config.egress.check_url(url).map(|_| ()).map_err(|error| EngineError::Invalid(error.to_string()))
    }
}

/// Refuses a secret of the wrong length.
pub(super) fn check_secret(secret: Option<&str>) -> Result<(), EngineError> {
    match secret {
        Some(secret) if secret.is_empty() || secret.len() > SECRET_BYTES => {
            Err(EngineError::Invalid(format!("a webhook secret has 1 to {SECRET_BYTES} bytes")))
        }
        _ => Ok(()),
    }
}

/// A new secret in the Standard Webhooks form.
pub(super) fn new_secret() -> String {
    format!("whsec_{}", STANDARD.encode(rand::random::<[u8; 24]>()))
}
