//! The sink on Redis Streams, or Valkey's: an entry for each event.

use crate::config::RedisStream;
use anyhow::Context;
use async_trait::async_trait;
use fred::clients::{Client, Transaction};
use fred::prelude::{Builder, ClientLike, Config, Error, ReconnectPolicy, StreamsInterface, TransactionInterface};
use fred::types::Value;
use std::sync::Arc;
use std::time::Duration;
use warest_model::clock::SharedClock;
use warest_pipeline::sink::Sink;
use warest_store::{LogEntry, encode_event};

/// Longest wait for a connection, and for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pauses between attempts to connect, in milliseconds.
const RECONNECT_MS: (u32, u32) = (100, 10_000);

/// A stream on a server.
pub struct RedisSink {
    client: Client,
    name: String,
    stream: RedisStream,
    clock: SharedClock,
}

impl RedisSink {
    /// A sink that connects in the background: a server that is away holds up
    /// nothing.
    pub fn new(stream: RedisStream, clock: SharedClock) -> anyhow::Result<Self> {
        let mut config = Config::from_url(stream.url.as_str()).map_err(reason).context("WAREST_STREAM_REDIS_URL")?;
        config.fail_fast = false;
        let (least, most) = RECONNECT_MS;
        let client = Builder::from_config(config)
            .set_policy(ReconnectPolicy::new_exponential(0, least, most, 2))
            .with_performance_config(|config| config.default_command_timeout = PATIENCE)
            .with_connection_config(|config| {
                config.connection_timeout = PATIENCE;
                config.internal_command_timeout = PATIENCE;
                // Whether to send again is decided here, with the batch.
                config.max_command_attempts = 1;
            })
            .build()
            .map_err(reason)?;
        // Ends with the client.
        drop(client.connect());
        Ok(Self { client, name: stream.name(), stream, clock })
    }

    async fn queue(&self, all: &Transaction, entries: &[Arc<LogEntry>]) -> Result<(), Error> {
        let key = self.stream.key.as_str();
        for LogEntry { event, owner, .. } in entries.iter().map(AsRef::as_ref) {
            let mut fields: Vec<(&str, Value)> = vec![
                ("id", event.id.as_str().into()),
                ("event", event.kind.as_str().into()),
                ("session", event.session.as_str().into()),
            ];
            fields.extend(event.chat.as_ref().map(|chat| ("chat", chat.as_str().into())));
            fields.extend(owner.as_ref().map(|owner| ("user", owner.as_str().into())));
            fields.push(("record", Value::Bytes(encode_event(event).into())));
            let _: Value = all.xadd(key, false, None, "*", fields).await?;
        }
        // About that much: Redis removes whole nodes then, which costs little.
        if let Some(most) = self.stream.max_len {
            let _: Value = all.xtrim(key, ("MAXLEN", "~", most.to_string())).await?;
        }
        if let Some(age) = self.stream.max_age_ms {
            let oldest = (self.clock.now_ms() - age).max(0);
            let _: Value = all.xtrim(key, ("MINID", "~", oldest.to_string())).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Sink for RedisSink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn put(&self, entries: &[Arc<LogEntry>]) -> Result<(), String> {
        // Without a connection nothing is queued in the client: it would be sent
        // later, beside what is given here again.
        if !self.client.is_connected() {
            let connected = tokio::time::timeout(PATIENCE, self.client.wait_for_connect()).await;
            connected.map_err(|_| "no connection to the server".to_owned())?.map_err(reason_text)?;
        }
        // A transaction, so that a server that is full takes all or none.
        let all = self.client.multi();
        self.queue(&all, entries).await.map_err(reason_text)?;
        let answers: Vec<Value> = all.exec(true).await.map_err(reason_text)?;
        match answers.iter().take(entries.len()).find(|answer| !is_entry_id(answer)) {
            None if answers.len() >= entries.len() => Ok(()),
            None => Err("the server did not answer for every entry".to_owned()),
            Some(answer) => Err(answer.as_str().map_or_else(|| format!("{answer:?}"), |text| text.to_string())),
        }
    }
}

/// Whether an answer is the id of an entry, such as `1764230000000-0`.
fn is_entry_id(answer: &Value) -> bool {
    let text = answer.as_str().unwrap_or_default();
    text.split_once('-').is_some_and(|(time, number)| time.parse::<u64>().is_ok() && number.parse::<u64>().is_ok())
}

fn reason(error: Error) -> anyhow::Error {
    anyhow::anyhow!(reason_text(error))
}

fn reason_text(error: Error) -> String {
    error.details().to_owned()
}
