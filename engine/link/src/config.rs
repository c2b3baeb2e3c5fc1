//! What the link is configured with.

use std::time::Duration;
use url::Url;
use whatsapp_rust::wacore::net::WHATSAPP_WEB_WS_URL;

/// Settings of all sessions of a process.
#[derive(Clone)]
pub struct LinkConfig {
    /// The chat socket: `wss://…`, or `ws://…` on loopback.
    pub endpoint: String,
    /// `http://[user:password@]host:port` or `socks5://…`; none means direct.
    pub proxy: Option<String>,
    /// The name that a phone shows among its linked devices.
    pub device_name: String,
    /// The name that contacts see until the phone has handed over the account's
    /// own. For networks that never do, such as simnet.
    pub push_name: Option<String>,
    /// Most sessions that dial at once.
    pub connect_concurrency: usize,
    /// Ceiling of the first wait before dialling again; it doubles from there.
    pub backoff_base: Duration,
    /// Ceiling of every wait.
    pub backoff_cap: Duration,
    /// A connection that lasted this long starts the waits over; one that was open
    /// for less makes them short again.
    pub stable_after: Duration,
    /// How long QR codes are offered before the session stops unpaired.
    pub pairing: Duration,
    /// Longest wait before the new connection by which the server is asked to
    /// deliver again what could not be recorded.
    pub redelivery: Duration,
    /// For one send, the server's acknowledgement included.
    pub send_timeout: Duration,
    /// For the files of one message, up or down. Transfers that stand still end
    /// much earlier.
    pub media_timeout: Duration,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            endpoint: WHATSAPP_WEB_WS_URL.to_owned(),
            proxy: None,
            device_name: "WAREST".to_owned(),
            push_name: None,
            connect_concurrency: 16,
            backoff_base: Duration::from_secs(1),
            backoff_cap: Duration::from_secs(300),
            stable_after: Duration::from_secs(30),
            pairing: Duration::from_secs(600),
            redelivery: Duration::from_secs(15),
            send_timeout: Duration::from_secs(30),
            media_timeout: Duration::from_secs(1_800),
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LinkConfigError {
    /// The endpoint is no WebSocket URL.
    #[error("the WhatsApp endpoint must be a wss:// URL (ws:// on loopback)")]
    Endpoint,
    /// The proxy is none that can be used.
    #[error("the proxy must be an http:// or socks5:// URL")]
    Proxy,
    /// TLS or the HTTP client could not be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Http(String),
}

impl LinkConfig {
    pub(crate) fn endpoint_url(&self) -> Result<Url, LinkConfigError> {
        Url::parse(&self.endpoint)
            .ok()
            .filter(|url| matches!(url.scheme(), "wss" | "ws") && url.has_host())
            .ok_or(LinkConfigError::Endpoint)
    }

    pub(crate) fn proxy_url(&self) -> Result<Option<Url>, LinkConfigError> {
        let Some(text) = &self.proxy else { return Ok(None) };
        Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "socks5" | "socks5h") && url.has_host())
            .map(Some)
            .ok_or(LinkConfigError::Proxy)
    }
}
