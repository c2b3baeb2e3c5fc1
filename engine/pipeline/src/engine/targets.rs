//! Webhook targets, one by one: added, changed, tested, given another secret,
//! used again after they were stopped.

use super::Engine;
use super::webhooks::{TARGETS, check_secret, new_secret};
use crate::deliver::post::{Letter, Posted};
use crate::directory::SessionEntry;
use crate::error::EngineError;
use serde::Serialize;
use serde_json::json;
use warest_model::clock::Millis;
use warest_model::event::EventKind;
use warest_model::id::{EventId, TargetId};
use warest_model::target::{DeliveryOrder, OldSecret, PayloadShape, Target, TargetHealth, TargetOptions};
use warest_store::Resumed;

/// Most requests at once that a target may ask for.
const CONCURRENCY: u32 = 64;
/// How long the secret before signs too, unless the client says.
const OVERLAP_S: u64 = 24 * 3_600;
/// Longest such time: 30 days.
const LONGEST_OVERLAP_S: u64 = 30 * 24 * 3_600;

/// A target to add.
#[derive(Debug, Clone)]
pub struct TargetDraft {
    /// Where to.
    pub url: String,
    /// Its secret; made if absent.
    pub secret: Option<String>,
    /// How it is used.
    pub options: TargetOptions,
    /// Whether it must answer before it is saved.
    pub preflight: bool,
}

/// What to change of a target; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct TargetChange {
    /// Where to. Another URL begins with a clean record.
    pub url: Option<String>,
    /// Whether it is owed events.
    pub enabled: Option<bool>,
    /// The events it wants; all if `None` inside.
    pub events: Option<Option<Vec<EventKind>>>,
    /// The shape of what it is sent.
    pub payload: Option<Option<PayloadShape>>,
    /// Which order deliveries keep.
    pub order: Option<DeliveryOrder>,
    /// Requests at once.
    pub concurrency: Option<Option<u32>>,
    /// Whether another URL must answer before it is saved.
    pub preflight: bool,
}

/// A secret that was replaced.
#[derive(Debug)]
pub struct Rotated {
    /// The target, with its new secret.
    pub target: Target,
    /// Until when the secret before signs too.
    pub old_until_ms: Option<Millis>,
}

/// How a receiver answered a test.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestResult {
    /// Whether it answered with a success.
    pub ok: bool,
    /// The id the event had.
    pub event_id: EventId,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Time from request to answer, in milliseconds.
    pub took_ms: u64,
    /// What went wrong.
    pub error: Option<String>,
    /// The beginning of the answer.
    pub answer: String,
}

impl Engine {
    /// A webhook target of a session.
    pub fn target(&self, entry: &SessionEntry, id: &TargetId) -> Result<Target, EngineError> {
        self.directory.target(&entry.session.id, id).ok_or(EngineError::NotFound("the target"))
    }

    /// Adds a target to a session.
    pub async fn add_target(&self, entry: &SessionEntry, draft: TargetDraft) -> Result<Target, EngineError> {
        check_secret(draft.secret.as_deref())?;
        check_options(&draft.options)?;
        let secret = draft.secret.unwrap_or_else(new_secret);
        self.check_new_url(entry, &draft.url, &secret, draft.preflight).await?;
        let _changing = self.changing_targets.lock().await;
        let own = self.targets(entry);
        if own.len() >= TARGETS {
            return Err(EngineError::Invalid(format!("a session may have at most {TARGETS} webhook targets")));
        }
        let target = Target {
            id: TargetId::new(self.clock.now_ms()),
            session: entry.session.id.clone(),
            url: draft.url,
            secret,
            old_secret: None,
            is_default: false,
            options: draft.options,
            health: TargetHealth::default(),
        };
        self.store.add_target(&target, self.clock.now_ms()).await?;
        self.directory.reload_targets().await?;
        Ok(target)
    }

    /// Changes a target.
    pub async fn change_target(
        &self,
        entry: &SessionEntry,
        id: &TargetId,
        change: TargetChange,
    ) -> Result<Target, EngineError> {
        let before = self.own_target(entry, id)?;
        if let Some(url) = change.url.as_ref().filter(|url| **url != before.url) {
            self.check_new_url(entry, url, &before.secret, change.preflight).await?;
        }
        let _changing = self.changing_targets.lock().await;
        let mut target = self.own_target(entry, id)?;
        let is_new_url = change.url.as_ref().is_some_and(|url| *url != target.url);
        let options = &mut target.options;
        options.enabled = change.enabled.unwrap_or(options.enabled);
        options.events = change.events.unwrap_or(options.events.take());
        options.payload = change.payload.unwrap_or(options.payload);
        options.order = change.order.unwrap_or(options.order);
        options.concurrency = change.concurrency.unwrap_or(options.concurrency);
        check_options(options)?;
        target.url = change.url.unwrap_or(target.url);
        let resumed = is_new_url.then(|| self.resumed(&target));
        self.save_target(&target, resumed).await
    }

    /// Removes a target. What was owed to it is given up, and stays listed.
    pub async fn delete_target(&self, entry: &SessionEntry, id: &TargetId) -> Result<(), EngineError> {
        let _changing = self.changing_targets.lock().await;
        let target = self.own_target(entry, id)?;
        self.store.delete_target(&target.id, self.clock.now_ms()).await?;
        self.deliverer.wakeups.drop_target(&target.id);
        self.directory.reload_targets().await?;
        self.ensure_default_target(&entry.session.id).await
    }

