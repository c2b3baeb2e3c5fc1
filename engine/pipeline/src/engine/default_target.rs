//! The default receiver: what sessions without a receiver of their own have, if
//! the operator names one.
//!
//! It is a target like others (its deliveries, its health and its pauses are
//! those of one session), but its URL and secret are the operator's, and it gives
//! way to the first target of the session's own.

use super::Engine;
use crate::directory::Directory;
use crate::error::EngineError;
use std::fmt;
use warest_model::clock::Millis;
use warest_model::id::{SessionId, TargetId};
use warest_model::target::{Target, TargetHealth, TargetOptions};
use warest_store::Store;

/// The default receiver.
#[derive(Clone, PartialEq, Eq)]
pub struct DefaultWebhook {
    /// Where to.
    pub url: String,
    /// Key of the signatures, with the username.
    pub secret: String,
}

impl fmt::Debug for DefaultWebhook {
    // Both may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DefaultWebhook").finish_non_exhaustive()
    }
}

impl Engine {
    /// Brings the default target of a session up to date; see [`ensure`].
    pub(super) async fn ensure_default_target(&self, session: &SessionId) -> Result<(), EngineError> {
        let (default, now) = (self.config.default_webhook.as_ref(), self.clock.now_ms());
        let removed = ensure(&self.directory, self.store.as_ref(), default, session, now).await?;
        if let Some(removed) = removed {
            self.deliverer.wakeups.drop_target(&removed);
        }
        Ok(())
    }
}

/// Gives a session the default target if it has no other, takes it away if it
/// has, and brings its URL and secret up to date. Answers the one that was taken
/// away.
pub(super) async fn ensure(
    directory: &Directory,
    store: &dyn Store,
    default: Option<&DefaultWebhook>,
    session: &SessionId,
    now_ms: Millis,
) -> Result<Option<TargetId>, EngineError> {
    let (defaults, own): (Vec<Target>, Vec<Target>) =
        directory.targets(session).into_iter().partition(|target| target.is_default);
    let there = defaults.into_iter().next();
    let (id, removed) = match (default.filter(|_| own.is_empty()), there) {
        (None, None) => return Ok(None),
        (None, Some(there)) => {
            store.delete_target(&there.id, now_ms).await?;
            (there.id.clone(), Some(there.id))
        }
        (Some(default), Some(there)) if there.url == default.url && there.secret == default.secret => return Ok(None),
        (Some(default), Some(there)) => {
            let target = Target { url: default.url.clone(), secret: default.secret.clone(), ..there };
            store.update_target(&target, None).await?;
            (target.id, None)
        }
        (Some(default), None) => {
            let target = Target {
                id: TargetId::new(now_ms),
                session: session.clone(),
                url: default.url.clone(),
                secret: default.secret.clone(),
                old_secret: None,
                is_default: true,
                options: TargetOptions::default(),
                health: TargetHealth::default(),
            };
            store.add_target(&target, now_ms).await?;
            (target.id, None)
        }
    };
    directory.reload_target(session, &id).await?;
    Ok(removed)
}
