//! How the queues are configured.

/// How a session's queue works.
#[derive(Debug, Clone)]
pub struct SendConfig {
    /// Chats of one session that send at once.
    pub concurrency: usize,
    /// Most jobs of one session that have not ended.
    pub max_queued: u64,
    /// Attempts after the first that failed in a way that may pass.
    pub max_retries: u32,
    /// Wait before the second attempt, in milliseconds.
    pub retry_delay_ms: u64,
    /// By which the wait grows with each attempt.
    pub backoff_factor: f64,
    /// Part of the wait that is random, 0 to 1.
    pub jitter: f64,
    /// How long a chat is held that WhatsApp does not let the account write to
    /// for now, in milliseconds.
    pub hold_chat_ms: u64,
    /// How long a session is held first when WhatsApp limits its rate, in
    /// milliseconds; it doubles from there, up to an hour.
    pub hold_session_ms: u64,
    /// How long a message is held by its session before it is wedged, in
    /// milliseconds.
    pub held_most_ms: u64,
}

impl Default for SendConfig {
    fn default() -> Self {
        Self {
            concurrency: 8,
            max_queued: 100_000,
            max_retries: 5,
            retry_delay_ms: 521,
            backoff_factor: 2.0,
            jitter: 0.2,
            hold_chat_ms: 3_600_000,
            hold_session_ms: 60_000,
            held_most_ms: 3 * 24 * 3_600_000,
        }
    }
}
