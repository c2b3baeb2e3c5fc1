//! How the API works.

use crate::stream::StreamLimits;
use crate::throttle::RateLimit;
use std::time::Duration;
use warest_model::limits::PLUGIN_BYTES;

/// How the API works.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Shown as `X-WAREST-Version`.
    pub version: String,
    /// Shown by `healthz`.
    pub server_name: String,
    /// Origins whose pages may call the API (`https://app.example.com`); none by
    /// default, so that browsers keep other sites out.
    pub allowed_origins: Vec<String>,
    /// Most calls of one user; no limit if absent.
    pub rate_limit: Option<RateLimit>,
    /// How much streams may take.
    pub streams: StreamLimits,
    /// Largest body of a request, in bytes.
    pub body_bytes: usize,
    /// Largest body of a bulk, in bytes.
    pub bulk_bytes: usize,
    /// Largest body of a request that carries files, in bytes.
    pub upload_bytes: usize,
    /// Largest file that an operation takes or fetches into memory, in bytes.
    pub file_bytes: usize,
    /// Largest plugin file, in bytes.
    pub plugin_bytes: usize,
    /// Longest wait of `session/create` for a QR code.
    pub qr_wait: Duration,
    /// Longest wait of a send for its job's end.
    pub send_wait: Duration,
    /// How long a key that was found is not looked up again.
    pub key_ttl: Duration,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            server_name: "WAREST API".to_owned(),
            allowed_origins: Vec::new(),
            rate_limit: None,
            streams: StreamLimits::default(),
            body_bytes: 1 << 20,
            bulk_bytes: 8 << 20,
            upload_bytes: 1_025 << 20,
            file_bytes: 16 << 20,
            plugin_bytes: PLUGIN_BYTES,
            qr_wait: Duration::from_millis(2_500),
            send_wait: Duration::from_secs(10),
            key_ttl: Duration::from_secs(60),
        }
    }
}
