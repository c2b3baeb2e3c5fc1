//! Streams: the event log as it grows, over server-sent events or a WebSocket.
//!
//! Reads the log through a [`Follower`], writes nothing. Both transports show
//! the same [`Frame`]s in the order of the log and differ in their spelling
//! alone ([`sse`], [`socket`]). A stream pulls: what its client does not take is
//! not read from the log, so a slow client costs a page of events, no more, and
//! one that takes nothing is closed by the [write timeout](crate::connection).
//!
//! Laws kept here: a stream shows what lists would show its user, and ends once
//! the user's key is replaced, the session it is about is removed, or the server
//! stops; streams are counted, per user and in all.

mod seats;
pub mod socket;
pub mod sse;

pub use seats::Seats;

use crate::auth::Caller;
use crate::codes::{self, Code};
use crate::error::ApiError;
use crate::state::ApiState;
use crate::view::event_json;
use seats::Seat;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use warest_model::id::EventId;
use warest_pipeline::follow::{Begin, Followed, Follower};
use warest_store::{EventFilter, LogEntry};

/// The place before the first event: a stream that resumes there shows all that
/// is kept.
pub const BEGINNING: &str = "evt_00000000000000000000000000";

/// How much streams may take.
#[derive(Debug, Clone)]
pub struct StreamLimits {
    /// Streams of one user at once.
    pub per_user: usize,
    /// Streams of all users at once.
    pub total: usize,
    /// How often a sign of life is sent, and whether the stream may go on is
    /// looked up.
    pub keep_alive: Duration,
    /// How long a client may take nothing before its connection is closed.
    pub write_timeout: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { per_user: 20, total: 1_000, keep_alive: Duration::from_secs(15), write_timeout: Duration::from_secs(30) }
    }
}

/// By which way a stream comes; each has codes of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Server-sent events.
    Sse,
    /// A WebSocket.
    Socket,
}

impl Transport {
    fn unavailable(self) -> Code {
        match self {
            Self::Sse => codes::SSE_UNAVAILABLE,
            Self::Socket => codes::SOCKET_NOT_CONNECTED,
        }
    }

    fn too_many(self) -> Code {
        match self {
            Self::Sse => codes::CONCURRENCY_LIMIT,
            Self::Socket => codes::SOCKET_RATE_LIMITED,
        }
    }

    fn unauthorized(self) -> Code {
        match self {
            Self::Sse => codes::API_KEY_INVALID,
            Self::Socket => codes::SOCKET_UNAUTHORIZED,
        }
    }
}

/// Why a stream ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The code.
    pub code: Code,
    /// What to do.
    pub message: &'static str,
}

/// What a client is shown.
#[derive(Debug, Clone)]
pub enum Frame {
    /// The stream begins behind this event.
    Open(String),
    /// An event.
    Event(Arc<LogEntry>),
    /// Events may be missing here.
    Gap,
    /// Nothing happened; the stream lives.
    KeepAlive,
    /// The last frame.
    End(Ending),
}

impl Frame {
    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open(_) => "open",
            Self::Event(entry) => entry.event.kind.as_str(),
            Self::Gap => "gap",
            Self::KeepAlive => "keep_alive",
            Self::End(_) => "end",
        }
    }

    /// Where a client that has seen it resumes; the place does not move if there
    /// is none.
    pub fn place(&self) -> Option<&str> {
        match self {
            Self::Open(place) => Some(place),
            Self::Event(entry) => Some(entry.event.id.as_str()),
            Self::Gap | Self::KeepAlive | Self::End(_) => None,
        }
    }

    /// Its JSON: an event as lists show it, anything else as `{event, data}`.
    pub fn json(&self) -> Value {
        let data = match self {
            Self::Event(entry) => return event_json(&entry.event),
            Self::Open(place) => json!({ "after": place }),
            Self::Gap => json!({ "message": "events before the next one may be missing: they are not kept any more" }),
            Self::KeepAlive => json!({}),
            Self::End(ending) => json!({ "code": ending.code.number, "message": ending.message }),
        };
        json!({ "event": self.name(), "data": data })
    }
}

