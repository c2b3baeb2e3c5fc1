//! What the engine answers when it cannot do what it was asked.

use warest_model::fault::Fault;
use warest_store::StoreError;

/// A request that was not done. Nothing of it was half done.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no such thing.
    #[error("{0} was not found")]
    NotFound(&'static str),
    /// It exists already.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// It is somebody else's.
    #[error("{0} belongs to another user")]
    Forbidden(&'static str),
    /// The request is wrong; the message says what to do.
    #[error("{0}")]
    Invalid(String),
    /// The request does not fit how things stand; the message says what to do.
    #[error("{0}")]
    State(String),
    /// An action of the request is wrong.
    #[error("{0}")]
    Action(Fault),
    /// A script does not compile.
    #[error("line {line}, column {column}: {message}")]
    Script {
        /// Counted from 1; 0 if unknown.
        line: usize,
        /// Counted from 1; 0 if unknown.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// An uploaded plugin is not one.
    #[error("{0}")]
    Plugin(Fault),
    /// A queue is full.
    #[error("the queue of this session is full; try again later")]
    Full {
        /// When to try again, in seconds.
        retry_after: u64,
    },
    /// A webhook receiver did not pass its preflight.
    #[error("the webhook receiver did not pass the preflight: {0}")]
    Preflight(String),
    /// There is no open account behind the session.
    #[error("the session is not open; pair it, or wait until it is connected")]
    NotOpen,
    /// The session's connection refused.
    #[error("{0}")]
    Link(Fault),
    /// A file could not be kept or read.
    #[error("the file could not be kept: {0}")]
    Files(String),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Exists { what } => Self::Exists(what),
            StoreError::NotFound { what } => Self::NotFound(what),
            other => Self::Store(other),
        }
    }
}
