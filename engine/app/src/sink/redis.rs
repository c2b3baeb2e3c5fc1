//! The sink on Redis Streams, or Valkey's: an entry for each event.
//!
//! After an error of whatever kind the connection is given up and the next
//! attempt makes a new one. What the client had queued goes with the old one,
//! so that it is not sent later beside what is given here again; and a server
//! that has become a replica, or a name that leads elsewhere now, is looked up
//! anew.

use crate::config::RedisStream;
use anyhow::Context;
use async_trait::async_trait;
use fred::clients::{Client, Transaction};
use fred::prelude::{Builder, ClientLike, Config, Error, StreamsInterface, TransactionInterface};
use fred::types::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;
use warest_model::clock::SharedClock;
use warest_pipeline::sink::Sink;
use warest_store::{LogEntry, encode_event};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest wait for the server to take a batch.
const ANSWER: Duration = Duration::from_secs(60);

/// A stream on a server.
pub struct RedisSink {
    config: Config,
    name: String,
    stream: RedisStream,
    clock: SharedClock,
    connection: Mutex<Option<Connection>>,
    /// Whether it was said that the stream is not trimmed.
    untrimmed: AtomicBool,
}

/// A client and the task behind it, which ends when the connection does.
struct Connection {
    client: Client,
    task: Task,
}

type Task = AbortOnDropHandle<Result<(), Error>>;

impl RedisSink {
    /// A sink that connects with its first events: a server that is away holds
    /// up nothing.
    pub fn new(stream: RedisStream, clock: SharedClock) -> anyhow::Result<Self> {
        let config = Config::from_url(stream.url.as_str()).ok();
        // Its own words may hold a part of the URL.
        let config = config.context("WAREST_STREAM_REDIS_URL is not understood; give one like redis://host:6379/0")?;
        let name = stream.name();
        Ok(Self { config, name, stream, clock, connection: Mutex::default(), untrimmed: AtomicBool::new(false) })
    }

    async fn connect(&self) -> Result<Connection, String> {
        // Without a policy: nothing is sent again behind our back.
        let client = Builder::from_config(self.config.clone())
            .with_connection_config(|config| config.connection_timeout = CONNECT)
            .build()
            .map_err(|error| self.reason(&error))?;
        let connecting = async {
            let task = client.connect();
            client.wait_for_connect().await.map(|()| task)
        };
        match tokio::time::timeout(CONNECT, connecting).await {
            Ok(Ok(task)) => Ok(Connection { client, task: AbortOnDropHandle::new(task) }),
            Ok(Err(error)) => Err(self.reason(&error)),
            Err(_) => Err(format!("no connection to the server within {CONNECT:?}")),
        }
    }

    async fn append(&self, connection: &mut Connection, entries: &[Arc<LogEntry>]) -> Result<(), String> {
        // A transaction, so that a server that is full takes all or none.
        let all = connection.client.multi();
        let taken = async {
            self.queue(&all, entries).await?;
            all.exec::<Vec<String>>(true).await
        };
        let ids = self.answer(&mut connection.task, taken).await?;
        match ids.len() == entries.len() && ids.iter().all(|id| is_entry_id(id)) {
            true => Ok(()),
            false => Err(format!("the server answered {ids:?}")),
        }
    }

    /// The server's answer, unless the connection ends or time is up before.
    async fn answer<T>(&self, task: &mut Task, asked: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
        let answer = tokio::select! {
            answer = tokio::time::timeout(ANSWER, asked) => answer,
            _ = task => return Err("the server closed the connection".to_owned()),
        };
        match answer {
            Ok(answer) => answer.map_err(|error| self.reason(&error)),
            Err(_) => Err(format!("no answer from the server within {ANSWER:?}")),
        }
    }

    async fn queue(&self, all: &Transaction, entries: &[Arc<LogEntry>]) -> Result<(), Error> {
        for LogEntry { event, owner, .. } in entries.iter().map(AsRef::as_ref) {
            let mut fields: Vec<(&str, Value)> = vec![
                ("id", event.id.as_str().into()),
                ("event", event.kind.as_str().into()),
                ("session", event.session.as_str().into()),
            ];
            fields.extend(event.chat.as_ref().map(|chat| ("chat", chat.as_str().into())));
            fields.extend(owner.as_ref().map(|owner| ("user", owner.as_str().into())));
            fields.push(("record", Value::Bytes(encode_event(event).into())));
            let _: Value = all.xadd(self.stream.key.as_str(), false, None, "*", fields).await?;
        }
        Ok(())
    }

    /// Removes what is over a limit, about: whole nodes, which costs Redis little.
    async fn trim(&self, client: &Client) -> Result<(), Error> {
        let key = self.stream.key.as_str();
        if let Some(most) = self.stream.max_len {
            let _: Value = client.xtrim(key, ("MAXLEN", "~", most.to_string())).await?;
        }
        if let Some(age) = self.stream.max_age_ms {
            let oldest = (self.clock.now_ms() - age).max(0);
            let _: Value = client.xtrim(key, ("MINID", "~", oldest.to_string())).await?;
        }
        Ok(())
    }

    /// What went wrong. A server may repeat what it was told, credentials too.
    fn reason(&self, error: &Error) -> String {
        match self.config.password.as_deref().filter(|password| !password.is_empty()) {
            Some(password) => error.details().replace(password, "***"),
            None => error.details().to_owned(),
        }
    }
}

#[async_trait]
impl Sink for RedisSink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn put(&self, entries: &[Arc<LogEntry>]) -> Result<(), String> {
        let mut place = self.connection.lock().await;
        // Whatever ends this early, the next attempt begins with a new connection.
        let mut connection = match place.take().filter(|connection| !connection.task.is_finished()) {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        self.append(&mut connection, entries).await?;
        // The events are there: a stream that is not trimmed is no reason to
        // send them again.
        let trimmed = self.trim(&connection.client);
        if let Err(error) = self.answer(&mut connection.task, trimmed).await
            && !self.untrimmed.swap(true, Ordering::Relaxed)
        {
            tracing::error!(sink = self.name, error, "the stream is not trimmed");
        }
        *place = Some(connection);
        Ok(())
    }
}

/// Whether an answer is the id of an entry, such as `1764230000000-0`.
fn is_entry_id(answer: &str) -> bool {
    answer.split_once('-').is_some_and(|(time, number)| time.parse::<u64>().is_ok() && number.parse::<u64>().is_ok())
}
