//! Webhook targets. Their secrets are shown when they are made, by whoever makes
//! them, and not here.

use crate::auth::Caller;
use serde_json::{Value, json};
use warest_model::clock::Millis;
use warest_model::target::{Standing, Target};

/// A target as it stands.
pub fn target_json(target: &Target, caller: &Caller, now_ms: Millis) -> Value {
    let (options, health) = (&target.options, &target.health);
    let standing = target.standing(now_ms);
    let old = target.old_secret.as_ref().filter(|old| now_ms < old.until_ms);
    // The operator's URL is not the tenants' to see.
    let url = (!target.is_default || caller.user.is_admin).then_some(&target.url);
    json!({
        "id": target.id,
        "sessionId": target.session,
        "url": url,
        "default": target.is_default,
        "enabled": options.enabled,
        "events": options.events,
        "payload": options.payload,
        "order": options.order,
        "concurrency": options.concurrency,
        "state": standing,
        "notice": notice(standing),
        "pausedUntil": (health.paused_until_ms > now_ms).then_some(health.paused_until_ms),
        "failures": health.failures,
        "failingSince": health.failing_since_ms,
        "stoppedAt": health.stopped_ms,
        "oldSecretUntil": old.map(|old| old.until_ms),
    })
}

/// What a person should know, and do.
fn notice(standing: Standing) -> Option<&'static str> {
    match standing {
        Standing::Stopped => Some(
            "Nothing is sent to this target any more: no attempt has succeeded for too long. What is owed to it is \
             kept. Repair the receiver, then POST …/targets/{id}/resume",
        ),
        Standing::NoUrl => Some(
            "The receiver answered 404 or 410, so its URL was emptied; the secret is kept. Give it a URL with PATCH \
             …/targets/{id}, then replay what is dead",
        ),
        Standing::Ok | Standing::Recovering | Standing::Paused | Standing::Off => None,
    }
}