    /// Gives a target another secret. For `overlap_s` seconds, requests carry the
    /// standard signature of the one before, too.
    pub async fn rotate_target(
        &self,
        entry: &SessionEntry,
        id: &TargetId,
        secret: Option<String>,
        overlap_s: Option<u64>,
    ) -> Result<Rotated, EngineError> {
        check_secret(secret.as_deref())?;
        let overlap_s = overlap_s.unwrap_or(OVERLAP_S);
        if overlap_s > LONGEST_OVERLAP_S {
            return Err(EngineError::Invalid(format!("`overlapSec` takes 0 to {LONGEST_OVERLAP_S} (30 days)")));
        }
        let _changing = self.changing_targets.lock().await;
        let mut target = self.own_target(entry, id)?;
        let old = std::mem::replace(&mut target.secret, secret.unwrap_or_else(new_secret));
        let old_until_ms = (overlap_s > 0).then(|| self.clock.now_ms() + overlap_s as Millis * 1_000);
        target.old_secret = old_until_ms.map(|until_ms| OldSecret { secret: old, until_ms });
        let target = self.save_target(&target, None).await?;
        Ok(Rotated { target, old_until_ms })
    }

    /// Has a target that is paused or stopped used again at once.
    pub async fn resume_target(&self, entry: &SessionEntry, id: &TargetId) -> Result<Target, EngineError> {
        let _changing = self.changing_targets.lock().await;
        let mut target = self.target(entry, id)?;
        if target.is_default
            && let Some(default) = &self.config.default_webhook
        {
            target.url.clone_from(&default.url);
        }
        if target.url.is_empty() {
            return Err(EngineError::State("this target has no URL; give it one first".to_owned()));
        }
        let resumed = self.resumed(&target);
        self.save_target(&target, Some(resumed)).await
    }

    /// Sends a target one signed event at once, whether it is paused or not. It is
    /// not in the log, and what it is answered is not acted upon.
    pub async fn test_target(&self, entry: &SessionEntry, id: &TargetId) -> Result<TestResult, EngineError> {
        let target = self.target(entry, id)?;
        if target.url.is_empty() {
            return Err(EngineError::State("this target has no URL; give it one first".to_owned()));
        }
        let (info, now) = (entry.info(), self.clock.now_ms());
        let event_id = EventId::new(now);
        let data = json!({"test": true, "tags": ["test"], "eventId": event_id, "sessionId": entry.session.id});
        let body = json!({"event": TEST_EVENT, "data": data, "ts": now, "session": info});
        let letter = Letter {
            url: &target.url,
            secrets: &target.secrets(now),
            event: TEST_EVENT,
            event_id: event_id.as_str(),
            session: &info,
            attempt: 1,
            preflight: false,
            body: &body,
            now_ms: now,
        };
        let Posted { answer, took, excerpt } = self.deliverer.poster.post(&letter, None).await;
        let error = answer.error();
        Ok(TestResult {
            ok: error.is_none(),
            event_id,
            status: answer.status(),
            took_ms: took.as_millis() as u64,
            error,
            answer: excerpt,
        })
    }

    /// That a target is used again, with the event that says so if it was stopped.
    fn resumed(&self, target: &Target) -> Resumed {
        let was_stopped = target.health.stopped_ms.is_some();
        Resumed { notice: was_stopped.then(|| self.deliverer.notice(target, "resumed", "a person resumed the target")) }
    }

    /// Saves a target and has its scheduler begin anew.
    async fn save_target(&self, target: &Target, resumed: Option<Resumed>) -> Result<Target, EngineError> {
        let resumes = resumed.is_some();
        let notice = resumed.as_ref().and_then(|resumed| resumed.notice.clone());
        self.store.update_target(target, resumed).await?;
        self.directory.reload_target(&target.session, &target.id).await?;
        self.deliverer.restart(&target.id, resumes);
        if let Some(notice) = notice {
            self.deliverer.announce(notice);
        }
        self.directory.target(&target.session, &target.id).ok_or(EngineError::NotFound("the target"))
    }

    fn own_target(&self, entry: &SessionEntry, id: &TargetId) -> Result<Target, EngineError> {
        let target = self.target(entry, id)?;
        if target.is_default {
            let why = "this is the default target, which the operator sets; add one of your own to replace it";
            return Err(EngineError::State(why.to_owned()));
        }
        Ok(target)
    }

    /// Refuses a URL that cannot be delivered to or, if `preflight`, does not answer.
    pub(super) async fn check_new_url(
        &self,
        entry: &SessionEntry,
        url: &str,
        secret: &str,
        preflight: bool,
    ) -> Result<(), EngineError> {
        self.check_webhook_url(url)?;
        if preflight {
            let result = self.preflight(entry, url, secret).await;
            if !result.ok {
                let why = result.error.unwrap_or_else(|| format!("status {:?}", result.status));
                return Err(EngineError::Preflight(format!("{url}: {why}")));
            }
        }
        Ok(())
    }
}

/// The event of a test.
const TEST_EVENT: &str = "webhook_test";

fn check_options(options: &TargetOptions) -> Result<(), EngineError> {
    if options.events.as_ref().is_some_and(Vec::is_empty) {
        return Err(EngineError::Invalid("`events` takes at least one event, or null for all".to_owned()));
    }
    if options.concurrency.is_some_and(|most| !(1..=CONCURRENCY).contains(&most)) {
        return Err(EngineError::Invalid(format!("`concurrency` takes 1 to {CONCURRENCY}")));
    }
    Ok(())
}