/// One stream, whichever way it comes.
pub struct Frames {
    state: ApiState,
    caller: Caller,
    transport: Transport,
    follower: Follower,
    ready: VecDeque<Frame>,
    tick: Interval,
    /// Whether it is time to look up if the stream may go on.
    due: bool,
    _seat: Seat,
}

impl Frames {
    /// Takes a seat and begins behind `after`, or with what comes next.
    ///
    /// # Errors
    /// If there is no seat, the server stops, or the store fails.
    pub async fn open(
        state: &ApiState,
        caller: Caller,
        transport: Transport,
        filter: EventFilter,
        after: Option<EventId>,
    ) -> Result<Self, ApiError> {
        let engine = &state.engine;
        if engine.stopping().is_cancelled() {
            return Err(ApiError::new(transport.unavailable(), "the server is shutting down").retry_after(1));
        }
        let seat = state.seats.take(&caller.user.id, transport)?;
        let mut ready = VecDeque::new();
        let begin = match after {
            Some(id) if id.as_str() == BEGINNING => Begin::Oldest,
            Some(id) => Begin::After(id),
            None => {
                // Looked up first: what is appended between is shown, and shown
                // again to who resumes here, rather than missed.
                let newest = engine.store().newest_event(caller.scope().as_ref()).await?;
                ready.push_back(Frame::Open(newest.map_or_else(|| BEGINNING.to_owned(), String::from)));
                Begin::Now
            }
        };
        let follower = engine.follow(filter, begin).await?;
        let every = state.config.streams.keep_alive;
        let mut tick = interval_at(Instant::now() + every, every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self { state: state.clone(), caller, transport, follower, ready, tick, due: false, _seat: seat })
    }

    /// Shows something else from here on.
    pub fn set_filter(&mut self, filter: EventFilter) {
        self.follower.set_filter(filter);
    }

    /// Waits for the next frame. A call that is dropped midway loses nothing;
    /// after [`Frame::End`] nothing is to be asked.
    pub async fn next(&mut self) -> Frame {
        if self.due {
            match self.check().await {
                Some(ending) => return Frame::End(ending),
                None => self.due = false,
            }
        }
        if let Some(frame) = self.ready.pop_front() {
            return frame;
        }
        tokio::select! {
            biased;
            () = self.state.engine.stopping().cancelled() => Frame::End(self.stopped()),
            _ = self.tick.tick() => {
                self.due = true;
                Frame::KeepAlive
            }
            followed = self.follower.next() => match followed {
                Ok(Followed::Entry(entry)) => Frame::Event(entry),
                Ok(Followed::Gap) => Frame::Gap,
                Err(error) => {
                    tracing::warn!(%error, "a stream ends: its events cannot be read");
                    Frame::End(self.store_failed())
                }
            }
        }
    }

    /// Why it may not go on, if it may not.
    async fn check(&self) -> Option<Ending> {
        match self.caller.is_current(&self.state).await {
            Ok(true) => {}
            Ok(false) => {
                let message = "this API key is not in use any more; come back with the one that replaced it";
                return Some(Ending { code: self.transport.unauthorized(), message });
            }
            Err(error) => {
                tracing::warn!(%error, "a stream ends: its key cannot be looked up");
                return Some(self.store_failed());
            }
        }
        let session = self.follower.filter().session.as_ref()?;
        let gone = self.caller.session(&self.state, session).is_err();
        gone.then_some(Ending { code: codes::SESSION_NOT_FOUND, message: "the session of this stream was removed" })
    }

    fn stopped(&self) -> Ending {
        let message = "the server stops; come back with the id of the last event";
        Ending { code: self.transport.unavailable(), message }
    }

    fn store_failed(&self) -> Ending {
        let message = "the store failed; come back with the id of the last event";
        Ending { code: codes::DATABASE_ERROR, message }
    }
}
