//! Configuration: the environment variables of the contract that this engine
//! knows, read once. A value that cannot be read stops the start with a
//! sentence that says what it should be.

mod egress;
mod guards;
mod keep;
mod media;
mod streams;
mod webhooks;

pub use media::Storage;
pub use streams::RedisStream;

use anyhow::{Context, bail};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use warest_api::{RateLimit, StreamLimits};
use warest_media::MediaConfig;
use warest_model::clock::Millis;
use warest_pipeline::EngineConfig;
use warest_pipeline::send::SendConfig;
use warest_store::cache::local::LocalOptions;

/// Everything that decides how one engine process works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a stop may take.
    pub shutdown_deadline: Duration,
    /// Where state is kept.
    pub data_dir: PathBuf,
    /// Address to listen on.
    pub host: String,
    /// Port to listen on.
    pub port: u16,
    /// WhatsApp's chat endpoint.
    pub endpoint: String,
    /// Proxy for WhatsApp connections.
    pub proxy: Option<String>,
    /// Longest wait for WhatsApp's word on one message, if one is given.
    pub send_timeout: Option<Duration>,
    /// The administrator's API key, if one is given.
    pub admin_key: Option<String>,
    /// The administrator's name.
    pub admin_name: String,
    /// The master key in hex, if one is given.
    pub master_key: Option<String>,
    /// The cache.
    pub cache: LocalOptions,
    /// Most API calls of one user.
    pub rate_limit: Option<RateLimit>,
    /// How much streams may take.
    pub streams: StreamLimits,
    /// The stream outside that events go to, if there is one.
    pub redis_stream: Option<RedisStream>,
    /// Where files are kept.
    pub storage: Storage,
    /// How files are converted.
    pub media: MediaConfig,
    /// The pipeline.
    pub engine: EngineConfig,
}

/// WhatsApp's own chat endpoint.
pub const WHATSAPP_ENDPOINT: &str = "wss://web.whatsapp.com/ws/chat";

impl Settings {
    /// Reads the environment. `data_dir`, `host` and `port` come from flags.
    pub fn from_env(data_dir: PathBuf, host: String, port: u16) -> anyhow::Result<Self> {
        let send = SendConfig::default();
        let engine = EngineConfig {
            connect_concurrency: keep::connect_concurrency()?,
            retention: keep::retention()?,
            country_code: country_code()?,
            send: SendConfig {
                max_queued: var("WAREST_QUEUE_MAX_SIZE")?.filter(|size| *size > 0).unwrap_or(send.max_queued),
                max_retries: var("WAREST_QUEUE_MAX_RETRIES")?.unwrap_or(send.max_retries),
                retry_delay_ms: var("WAREST_QUEUE_RETRY_DELAY_MS")?.unwrap_or(send.retry_delay_ms),
                backoff_factor: in_range("WAREST_QUEUE_BACKOFF_FACTOR", 1.0, 10.0)?.unwrap_or(send.backoff_factor),
                jitter: in_range("WAREST_QUEUE_RETRY_JITTER", 0.0, 1.0)?.unwrap_or(send.jitter),
                concurrency: var("WAREST_QUEUE_CONCURRENCY")?.unwrap_or(send.concurrency).clamp(1, 256),
                hold_chat_ms: hold("WAREST_QUEUE_HOLD_CHAT_MS", send.hold_chat_ms)?,
                hold_session_ms: hold("WAREST_QUEUE_HOLD_SESSION_MS", send.hold_session_ms)?,
                held_most_ms: hold("WAREST_QUEUE_HELD_MAX_MS", send.held_most_ms)?,
            },
            guards: guards::policy()?,
            deliver: webhooks::deliver()?,
            signature: webhooks::signature()?,
            egress: egress::policy()?,
            preflight_timeout: millis("WAREST_WEBHOOK_PREFLIGHT_TIMEOUT_MS")?.unwrap_or(Duration::from_secs(5)),
            default_webhook: webhooks::default()?,
            fetch: media::fetch(&data_dir)?,
            collect: media::collect()?,
            base_url: text("WAREST_BASE_URL").unwrap_or_default(),
            url_life: media::url_life()?,
        };
        Ok(Self {
            shutdown_deadline: keep::shutdown_deadline()?,
            storage: media::storage(&data_dir)?,
            media: media::media(&data_dir)?,
            data_dir,
            host,
            port,
            endpoint: text("WAREST_WHATSAPP_ENDPOINT").unwrap_or_else(|| WHATSAPP_ENDPOINT.to_owned()),
            proxy: list("WAREST_PROXY_URLS").into_iter().next(),
            send_timeout: var("WAREST_QUEUE_TIMEOUT_MS")?
                .filter(|ms: &u64| *ms > 0)
                .map(|ms| Duration::from_millis(ms.clamp(100, 600_000))),
            admin_key: text("WAREST_ADMIN_APIKEY"),
            admin_name: text("WAREST_AUTHADMIN_USERNAME").unwrap_or_else(|| "admin".to_owned()),
            master_key: text("WAREST_MASTER_KEY"),
            cache: guards::cache()?,
            rate_limit: guards::rate_limit()?,
            streams: streams::limits()?,
            redis_stream: streams::redis()?,
            engine,
        })
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        text("WAREST_DB_SQLITE_PATH").map_or_else(|| self.data_dir.join("warest.sqlite"), PathBuf::from)
    }
}

