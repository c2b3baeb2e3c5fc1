//! What the queues do by themselves: scheduled jobs take their place in line
//! when they are due, bulks are fed into it a few at a time, and old
//! idempotency keys are forgotten.
//!
//! A job outside the line holds up nobody. Due times are moments of the clock:
//! it is looked at again every few seconds, so one that is set is noticed.

use super::Sender;
use std::sync::Arc;
use std::time::Duration;
use warest_model::clock::Millis;
use warest_store::StoreError;

/// Most jobs of bulks that one session has in line. Other jobs go before them,
/// so this bounds what a bulk can put before a job to the same chat, and how
/// many chats WhatsApp can refuse before a bulk stands still.
pub(super) const WINDOW: u32 = 32;
/// Ends of bulk jobs after which bulks are fed again.
pub(super) const FEED_AFTER: u64 = 8;
/// Jobs released at once.
const BATCH: u32 = 256;
/// Longest sleep: a clock may be set.
const LONGEST_SLEEP: Duration = Duration::from_secs(2);
/// Wait after the store failed.
const STORE_RETRY: Duration = Duration::from_millis(500);
/// How long an idempotency key is known: 24 hours.
pub const KEY_LIFE_MS: Millis = 24 * 3_600 * 1_000;
/// Wait between looks at old keys.
const PURGE_EVERY_MS: Millis = 60_000;
/// Keys forgotten at once.
const PURGE: u32 = 200;

impl Sender {
    /// Works until the engine stops.
    pub async fn keep_time(self: Arc<Self>) {
        let mut purge_ms = self.clock.now_ms();
        loop {
            let pause = match self.turn(&mut purge_ms).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(%error, "scheduled messages could not be looked at; trying again");
                    STORE_RETRY
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.timer.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Does what is due, and says how long nothing will be.
    async fn turn(self: &Arc<Self>, purge_ms: &mut Millis) -> Result<Duration, StoreError> {
        loop {
            let now = self.clock.now_ms();
            if self.store.next_due().await?.is_none_or(|due| due > now) {
                break;
            }
            for session in self.store.release_due(now, BATCH).await? {
                self.wakeups.session(&session);
            }
        }
        for session in self.store.waiting_sessions().await? {
            if self.store.feed_bulks(&session, WINDOW).await? > 0 {
                self.wakeups.session(&session);
            }
        }
        let now = self.clock.now_ms();
        self.look_again(now).await?;
        if (now - *purge_ms).abs() >= PURGE_EVERY_MS {
            let purged = self.store.purge_keys(now - KEY_LIFE_MS, PURGE).await?;
            // As long as there are more, the next turn goes on.
            *purge_ms = if purged < u64::from(PURGE) { now } else { *purge_ms };
        }
        let wait = self.store.next_due().await?.map_or(LONGEST_SLEEP, |due| {
            let left = (due - self.clock.now_ms()).max(1);
            Duration::from_millis(left.unsigned_abs())
        });
        Ok(wait.min(LONGEST_SLEEP))
    }
}
