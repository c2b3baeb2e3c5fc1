//! The streams' variables.

use super::{millis, span, text, var};
use anyhow::{Context, bail};
use url::Url;
use warest_api::StreamLimits;
use warest_model::clock::Millis;

/// Entries that are kept unless the configuration says otherwise.
const MAX_LEN: u64 = 100_000;
/// What a URL of a server begins with.
const SCHEMES: &[&str] =
    &["redis", "rediss", "valkey", "valkeys", "redis-cluster", "rediss-cluster", "valkey-cluster", "valkeys-cluster"];

/// A stream on a Redis or Valkey server.
#[derive(Debug, Clone)]
pub struct RedisStream {
    /// The server, with credentials.
    pub url: Secret,
    /// The server, as it may be shown.
    place: String,
    /// The stream.
    pub key: String,
    /// About how many entries are kept.
    pub max_len: Option<u64>,
    /// About how long entries are kept.
    pub max_age_ms: Option<Millis>,
}

impl RedisStream {
    /// What it is known by, without credentials.
    pub fn name(&self) -> String {
        format!("{} {}", self.place, self.key)
    }
}

/// Text that is not shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// What is not shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// The stream outside that events go to.
pub fn redis() -> anyhow::Result<Option<RedisStream>> {
    let Some(text_url) = text("WAREST_STREAM_REDIS_URL") else { return Ok(None) };
    // The value may hold a password: it is not repeated.
    let mut url =
        Url::parse(&text_url).context("WAREST_STREAM_REDIS_URL is no URL; give one like redis://host:6379")?;
    if !SCHEMES.contains(&url.scheme()) || url.host().is_none() {
        bail!("WAREST_STREAM_REDIS_URL must begin with redis://, rediss:// (TLS) or redis-cluster:// and name a host");
    }
    if url.fragment().is_some() {
        bail!("WAREST_STREAM_REDIS_URL has a # in it; write %23 for one in a password");
    }
    // Neither fails on a URL with a host.
    let _ = (url.set_username(""), url.set_password(None));
    url.set_query(None);
    Ok(Some(RedisStream {
        url: Secret(text_url),
        place: url.as_str().trim_end_matches('/').to_owned(),
        key: text("WAREST_STREAM_REDIS_KEY").unwrap_or_else(|| "warest:events".to_owned()),
        max_len: Some(var("WAREST_STREAM_REDIS_MAX_LEN")?.unwrap_or(MAX_LEN)).filter(|most| *most > 0),
        max_age_ms: span("WAREST_STREAM_REDIS_MAX_AGE")?.flatten(),
    }))
}

/// How much streams may take.
pub fn limits() -> anyhow::Result<StreamLimits> {
    let defaults = StreamLimits::default();
    Ok(StreamLimits {
        per_user: var("WAREST_STREAM_PER_USER")?.unwrap_or(defaults.per_user),
        total: var("WAREST_STREAM_MAX")?.unwrap_or(defaults.total),
        keep_alive: millis("WAREST_STREAM_KEEP_ALIVE_MS")?.unwrap_or(defaults.keep_alive),
        write_timeout: millis("WAREST_STREAM_WRITE_TIMEOUT_MS")?.unwrap_or(defaults.write_timeout),
    })
}