fn country_code() -> anyhow::Result<String> {
    let code = text("WAREST_DEFAULT_COUNTRY_CODE").unwrap_or_else(|| "62".to_owned());
    if !(1..=4).contains(&code.len()) || !code.bytes().all(|b| b.is_ascii_digit()) {
        bail!("WAREST_DEFAULT_COUNTRY_CODE is \"{code}\"; give 1 to 4 digits, such as 62");
    }
    Ok(code)
}

/// A variable that is set and not empty.
fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// A comma-separated variable.
fn list(name: &str) -> Vec<String> {
    let text = text(name).unwrap_or_default();
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn var<T: FromStr>(name: &str) -> anyhow::Result<Option<T>>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text(name).map(|value| value.parse().with_context(|| format!("{name} is \"{value}\""))).transpose()
}

fn millis(name: &str) -> anyhow::Result<Option<Duration>> {
    Ok(var(name)?.map(|ms: u64| Duration::from_millis(ms.clamp(1, 600_000))))
}

/// A hold: a millisecond to 30 days.
fn hold(name: &str, default_ms: u64) -> anyhow::Result<u64> {
    Ok(var(name)?.unwrap_or(default_ms).clamp(1, warest_model::limits::DELAY_MS))
}

fn in_range(name: &str, least: f64, most: f64) -> anyhow::Result<Option<f64>> {
    match var::<f64>(name)? {
        Some(value) if !(least..=most).contains(&value) => bail!("{name} is {value}; use {least} to {most}"),
        value => Ok(value),
    }
}

/// A span of time in a variable: absent, `off` (no limit), or a number with a
/// unit. Answers milliseconds.
fn span(name: &str) -> anyhow::Result<Option<Option<Millis>>> {
    let Some(value) = text(name) else { return Ok(None) };
    parse_span(&value)
        .map(Some)
        .with_context(|| format!("{name} is \"{value}\"; give a number with s, m, h or d, such as 30d, or off"))
}

fn parse_span(value: &str) -> Option<Option<Millis>> {
    if value == "off" {
        return Some(None);
    }
    let (number, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    // A hundred years is for ever, and keeps sums with it in range.
    let number: u32 = number.parse().ok()?;
    Some(Some(Millis::from(number).saturating_mul(unit).min(36_500 * 86_400_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_are_read_with_their_unit() {
        assert_eq!(parse_span("30d"), Some(Some(30 * 86_400_000)));
        assert_eq!(parse_span("90m"), Some(Some(5_400_000)));
        assert_eq!(parse_span("off"), Some(None));
        for bad in ["", "d", "30", "-1d", "1.5h", "30 d", "3é"] {
            assert_eq!(parse_span(bad), None, "{bad:?}");
        }
    }
}
